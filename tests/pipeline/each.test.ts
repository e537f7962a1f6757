import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { Pipeline, type RunEvent, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { execute, query } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const Invoice = z.object({
  id: z.string(),
  lines: z.array(z.object({ code: z.string(), amount: z.number() })),
});
type InvoiceRow = z.output<typeof Invoice>;

/** The state of a line. */
interface Line {
  readonly pk: string;
  readonly raw: { readonly id: string };
  readonly item: { readonly code: string };
}

interface AnyItem {
  readonly pk: string;
  readonly item: unknown;
  readonly index: number;
}

const folder = temporaryFolder();
let count = 0;

function newPath(): string {
  return join(folder, `${(count += 1)}.db`);
}

function invoice(id: string, ...codes: readonly string[]): InvoiceRow {
  return { id, lines: codes.map((code, index) => ({ code, amount: index + 1 })) };
}

interface Given {
  readonly source: readonly InvoiceRow[];
  readonly databasePath: string;
  readonly onRowError?: "fail" | "skip" | "dead_letter";
  readonly maxItems?: number;
  /** The invoice of a row of the source. */
  readonly groupOf?: (pk: string) => string;
}

const schema = `CREATE TABLE invoices (id TEXT PRIMARY KEY, line_count INTEGER);
  CREATE TABLE lines (invoice_id TEXT, code TEXT, amount REAL CHECK (amount < 90), line_number INTEGER, PRIMARY KEY (invoice_id, code));`;

function newDatabase(): string {
  const path = newPath();
  execute(path, schema);
  return path;
}

/** Rows with their lines, which a step has found. */
function begun({ source, databasePath, onRowError = "skip" }: Omit<Given, "maxItems" | "groupOf">) {
  return new Pipeline({
    name: "invoices",
    source: new MemorySource({ rows: source, primaryKeyColumn: "id", schema: Invoice }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    ...(onRowError === "dead_letter" && { deadLetterPath: `${databasePath}.jsonl` }),
    journal: new SQLiteJournal({ path: `${databasePath}.journal` }),
    batchSize: 3,
    onRowError,
  }).step(new TransformStep({ name: "find", transform: (s) => ({ lines: s.raw.lines }), outputKey: "found" }));
}

function pipelineOf({ maxItems, groupOf = (pk) => pk, ...given }: Given) {
  return begun(given)
    .each((s) => s.processed.found.lines, { key: (line) => line.code, maxItems })
    .to(
      new SQLiteSink({
        databasePath: given.databasePath,
        targetTable: "lines",
        mergeKeys: ["invoice_id", "code"],
        groupKey: ["invoice_id"],
        columnMap: {
          invoice_id: (s) => groupOf(s.pk),
          code: (s) => s.item.code,
          amount: (s) => s.item.amount,
          line_number: (s) => s.index + 1,
        },
      }),
    );
}

function linesIn(databasePath: string): readonly string[] {
  return query(databasePath, "SELECT invoice_id || ':' || code || ':' || amount AS line FROM lines ORDER BY 1").map(
    ({ line }) => String(line),
  );
}

test("a row writes a row for each item; groups that shrink, grow and move are as a fresh run's", async () => {
  const databasePath = newDatabase();
  const first = [invoice("1", "a", "b", "c"), invoice("2"), invoice("3", "a")];
  const report = await pipelineOf({ source: first, databasePath }).run();
  assert.partialDeepStrictEqual(report, { exitCode: 0, readCount: 3, successCount: 3, writtenRowCount: 4 });
  assert.deepEqual(linesIn(databasePath), ["1:a:1.0", "1:b:2.0", "1:c:3.0", "3:a:1.0"]);
  const same = await pipelineOf({ source: first, databasePath }).run();
  assert.partialDeepStrictEqual(same, { successCount: 3, unchangedCount: 3, writtenRowCount: 0 });
  const second = [invoice("1", "c", "d"), invoice("2", "x"), invoice("3")];
  const changed = await pipelineOf({ source: second, databasePath }).run();
  assert.partialDeepStrictEqual(changed, { successCount: 3, unchangedCount: 0, writtenRowCount: 3 });
  assert.deepEqual(linesIn(databasePath), ["1:c:1.0", "1:d:2.0", "2:x:1.0"]);
});

test("holes of a sparse array are items like others; an array that is frozen, or that `key` changes, is taken as it was", async () => {
  const sparse: (string | undefined)[] = ["a"];
  sparse[2] = "c";
  let growing: string[] = [];
  const given: readonly (readonly [items: () => readonly unknown[], expected: readonly unknown[]])[] = [
    [() => sparse, ["a", null, "c"]],
    [() => Object.freeze(["a", "b"]), ["a", "b"]],
    [() => new Proxy(["a", "b"], {}), ["a", "b"]],
    [() => (growing = ["a"]), ["a"]],
  ];
  for (const [items, expected] of given) {
    const sink = new MemorySink({
      columnMap: {
        id: (s: AnyItem) => s.pk,
        place: (s: AnyItem) => s.index,
        item: (s: AnyItem) => s.item ?? null,
      },
      mergeKeys: ["id", "place"],
      groupKey: ["id"],
    });
    const key = (_: unknown, index: number): number => {
      growing.push("later");
      return index;
    };
    const report = await begun({ source: [invoice("1")], databasePath: newPath() })
      .each(items, { key })
      .to(sink)
      .run();
    assert.equal(report.successCount, 1);
    assert.deepEqual(
      sink.rows.map(({ item }) => item),
      expected,
    );
  }
});

test("rows of other writers under the same parent stay", async () => {
  const databasePath = newDatabase();
  await pipelineOf({ source: [invoice("1", "a", "b")], databasePath }).run();
  execute(databasePath, "INSERT INTO lines VALUES ('1', 'by hand', 7, 9)");
  await pipelineOf({ source: [invoice("1", "b")], databasePath }).run();
  assert.deepEqual(linesIn(databasePath), ["1:b:1.0", "1:by hand:7.0"]);
  await pipelineOf({ source: [invoice("1")], databasePath }).run({ fresh: true });
  assert.deepEqual(linesIn(databasePath), ["1:by hand:7.0"]);
  execute(databasePath, "INSERT INTO lines VALUES ('1', 'a', 7, 9)"); // that key was the row's, and is not any more
  await pipelineOf({ source: [invoice("1", "c")], databasePath }).run();
  assert.deepEqual(linesIn(databasePath), ["1:a:7.0", "1:by hand:7.0", "1:c:1.0"]);
});

test("a row of the target stays, with what others put there, where only the spelling of its key has changed", async () => {
  const databasePath = newPath();
  execute(databasePath, "CREATE TABLE lines (id TEXT, number INTEGER, seen_by TEXT, PRIMARY KEY (id, number))");
  const run = async (numbers: readonly unknown[]): Promise<unknown> => {
    const { error } = await begun({ source: [invoice("1")], databasePath })
      .each(() => numbers, { key: String })
      .to(
        new SQLiteSink({
          databasePath,
          targetTable: "lines",
          mergeKeys: ["id", "number"],
          groupKey: ["id"],
          columnMap: { id: (s) => s.pk, number: (s) => s.item },
        }),
      )
      .run();
    return error;
  };
  assert.equal(await run([1, 2, 3]), null);
  execute(databasePath, "UPDATE lines SET seen_by = 'me'");
  assert.equal(await run(["1", 2n, "4"]), null);
  assert.deepEqual(query(databasePath, "SELECT number, seen_by FROM lines ORDER BY 1"), [
    { number: 1, seen_by: "me" },
    { number: 2, seen_by: "me" },
    { number: 4, seen_by: null },
  ]);
});

test("a batch is as large as the rows that it puts into the target", async () => {
  const databasePath = newDatabase();
  const source = Array.from({ length: 6 }, (_, index) => invoice(`${index}`, "a", "b", "c"));
  const sizes: unknown[] = [];
  await pipelineOf({ source, databasePath }).run({
    onEvent: (event) => void (event.type === "batch-end" && sizes.push([event.rowCount, event.targetRowCount])),
  });
  assert.deepEqual(
    sizes,
    Array.from({ length: 6 }, () => [1, 3]),
  ); // batchSize is 3
});

test("two items with the same merge keys fail their row, also where the target would let one replace the other", async () => {
  const sink = new MemorySink({
    columnMap: { id: (s: Line) => s.pk, initial: (s: Line) => s.item.code.slice(0, 1) },
    mergeKeys: ["id", "initial"],
    groupKey: ["id"],
  });
  const pipeline = begun({ source: [invoice("1", "ab", "b", "ac"), invoice("2", "a")], databasePath: newPath() })
    .each((s) => s.raw.lines, { key: (line) => line.code })
    .to(sink);
  const { onRowEnd, failed } = failures();
  await pipeline.run({ onEvent: onRowEnd });
  assert.partialDeepStrictEqual(failed, [{ pk: "1", errorCode: "EACH_FAILED" }]);
  assert.deepEqual(sink.rows, [{ id: "2", initial: "a" }]);
});

/** The ends of rows that did not get through. */
function failures() {
  const failed: RunEvent[] = [];
  const onRowEnd = (event: RunEvent): void => {
    if (event.type === "row-end" && event.errorCode !== null) failed.push(event);
  };
  return { failed, onRowEnd };
}

test("a table takes a group of very many rows, and deletes as many", async () => {
  const databasePath = newPath();
  execute(databasePath, "CREATE TABLE lines (id TEXT, number INTEGER, PRIMARY KEY (id, number))");
  const columnMap = { id: (s: Line) => s.pk, number: (s: Line) => s.item };
  const keys = { mergeKeys: ["id", "number"], groupKey: ["id"] } as const;
  const sink = new SQLiteSink({ databasePath, targetTable: "lines", columnMap, ...keys });
  const session = await sink.open({ signal: new AbortController().signal });
  const rows = Array.from({ length: 200_000 }, (_, number) => ({ id: "1", number }));
  await session.write([{ pk: "1", rows }]);
  assert.equal(query(databasePath, "SELECT count(*) AS count FROM lines")[0]?.["count"], rows.length);
  await session.write([{ pk: "1", rows: [], gone: rows }]);
  await session.close("completed");
  assert.deepEqual(query(databasePath, "SELECT * FROM lines"), []);
});

test("two rows with one group key: the second fails, also without an item, before a line that moved could be deleted", async () => {
  const databasePath = newDatabase();
  const groupOf = (pk: string): string => pk.slice(0, 1);
  for (const second of [invoice("1-2", "b"), invoice("1-2")]) {
    const source = [invoice("1-1", "a"), second, invoice("2-1", "a")];
    const pipeline = pipelineOf({ source, databasePath, groupOf });
    const { successCount, failuresByCode } = await pipeline.run();
    assert.deepEqual([successCount, failuresByCode], [2, { EACH_FAILED: 1 }]);
    const error = await errorOfRow(pipeline);
    assert.equal(error.facts.where, "each.groupKey");
    assert.doesNotMatch(error.message, /1/);
  }
  assert.deepEqual(linesIn(databasePath), ["1:a:1.0", "2:a:1.0"]);
});

test("a failed row keeps its old rows, and the next good run sets them right", async () => {
  const databasePath = newDatabase();
  await pipelineOf({ source: [invoice("1", "a", "b"), invoice("2", "a")], databasePath }).run();
  const tooDear = {
    id: "1",
    lines: [
      { code: "b", amount: 1 },
      { code: "new", amount: 99 },
    ],
  };
  const report = await pipelineOf({ source: [tooDear, invoice("2", "c")], databasePath }).run();
  assert.partialDeepStrictEqual(report, { successCount: 1, skippedCount: 1 });
  assert.deepEqual(linesIn(databasePath), ["1:a:1.0", "1:b:2.0", "2:c:1.0"]);
  execute(databasePath, "INSERT INTO lines VALUES ('1', 'new', 5, 9)"); // of another writer: the row that failed never had it
  await pipelineOf({ source: [invoice("1", "b"), invoice("2", "c")], databasePath }).run();
  assert.deepEqual(linesIn(databasePath), ["1:b:1.0", "1:new:5.0", "2:c:1.0"]);
});

test("headers and lines are one pipeline: the headers are there first", async () => {
  const databasePath = newDatabase();
  execute(
    databasePath,
    "CREATE TRIGGER parent BEFORE INSERT ON lines BEGIN SELECT RAISE(ABORT, 'no header') WHERE NOT EXISTS (SELECT 1 FROM invoices WHERE id = NEW.invoice_id); END",
  );
  const source = Array.from({ length: 40 }, (_, index) => invoice(`${index}`, ...["a", "b", "c"].slice(0, index % 4)));
  const pipeline = begun({ source, databasePath })
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "invoices",
        mergeKeys: ["id"],
        columnMap: { id: (s) => s.pk, line_count: (s) => s.processed.found.lines.length },
      }),
    )
    .each((s) => s.processed.found.lines, { key: (line) => line.code })
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "lines",
        mergeKeys: ["invoice_id", "code"],
        groupKey: ["invoice_id"],
        columnMap: { invoice_id: (s) => s.pk, code: (s) => s.item.code },
      }),
    );
  assert.equal((await pipeline.check()).wouldRun, true);
  const report = await pipeline.run();
  assert.partialDeepStrictEqual(report, { exitCode: 0, successCount: 40, writtenRowCount: 40 + 60 });
  assert.equal(query(databasePath, "SELECT 1 FROM lines").length, 60);
  const { rows } = await pipeline.preview({ rows: 2 });
  assert.deepEqual(
    rows.map((row) => ("targets" in row ? row.targets : [])?.map((target) => target.rows.length)),
    [
      [1, 0],
      [1, 1],
    ],
  );
  assert.deepEqual(
    pipeline.describeTargets().map(({ targetTable }) => targetTable),
    ["invoices", "lines"],
  );
});

