import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClassifierStep,
  type ClassifierStepOptions,
  Pipeline,
  taxonomyOf,
  type TaxonomyNode,
} from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { clientWith } from "../support/llm-client.ts";
import { type Asked, answering } from "../support/taxonomies.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { join } from "node:path";

const nodes: readonly TaxonomyNode[] = [
  { code: "all", name: "All" },
  { code: "only", parent: "all", name: "Only" },
  { code: "A", parent: "only", name: "Animals" },
  { code: "A1", parent: "A", name: "Cat" },
  { code: "A2", parent: "A", name: "Dog" },
  { code: "B", parent: "only", name: "Buildings", definition: "Built" },
  { code: "B1", parent: "B", name: "House" },
  { code: "B2", parent: "B", name: "Bridge" },
  { code: "C", parent: "only", name: "Colours" },
  { code: "C1", parent: "C", name: "Red" },
];
type Answer = readonly [code: string, confidence: number | null, alternative?: string];

interface Options extends Partial<Pick<ClassifierStepOptions<never, string, string>, "reasoning" | "maxRetries">> {
  readonly none?: string;
  readonly onInvalidConfidence?: "null";
}

interface Row {
  readonly id: string;
  readonly note: string;
}

function stepWith(options: Options = {}) {
  return new ClassifierStep({
    name: "kind",
    outputKey: "kind",
    taxonomy: taxonomyOf(nodes),
    search: "descend",
    inputMap: { text: (s: { readonly raw: Row }) => s.raw.note },
    ...options,
  });
}

/** Runs one row; the model answers by the first choice of each question. */
async function descend(answers: Readonly<Record<string, Answer>>, options: Options = {}, journalPath?: string) {
  const { llmProvider, asked } = answering(({ codes, schema }: Asked) => {
    const [code, confidence, alternative = null] = answers[codes[0] ?? ""] ?? [codes[0], 1];
    const hasAlternative = Object.hasOwn(schema.json.properties ?? {}, "alternative");
    return { reasoning: `because of ${code}`, code, confidence, ...(hasAlternative && { alternative }) };
  });
  interface Finished {
    readonly processed: { readonly kind: object };
    readonly lineage: { readonly kind: { readonly calls: number } | null };
  }
  const columnMap = {
    kind: (s: Finished) => s.processed.kind,
    lineage: (s: Finished) => s.lineage.kind?.calls ?? 0,
  };
  const sink = new MemorySink({ columnMap });
  const report = await new Pipeline<Row>({
    name: "descent",
    source: new MemorySource<Row>({ rows: [{ id: "1", note: "x" }], primaryKeyColumn: "id" }),
    llmProvider,
    payloadLog: "off",
    journal: journalPath === undefined ? "off" : new SQLiteJournal({ path: journalPath }),
    onRowError: "skip",
  })
    .step(stepWith(options))
    .to(sink)
    .run({ fresh: journalPath !== undefined });
  return { report, asked: asked.map(({ codes }) => codes.join("")), questions: asked, row: sink.rows[0] ?? {} };
}

test("a sure model is asked once a level, and levels with one node are walked through", async () => {
  const { asked, row } = await descend({ A: ["B", 0.9, "A"], B1: ["B2", 0.8] });
  assert.deepEqual(asked, ["ABC", "B1B2"]);
  assert.deepEqual(row, {
    kind: {
      reasoning: "because of B2",
      code: "B2",
      name: "Bridge",
      path: ["All", "Only", "Buildings", "Bridge"],
      confidence: 0.72,
    },
    lineage: 2,
  });
  const through = await descend({ A: ["C", 0.9] });
  assert.deepEqual(through.asked, ["ABC"]);
  assert.equal(Object(through.row["kind"]).code, "C1");
});

test("an unsure one has its second best followed, too, and the better product counts", async () => {
  const second = await descend({ A: ["A", 0.5, "B"], A1: ["A1", 0.6], B1: ["B1", 0.9] });
  assert.deepEqual(second.asked, ["ABC", "A1A2", "B1B2"]);
  assert.deepEqual([Object(second.row["kind"]).code, Object(second.row["kind"]).confidence], ["B1", 0.45]);
  const first = await descend({ A: ["A", 0.5, "B"], A1: ["A1", 0.9], B1: ["B1", 0.6] });
  assert.equal(Object(first.row["kind"]).code, "A1");
  for (const answer of [
    ["A", 0.6, "B"],
    ["A", 0.5],
    ["A", 0.5, "A"],
    ["A", 0.5, "nothing"],
    ["C", 0.5, "B"],
  ] as Answer[]) {
    assert.equal((await descend({ A: answer })).asked.length, answer[0] === "C" ? 1 : 2, answer.join());
  }
});

