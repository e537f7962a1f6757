import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline, type RunEvent, type RunReport, type Sink, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { execute, query } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly id: string;
  readonly note: string;
}

interface Loud {
  readonly pk: string;
  readonly processed: { readonly loud: string };
}

const folder = temporaryFolder();
let count = 0;

const rows: readonly Row[] = ["1", "2", "3", "4", "5"].map((id) => ({ id, note: `note ${id}` }));

interface Given {
  readonly rows?: readonly Row[];
  readonly batchSize?: number;
  readonly onRowError?: "fail" | "skip" | "dead_letter";
  readonly journalPath?: string;
  readonly concurrency?: number;
  readonly flushIntervalMs?: number;
}

function newJournal(): string {
  return join(folder, `${(count += 1)}.db`);
}

function begun({
  rows: given = rows,
  batchSize = 2,
  onRowError = "skip",
  journalPath = newJournal(),
  ...more
}: Given = {}) {
  return new Pipeline<Row>({
    name: "two",
    source: new MemorySource<Row>({ rows: given, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    ...(onRowError === "dead_letter" && { deadLetterPath: `${journalPath}.jsonl` }),
    journal: new SQLiteJournal({ path: journalPath }),
    ...{ batchSize, onRowError, ...more },
  }).step(new TransformStep({ name: "loud", transform: (s) => s.raw.note.toUpperCase(), outputKey: "loud" }));
}

/** A target in memory that outlives pipelines, and counts the rows that it is given. */
class Target {
  readonly given: string[] = [];
  rejected: ReadonlySet<string> = new Set();
  isBroken = false;
  readonly sink: Sink<Loud>;

  constructor(identity: string) {
    const memory = new MemorySink({
      columnMap: { id: (s: Loud) => s.pk, loud: (s: Loud) => s.processed.loud },
      mergeKeys: ["id"],
      identity,
      reject: ({ id }) => {
        if (this.isBroken) throw new Error("the disk is full");
        if (this.rejected.has(String(id))) return "not this one";
        this.given.push(String(id));
        return undefined;
      },
    });
    this.sink = memory;
  }
}

function countsOf({ successCount, unchangedCount, failureCount, skippedCount, pendingCount }: RunReport) {
  return { successCount, unchangedCount, failureCount, skippedCount, pendingCount };
}

test("each sink gets each row, the second once the first has it; unchanged rows go to none", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  const journalPath = newJournal();
  const events: RunEvent[] = [];
  const report = await begun({ journalPath })
    .to(first.sink, second.sink)
    .run({ onEvent: (event) => void events.push(event) });
  assert.equal(report.exitCode, 0);
  assert.deepEqual(
    [first.given.toSorted(), second.given.toSorted()],
    [
      ["1", "2", "3", "4", "5"],
      ["1", "2", "3", "4", "5"],
    ],
  );
  assert.equal(report.writtenRowCount, 10);
  const batches = events.flatMap((event) => (event.type === "batch-end" ? [event.sink] : []));
  assert.deepEqual([batches[0], batches.at(-1)], ["one", "two"]);
  const again = await begun({ journalPath }).to(first.sink, second.sink).run();
  assert.deepEqual(countsOf(again), {
    successCount: 5,
    unchangedCount: 5,
    failureCount: 0,
    skippedCount: 0,
    pendingCount: 0,
  });
  assert.deepEqual([first.given.length, second.given.length, again.writtenRowCount], [5, 5, 0]);
});

test("a row that the second sink rejects has failed there; the next run tries it there alone", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  second.rejected = new Set(["3"]);
  const journalPath = newJournal();
  const events: RunEvent[] = [];
  const report = await begun({ journalPath, onRowError: "dead_letter" })
    .to(first.sink, second.sink)
    .run({ onEvent: (event) => void events.push(event) });
  assert.deepEqual(countsOf(report), {
    successCount: 4,
    unchangedCount: 0,
    failureCount: 1,
    skippedCount: 0,
    pendingCount: 0,
  });
  const failed = events.flatMap((event) => (event.type === "row-end" && event.outcome === "failed" ? [event] : []));
  assert.partialDeepStrictEqual(failed, [{ pk: "3", errorCode: "SINK_DATA_REFUSED", sink: "two" }]);
  assert.partialDeepStrictEqual(JSON.parse(readFileSync(`${journalPath}.jsonl`, "utf8")), { pk: "3", sink: "two" });
  assert.equal(first.given.filter((id) => id === "3").length, 1);
  second.rejected = new Set();
  const again = await begun({ journalPath, onRowError: "dead_letter" }).to(first.sink, second.sink).run();
  assert.deepEqual(countsOf(again), {
    successCount: 5,
    unchangedCount: 4,
    failureCount: 0,
    skippedCount: 0,
    pendingCount: 0,
  });
  assert.deepEqual([first.given.length, second.given.toSorted()], [5, ["1", "2", "3", "4", "5"]]);
  assert.equal(readFileSync(`${journalPath}.jsonl`, "utf8"), "");
});

