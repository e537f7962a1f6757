// Full lane: a warning about an option of 0.1 comes once a process, so the process must be its own.

import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { test } from "node:test";
import {
  ClassifierStep,
  type DeadLetter,
  type DeadRow,
  type FailedRow,
  type Journal,
  type JournalSession,
  type LLMProvider,
  Pipeline,
  type PipelineOptions,
  ProviderError,
  type RunEvent,
  type Sink,
  type SinkState,
  SummarizerStep,
  DeadLetterFile,
} from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { CSVSink } from "../src/sinks/csv.ts";
import { MemorySink, MemorySource } from "../src/testing/index.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Row {
  readonly id: string | null;
  readonly note: string;
}

const folder = temporaryFolder();
const columnMap = { id: (s: SinkState<Row>) => s.pk, note: (s: SinkState<Row>) => s.raw.note };
const newFolder = (): string => mkdtempSync(join(folder, "run "));

function rowsOf(count: number): Row[] {
  return Array.from({ length: count }, (_, index) => ({ id: `r${index + 1}`, note: `Note ${index + 1}.` }));
}

const taxonomy = [
  { name: "A", definition: "first" },
  { name: "B", definition: "second" },
];

function pipelineOf(rows: readonly Row[], options: Partial<PipelineOptions<Row>>, sink?: Sink<SinkState<Row>>) {
  return new Pipeline<Row>({
    name: "plugged",
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    ...options,
  })
    .step(new ClassifierStep({ name: "kind", taxonomy, inputMap: { text: (s) => s.raw.note }, outputKey: "kind" }))
    .step(new SummarizerStep({ name: "sum", inputMap: { text: (s) => s.raw.note }, outputKey: "sum" }))
    .to(sink ?? new MemorySink({ columnMap, mergeKeys: ["id"] }));
}

function sqliteJournal(): SQLiteJournal {
  return new SQLiteJournal({ path: join(newFolder(), "journal.db") });
}

/** A journal of the user's own: SQLite's, through which all goes. */
function wrapped(wrap: (session: JournalSession) => JournalSession, sound: Journal = sqliteJournal()): Journal {
  return {
    name: "wrapped",
    identity: "memory://journal",
    open: async (run, signal) => wrap(await sound.open(run, signal)),
    reader: sound.reader,
  };
}

/** Declines each request whose messages have the word. */
function declining(word: string): MockProvider {
  return new MockProvider({
    responses: ({ messages }) =>
      messages.some(({ content }) => content.includes(word))
        ? new ProviderError("row", "CONTENT_FILTER", "the filter held it back")
        : undefined,
  });
}

test("a journal of the user's own is used like the default one, and is known by its identity", async () => {
  const journal = wrapped((session) => session);
  const pipeline = pipelineOf(rowsOf(20), { journal });
  assert.equal(pipeline.journal, journal);
  assert.equal(pipeline.journalPath, "memory://journal");
  const starts: RunEvent[] = [];
  const onEvent = (event: RunEvent): void => void (event.type === "run-start" && starts.push(event));
  assert.equal((await pipeline.run({ onEvent })).usage.calls, 40);
  const again = await pipeline.run({ onEvent });
  assert.deepEqual([again.usage.calls, again.unchangedCount], [0, 20]);
  assert.deepEqual(
    starts.map((event) => event.type === "run-start" && event.journalPath),
    ["memory://journal", "memory://journal"],
  );
  const { findings } = await pipeline.check();
  const finding = findings.find(({ subject }) => subject === "journal");
  assert.match(finding?.message ?? "", /^memory:\/\/journal: 20 rows written to this sink; last run .*, completed$/);
});

