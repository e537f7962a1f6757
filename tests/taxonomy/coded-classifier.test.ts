import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import {
  ClassifierStep,
  type ErrorFacts,
  type GlobalState,
  LLMEtlError,
  type LLMProvider,
  Pipeline,
  type RunReport,
  type Step,
  type Taxonomy,
  taxonomyOf,
  type TaxonomyNode,
} from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { stepContract } from "../../src/testing/step-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { answering, textOf, treeOf } from "../support/taxonomies.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const topics = taxonomyOf([
  { code: "all", name: "Everything" },
  { code: "C", parent: "all", name: "Card" },
  { code: "C1", parent: "C", name: "Lost <card>", definition: 'It is lost\n- "X": or stolen', aliases: ["gone"] },
  { code: "C2", parent: "C", name: "Fee", definition: "Money taken", examples: ["I </categories> paid"] },
  { code: "L", parent: "all", name: "Login", definition: "Getting in" },
]);

const unwritten: Taxonomy = topics;

const Note = z.object({ id: z.string(), note: z.string() });
type Row = z.output<typeof Note>;
type State = GlobalState<Row>;
const inputMap = { text: (s: State) => s.raw.note };
const named = { name: "topic", outputKey: "topic", inputMap } as const;

interface Ran {
  readonly report: RunReport;
  readonly outputs: readonly unknown[];
}

/** Runs notes through a step, one at a time. */
async function run(llmProvider: LLMProvider, step: Step<State, "topic", unknown>, notes = ["a note"]): Promise<Ran> {
  const rows = notes.map((note, index) => ({ id: String(index), note }));
  const outputs: unknown[] = [];
  const report = await new Pipeline({
    name: "topics",
    source: new MemorySource({ rows, primaryKeyColumn: "id", schema: Note }),
    llmProvider,
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
    concurrency: 1,
  })
    .step(step)
    .to(new MemorySink({ columnMap: { topic: (s) => outputs.push(s.processed.topic) } }))
    .run();
  return { report, outputs: outputs.slice(-report.successCount) };
}

type Equal<One, Other> = [One, Other] extends [Other, One] ? true : false;
/** Compiles only where the two types are the same. */
function isType<Expected>() {
  return <Actual>(value: Actual, same: Equal<Actual, Expected>): Actual => {
    assert.equal(same, true);
    return value;
  };
}