test("a row that the first sink rejects never comes to the second", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  first.rejected = new Set(["2", "5"]);
  const failedAt: (string | undefined)[] = [];
  const report = await begun()
    .to(first.sink, second.sink)
    .run({
      onEvent: (event) => void (event.type === "row-end" && event.errorCode !== null && failedAt.push(event.sink)),
    });
  assert.deepEqual(countsOf(report), {
    successCount: 3,
    unchangedCount: 0,
    failureCount: 0,
    skippedCount: 2,
    pendingCount: 0,
  });
  assert.deepEqual(second.given.toSorted(), ["1", "3", "4"]);
  assert.deepEqual(failedAt, ["one", "one"]);
});

test("a row that can't be mapped has failed at the sink whose column it is; what the others know of it stays", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  const journalPath = newJournal();
  await begun({ journalPath }).to(first.sink, second.sink).run();
  const [firstCount, secondCount] = [first.given.length, second.given.length];
  const columnMap = {
    ...second.sink.columnMap,
    loud: (s: Loud): string => {
      if (s.pk === "2") throw new RangeError("not now");
      return s.processed.loud;
    },
  };
  const events: RunEvent[] = [];
  await begun({ journalPath })
    .to(first.sink, { ...second.sink, open: second.sink.open, columnMap })
    .run({ onEvent: (event) => void events.push(event) });
  const failed = events.filter((event) => event.type === "row-end" && event.outcome === "skipped");
  assert.partialDeepStrictEqual(failed, [{ pk: "2", errorCode: "COLUMN_MAP_FAILED", sink: "two" }]);
  await begun({ journalPath }).to(first.sink, second.sink).run();
  assert.deepEqual([first.given.length - firstCount, second.given.length - secondCount], [0, 1]);
});

test("a sink that asks for the source's order has it, wherever it stands among tables that know or reject rows", async () => {
  const rejected = new Set(["7", "8", "150"]);
  const many = Array.from({ length: 300 }, (_, index) => ({ id: `${index}`, note: `note ${index}` }));
  for (const place of [0, 1, 2]) {
    const journalPath = newJournal();
    const tables = [new Target("one"), new Target("two")];
    for (const table of tables) table.rejected = rejected;
    const given: string[] = [];
    const columnMap = { id: (s: Loud) => s.pk };
    const reject = ({ id }: { readonly id?: unknown }): undefined => void given.push(String(id));
    const { open } = new MemorySink({ columnMap, reject });
    const inOrder: Sink<Loud> = {
      ...{ name: "file", identity: "file", columnMap, open },
      ...{ keepsRows: false, preserveOrder: true },
    };
    const [one, two, three] = tables.map(({ sink }) => sink).toSpliced(place, 0, inOrder);
    assert.ok(one && two && three);
    const known = many.filter((_, index) => index % 3 === 0);
    await begun({ rows: known, journalPath }).to(one, two, three).run();
    given.length = 0;
    const report = await begun({ rows: many, journalPath, batchSize: 20 }).to(one, two, three).run();
    assert.equal(report.successCount, 297);
    const ids = many.map(({ id }) => id).filter((id) => place === 0 || !rejected.has(id));
    assert.deepEqual(given, ids);
  }
});

test(
  "rows that a sink in the source's order knows, and another one lacks, hold up no others",
  { timeout: 20_000 },
  async () => {
    const many = Array.from({ length: 300 }, (_, index) => ({ id: `${index}`, note: `note ${index}` }));
    const journalPath = newJournal();
    const given: string[] = [];
    const inOrder = new MemorySink({
      columnMap: { id: (s: Loud) => s.pk },
      mergeKeys: ["id"],
      identity: "in order",
      preserveOrder: true,
      reject: ({ id }) => void given.push(String(id)),
    });
    const known = many.filter((_, index) => index % 3 === 0);
    await begun({ rows: known, journalPath }).to(inOrder).run();
    const second = new Target("two");
    const report = await begun({ rows: many, journalPath }).to(inOrder, second.sink).run();
    assert.deepEqual([report.successCount, second.given.length], [300, 300]);
    const others = many.filter((row) => !known.includes(row));
    assert.deepEqual(
      given,
      [...known, ...others].map(({ id }) => id),
    );
  },
);

