import assert from "node:assert/strict";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { codeOf, type Intent, intents, type Question, questionsIn } from "../../benchmarks/workload/banking77.ts";
import { ClassifierStep, Pipeline, type Taxonomy, taxonomyFrom } from "../../src/index.ts";
import { CandidateIndex } from "../../src/taxonomy/candidate-index.ts";
import { branchOf, leavesOf } from "../../src/taxonomy/taxonomy.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { answering, textOf } from "../support/taxonomies.ts";

// A part of the data that `npm run bench -- --suite taxonomy` takes whole.
const folder = fileURLToPath(new URL("../fixtures/banking77", import.meta.url));
let known: readonly Question[];
let asked: readonly Question[];
let taxonomy: Taxonomy;

before(async () => {
  [known, asked] = await Promise.all([questionsIn(folder, "train"), questionsIn(folder, "test")]);
  const source = new MemorySource<Intent>({ rows: intents(known, 5), primaryKeyColumn: "code" });
  taxonomy = await taxonomyFrom(source, { code: "code", parent: "parent", name: "name", examples: "examples" });
});

test("the right intent is among 30 candidates for 95 % of the questions, by names and five examples", async () => {
  assert.deepEqual([taxonomy.leaves.length, asked.length], [77, 231]);
  const index = await CandidateIndex.of(leavesOf(branchOf(taxonomy.nodes)), { count: 30, depth: 1 });
  const found = asked.filter(({ text, category }) => {
    return index.find(text).some(({ code }) => code === codeOf.get(category));
  });
  assert.ok(found.length / asked.length >= 0.95, `${found.length} of ${asked.length}`);
});

/** Classifies all questions; the model gives the right code, or the group of it, where it is shown it. */
async function classify(search: "descend" | "shortlist" | undefined) {
  const wanted = new Map(asked.map(({ text, category }) => [text, codeOf.get(category) ?? ""]));
  const { llmProvider } = answering((one) => {
    const right = wanted.get(textOf(one)) ?? "";
    const code = one.codes.find((choice) => right === choice || right.startsWith(`${choice}.`)) ?? one.codes[0];
    const hasAlternative = Object.hasOwn(one.schema.json.properties ?? {}, "alternative");
    return { reasoning: "r", code, confidence: 0.9, ...(hasAlternative && { alternative: null }) };
  });
  const sink = new MemorySink({
    columnMap: {
      text: (s: Finished) => s.raw.text,
      code: (s: Finished) => s.processed.intent.code,
    },
  });
  const rows = asked.map((question, index) => ({ id: `${index}`, ...question }));
  const { usage, error } = await new Pipeline<Finished["raw"]>({
    name: "banking77",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider,
    ...{ payloadLog: "off", journal: "off" },
  })
    .step(
      new ClassifierStep({
        ...{ name: "intent", outputKey: "intent", taxonomy, search },
        inputMap: { text: (s) => s.raw.text },
      }),
    )
    .to(sink)
    .run();
  assert.equal(error, null);
  const codes = new Set<unknown>(taxonomy.leaves.map(({ code }) => code));
  assert.ok(
    sink.rows.every(({ code }) => codes.has(code)),
    "a code is outside the taxonomy",
  );
  const right = sink.rows.filter(({ text, code }) => code === wanted.get(String(text))).length / rows.length;
  return { right, calls: usage.calls / rows.length, tokens: usage.inputTokens / rows.length };
}

interface Finished {
  readonly raw: Question & { readonly id: string };
  readonly processed: { readonly intent: { readonly code: string } };
}

test("each way gives codes of the taxonomy alone; level by level takes a quarter of the tokens, a shortlist half", async () => {
  const [flat, descend, shortlist] = [
    await classify(undefined),
    await classify("descend"),
    await classify("shortlist"),
  ];
  assert.deepEqual([flat.right, flat.calls, descend.right, descend.calls, shortlist.calls], [1, 1, 1, 2, 1]);
  assert.ok(shortlist.right >= 0.95, `${shortlist.right}`);
  assert.ok(
    descend.tokens < 0.3 * flat.tokens && shortlist.tokens < 0.5 * flat.tokens,
    JSON.stringify({ flat, descend, shortlist }),
  );
});