test("a file is written whole, a row for each item, in order", async () => {
  const filePath = join(folder, "lines.csv");
  const columnMap = { invoice: (s: Line) => s.pk, code: (s: Line) => s.item.code };
  const source = [invoice("1", "a", "b"), invoice("2"), invoice("3", "c")];
  const report = await begun({ source, databasePath: newPath() })
    .each((s) => s.processed.found.lines, { key: (line) => line.code })
    .to(new CSVSink({ filePath, columnMap }))
    .run();
  assert.partialDeepStrictEqual(report, { successCount: 3, writtenRowCount: 3 });
  const lines = readFileSync(filePath, "utf8").trimEnd().split(/\r?\n/);
  assert.deepEqual(lines, ["invoice,code", "1,a", "1,b", "3,c"]);
});

const wrong: readonly (readonly [name: string, items: (row: InvoiceRow) => unknown, facts: object])[] = [
  ["null", () => null, { where: "each.items", expected: "an array", got: "NULL" }],
  ["undefined", () => undefined, { where: "each.items", expected: "an array" }],
  ["a text", () => "abc", { where: "each.items", expected: "an array" }],
  ["an object", () => ({ length: 1 }), { where: "each.items", expected: "an array" }],
  [
    "a throw",
    () => {
      throw new TypeError("boom");
    },
    { where: "each.items", thrown: "TypeError" },
  ],
  [
    "too many",
    () => Array.from({ length: 1_000_000 }, (_, index) => ({ code: `${index}` })),
    { expected: "at most 10000 items", got: 1_000_000 },
  ],
  ["a key twice", () => [{ code: "a" }, { code: "b" }, { code: "a" }], { where: "each.key", index: 2, otherIndex: 0 }],
  ["no key", () => [{ code: "a" }, {}], { where: "each.key", expected: "text or a number", index: 1 }],
  ["no item", () => [null], { where: "each.key", thrown: "TypeError" }],
  [
    "an array that throws",
    () =>
      new Proxy([{ code: "a" }], {
        get: (array, name) => {
          if (name === "0") throw new RangeError("boom");
          return Reflect.get(array, name) as unknown;
        },
      }),
    { where: "each.items", thrown: "RangeError" },
  ],
];