test("look-ups of rows in flight reach the journal many at a time", async () => {
  const sizes = { answers: [] as number[], rows: [] as number[] };
  const journal = wrapped((session) => ({
    ...session,
    answers: {
      ...session.answers,
      find: async (keys) => (sizes.answers.push(keys.length), await session.answers.find(keys)),
    },
    rows: {
      ...session.rows,
      find: async (sink, pks) => (sizes.rows.push(pks.length), await session.rows.find(sink, pks)),
    },
  }));
  assert.equal((await pipelineOf(rowsOf(300), { journal, concurrency: 50 }).run()).successCount, 300);
  for (const [name, asked] of Object.entries(sizes)) {
    const keys = asked.reduce((sum, size) => sum + size, 0);
    assert.equal(keys, name === "answers" ? 600 : 300);
    assert.ok(Math.max(...asked) > 10, `${name}: at most ${Math.max(...asked)} at a time`);
    assert.ok(asked.length <= keys / 4, `${asked.length} look-ups for ${keys} ${name}`);
  }
});

test("a row counts as written only when the journal knows that it is", async () => {
  let saved = 0;
  const journal = wrapped((session) => ({
    ...session,
    rows: {
      ...session.rows,
      saveWritten: async (sink, rows) => {
        await setTimeout(20);
        await session.rows.saveWritten(sink, rows);
        saved += rows.length;
      },
    },
  }));
  let written = 0;
  const onEvent = (event: RunEvent): void => {
    if (event.type !== "row-end" || event.outcome !== "written") return;
    written += 1;
    assert.ok(written <= saved, `${written} rows count as written, and the journal knows ${saved}`);
  };
  const report = await pipelineOf(rowsOf(12), { journal, batchSize: 4 }).run({ onEvent });
  assert.deepEqual([report.status, written, saved], ["completed", 12, 12]);
});

test("answers had before an abort are not paid for again", async () => {
  const { promise: asked, resolve: hangs } = Promise.withResolvers<void>();
  const mock = new MockProvider();
  const hanging: LLMProvider = {
    name: mock.name,
    fingerprint: mock.fingerprint,
    complete: async (request, signal) => {
      const isReAsk = request.messages.length > 2;
      if (!isReAsk) return { ...(await mock.complete(request, signal)), text: "no JSON" };
      hangs();
      return await setTimeout(600_000, undefined as never, { signal });
    },
  };
  const journal = sqliteJournal();
  const stop = new AbortController();
  const running = pipelineOf(rowsOf(1), { journal, llmProvider: hanging }).run({ stopNowSignal: stop.signal });
  await asked;
  stop.abort();
  const stopped = await running;
  assert.deepEqual([stopped.status, stopped.pendingCount, stopped.usage.calls], ["aborted", 1, 2]);
  const { usage, successCount } = await pipelineOf(rowsOf(1), { journal, llmProvider: mock }).run();
  // The first answer is reused, though it is invalid; then the re-ask, and the second step.
  assert.deepEqual([usage.reusedAnswers, usage.reAsks, usage.calls, successCount], [1, 1, 2, 1]);
});

test("the journal keeps each failed row with step, code, message and attempts; also for a sink that keeps no rows", async () => {
  const rows: Row[] = [...rowsOf(3), { id: "r1", note: "Note 1 again." }, { id: null, note: "Note x." }];
  const { log, ...options } = { log: newFolder(), onRowError: "skip" as const, concurrency: 1 };
  const sinks = [undefined, new CSVSink({ filePath: join(log, "out.csv"), columnMap })];
  for (const sink of sinks) {
    const journal = sqliteJournal();
    const given = { ...options, journal, llmProvider: declining("Note 2.") };
    const { runId, skippedCount } = await pipelineOf(rows, given, sink).run();
    assert.equal(skippedCount, 3);
    const failures = (await (await journal.reader())?.runs.failures(runId, { limit: 10 }))?.items ?? [];
    assert.deepEqual(
      failures.map(({ position, pk, ownsKey, step, errorCode, retryCount }) => [
        ...[position, pk, ownsKey, step, errorCode, retryCount],
      ]),
      [
        [2, "r2", true, "kind", "CONTENT_FILTER", 0],
        [4, "r1", false, null, "PRIMARY_KEY_DUPLICATE", 0],
        [5, null, true, null, "PRIMARY_KEY_MISSING", 0],
      ],
    );
    for (const failure of failures) {
      assert.equal(failure.runId, runId);
      assert.ok(failure.errorMessage.length > 0 && !failure.errorMessage.includes("Note"));
      assert.ok(Math.abs(failure.failedAt.getTime() - Date.now()) < 600_000);
    }
  }
});

