import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClassifierStep,
  ExtractorStep,
  GlobalState,
  LLMStep,
  type LLMProvider,
  Pipeline,
  type RunEvent,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import { z } from "zod";
import { applies } from "../../src/engine/run-step.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";

const Ticket = z.object({ id: z.string(), note: z.string(), urgent: z.boolean() });

const rows: readonly z.output<typeof Ticket>[] = [
  { id: "1", note: "fire", urgent: true },
  { id: "2", note: "dust", urgent: false },
  { id: "3", note: "flood", urgent: true },
  { id: "4", note: "draught", urgent: false },
];

type Equal<One, Other> = [One, Other] extends [Other, One] ? true : false;
/** Compiles only where the two types are the same. */
function isType<Expected>() {
  return <Actual>(value: Actual, same: Equal<Actual, Expected>): Actual => {
    assert.equal(same, true);
    return value;
  };
}

/** A provider that notes the texts that it is asked about. */
function watchedMock(): { readonly llmProvider: LLMProvider; readonly asked: string[] } {
  const mock = new MockProvider();
  const asked: string[] = [];
  const complete: LLMProvider["complete"] = async (request, signal) => {
    asked.push(request.messages.at(-1)?.content ?? "");
    return await mock.complete(request, signal);
  };
  return { llmProvider: { name: "watched", fingerprint: mock.fingerprint, complete }, asked };
}

function begun(llmProvider: LLMProvider, options: { readonly onRowError?: "skip" | "fail" } = {}) {
  return new Pipeline({
    name: "conditional",
    source: new MemorySource({ rows, primaryKeyColumn: "id", schema: Ticket }),
    llmProvider,
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
    ...options,
  });
}

/** A finished state whose summary may be missing. */
interface Finished {
  readonly pk: string;
  readonly processed: { readonly summary: { readonly text: string } | null };
  readonly lineage: { readonly summary: object | null };
}

test("a step that does not apply makes no call, gives null, and is counted; later steps and the sink see null", async () => {
  const { llmProvider, asked } = watchedMock();
  const sink = new MemorySink({
    columnMap: {
      id: (s: Finished) => s.pk,
      summary: (s: Finished) => s.processed.summary?.text ?? null,
      hasLineage: (s: Finished) => s.lineage.summary !== null,
    },
  });
  const seen: unknown[] = [];
  const events: RunEvent[] = [];
  const report = await begun(llmProvider)
    .step(
      new SummarizerStep({
        name: "summarize",
        when: (s) => s.raw.urgent,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "summary",
      }),
    )
    .step(
      new TransformStep({
        name: "look",
        outputKey: "look",
        transform: (s) => {
          seen.push(isType<{ text: string; reasoning: string } | null>()(s.processed.summary, true) === null);
          return s.processed.summary?.text.length ?? 0;
        },
      }),
    )
    .to(sink)
    .run({ onEvent: (event) => void events.push(event) });
  assert.equal(report.error, null);
  assert.deepEqual(asked.map((text) => /fire|dust|flood|draught/.exec(text)?.[0]).toSorted(), ["fire", "flood"]);
  assert.deepEqual([report.successCount, report.usage.calls, report.notApplied], [4, 2, { summarize: 2 }]);
  assert.deepEqual(seen.toSorted(), [false, false, true, true]);
  const written = sink.rows.toSorted((one, other) => String(one["id"]).localeCompare(String(other["id"])));
  assert.deepEqual(
    written.map(({ id, summary, hasLineage }) => [id, typeof summary, hasLineage]),
    [
      ["1", "string", true],
      ["2", "object", false],
      ["3", "string", true],
      ["4", "object", false],
    ],
  );
  const passedOver = events.filter(({ type }) => type === "not-applied");
  assert.deepEqual(passedOver.map((event) => event.type === "not-applied" && [event.step, event.pk]).toSorted(), [
    ["summarize", "2"],
    ["summarize", "4"],
  ]);
});

test("a run whose steps apply to each row says nothing of it", async () => {
  const report = await begun(new MockProvider())
    .step(new TransformStep({ name: "always", outputKey: "always", when: () => true, transform: () => 1 }))
    .to(new MemorySink({ columnMap: { value: (s) => s.processed.always } }))
    .run();
  assert.deepEqual([report.successCount, report.notApplied], [4, undefined]);
});

test("every kind of step takes `when`, sees what the steps before gave, and has null in its type", async () => {
  const { llmProvider, asked } = watchedMock();
  const report = await begun(llmProvider)
    .step(new TransformStep({ name: "urgent", outputKey: "urgent", transform: (s) => s.raw.urgent }))
    .step(
      new ClassifierStep({
        name: "classify",
        taxonomy: [
          { name: "a", definition: "First" },
          { name: "b", definition: "Second" },
        ],
        when: (s) => s.processed.urgent,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
      }),
    )
    .step(
      new ExtractorStep({
        name: "extract",
        schema: z.object({ size: z.int().nullable() }),
        when: (s) => isType<"a" | "b" | undefined>()(s.processed.kind?.category, true) !== undefined,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "found",
      }),
    )
    .step(
      new LLMStep({
        name: "ask",
        prompt: "Say if it is wet.",
        schema: z.object({ wet: z.boolean() }),
        when: (s) => isType<number | null | undefined>()(s.processed.found?.size, true) !== undefined,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "wet",
      }),
    )
    .step(
      new TransformStep({
        name: "note",
        outputKey: "note",
        when: (s) => isType<{ wet: boolean } | null>()(s.processed.wet, true) === null,
        transform: () => "dry",
      }),
    )
    .to(
      new MemorySink({
        columnMap: {
          kind: (s) =>
            isType<{ category: "a" | "b"; confidence: number; reasoning: string } | null>()(s.processed.kind, true),
          note: (s) => isType<string | null>()(s.processed.note, true),
        },
      }),
    )
    .run();
  assert.deepEqual([report.successCount, asked.length], [4, 6]);
  assert.deepEqual(report.notApplied, { classify: 2, extract: 2, ask: 2, note: 2 });
});