for (const [name, items, facts] of wrong) {
  test(`wrong items of one row fail it and say so without their content: ${name}`, async () => {
    const events: RunEvent[] = [];
    const sink = new MemorySink({
      columnMap: { id: (s: Line) => s.pk, code: (s: Line) => s.item.code },
      mergeKeys: ["id", "code"],
      groupKey: ["id"],
    });
    const pipeline = begun({ source: [invoice("1", "a"), invoice("2", "a")], databasePath: newPath() })
      .each((s) => (s.pk === "2" ? (items(s.raw) as readonly { readonly code: string }[]) : s.raw.lines), {
        key: (line) => line.code,
      })
      .to(sink);
    const report = await pipeline.run({ onEvent: (event) => void events.push(event) });
    assert.deepEqual(report.failuresByCode, { EACH_FAILED: 1 });
    assert.deepEqual(sink.rows, [{ id: "1", code: "a" }]);
    const error = await errorOfRow(pipeline);
    assert.partialDeepStrictEqual(error.facts, facts);
    assert.doesNotMatch(error.message, /boom/);
  });
}

async function errorOfRow(pipeline: { readonly preview: ReturnType<typeof pipelineOf>["preview"] }) {
  const { rows } = await pipeline.preview();
  const failed = rows.find(({ failure }) => failure !== null);
  assert.ok(failed?.failure);
  return failed.failure.error;
}