test(
  "rows that wait for a full batch of an earlier sink don't keep the rows away that would fill it",
  { timeout: 20_000 },
  async () => {
    const many = Array.from({ length: 60 }, (_, index) => ({ id: `${index}`, note: index === 5 ? "bad" : "good" }));
    const columnMap = {
      id: (s: Loud): string => {
        if (s.processed.loud === "BAD") throw new Error("not this one");
        return s.pk;
      },
    };
    const inOrder = new MemorySink({ columnMap, identity: "in order", preserveOrder: true });
    const report = await begun({ rows: many, batchSize: 10, concurrency: 1, flushIntervalMs: 600_000 })
      .to(new Target("one").sink, inOrder)
      .run();
    assert.equal(report.successCount, 59);
  },
);

test("a second sink that breaks stops the run; what the first has is not written there again", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  const journalPath = newJournal();
  second.isBroken = true;
  const report = await begun({ journalPath }).to(first.sink, second.sink).run();
  assert.equal(report.error?.code, "SINK_FAILED");
  assert.equal(report.exitCode, 3);
  assert.equal(report.successCount, 0);
  const writtenOnce = first.given.length;
  assert.ok(writtenOnce > 0);
  second.isBroken = false;
  second.given.length = 0;
  const again = await begun({ journalPath }).to(first.sink, second.sink).run();
  assert.equal(again.successCount, 5);
  assert.deepEqual(
    [first.given.toSorted(), second.given.toSorted()],
    [
      ["1", "2", "3", "4", "5"],
      ["1", "2", "3", "4", "5"],
    ],
  );
});

test("a row that fails in a step is kept by no sink, and written to both once it is well", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  const journalPath = newJournal();
  await begun({ journalPath }).to(first.sink, second.sink).run();
  const failing = new Pipeline<Row>({
    name: "two",
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: new SQLiteJournal({ path: journalPath }),
    onRowError: "skip",
  }).step(
    new TransformStep({
      name: "loud",
      transform: (s) => {
        if (s.pk === "4") throw new Error("not now");
        return s.raw.note.toUpperCase();
      },
      outputKey: "loud",
    }),
  );
  const report = await failing.to(first.sink, second.sink).run();
  assert.deepEqual(countsOf(report), {
    successCount: 4,
    unchangedCount: 4,
    failureCount: 0,
    skippedCount: 1,
    pendingCount: 0,
  });
  const again = await begun({ journalPath }).to(first.sink, second.sink).run();
  assert.deepEqual([again.successCount, again.unchangedCount], [5, 4]);
});

test("a table and a file beside it: the file is in the source's order and complete; a replay says what to do", async () => {
  const databasePath = newJournal();
  const filePath = join(folder, "beside.csv");
  execute(databasePath, "CREATE TABLE loud (id TEXT PRIMARY KEY, loud TEXT CHECK (loud <> 'NOTE 3'))");
  const many = Array.from({ length: 1500 }, (_, index) => ({ id: `${index}`, note: `note ${index}` }));
  const columnMap = { id: (s: Loud) => s.pk, loud: (s: Loud) => s.processed.loud };
  const pipeline = begun({ rows: many, batchSize: 100 }).to(
    new SQLiteSink({ databasePath, targetTable: "loud", mergeKeys: ["id"], columnMap }),
    new CSVSink({ filePath, columnMap }),
  );
  assert.equal(pipeline.canReplay, false);
  const report = await pipeline.run();
  assert.deepEqual([report.successCount, report.skippedCount], [1499, 1]);
  const lines = readFileSync(filePath, "utf8").trimEnd().split(/\r?\n/);
  const expected = many.filter(({ id }) => id !== "3").map(({ id, note }) => `${id},${note.toUpperCase()}`);
  assert.deepEqual(
    lines.map((line) => line.replaceAll('"', "")),
    ["id,loud", ...expected],
  );
  assert.equal(query(databasePath, "SELECT id FROM loud").length, 1499);
  await assert.rejects(pipeline.replay(), failsWith("INVALID_OPTION", { sink: "csv" }));
});