describe("all leaves in one prompt", () => {
  const step = new ClassifierStep({ ...named, taxonomy: topics });

  test("what comes from data stands on a line of its own, between tags that nothing in it can end", () => {
    const system = step.render({ raw: { note: "x" } } as never).messages[0]?.content ?? ""; // the rest is not looked at
    assert.match(
      system,
      /\n<categories>\n- "C1": Card > Lost &lt;card> \(also: gone\): It is lost - "X": or stolen\n- "C2": Card > Fee: Money taken\n {2}- example: "I &lt;\/categories> paid"\n- "L": Login: Getting in\n<\/categories>\n/,
    );
    assert.equal(system.match(/<\/categories>/g)?.length, 1);
  });

  test("the output has the code, and the name and path that the taxonomy has", async () => {
    const { llmProvider } = answering(() => ({ reasoning: "r", code: "C1", confidence: 0.9 }));
    const { outputs } = await run(llmProvider, step);
    const expected = {
      reasoning: "r",
      code: "C1",
      name: "Lost <card>",
      path: ["Everything", "Card", "Lost <card>"],
      confidence: 0.9,
    };
    assert.deepEqual(outputs, [expected]);
    assert.deepEqual(Object.keys(outputs[0] ?? {}), ["reasoning", "code", "name", "path", "confidence"]);
  });

  test("a code that is no leaf is asked for again, and no message has a code", async () => {
    const { llmProvider, asked } = answering(() => ({ reasoning: "r", code: "C", confidence: 0.9 }));
    const { report } = await run(llmProvider, step);
    assert.deepEqual([report.skippedCount, asked.length], [1, 2]);
    assert.match(asked[1]?.messages.at(-1)?.content ?? "", /code: "C" is not one of the allowed values; closest: "C1"/);
    assert.match(asked[1]?.messages.at(-1)?.content ?? "", /Fields not listed above can stay as they were\.$/);
    const one = new ClassifierStep({ ...named, taxonomy: taxonomyOf([{ code: "secret", name: "Secret" }]) });
    const reading = one.read('{"reasoning":"r","code":7,"confidence":1}');
    assert.ok(!reading.valid && !reading.issues.some(({ message }) => message.includes("secret")));
  });

  test("codes are a union where they are written out: leaves alone, with the way out", async () => {
    const pipeline = new Pipeline({
      name: "types",
      source: new MemorySource({ rows: [{ id: "1", note: "x" }], primaryKeyColumn: "id", schema: Note }),
      llmProvider: new MockProvider(),
      payloadLog: "off",
      journal: "off",
    })
      .step(new ClassifierStep({ ...named, taxonomy: topics }))
      .step(
        new ClassifierStep({
          ...named,
          name: "b",
          outputKey: "b",
          taxonomy: topics,
          none: "unknown",
          reasoning: false,
        }),
      )
      .step(
        new ClassifierStep({
          ...named,
          name: "c",
          outputKey: "c",
          taxonomy: topics,
          labels: { max: 2 },
          onInvalidConfidence: "null",
        }),
      )
      .step(new ClassifierStep({ ...named, name: "d", outputKey: "d", taxonomy: unwritten, search: "shortlist" }))
      .step(
        new ClassifierStep({
          ...named,
          name: "e",
          outputKey: "e",
          taxonomy: [
            { name: "A", definition: "a" },
            { name: "B", definition: "b" },
          ],
          none: "neither",
        }),
      )
      .step(
        new ClassifierStep({
          ...{ name: "f", outputKey: "f", inputMap, taxonomy: topics },
          when: (state) => state.raw.note === "other",
        }),
      );
    const columnMap = {
      topic: (s: StateOf) => {
        isType<"C1" | "C2" | "L">()(s.processed.topic.code, true);
        isType<readonly string[]>()(s.processed.topic.path, true);
        isType<string>()(s.processed.topic.reasoning, true);
        return s.processed.topic.name;
      },
      b: (s: StateOf) => {
        // @ts-expect-error -- there is none
        const reasoningOf = (): unknown => s.processed.b.reasoning;
        assert.equal(typeof reasoningOf, "function");
        return isType<"C1" | "C2" | "L" | "unknown">()(s.processed.b.code, true);
      },
      c: (s: StateOf) => {
        const [first] = s.processed.c.labels;
        if (first !== undefined) isType<number | null>()(first.confidence, true);
        return isType<"C1" | "C2" | "L" | undefined>()(first?.code, true) ?? "";
      },
      d: (s: StateOf) => isType<string>()(s.processed.d.code, true),
      e: (s: StateOf) => isType<"A" | "B" | "neither">()(s.processed.e.category, true),
      f: (s: StateOf) => isType<"C1" | "C2" | "L" | undefined>()(s.processed.f?.code, true) ?? "",
      // @ts-expect-error -- no leaf has this code
      g: (s: StateOf) => s.processed.topic.code === "C",
    };
    type StateOf = Parameters<Parameters<(typeof pipeline)["to"]>[0]["columnMap"][string]>[0];
    const report = await pipeline.to(new MemorySink({ columnMap })).run();
    assert.deepEqual([report.error, report.successCount], [null, 1]);
  });

  test("a way out is one more choice, with its reasons: its text is code and name, and it has no path", async () => {
    const open = new ClassifierStep({ ...named, taxonomy: topics, none: "unclassified" });
    const { llmProvider, asked } = answering(() => ({
      reasoning: "nothing fits",
      code: "unclassified",
      confidence: 0.8,
    }));
    const { outputs } = await run(llmProvider, open);
    const expected = {
      reasoning: "nothing fits",
      code: "unclassified",
      name: "unclassified",
      path: [],
      confidence: 0.8,
    };
    assert.deepEqual(outputs, [expected]);
    assert.match(asked[0]?.system ?? "", /where none fits, give "unclassified" as the code and say why/);
    const categories = [{ name: "A", definition: "a" }] as const;
    const reading = new ClassifierStep({ ...named, taxonomy: categories, none: "neither" }).read(
      '{"reasoning":"r","category":"neither","confidence":1}',
    );
    assert.ok(reading.valid && reading.output.category === "neither");
  });

  test("several labels carry codes alike", async () => {
    const several = new ClassifierStep({ ...named, taxonomy: topics, labels: { min: 1, max: 2 }, reasoning: "last" });
    const labels = [
      { code: "L", confidence: 0.9 },
      { code: "C2", confidence: 0.4 },
    ];
    const { llmProvider } = answering(() => ({ labels, reasoning: "r" }));
    const { outputs } = await run(llmProvider, several);
    assert.deepEqual(outputs, [
      {
        labels: [
          { code: "L", name: "Login", path: ["Everything", "Login"], confidence: 0.9 },
          { code: "C2", name: "Fee", path: ["Everything", "Card", "Fee"], confidence: 0.4 },
        ],
        reasoning: "r",
      },
    ]);
    const twice = several.read(JSON.stringify({ labels: [labels[0], labels[0]], reasoning: "r" }));
    assert.ok(!twice.valid && twice.issues[0]?.path === "labels.1.code");
  });

  test("examples are answers with codes of leaves", () => {
    const input = { text: "It is gone" };
    const output = { reasoning: "r", code: "C1", confidence: 1 } as const;
    const shown = new ClassifierStep({ ...named, taxonomy: topics, examples: [{ input, output }] });
    const system = shown.render({ raw: { note: "x" } } as never).messages[0]?.content ?? ""; // the rest is not looked at
    assert.match(system, /Reply: \{"reasoning":"r","code":"C1","confidence":1\}/);
    const wrong = { ...output, code: "C" as "C1" }; // the compiler rejects it
    assert.throws(
      () => new ClassifierStep({ ...named, taxonomy: topics, examples: [{ input, output: wrong }] }),
      failsWith("INVALID_OPTION", { where: "examples", example: 1 }),
    );
  });
});

