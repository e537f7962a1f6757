import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassifierStep, Pipeline, taxonomyOf, type TaxonomyNode } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CandidateIndex } from "../../src/taxonomy/candidate-index.ts";
import { branchOf, leavesOf } from "../../src/taxonomy/taxonomy.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { type Asked, answering } from "../support/taxonomies.ts";

const nodes: readonly TaxonomyNode[] = [
  { code: "<a>", name: "Lost card", definition: "A card is lost", aliases: ["missing plastic"] },
  { code: "b", name: "Fee", definition: "Money taken", examples: ["why was I charged twice"] },
  { code: "c", name: "Login", definition: "Getting in" },
  { code: "d", name: "Überweisung", definition: "Geld senden" },
  { code: "e", name: "Other" },
];
const index = await CandidateIndex.of(leavesOf(branchOf(nodes)), { count: 3, depth: 0 });

test("candidates share words with the text: of names, aliases, definitions and examples, in any letter case and script", () => {
  const first = (text: string): string | undefined => index.find(text)[0]?.code;
  assert.equal(first("My CARD is gone"), "<a>");
  assert.equal(first("missing PLASTIC"), "<a>");
  assert.equal(first("money"), "b");
  assert.equal(first("Charged, twice!"), "b");
  assert.equal(first("überweisung"), "d");
});

test("words are found in scripts without blanks, with vowel signs, and however an accent is encoded", async () => {
  const others = [
    { code: "ja", name: "カード紛失", definition: "カードをなくした、盗まれた" },
    { code: "zh", name: "转账手续费" },
    { code: "th", name: "บัตรหาย" },
    { code: "ko", name: "카드 분실" },
    { code: "hi", name: "कार्ड खो गया" },
    { code: "fr", name: "Carte volée" },
  ];
  const many = await CandidateIndex.of(leavesOf(branchOf(others)), { count: 2, depth: 0 });
  const first = (text: string): string | undefined => many.find(text)[0]?.code;
  assert.equal(first("昨日カードを盗まれました"), "ja");
  assert.equal(first("为什么收我手续费？"), "zh");
  assert.equal(first("ทำบัตรหายเมื่อวาน"), "th");
  assert.equal(first("카드를 분실했어요"), "ko");
  assert.equal(first("मेरा कार्ड कहाँ है"), "hi");
  assert.equal(first("ma carte a été vole\u0301e"), "fr");
});

test("there are as many as wanted, each once, also where nothing matches; the same ones for the same text", () => {
  for (const text of ["", "zzz", "card fee login other geld", "?!…", "\uD800"]) {
    const codes = index.find(text).map(({ code }) => code);
    assert.equal(new Set(codes).size, 3, text);
    assert.deepEqual(
      index.find(text).map(({ code }) => code),
      codes,
    );
  }
});

test("among many leaves the rare words of a row count, and a row of common words has candidates all the same", async () => {
  const many = Array.from({ length: 6000 }, (_, place) => ({
    code: `${place}`,
    name: `common rare${place % 500} word${place}`,
  }));
  const large = await CandidateIndex.of(leavesOf(branchOf(many)), { count: 30, depth: 0 });
  const codesFor = (text: string): readonly string[] => large.find(text).map(({ code }) => code);
  assert.equal(codesFor("A common word4321 of common words")[0], "4321");
  assert.deepEqual(
    new Set(
      codesFor("common rare7")
        .slice(0, 12)
        .map((code) => Number(code) % 500),
    ),
    new Set([7]),
  );
  assert.equal(codesFor("common").length, 30);
});

interface Row {
  readonly id: string;
  readonly note: string;
}
interface Options {
  readonly none?: string;
  readonly labels?: { min: number; max: number };
  readonly candidates?: number;
}

