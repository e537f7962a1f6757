import assert from "node:assert/strict";
import { failsWith } from "../support/error-facts.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  ClassifierStep,
  type LLMProvider,
  Pipeline,
  type PipelineOptions,
  SettingError,
  SummarizerStep,
} from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

const folder = temporaryFolder();
const source = new MemorySource<Row>({
  rows: [
    { id: "a", note: "Sudden chest pain, brought in by ambulance." },
    { id: "b", note: "Yearly preventive check of an adult, all well." },
  ],
  primaryKeyColumn: "id",
});
const options: PipelineOptions<Row> = {
  name: "visits",
  source,
  llmProvider: new MockProvider(),
  payloadLog: "off",
  journal: "off",
};

function classifier(name = "kind", llmProvider?: LLMProvider) {
  return new ClassifierStep({
    name,
    taxonomy: [
      { name: "Emergency", definition: "Urgent visit, pain, ambulance" },
      { name: "Checkup", definition: "Preventive check" },
    ],
    inputMap: { text: (s: { raw: Row }) => s.raw.note },
    outputKey: "kind",
    llmProvider,
  });
}

const sink = () => new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } });

test("`step` and `to` return new objects and change nothing", async () => {
  const empty = new Pipeline(options);
  const one = empty.step(classifier());
  const columns = (state: { log: readonly string[] }) => state.log.join(",");
  const rows = async (pipeline: Pipeline<Row, never>): Promise<unknown> => {
    const target = new MemorySink({ columnMap: { log: columns } });
    await pipeline.to(target).run();
    return target.rows.map(({ log }) => log);
  };
  assert.deepEqual(await rows(empty as Pipeline<Row, never>), ["", ""]);
  assert.deepEqual(await rows(one as Pipeline<Row, never>), ["kind", "kind"]);
  assert.deepEqual(await rows(empty as Pipeline<Row, never>), ["", ""]);
});

test("a later step sees what the ones before it added, and the sink sees all, with the audit facts", async () => {
  const target = new MemorySink({
    columnMap: {
      id: (s) => s.pk,
      kind: (s) => s.processed.kind.category,
      summary: (s) => s.processed.summary.text,
      model: (s) => s.lineage.kind?.model,
      calls: (s) => s.lineage.summary?.calls,
      hash: (s) => s.lineage.kind?.promptHash,
      run: (s) => s.run.id,
      at: (s) => s.completedAt,
    },
  } satisfies ConstructorParameters<typeof MemorySink<VisitState, string>>[0]);
  const prompts: string[] = [];
  const llmProvider = new MockProvider({
    responses: (request) => {
      prompts.push(request.messages[1]?.content ?? "");
      return undefined;
    },
  });
  const report = await new Pipeline({ ...options, llmProvider })
    .step(classifier())
    .step(
      new SummarizerStep({
        name: "summary",
        outputKey: "summary",
        inputMap: { text: (s) => s.raw.note, focus: (s) => s.processed.kind.category },
      }),
    )
    .to(target)
    .run();
  assert.deepEqual(
    target.rows.map(({ kind }) => kind),
    ["Emergency", "Checkup"],
  );
  assert.ok(prompts.some((prompt) => prompt.startsWith("<focus>\nEmergency\n</focus>")));
  const [row] = target.rows;
  assert.equal(row?.["run"], report.runId);
  assert.equal(row?.["model"], "mock");
  assert.equal(row?.["calls"], 1);
  assert.match(String(row?.["hash"]), /^[0-9a-f]{16}$/);
  assert.ok(row?.["at"] instanceof Date);
});

interface VisitState {
  readonly pk: string;
  readonly completedAt: Date;
  readonly run: { readonly id: string };
  readonly processed: { readonly kind: { category: string }; readonly summary: { text: string } };
  readonly lineage: {
    readonly [Key in "kind" | "summary"]: { model: string; promptHash: string; calls: number } | null;
  };
}

test("a step's own provider is asked instead of the pipeline's", async () => {
  const own = new MockProvider({ model: "own-model" });
  const target = new MemorySink({
    columnMap: { model: (s: { lineage: { readonly kind: { model: string } | null } }) => s.lineage.kind?.model },
  });
  await new Pipeline(options).step(classifier("kind", own)).to(target).run();
  assert.deepEqual(target.rows, [{ model: "own-model" }, { model: "own-model" }]);
});

test("a provider that lacks a setting refuses the run before the first row", async () => {
  let reads = 0;
  const counted = new MemorySource<Row>({ rows: () => ((reads += 1), []), primaryKeyColumn: "id" });
  const unset: LLMProvider = {
    name: "unset",
    fingerprint: () => {
      throw new SettingError("Unset", "apiKey", "UNSET_KEY");
    },
    complete: async () => assert.fail("no call is made"),
  };
  const pipeline = new Pipeline({ ...options, source: counted }).step(classifier("kind", unset)).to(sink());
  await assert.rejects(pipeline.run(), failsWith("SETTING_MISSING", { where: "apiKey", variable: "UNSET_KEY" }));
  assert.equal(reads, 0);
});