test("what no row can mean is found before the first row, by check and run alike", async () => {
  const databasePath = newDatabase();
  const source = [invoice("1", "a")];
  const sinkWith = (invoiceId: (s: Line) => unknown) =>
    new SQLiteSink({
      databasePath,
      targetTable: "lines",
      mergeKeys: ["invoice_id", "code"],
      groupKey: ["invoice_id"],
      columnMap: { invoice_id: invoiceId, code: (s: Line) => s.item.code },
    });
  const over = begun({ source, databasePath });
  const key = (line: { readonly code: string }): string => line.code;
  const pipelines = [
    over.each((s) => s.processed.found.lines, { key }).to(sinkWith((s) => s.item.code)),
    over.each((s) => s.processed.found.lines, { key }).to(sinkWith((s) => s.raw.id)),
    over.each((s) => s.raw as unknown as InvoiceRow["lines"], { key }).to(sinkWith((s) => s.pk)),
  ];
  for (const pipeline of pipelines) {
    assert.equal((await pipeline.check()).wouldRun, false);
    await assert.rejects(pipeline.run(), failsWith("MAP_MISMATCH"));
  }
  const good = sinkWith((s) => s.pk);
  const { wouldRun, findings } = await over
    .each((s) => s.processed.found.lines, { key })
    .to(good)
    .check();
  assert.equal(wouldRun, true, JSON.stringify(findings));
});