describe("options that do not fit are rejected at construction", () => {
  const wide = (count: number, code = (index: number): string => `${index}`): Taxonomy =>
    taxonomyOf(Array.from({ length: count }, (_, index): TaxonomyNode => ({ code: code(index), name: "n" })));
  const long = (index: number): string => `${index}`.padEnd(60, "x");
  const cases: readonly (readonly [string, object, ErrorFacts])[] = [
    [
      "20,000 leaves without search",
      { taxonomy: wide(20_000) },
      { where: "search", leaves: 20_000, expected: '"descend" or "shortlist"' },
    ],
    ["1,001 leaves", { taxonomy: wide(1001) }, { where: "search" }],
    ["1,000 leaves and a way out", { taxonomy: wide(1000), none: "no" }, { where: "search" }],
    ["251 codes of 60 characters", { taxonomy: wide(251, long) }, { where: "search" }],
    [
      "a level of 1,001 below one node",
      { taxonomy: wide(1001), search: "descend" },
      { where: "search", children: 1001 },
    ],
    [
      "a search in a list of categories",
      { taxonomy: [{ name: "a", definition: "b" }], search: "descend" },
      { where: "search" },
    ],
    ["another search", { taxonomy: topics, search: "vectors" }, { where: "search" }],
    ["candidates without a shortlist", { taxonomy: topics, candidates: 5 }, { where: "candidates" }],
    ["a way out that is a code", { taxonomy: topics, none: "C" }, { where: "none" }],
    ["a way out that is a category", { taxonomy: [{ name: "A", definition: "b" }], none: "a" }, { where: "none" }],
    ["a way out among labels", { taxonomy: topics, none: "no", labels: {} }, { where: "none" }],
    ["labels level by level", { taxonomy: topics, search: "descend", labels: {} }, { where: "labels" }],
    ["more labels than leaves", { taxonomy: topics, labels: { max: 4 } }, { where: "max", expected: "at most 3" }],
    [
      "more labels than candidates",
      { taxonomy: topics, search: "shortlist", candidates: 2, labels: { max: 3 } },
      { where: "max" },
    ],
  ];
  for (const [name, options, facts] of cases) {
    test(name, () => {
      const wrong = { ...named, ...options } as never; // the compiler rejects most of them
      assert.throws(() => new ClassifierStep(wrong), failsWith("INVALID_OPTION", facts));
    });
  }

  test("a promise of a taxonomy, with what to write", async () => {
    const taxonomy = Promise.resolve(topics) as never; // the compiler rejects it
    assert.throws(
      () => new ClassifierStep({ ...named, taxonomy }),
      failsWith("INVALID_OPTION", { where: "taxonomy", hint: "await taxonomyFrom(…)" }),
    );
  });

  test("what is too large names both remedies, and the calls of a row", () => {
    const hintOf = (taxonomy: Taxonomy): unknown => {
      try {
        return new ClassifierStep({ ...named, taxonomy });
      } catch (error) {
        return error instanceof LLMEtlError ? error.facts.hint : error;
      }
    };
    assert.equal(
      hintOf(taxonomyOf(treeOf([11, 10, 10]))),
      '"shortlist" takes 1 call a row; "descend" takes 3 to 5 calls a row',
    );
    assert.match(String(hintOf(wide(20_000))), /^"shortlist" takes 1 call a row; "descend" needs a tree/);
    const groupsOf = (count: number, below: number) => () =>
      new ClassifierStep({ ...named, taxonomy: taxonomyOf(treeOf([count, below])), search: "descend" });
    assert.doesNotThrow(groupsOf(2, 1000));
    assert.doesNotThrow(groupsOf(500, 2));
    assert.throws(groupsOf(501, 2), failsWith("INVALID_OPTION", { where: "search", children: 501 })); // listed twice
    assert.doesNotThrow(() => new ClassifierStep({ ...named, taxonomy: wide(1000) }));
    assert.doesNotThrow(() => new ClassifierStep({ ...named, taxonomy: wide(250, long) }));
  });
});