test("the question of a level says where it is, what a group holds, and asks for a second best only where it can matter", async () => {
  const { questions } = await descend({ A: ["B", 0.9] });
  const [top, below] = questions;
  assert.match(
    top?.system ?? "",
    /\n<categories>\n- "A": Animals \(holds: Cat; Dog\)\n- "B": Buildings: Built \(holds: House; Bridge\)\n- "C": Colours \(holds: Red\)\n/,
  );
  assert.doesNotMatch(top?.system ?? "", /<within>/);
  assert.match(below?.system ?? "", /\n<within>\nAll > Only > Buildings\n<\/within>\n/);
  assert.deepEqual(Object.keys(top?.schema.json.properties ?? {}), ["reasoning", "code", "confidence", "alternative"]);
  assert.deepEqual(Object.keys(below?.schema.json.properties ?? {}), ["reasoning", "code", "confidence"]);
});

test("where none fits a row ends there, but for a second way that leads to a leaf", async () => {
  const none = "none";
  const top = await descend({ A: ["none", 0.9] }, { none });
  assert.deepEqual([top.asked, Object(top.row["kind"]).code, Object(top.row["kind"]).path], [["ABC"], "none", []]);
  const below = await descend({ A: ["A", 0.9], A1: ["none", 0.5] }, { none });
  assert.deepEqual([Object(below.row["kind"]).code, Object(below.row["kind"]).confidence], ["none", 0.45]);
  const other = await descend({ A: ["A", 0.5, "B"], A1: ["none", 1], B1: ["B2", 0.2] }, { none });
  assert.deepEqual([Object(other.row["kind"]).code, Object(other.row["kind"]).confidence], ["B2", 0.1]);
});

test("a confidence that is null is counted, and makes that of the row null", async () => {
  const { report, row, asked } = await descend({ A: ["B", 7, "A"], B1: ["B1", 0.9] }, { onInvalidConfidence: "null" });
  assert.deepEqual([Object(row["kind"]).code, Object(row["kind"]).confidence, asked.length], ["B1", null, 2]);
  assert.deepEqual(report.invalidValues, { "kind.confidence": 1 });
});

test("each answer is journaled: what was paid for is not asked again after a level that failed", async () => {
  const journalPath = join(temporaryFolder(), "journal.db");
  const failed = await descend({ A: ["B", 0.9], B1: ["B9", 0.9] }, { maxRetries: 0 }, journalPath);
  assert.deepEqual([failed.report.skippedCount, failed.asked.length], [1, 2]);
  const first = await descend({ A: ["B", 0.9], B1: ["B1", 0.9] }, {}, journalPath);
  assert.equal(first.report.successCount, 1);
  const again = await descend({}, {}, journalPath);
  assert.deepEqual([again.asked, again.report.successCount], [[], 1]);
});

test("a re-ask at a level is about that level alone, and the questions of other levels are no retries", async () => {
  let turn = 0;
  const { llmProvider, asked } = answering(({ codes, messages }) => {
    turn += 1;
    const code = messages.length > 2 || codes[0] === "A" ? codes[0] : "A9";
    return { reasoning: "r", code, confidence: 0.9, ...(codes[0] === "A" && { alternative: null }) };
  });
  const client = clientWith();
  const provider = llmProvider;
  const { signal } = new AbortController();
  const llm = client.conversation({ step: "kind", pk: "1", provider, signal });
  const output = await stepWith().run({ raw: { id: "1", note: "x" } }, { signal, llm });
  assert.deepEqual([output.code, turn, llm.retryCount, llm.lineage?.calls], ["A1", 3, 1, 3]);
  assert.match(
    asked[2]?.messages.at(-1)?.content ?? "",
    /- code: "A9" is not one of the allowed values; closest: "A1", "A2"/,
  );
});

test("examples are shown at each level on their way, with the node that leads to their code", () => {
  const input = { text: "A bridge" };
  const examples = [{ input, output: { reasoning: "r", code: "B2", confidence: 1 } }];
  const step = new ClassifierStep({
    name: "kind",
    outputKey: "kind",
    taxonomy: taxonomyOf(nodes),
    search: "descend",
    examples,
    inputMap: { text: (s: { readonly raw: Row }) => s.raw.note },
  });
  const system = step.render({ raw: { id: "1", note: "x" } }).messages[0]?.content ?? "";
  assert.match(system, /Reply: \{"reasoning":"r","code":"B","confidence":1,"alternative":null\}/);
});
