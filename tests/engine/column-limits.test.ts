import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { columnLimits } from "../../src/engine/column-limits.ts";
import { LLMOutputBase } from "../../src/index.ts";
import type { ColumnLimit } from "../../src/contracts/sink.ts";
import { failsWith } from "../support/error-facts.ts";
import { LLMStep } from "../../src/steps/llm-step.ts";

const step = new LLMStep({
  name: "reads",
  prompt: "Read.",
  schema: LLMOutputBase.extend({
    text: z.string(),
    kind: z.enum(["short", "rather long"]),
    part: z.object({ of: z.string() }),
  }),
  inputMap: { text: () => "x" },
  outputKey: "out",
});

function atMost(maxLength: number): ColumnLimit {
  const message = `must have at most ${maxLength} characters`;
  return {
    schema: { maxLength },
    problemOf: (value) => (String(value).length > maxLength ? { message, detail: message } : undefined),
  };
}

type State = { pk: string; processed: { out: { text: string; kind: string; part: { of: string }; other: string } } };

function learn(read: (state: State) => unknown, limit: ColumnLimit = atMost(10)): readonly string[] {
  const learned = columnLimits({ sink: { name: "memory", columnMap: { column: read } } }, { column: limit }, [step]);
  return (learned.get("out") ?? []).map(
    ({ path, column, schema }) => `${column}: ${path.join(".")} ${JSON.stringify(schema)}`,
  );
}

test("the limit of a column passes to the field that it shows", () => {
  assert.deepEqual(
    learn((s) => s.processed.out.text),
    ['column: text {"maxLength":10}'],
  );
  assert.deepEqual(
    learn((s) => s.processed.out.part.of),
    ['column: part.of {"maxLength":10}'],
  );
});

const anything: ColumnLimit = { schema: { maxLength: 10 }, problemOf: () => undefined };

test("what is no field of the step's schema, or no field at all, learns nothing", () => {
  assert.deepEqual(
    learn((s) => s.processed.out.other),
    [],
  );
  assert.deepEqual(
    learn((s) => s.processed.out, anything),
    [],
  );
  assert.deepEqual(
    learn((s) => s.pk),
    [],
  );
  assert.deepEqual(
    learn((s) => s.processed.out.text.slice(0, 5)),
    [],
  );
});

test("a choice that its column can't hold is refused before the first row: the model might take it", () => {
  assert.deepEqual(
    learn((s) => s.processed.out.kind, atMost(11)),
    ['column: kind {"maxLength":11}'],
  );
  assert.throws(() => learn((s) => s.processed.out.kind), {
    code: "TARGET_MISMATCH",
    facts: {
      sink: "memory",
      where: "column",
      step: "reads",
      choice: "rather long",
      hint: "widen the column, or shorten the choice",
    },
  });
});

const shared = z.object({ city: z.string(), zip: z.string() }).meta({ id: "Address" });
const richStep = new LLMStep({
  name: "reads",
  prompt: "Read.",
  schema: LLMOutputBase.extend({
    maybe: z.string().nullable(),
    either: z.union([z.string(), z.number()]),
    address: shared.nullable(),
    home: shared,
    fixed: z.literal("rather long"),
    event: z.union([
      z.object({ kind: z.literal("a"), note: z.string(), only: z.string() }),
      z.object({ kind: z.literal("b"), note: z.string().nullable() }),
    ]),
    tags: z.array(z.string()).nullable(),
    urgent: z.boolean(),
    named: z.string().meta({ id: "Name" }),
    absent: z.string().optional(),
  }),
  inputMap: { text: () => "x" },
  outputKey: "out",
});

interface RichState {
  readonly pk: string;
  readonly raw: { readonly flag: unknown };
  readonly processed: {
    readonly out: {
      readonly maybe: string | null;
      readonly either: string | number;
      readonly address: { readonly city: string } | null;
      readonly home: { readonly city: string };
      readonly fixed: string;
      readonly event: { readonly kind: string; readonly note: string | null; readonly only?: string };
      readonly tags: readonly string[] | null;
      readonly urgent: boolean;
      readonly named: string;
      readonly absent?: string;
    };
  };
}

/** What the only column's function passes on of a limit of ten characters and NOT NULL. */
function limitOf(read: (state: RichState) => unknown): ColumnLimit | undefined {
  const limit = atMost(10);
  const notNull: ColumnLimit = {
    schema: limit.schema,
    problemOf: (value) => ((value ?? null) === null ? { message: "NULL", detail: "NULL" } : limit.problemOf(value)),
  };
  return columnLimits({ sink: { name: "memory", columnMap: { column: read } } }, { column: notNull }, [richStep]).get(
    "out",
  )?.[0];
}

const long = "rather long";