test("columns that can't hold a code or a name of the data are found before the first call, and no message has one", async () => {
  const run = async (columnMap: Record<string, (s: never) => unknown>, maxLength: number) => {
    const sink = new MemorySink({ columnMap });
    const problemOf = (value: unknown) => {
      const message = "does not fit";
      return String(value).length > maxLength ? { message, detail: message } : undefined;
    };
    const { open } = sink;
    const limits = Object.fromEntries(
      Object.keys(columnMap).map((column) => [column, { schema: { maxLength }, problemOf }]),
    );
    const limited = Object.assign(Object.create(sink), {
      open: async (context: never) => ({ ...(await open(context)), limits }),
    });
    const { llmProvider, asked } = answering(() => ({ reasoning: "r", code: "secret code", confidence: 1 }));
    const taxonomy = taxonomyOf([
      { code: "secret code", name: "secret name, long" },
      { code: "b", name: "B" },
    ] as TaxonomyNode[]);
    const pipeline = new Pipeline({
      name: "limits",
      source: new MemorySource({ rows: [{ id: "1", note: "x" }], primaryKeyColumn: "id", schema: Note }),
      llmProvider,
      payloadLog: "off",
      journal: "off",
    })
      .step(new ClassifierStep({ ...named, taxonomy }))
      .to(limited);
    const report = await pipeline.run().catch((error: unknown) => error);
    return { report, asked };
  };
  interface Topic {
    readonly processed: { readonly topic: { readonly code: string; readonly name: string } };
  }
  for (const read of [(s: Topic) => s.processed.topic.code, (s: Topic) => s.processed.topic.name]) {
    const { report, asked } = await run({ column: read }, 10);
    failsWith("TARGET_MISMATCH", { where: "column", step: "topic", count: 1 })(report);
    assert.ok(report instanceof LLMEtlError && !JSON.stringify(report).includes("secret"));
    assert.match(report.detail, /"secret (?:code|name, long)"/);
    assert.equal(asked.length, 0);
    assert.equal((await run({ column: read }, 17)).asked.length, 1);
  }
});

test("columns for code, name and path ask nothing of the model; those for confidence and reasons do", async () => {
  const databasePath = join(temporaryFolder(), "target.db");
  const database = new DatabaseSync(databasePath);
  database.exec(
    "CREATE TABLE topics (id TEXT PRIMARY KEY, code VARCHAR(2) NOT NULL, name VARCHAR(20) NOT NULL, path TEXT NOT NULL CHECK (json_valid(path)), why VARCHAR(5))",
  );
  database.close();
  const { llmProvider, asked } = answering(({ messages }) => ({
    reasoning: messages.length > 2 ? "short" : "too long",
    code: "C1",
    confidence: 1,
  }));
  const report = await new Pipeline({
    name: "columns",
    source: new MemorySource({ rows: [{ id: "1", note: "x" }], primaryKeyColumn: "id", schema: Note }),
    llmProvider,
    ...{ payloadLog: "off", journal: "off" },
  })
    .step(new ClassifierStep({ ...named, taxonomy: topics }))
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "topics",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          code: (s) => s.processed.topic.code,
          name: (s) => s.processed.topic.name,
          path: (s) => s.processed.topic.path,
          why: (s) => s.processed.topic.reasoning,
        },
      }),
    )
    .run();
  assert.deepEqual([report.error, report.successCount, report.usage.reAsks], [null, 1, 1]);
  assert.match(asked[1]?.messages.at(-1)?.content ?? "", /validation:\n- reasoning: [^\n]+\nReply/);
});

for (const search of [undefined, "descend", "shortlist"] as const) {
  describe(`the contract of a step, with search: ${search ?? "none"}`, () => {
    const checks = stepContract({
      create: () => new ClassifierStep({ ...named, taxonomy: topics, search }),
      state: () => ({ raw: { note: "money taken for a card" } }) as State, // the rest is not looked at
      llmProvider: new MockProvider(),
    });
    for (const { name, check } of checks) test(name, check);
  });
}