test("the journal keeps a run's figures by step, which add up to the run's, and its settings", async () => {
  const prices = { inputPerMillion: 2, cachedInputPerMillion: 1, outputPerMillion: 8, currency: "USD" };
  const faults = { invalidJSON: 0.1, outOfRange: 0.1, serverError: 0.1 };
  const journal = sqliteJournal();
  const llmProvider = new MockProvider({ prices, faults });
  const options = { journal, llmProvider, admission: { retryDelayMs: [1, 2] }, batchSize: 7, maxCost: 5 } as const;
  const pipeline = pipelineOf(rowsOf(100), { ...options, onRowError: "skip" });
  for (let run = 0; run < 2; run += 1) {
    const report = await pipeline.run();
    const [record] = (await (await journal.reader())?.runs.list({ limit: 1 }))?.items ?? [];
    assert.equal(record?.runId, report.runId);
    const sum = (figure: "calls" | "reAsks" | "reusedAnswers" | "inputTokens" | "cachedTokens" | "outputTokens") =>
      record?.steps.reduce((total, step) => total + step[figure], 0);
    for (const figure of [
      ...(["calls", "reAsks", "reusedAnswers", "inputTokens", "cachedTokens", "outputTokens"] as const),
    ]) {
      assert.equal(sum(figure), report.usage[figure], figure);
    }
    const cost = record?.steps.reduce((total, step) => total + (step.cost?.amount ?? Number.NaN), 0);
    assert.ok(Math.abs((cost ?? Number.NaN) - (report.cost?.amount ?? Number.NaN)) < 1e-9);
    assert.deepEqual(
      record?.steps.map(({ step, promptHashes, models }) => [step, promptHashes.length, models]),
      [
        ["kind", 1, ["mock"]],
        ["sum", 1, ["mock"]],
      ],
    );
    assert.match(record?.version ?? "", /^\d+\.\d+\.\d+/);
    const { batchSize, concurrency, maxCost, onRowError, limit } = record?.options ?? {};
    assert.deepEqual([batchSize, concurrency, maxCost, onRowError, limit], [7, 32, 5, "skip", undefined]);
    if (run === 0) assert.ok(record?.steps.some(({ retries }) => retries > 0));
    if (run === 0) assert.ok(record?.steps.every(({ latency }) => latency !== null));
  }
});

/** Dead letters in memory. */
class DeadLetterList implements DeadLetter {
  readonly name = "dead letter list";
  readonly identity = "memory://dead-letters";
  rows: (FailedRow & DeadRow)[] = [];

  readonly open: DeadLetter["open"] = async () => ({
    add: async (row) => {
      const { pk, error } = row;
      const facts = { number: this.rows.length + 1, errorCode: error.code, failedAtMs: Date.now(), problem: null };
      if (pk !== null) this.rows.push({ ...row, ...facts, pk });
    },
    close: async () => {},
  });

  readonly replay: DeadLetter["replay"] = async () => {
    const { rows } = this;
    const raw = async (row: DeadRow): Promise<Readonly<Record<string, unknown>>> =>
      Object.fromEntries(Object.entries(Object(rows.find(({ pk }) => pk === row.pk)?.raw)));
    return {
      rows: () => ReadableStream.from(rows.slice()),
      raw,
      finish: async (leaving) => {
        this.rows = this.rows.filter(({ pk }) => !leaving.has(pk));
      },
      rest: () => ({ remainingCount: this.rows.length, notReplayable: [], keptPath: null }),
      close: async () => {},
    };
  };
}