test("sinks and options that do not go with each are rejected at construction", () => {
  const databasePath = newDatabase();
  const columnMap = { invoice_id: (s: { readonly pk: string }) => s.pk, code: (): string => "a" };
  const keyed = { databasePath, targetTable: "lines", columnMap, mergeKeys: ["invoice_id", "code"] as const };
  const over = begun({ source: [], databasePath });
  const items = over.each((s) => s.raw.lines, { key: (line) => line.code });
  const invalid = failsWith("INVALID_OPTION");
  assert.throws(() => items.to(new SQLiteSink({ ...keyed })), failsWith("INVALID_OPTION", { where: "to" }));
  assert.throws(
    () => items.to(new SQLiteSink({ databasePath, targetTable: "lines", columnMap, strategy: "insert" })),
    invalid,
  );
  assert.throws(() => items.to(new SQLiteSink({ ...keyed, strategy: "update" })), invalid);
  assert.throws(() => new SQLiteSink({ ...keyed, strategy: "update", groupKey: ["invoice_id"] }), invalid);
  assert.throws(
    () => over.to(new SQLiteSink({ ...keyed, groupKey: ["invoice_id"] })),
    failsWith("INVALID_OPTION", { where: "to" }),
  );
  assert.throws(() => over.each("lines" as never, { key: () => "" }), invalid);
  assert.throws(() => over.each(() => [], {} as never), invalid);
  assert.throws(() => over.each(() => [], { key: () => "", maxItems: 0 }), invalid);
  const off = new Pipeline({
    name: "off",
    source: new MemorySource<{ readonly id: string }>({ rows: [], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
  });
  const withGroups = new SQLiteSink({ ...keyed, groupKey: ["invoice_id"] });
  assert.throws(
    () => off.each(() => [], { key: () => "" }).to(withGroups),
    failsWith("INVALID_OPTION", { where: "journal" }),
  );
});

test("whatever the groups of earlier runs were, the target is as a fresh run's", async () => {
  const codes = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "ä", "A "), { maxLength: 4 });
  const runs = fc.array(fc.record({ first: codes, second: codes, fails: fc.boolean() }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(runs, async (all) => {
      const databasePath = newDatabase();
      for (const { first, second, fails } of all) {
        const rejected = fails ? [{ code: "too dear", amount: 99 }] : [];
        const rows = [{ ...invoice("1", ...first) }, invoice("2", ...second)];
        await pipelineOf({
          source: rows.map((row) => ({ ...row, lines: [...row.lines, ...rejected] })),
          databasePath,
        }).run();
      }
      const { first = [], second = [] } = all.at(-1) ?? {};
      const last = [invoice("1", ...first), invoice("2", ...second)];
      await pipelineOf({ source: last, databasePath }).run();
      const fresh = newDatabase();
      await pipelineOf({ source: last, databasePath: fresh }).run();
      assert.deepEqual(linesIn(databasePath), linesIn(fresh));
    }),
    { numRuns: 25 },
  );
});
