import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassifierStep, Pipeline, taxonomyOf } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { outputFields } from "../../src/pipeline/output-fields.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { treeOf } from "../support/taxonomies.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

function stepWith(search: "descend" | "shortlist" | undefined, widths: readonly number[]) {
  return new ClassifierStep({
    name: "kind",
    outputKey: "kind",
    taxonomy: taxonomyOf(treeOf(widths)),
    search,
    inputMap: { text: (s: { readonly raw: Row }) => s.raw.note },
  });
}

test("check says how many calls a row takes, and how long the prompts are", async () => {
  const lookAt = async (search: "descend" | "shortlist" | undefined, widths: readonly number[]) => {
    const { findings, prompts, wouldRun } = await new Pipeline<Row>({
      name: "checked",
      source: new MemorySource<Row>({ rows: [{ id: "1", note: "x" }], primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
      payloadLog: "off",
      journal: "off",
    })
      .step(stepWith(search, widths))
      .to(
        new MemorySink({
          columnMap: { code: (s) => s.processed.kind.code, path: (s) => s.processed.kind.path.join(" > ") },
        }),
      )
      .check();
    assert.ok(wouldRun, JSON.stringify(findings));
    assert.ok(!JSON.stringify(findings).includes("n.0"), "no finding has a code");
    const message = (subject: string): string => findings.find((one) => one.subject === subject)?.message ?? "";
    return { asks: message("step kind"), calls: message("calls of kind"), prompts };
  };
  const flat = await lookAt(undefined, [3, 4]);
  assert.equal(flat.asks, "asks mock for reasoning, code, confidence");
  assert.match(flat.calls, /^1 call a row, re-asks aside; 1 prompt of about \d+ input tokens/);
  const descend = await lookAt("descend", [3, 4, 5]);
  assert.equal(descend.asks, "asks mock for reasoning, code, confidence, alternative");
  assert.match(descend.calls, /^3 to 5 calls a row, re-asks aside; 16 prompts of about \d+ to \d+ input tokens/);
  assert.deepEqual(
    descend.prompts.map(({ calls }) => calls),
    [{ least: 3, most: 5 }],
  );
  const shortlist = await lookAt("shortlist", [3, 4, 5]);
  assert.match(shortlist.calls, /^1 call a row/);
});

test("codes and names from data are no categories of a run's record, and make columns as wide as the longest", () => {
  const step = stepWith("descend", [2, 3]);
  const fields = outputFields([step]).map(({ column, categories }) => [column, categories.size]);
  assert.deepEqual(fields, [
    ["kind.reasoning", 0],
    ["kind.code", 0],
    ["kind.name", 0],
    ["kind.path", 0],
    ["kind.confidence", 0],
  ]);
  const target = new Pipeline<Row>({
    name: "described",
    source: new MemorySource<Row>({ rows: [], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
  })
    .step(step)
    .to(new MemorySink({ columnMap: { code: (s) => s.processed.kind.code, name: (s) => s.processed.kind.name } }))
    .describeTarget();
  assert.deepEqual(
    target.columns.map(({ type }) => type),
    [
      { kind: "text", maxLength: 5, isLimit: false },
      { kind: "text", maxLength: 10, isLimit: false },
    ],
  );
});

test("a step's settings differ with its taxonomy, its search and its candidates, so that a run over changes reads everything anew", () => {
  const settingsOf = (...given: Parameters<typeof stepWith>): string => JSON.stringify(stepWith(...given).settings);
  assert.equal(settingsOf("descend", [2, 3]), settingsOf("descend", [2, 3]));
  assert.notEqual(settingsOf("descend", [2, 3]), settingsOf("descend", [2, 4]));
  assert.notEqual(settingsOf("descend", [2, 3]), settingsOf(undefined, [2, 3]));
});