test("dead letters of the user's own take failed rows and give them back for a replay", async () => {
  const deadLetter = new DeadLetterList();
  const options = { journal: sqliteJournal(), onRowError: "dead_letter", deadLetter } as const;
  const sink = new MemorySink({ columnMap, mergeKeys: ["id"] });
  const failing = pipelineOf(rowsOf(5), { ...options, llmProvider: declining("Note 3.") }, sink);
  let kept: string | null = null;
  const report = await failing.run({
    onEvent: (event) => void (event.type === "run-start" && (kept = event.deadLetterPath)),
  });
  assert.deepEqual([report.failureCount, kept], [1, "memory://dead-letters"]);
  assert.deepEqual(
    deadLetter.rows.map(({ pk, step }) => [pk, step]),
    [["r3", "kind"]],
  );
  const replayed = await pipelineOf(rowsOf(5), options, sink).replay();
  assert.deepEqual([replayed.readCount, replayed.successCount, replayed.remainingCount], [1, 1, 0]);
  assert.equal(replayed.keptPath, null);
  const { findings } = await failing.check();
  assert.ok(findings.some(({ subject, message }) => subject === deadLetter.name && message === deadLetter.identity));
});

test("options that contradict each other are rejected, and so is what is no journal and no dead letters", () => {
  const journal = sqliteJournal();
  const deadLetter = new DeadLetterFile({ path: join(folder, "failed.jsonl") });
  const kept = { onRowError: "dead_letter" } as const;
  const cases: readonly (readonly [option: string, options: object])[] = [
    ["journalPath", { journal, journalPath: "a.db" }],
    ["journalPath", { journal: "off", journalPath: "a.db" }],
    ["deadLetterPath", { ...kept, deadLetter, deadLetterPath: "a.jsonl" }],
    ["deadLetter", { deadLetter }],
    ["deadLetterPath", { deadLetterPath: "a.jsonl" }],
    ["journal", { journal: "in the cloud" }],
    ["journal", { journal: { open: () => {} } }],
    ["deadLetter", { ...kept, deadLetter: { open: () => {} } }],
    ["deadLetter", { ...kept, journal: new SQLiteJournal({ path: deadLetter.identity }), deadLetter }],
    ["payloadLogPath", { journal, payloadLog: "full", payloadLogPath: `${journal.identity}-wal` }],
  ];
  for (const [option, options] of cases) {
    assert.throws(
      () => pipelineOf([], options),
      { code: "INVALID_OPTION", option },
      `${option} ${JSON.stringify(options)}`,
    );
  }
  for (const options of [
    { ...kept, deadLetter },
    { ...kept, deadLetterPath: "a.jsonl" },
    { journal: "off" as const },
  ]) {
    assert.doesNotThrow(() => pipelineOf([], options));
  }
});

test("options of 0.1 work with a warning, once a process for each; what stays gives none; a check names them", async () => {
  const warnings: (Error & { code?: string })[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listen);
  const journalPath = join(newFolder(), "journal.db");
  const old = pipelineOf(rowsOf(2), { journal: "on", journalPath });
  pipelineOf(rowsOf(2), { journal: "on", journalPath });
  pipelineOf([], { onRowError: "dead_letter", deadLetterPath: join(folder, "failed.jsonl"), journal: sqliteJournal() });
  await setTimeout(1); // warnings come on the next tick
  process.off("warning", listen);
  assert.deepEqual(
    warnings.map(({ name, code }) => `${name} ${code}`),
    ["DeprecationWarning LLM_ETL_JOURNAL_ON", "DeprecationWarning LLM_ETL_JOURNAL_PATH"],
  );
  assert.equal((await old.run()).successCount, 2);
  assert.equal(old.journalPath, journalPath);
  const { findings, wouldRun } = await old.check();
  const named = findings.filter(({ status }) => status === "warning").map(({ subject }) => subject);
  assert.deepEqual([named, wouldRun], [["option journal", "option journalPath"], true]);
});