test("two sinks over one target are rejected by run and check; no sink, and one that is none, too", async () => {
  const [first, second] = [new Target("same"), new Target("same")];
  const pipeline = begun().to(first.sink, second.sink);
  await assert.rejects(pipeline.run(), failsWith("INVALID_OPTION", { where: "to", identity: "same" }));
  const { wouldRun, findings } = await pipeline.check();
  assert.equal(wouldRun, false);
  assert.ok(findings.some(({ status, message }) => status === "problem" && message.includes("same")));
  assert.throws(() => begun().to(...([] as unknown as [typeof first.sink])), failsWith("INVALID_OPTION"));
  assert.throws(() => begun().to(first.sink, {} as never), failsWith("INVALID_OPTION"));
});

test("a preview shows a row as each sink would have it, and writes to none", async () => {
  const [first, second] = [new Target("one"), new Target("two")];
  const { rows: previewed, writtenRowCount } = await begun().to(first.sink, second.sink).preview({ rows: 1 });
  const values = { id: "1", loud: "NOTE 1" };
  const targets = [
    { sink: "one", rows: [values] },
    { sink: "two", rows: [values] },
  ];
  assert.partialDeepStrictEqual(previewed, [{ pk: "1", values, targets, failure: null }]);
  assert.equal(previewed[0]?.state?.processed.loud, "NOTE 1");
  assert.equal(writtenRowCount, undefined);
  assert.deepEqual([first.given, second.given], [[], []]);
});

test("a second sink that does not open leaves the first as it was", async () => {
  const filePath = join(folder, "left.csv");
  const columnMap = { id: (s: { readonly pk: string }) => s.pk };
  const first = new CSVSink({ filePath, columnMap });
  assert.equal((await begun().to(first).run()).exitCode, 0);
  const before = readFileSync(filePath, "utf8");
  const missing = new SQLiteSink({
    databasePath: join(folder, "not there.db"),
    targetTable: "t",
    mergeKeys: ["id"],
    columnMap,
  });
  await assert.rejects(begun({ rows: [] }).to(first, missing).run());
  assert.equal(readFileSync(filePath, "utf8"), before);
});

test("a dead letter stays while its row is in a table alone, and not in the file beside it", async () => {
  const journalPath = newJournal();
  const table = new Target("one");
  const filePath = `${journalPath}.csv`;
  const run = async (limit?: number): Promise<string> => {
    const file = new CSVSink({ filePath, columnMap: { id: (s: Loud) => s.pk } });
    await begun({ journalPath, onRowError: "dead_letter" }).to(table.sink, file).run({ limit });
    return readFileSync(`${journalPath}.jsonl`, "utf8");
  };
  table.rejected = new Set(["1"]);
  assert.match(await run(), /"pk":"1"/);
  table.rejected = new Set();
  assert.match(await run(2), /"pk":"1"/); // its rows are aside
  assert.equal(await run(), "");
});

test("two files of which a part of the rows replaces neither are both named", async () => {
  const paths = ["aside.csv", "aside-2.csv"].map((name) => join(folder, name));
  const columnMap = { id: (s: { readonly pk: string }) => s.pk };
  const [one, other] = paths.map((filePath) => new CSVSink({ filePath, columnMap }));
  assert.ok(one && other);
  const pipeline = begun().to(one, other);
  const { rowsAside: none, otherRowsAside: noOther } = await pipeline.run();
  assert.deepEqual([none, noOther], [undefined, undefined]);
  const { rowsAside, otherRowsAside } = await pipeline.run({ limit: 2 });
  const expected = paths.map((path) => ({ path: `${path}.limit-2.csv`, reason: "limit" }));
  assert.deepEqual([rowsAside, otherRowsAside], [expected[0], [expected[1]]]);
});

test("check names two sinks of one kind apart", async () => {
  const databasePath = newJournal();
  execute(databasePath, "CREATE TABLE one (id TEXT PRIMARY KEY); CREATE TABLE two (id TEXT PRIMARY KEY)");
  const sinkOf = (targetTable: string, column = "id") =>
    new SQLiteSink({ databasePath, targetTable, mergeKeys: [column], columnMap: { [column]: (s: Loud) => s.pk } });
  const { findings } = await begun().to(sinkOf("one"), sinkOf("two", "other")).check();
  const ofSinks = findings.filter(({ area }) => area === "sink").map(({ subject, status }) => [subject, status]);
  assert.deepEqual(ofSinks, [
    ["sink one", "ok"],
    ["sink two", "problem"],
  ]);
});
