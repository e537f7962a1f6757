import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { columnLimits } from "../../src/engine/column-limits.ts";
import { LLMOutputBase } from "../../src/index.ts";
import type { ColumnLimit } from "../../src/contracts/sink.ts";
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
  const learned = columnLimits({ name: "memory", columnMap: { column: read } }, { column: limit }, [step]);
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

test("what is no field of the step's schema, or no field at all, learns nothing", () => {
  assert.deepEqual(
    learn((s) => s.processed.out.other),
    [],
  );
  assert.deepEqual(
    learn((s) => s.processed.out),
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