const large = treeOf([10, 10, 50]);
const largeTaxonomy = taxonomyOf(large);
const largeLeaves = new Set(largeTaxonomy.leaves.map(({ code }) => code));

test("5,000 leaves, 1,000 rows, level by level: no code outside, and the prompts of one node are the same bytes for each row", async () => {
  let turn = 0;
  const { llmProvider, asked } = answering(({ codes }) => {
    turn += 1;
    const at = (Math.imul(turn, 2_654_435_761) >>> 8) % codes.length;
    return {
      reasoning: "r",
      code: codes[at],
      confidence: (turn % 10) / 10,
      alternative: codes[(at + 1) % codes.length],
    };
  });
  const step = new ClassifierStep({ ...named, taxonomy: largeTaxonomy, search: "descend" });
  const { report, outputs } = await run(
    llmProvider,
    step,
    Array.from({ length: 1000 }, (_, index) => `note ${index}`),
  );
  assert.deepEqual([report.error, report.successCount], [null, 1000]);
  assert.ok(outputs.every((output) => largeLeaves.has(Object(output).code)));
  const byNode = Map.groupBy(asked, ({ codes }) => codes[0]);
  for (const questions of byNode.values()) {
    assert.equal(new Set(questions.map(({ system, schema }) => system + JSON.stringify(schema))).size, 1);
  }
  assert.ok(byNode.size > 50 && byNode.size <= 111, `${byNode.size} nodes were asked about`);
  assert.ok(asked.length > 3000 && asked.length <= 5000, `${asked.length} calls`);
});

test("5,000 leaves, with candidates: no code outside, whatever the model names; all but the candidates is the same for each row", async () => {
  const { llmProvider, asked } = answering(({ codes, messages }) => {
    const isReAsk = messages.length > 2;
    return { reasoning: "r", code: isReAsk ? codes[0] : "n.0.0.9999", confidence: 0.9 };
  });
  const step = new ClassifierStep({ ...named, taxonomy: largeTaxonomy, search: "shortlist" });
  const notes = Array.from({ length: 100 }, (_, index) => `About nx${index % 10}x3x${index % 50}, mostly`);
  const { report, outputs } = await run(llmProvider, step, notes);
  assert.deepEqual([report.error, report.successCount, report.usage.reAsks], [null, 100, 100]);
  assert.ok(outputs.every((output) => largeLeaves.has(Object(output).code)));
  assert.equal(new Set(asked.map(({ system, schema }) => system + JSON.stringify(schema))).size, 1);
  for (const one of asked.filter(({ messages }) => messages.length === 2)) {
    assert.equal(one.codes.length, 30);
    const [, wanted = ""] = /About (\S+),/.exec(textOf(one)) ?? [];
    assert.equal(one.codes[0], wanted.replaceAll("x", "."));
  }
});

test("any answers: level by level a row ends in a leaf or in the way out, within the calls that are promised", async () => {
  const trees = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
  const draws = fc.array(fc.tuple(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat()), {
    minLength: 1,
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(trees, draws, fc.boolean(), async (widths, answers, isOpen) => {
      const taxonomy = taxonomyOf(treeOf(widths));
      const none = isOpen ? "none of them" : undefined;
      let turn = 0;
      const { llmProvider, asked } = answering(({ codes }) => {
        turn += 1;
        const [place, confidence, second] = answers[turn % answers.length] ?? [0, 1, 0];
        const choices = none === undefined ? codes : [...codes, none];
        const [code, alternative] = [choices[place % choices.length], choices[second % choices.length]];
        return { reasoning: "r", code, confidence, alternative };
      });
      const step = new ClassifierStep({ ...named, taxonomy, search: "descend", none });
      const { report, outputs } = await run(llmProvider, step);
      assert.deepEqual([report.error, report.usage.reAsks], [null, 0]);
      const { code, path, confidence } = Object(outputs[0]);
      const leaf = taxonomy.leaves.find((one) => one.code === code);
      assert.ok(leaf === undefined ? code === none && path.length === 0 : path === leaf.path);
      assert.ok(confidence >= 0 && confidence <= 1);
      const { least = 0, most = 0 } = step.asking?.().calls ?? {};
      assert.ok(asked.length >= least && asked.length <= most, `${asked.length} calls, ${least} to ${most} promised`);
    }),
    { numRuns: 60 },
  );
});