async function classify(answer: ((asked: Asked) => object) | undefined, { candidates = 3, ...options }: Options = {}) {
  const { llmProvider, asked } = answering(answer ?? (() => ({})));
  const sink = new MemorySink({ columnMap: { kind: (s: { processed: { kind: object } }) => s.processed.kind } });
  const report = await new Pipeline<Row>({
    name: "shortlist",
    llmProvider: answer === undefined ? new MockProvider() : llmProvider,
    source: new MemorySource<Row>({ rows: [{ id: "1", note: "a lost card, and its fee" }], primaryKeyColumn: "id" }),
    ...{ payloadLog: "off", journal: "off", onRowError: "skip" },
  })
    .step(
      new ClassifierStep({
        ...{ name: "kind", outputKey: "kind", taxonomy: taxonomyOf(nodes), search: "shortlist", candidates },
        inputMap: { text: (s) => s.raw.note },
        ...options,
      }),
    )
    .to(sink)
    .run();
  return { report, asked, kind: Object(sink.rows[0]?.["kind"]) };
}

test("candidates stand in the user message, escaped as the row is, before the text", async () => {
  const { asked, kind, report } = await classify(() => ({ reasoning: "r", code: "<a>", confidence: 1 }));
  assert.match(
    asked[0]?.user ?? "",
    /^<candidates>\n- "&lt;a>": Lost card \(also: missing plastic\): A card is lost\n[^]*\n<\/candidates>\n\n<text>\na lost card, and its fee\n<\/text>$/,
  );
  assert.deepEqual([report.usage.reAsks, kind.code, kind.path], [0, "<a>", ["Lost card"]]);
  assert.deepEqual(Object.keys(asked[0]?.schema.json.properties ?? {}), ["reasoning", "code", "confidence"]);
  assert.equal(JSON.stringify(asked[0]?.schema).includes("enum"), false);
});

test("a code is found as it was copied: with the row's escapes, quotes or blanks", async () => {
  for (const code of ["&lt;a>", '"<a>"', " <a>\n"]) {
    const { kind, report } = await classify(() => ({ reasoning: "r", code, confidence: 1 }));
    assert.deepEqual([kind.code, report.usage.reAsks], ["<a>", 0]);
  }
});

test("a code of the taxonomy that is no candidate is asked for again, with the nearest, and named in no message", async () => {
  const { asked, kind, report } = await classify(
    ({ messages }) => ({ reasoning: "r", code: messages.length > 2 ? "b" : "c", confidence: 1 }),
    { candidates: 2 },
  );
  assert.deepEqual([asked.length, kind.code, report.usage.reAsks], [2, "b", 1]);
  assert.match(asked[1]?.messages.at(-1)?.content ?? "", /- code: "c" is not the code of a candidate/);
  const failed = await classify(() => ({ reasoning: "r", code: "secret", confidence: 1 }));
  assert.deepEqual([failed.report.skippedCount, failed.report.failuresByCode], [1, { INVALID_OUTPUT: 1 }]);
  assert.ok(!JSON.stringify(failed.report).includes("secret"));
});

test("a way out, and several labels, each a candidate and none twice", async () => {
  const open = await classify(() => ({ reasoning: "r", code: "no", confidence: 1 }), { none: "no" });
  assert.deepEqual([open.kind.code, open.kind.path], ["no", []]);
  const labels = { min: 0, max: 2 };
  const one = { code: "&lt;a>", confidence: 1 };
  const several = await classify(() => ({ reasoning: "r", labels: [one, { code: "b", confidence: 0.5 }] }), { labels });
  assert.deepEqual(
    several.kind.labels.map(({ code }: { code: string }) => code),
    ["<a>", "b"],
  );
  const twice = await classify(() => ({ reasoning: "r", labels: [one, { code: "<a>", confidence: 1 }] }), { labels });
  assert.equal(twice.report.skippedCount, 1);
});

test("the mock answers with a candidate, the one that shares most words with the row", async () => {
  const { kind, report } = await classify(undefined);
  assert.deepEqual([report.successCount, report.usage.reAsks, kind.code], [1, 0, "<a>"]);
  const several = await classify(undefined, { labels: { min: 2, max: 2 } });
  assert.deepEqual([several.report.usage.reAsks, several.kind.labels.length], [0, 2]);
});