test("types: a step with `when` can't be read as if it always applied, and sees only what there is", () => {
  const step = () =>
    begun(new MockProvider()).step(
      new ClassifierStep({
        name: "classify",
        taxonomy: [{ name: "a", definition: "First" }],
        when: (s) => s.raw.urgent,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
      }),
    );
  // @ts-expect-error -- it may be null
  step().to(new MemorySink({ columnMap: { kind: (s) => s.processed.kind.category } }));
  begun(new MockProvider()).step(
    new TransformStep({
      name: "x",
      outputKey: "x",
      // @ts-expect-error -- no row has it
      when: (s) => s.raw.missing,
      transform: () => 1,
    }),
  );
  begun(new MockProvider()).step(
    new TransformStep({
      name: "x",
      outputKey: "x",
      // @ts-expect-error -- a text is neither true nor false
      when: (s) => s.raw.note,
      transform: () => 1,
    }),
  );
  assert.ok(step());
});

for (const [what, when, facts] of [
  ["throws", () => JSON.parse("{"), { thrown: "SyntaxError" }],
  ["gives a text", () => "yes", { expected: "true or false", got: "a text of 3 characters" }],
  ["gives null", () => null, { expected: "true or false", got: "NULL" }],
  ["gives a promise", async () => await Promise.resolve(true), { expected: "true or false", got: "a promise" }],
] as const) {
  test(`a \`when\` that ${what} for one row fails that row, and no call is made for it`, async () => {
    const { llmProvider, asked } = watchedMock();
    const decide = (s: { readonly raw: z.output<typeof Ticket> }): boolean => {
      return s.raw.id === "3" ? (when() as boolean) : true; // as in JavaScript
    };
    const step = new SummarizerStep({
      name: "x",
      when: decide,
      inputMap: { text: (s: { readonly raw: z.output<typeof Ticket> }) => s.raw.note },
      outputKey: "x",
    });
    const third = { pk: "3", raw: rows[2] ?? {}, processed: {}, log: [], startedAt: new Date() };
    assert.throws(
      () => applies(step, new GlobalState(third)),
      failsWith("WHEN_FAILED", { step: "x", where: "when", ...facts }),
    );
    const report = await begun(llmProvider)
      .step(step)
      .to(new MemorySink({ columnMap: { x: (s) => s.processed.x?.text } }))
      .run();
    assert.deepEqual([report.successCount, report.skippedCount, asked.length], [3, 1, 3]);
    assert.deepEqual([report.failuresByCode, report.notApplied], [{ WHEN_FAILED: 1 }, undefined]);
  });
}

for (const [what, when, facts] of [
  ["gives a promise", async () => await Promise.resolve(true), {}],
  ["gives a text", () => "yes", { expected: "true or false", got: "a text of 3 characters" }],
  ["reads what no row has", (s: { raw: { urgnet?: boolean } }) => s.raw.urgnet === true, { closest: "urgent" }],
] as const) {
  test(`a \`when\` that ${what} is found by check and run before the first call`, async () => {
    const { llmProvider, asked } = watchedMock();
    const pipeline = begun(llmProvider)
      .step(
        new SummarizerStep({
          name: "x",
          when: when as () => boolean, // as in JavaScript
          inputMap: { text: (s: { readonly raw: { readonly note: string } }) => s.raw.note },
          outputKey: "x",
        }),
      )
      .to(new MemorySink({ columnMap: { x: (s) => s.processed.x?.text } }));
    await assert.rejects(pipeline.run(), failsWith("MAP_MISMATCH", { where: "when of x", ...facts }));
    assert.equal(asked.length, 0);
    const { findings } = await pipeline.check();
    const problems = findings.filter(({ status }) => status === "problem");
    assert.ok(problems.some(({ facts: found }) => found?.["where"] === "when of x"));
  });
}

test("check says that a step does not apply to the first row; its columns may be NULL", async () => {
  const pipeline = begun(new MockProvider())
    .step(
      new SummarizerStep({
        name: "summarize",
        when: (s) => !s.raw.urgent,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "summary",
      }),
    )
    .to(
      new MemorySink({
        columnMap: {
          id: (s) => s.pk,
          text: (s) => s.processed.summary?.text,
          fixed: (s) => s.processed.summary?.text ?? "-",
        },
      }),
    );
  const { findings } = await pipeline.check();
  const found = findings.find(({ subject }) => subject === "prompt of summarize");
  assert.equal(found?.status, "not checked");
  const columns = pipeline.describeTarget().columns.map(({ name, type, isNullable }) => [name, type.kind, isNullable]);
  assert.deepEqual(columns, [
    ["id", "text", false],
    ["text", "text", true],
    ["fixed", "text", true],
  ]);
});