test("a pipeline runs as often as you like, each time under a new id", async () => {
  const pipeline = new Pipeline(options).step(classifier()).to(sink());
  const [first, second] = [await pipeline.run(), await pipeline.run()];
  assert.notEqual(first.runId, second.runId);
  assert.equal(second.successCount, 2);
});

test("wrong options are refused at construction, with expected and got", () => {
  const refused = (wrong: object, facts: ErrorFacts): void => {
    const [where = ""] = Object.keys(wrong);
    assert.throws(() => new Pipeline({ ...options, ...wrong }), failsWith("INVALID_OPTION", { where, ...facts }));
  };
  refused({ name: " " }, { expected: "text that is not blank", got: '" "' });
  refused({ concurrency: 0 }, { expected: "a whole number from 1 up", got: "0" });
  refused({ concurency: 4 }, { nearest: "concurrency" });
  refused({ onRowError: "ignore" }, { expected: '"fail" or "skip" or "dead_letter"', got: '"ignore"' });
  refused({ source: {} }, { got: "an object" });
  refused({ llmProvider: undefined }, { got: "nothing" });
  refused({ deadLetterPath: "failed.jsonl" }, {});
  refused({ payloadLogPath: new URL("https://example.com/x") }, { got: "a https: URL" });
});

test("two steps with one name or one output key are refused, also where no compiler looks", () => {
  const one = new Pipeline(options).step(classifier("first"));
  const untyped = one as unknown as { step: (step: unknown) => unknown };
  assert.throws(
    () => untyped.step(classifier("second")),
    failsWith("INVALID_OPTION", { where: "step", outputKey: "kind" }),
  );
  assert.throws(
    () => untyped.step({ ...classifier("first"), outputKey: "other" }),
    failsWith("INVALID_OPTION", { where: "step", step: "first" }),
  );
});

test("wrong run options are refused before anything happens", async () => {
  const pipeline = new Pipeline(options).step(classifier()).to(sink());
  await assert.rejects(
    pipeline.run({ limit: 0 }),
    failsWith("INVALID_OPTION", { where: "limit", expected: "a whole number from 1 up" }),
  );
  await assert.rejects(
    pipeline.run({ parameter: {} } as object),
    failsWith("INVALID_OPTION", { nearest: "parameters" }),
  );
  assert.throws(() => new Pipeline(options).to({} as never), failsWith("INVALID_OPTION", { where: "to" }));
});

test("the payload log has a line for each call, or is left out where it is off", async () => {
  const payloadLogPath = join(folder, "log", "payloads.jsonl");
  await new Pipeline({ ...options, payloadLog: "full", payloadLogPath }).step(classifier()).to(sink()).run();
  const lines = readFileSync(payloadLogPath, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ pk }) => pk).toSorted(), ["a", "b"]);
  const off = join(folder, "off.jsonl");
  await new Pipeline({ ...options, payloadLogPath: off }).step(classifier()).to(sink()).run();
  assert.equal(existsSync(off), false);
});

test(
  "a payload log on a full disk stops the run and says what to do",
  { skip: !existsSync("/dev/full") && "no /dev/full here" },
  async () => {
    const report = await new Pipeline({
      ...options,
      payloadLog: "full",
      payloadLogPath: "/dev/full",
      onRowError: "skip",
    })
      .step(classifier())
      .to(sink())
      .run();
    assert.equal(report.error?.code, "PAYLOAD_LOG_FAILED");
    assert.match(report.error?.message ?? "", /payloadLog: "off"/);
    assert.equal(report.pendingCount, report.readCount);
  },
);

test("a file that can't be opened refuses the run before the first row", async () => {
  const blocked = join(folder, "log", "payloads.jsonl", "below-a-file.jsonl");
  await assert.rejects(new Pipeline({ ...options, payloadLog: "full", payloadLogPath: blocked }).to(sink()).run(), {
    code: "PAYLOAD_LOG_FAILED",
  });
  await assert.rejects(
    new Pipeline({ ...options, onRowError: "dead_letter", deadLetterPath: blocked }).to(sink()).run(),
    { code: "DEAD_LETTER_FAILED" },
  );
});

const prices = { inputPerMillion: 1000, cachedInputPerMillion: 1000, outputPerMillion: 1000, currency: "EUR" };
const manyRows = (count: number) =>
  new MemorySource<Row>({
    rows: Array.from({ length: count }, (_, index) => ({
      id: `r${index}`,
      note: index % 4 === 3 ? "" : `Note ${index}.`,
    })),
    primaryKeyColumn: "id",
  });