test("a limit reaches through nullable fields, alternatives, references and named objects", () => {
  const reads: readonly ((state: RichState) => unknown)[] = [
    (s) => s.processed.out.maybe,
    (s) => s.processed.out.either,
    (s) => s.processed.out.address?.city,
    (s) => s.processed.out.home.city,
    (s) => s.processed.out.event.note,
    (s) => s.processed.out.named,
    (s) => s.processed.out.absent,
  ];
  for (const read of reads) {
    const limit = limitOf(read);
    assert.deepEqual(limit?.schema, { maxLength: 10 }, String(read));
    assert.ok(limit.problemOf(long) !== undefined && limit.problemOf(null) !== undefined, String(read));
  }
  const only = limitOf((s) => s.processed.out.event.only);
  assert.deepEqual(only?.schema, { maxLength: 10 });
  assert.notEqual(only.problemOf(long), undefined);
  assert.equal(only.problemOf(undefined), undefined, "an alternative without the field is not asked to be another");
  assert.throws(() => limitOf((s) => s.processed.out.fixed), { code: "TARGET_MISMATCH" });
});

test("a limit holds for the values that the function passes on, and for no others", () => {
  const orNone = limitOf((s) => s.processed.out.maybe ?? "none");
  assert.deepEqual(orNone?.schema, { maxLength: 10 });
  assert.equal(orNone.problemOf(null), undefined, "a null becomes none, which fits");
  assert.notEqual(orNone.problemOf(long), undefined);
  const unlessLong = limitOf((s) => (s.processed.out.maybe === long ? "short" : s.processed.out.maybe));
  assert.equal(unlessLong?.problemOf(long), undefined);
  assert.notEqual(unlessLong?.problemOf(`${long}er`), undefined);
  const cut = limitOf((s) => {
    const { maybe } = s.processed.out;
    return typeof maybe === "string" ? maybe.slice(0, 10) : maybe;
  });
  assert.deepEqual(cut?.schema, {});
  assert.equal(cut.problemOf(long), undefined);
  const byRow = limitOf((s) => (s.raw.flag ? s.processed.out.maybe : "none"));
  assert.deepEqual(byRow?.schema, {}, "of a row without the flag the answer is not written");
  assert.equal(byRow.problemOf(long), undefined);
  const chooses: readonly ((state: RichState) => unknown)[] = [
    (s) => (s.processed.out.either === "a code" ? "short" : s.processed.out.maybe),
    (s) => (s.raw.flag === "de" ? s.processed.out.named : s.processed.out.maybe),
    (s) => (s.pk === "7" ? "none" : s.processed.out.maybe),
    (s) => (s.processed.out.address?.city === "Bern" ? "none" : s.processed.out.maybe),
  ];
  for (const read of chooses) {
    assert.deepEqual(limitOf(read)?.schema ?? {}, {}, String(read));
    assert.equal(limitOf(read)?.problemOf(long), undefined, `${String(read)} may show another value`);
  }
  const whole = limitOf((s) => (s.processed.out && s.raw ? s.processed.out.maybe : "none"));
  assert.deepEqual(whole?.schema, { maxLength: 10 }, "row and outputs are always there");
  assert.equal(limitOf((s) => s.processed.out.address?.city ?? "none")?.problemOf(undefined), undefined);
});

test("a column that can hold no answer of a field's type is found before the first row", () => {
  const texts: ColumnLimit = {
    schema: {},
    problemOf: (value) => (typeof value === "object" && value !== null ? { message: "no", detail: "no" } : undefined),
  };
  const find = (read: (state: RichState) => unknown, limit = texts): unknown =>
    columnLimits({ sink: { name: "memory", columnMap: { column: read } } }, { column: limit }, [richStep]);
  for (const [read, type] of [
    [(s: RichState) => s.processed.out.tags, "an array"],
    [(s: RichState) => s.processed.out.home, "an object"],
    [(s: RichState) => s.processed.out, "an object"],
  ] as const) {
    assert.throws(() => find(read), failsWith("TARGET_MISMATCH", { where: "column", step: "reads", type }));
  }
  const noBooleans: ColumnLimit = { schema: {}, problemOf: () => ({ message: "no", detail: "no" }) };
  assert.throws(() => find((s) => s.processed.out.urgent, noBooleans), { code: "TARGET_MISMATCH" });
  find((s) => s.processed.out.either);
  find((s) => s.processed.out.tags?.length);
  find((s) => JSON.stringify(s.processed.out.tags));
});

function oneOf(...choices: readonly string[]): ColumnLimit {
  const message = `must be one of ${choices.join(", ")}`;
  return {
    schema: { enum: choices },
    problemOf: (value) =>
      value === null || (typeof value === "string" && choices.includes(value))
        ? undefined
        : { message, detail: message },
  };
}

test("the values that a column is held to pass to the field, but where the column's function replaces others", () => {
  assert.deepEqual(
    learn((s) => s.processed.out.text, oneOf("a", "b")),
    ['column: text {"enum":["a","b"]}'],
  );
  assert.deepEqual(
    learn((s) => (s.processed.out.text === "a" ? "a" : "other"), oneOf("a", "other")),
    [],
  );
  assert.deepEqual(
    learn((s) => s.processed.out.text ?? "b", oneOf("a", "b")),
    ['column: text {"enum":["a","b"]}'],
  );
});

test("a choice that is none of the column's values is rejected before the first row", () => {
  assert.deepEqual(
    learn((s) => s.processed.out.kind, oneOf("short", "rather long", "more")),
    ['column: kind {"enum":["short","rather long","more"]}'],
  );
  assert.throws(
    () => learn((s) => s.processed.out.kind, oneOf("short")),
    failsWith("TARGET_MISMATCH", { where: "column", choice: "rather long" }),
  );
});