test("maxCalls ends the run after exactly so many calls, resumable", async () => {
  const pipeline = new Pipeline({ ...options, source: manyRows(100), onRowError: "skip", maxCalls: 9, batchSize: 1 });
  const report = await pipeline.step(classifier()).to(sink()).run();
  assert.deepEqual(
    [report.error?.code, report.usage.calls, report.successCount, report.exitCode],
    ["LIMIT_REACHED", 9, 9, 3],
  );
  assert.equal((await pipeline.step(classifier()).to(sink()).run({ maxCalls: 4 })).usage.calls, 4);
});

test("maxCost ends the run before a call that may bring it above, and the report says what it cost", async () => {
  const llmProvider = new MockProvider({ prices });
  const pipeline = new Pipeline({ ...options, llmProvider, source: manyRows(400), onRowError: "skip", concurrency: 4 });
  const { cost, usage } = await pipeline.step(classifier()).to(sink()).run({ limit: 8 });
  const amount = cost?.amount ?? 0;
  assert.equal(cost?.currency, "EUR");
  assert.ok(Math.abs(amount - (usage.inputTokens + usage.outputTokens) / 1000) < 1e-9);
  const capped = await pipeline.step(classifier()).to(sink()).run({ maxCost: amount });
  assert.equal(capped.error?.code, "LIMIT_REACHED");
  assert.ok((capped.cost?.amount ?? 0) <= amount);
});

test("maxCost without prices, and prices in two currencies, are refused before the first row", async () => {
  const priced = new MockProvider({ prices });
  await assert.rejects(
    new Pipeline({ ...options, maxCost: 5 }).step(classifier("kind")).to(sink()).run(),
    failsWith("INVALID_OPTION", { where: "maxCost", provider: "mock" }),
  );
  const dollars = new MockProvider({ prices: { ...prices, currency: "USD" } });
  const both = new Pipeline({ ...options, llmProvider: priced }).step(classifier());
  const second = new SummarizerStep({
    name: "s",
    outputKey: "s",
    inputMap: { text: (s: { raw: Row }) => s.raw.note },
    llmProvider: dollars,
  });
  await assert.rejects(
    both.step(second).to(sink()).run(),
    failsWith("INVALID_OPTION", { where: "llmProvider", got: "EUR and USD" }),
  );
});

test("maxRowErrors stops the run: as a count, and as a share once 200 rows were read", async () => {
  const run = async (maxRowErrors: number) =>
    await new Pipeline({ ...options, source: manyRows(1000), onRowError: "skip", maxRowErrors, concurrency: 2 })
      .step(classifier())
      .to(sink())
      .run();
  const byCount = await run(3);
  assert.deepEqual([byCount.error?.code, byCount.exitCode], ["TOO_MANY_ROW_ERRORS", 3]);
  assert.ok(byCount.skippedCount >= 3 && byCount.skippedCount <= 5);
  const byShare = await run(0.2);
  assert.equal(byShare.error?.code, "TOO_MANY_ROW_ERRORS");
  assert.ok(byShare.readCount >= 200 && byShare.readCount < 250, `${byShare.readCount}`);
  assert.equal((await run(0.3)).status, "completed");
});

test("two files of one path, and a step that is none, are refused", () => {
  const path = join(folder, "both");
  const twice: readonly (readonly [object, RegExp])[] = [
    [{ deadLetterPath: path, payloadLogPath: path }, /"deadLetterPath": is the file of payloadLogPath too/],
    [{ deadLetterPath: path, journalPath: path }, /"deadLetterPath": is the file of journalPath too/],
    [{ payloadLogPath: path, journalPath: path }, /"payloadLogPath": is the file of journalPath too/],
  ];
  for (const [paths, message] of twice) {
    const given = { ...options, onRowError: "dead_letter", payloadLog: "full", journal: "on", ...paths } as const;
    assert.throws(() => new Pipeline(given), { message });
  }
  assert.throws(() => new Pipeline(options).step({} as never), failsWith("INVALID_OPTION", { where: "step" }));
});

test(
  "a run that is refused leaves no file open",
  { skip: !existsSync("/proc/self/fd") && "no /proc here" },
  async () => {
    const openFiles = (): number => readdirSync("/proc/self/fd").length;
    const deadLetterPath = "/dev/null/below-a-file.jsonl";
    const payloadLogPath = join(folder, "leak.jsonl");
    const refused = new Pipeline({
      ...options,
      payloadLog: "full",
      payloadLogPath,
      onRowError: "dead_letter",
      deadLetterPath,
    });
    const pipeline = refused.step(classifier()).to(sink());
    await assert.rejects(pipeline.run(), { code: "DEAD_LETTER_FAILED" });
    const before = openFiles();
    for (let run = 0; run < 10; run += 1) await assert.rejects(pipeline.run());
    assert.equal(openFiles(), before);
  },
);
