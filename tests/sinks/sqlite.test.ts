import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import * as fc from "fast-check";
import type { ColumnValues, Sink, SinkSession } from "../../src/contracts/sink.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { tableSinkContract } from "../../src/testing/table-sink-contract.ts";
import { constructSQLiteSink, quote, sqliteKinds, sqliteUnderTest } from "../support/sqlite-under-test.ts";
import { failsWith } from "../support/error-facts.ts";
import { execute, noAbort, query, temporaryDatabase, temporaryFolder } from "../support/sqlite.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

interface State {
  readonly pk: string;
  readonly value: string;
}

const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.value };
const table = "CREATE TABLE visits (id TEXT PRIMARY KEY, value TEXT)";

const construct = constructSQLiteSink<State>;

function visitsSink(t: TestContext, sql: string, options: object = {}): Sink<State> {
  const databasePath = temporaryDatabase(t, sql);
  return construct({ databasePath, targetTable: "visits", mergeKeys: ["id"], columnMap, ...options });
}

function open(sink: Sink<never>): Promise<SinkSession> {
  return sink.open({ signal: noAbort() });
}

const suite = tableSinkContract({
  create: async () => {
    const cleanUps: (() => void)[] = [];
    const database = sqliteUnderTest({ after: (cleanUp: () => void) => void cleanUps.push(cleanUp) });
    return { ...database, release: async () => cleanUps.forEach((cleanUp) => cleanUp()) };
  },
  strategies: ["merge", "update", "insert"],
  kinds: sqliteKinds,
});
for (const { name, check } of suite) test(`SQLiteSink: ${name}`, check);

function identityOf(databasePath: string | URL, targetTable: string): string {
  return construct({ databasePath, targetTable, mergeKeys: ["id"], columnMap }).identity;
}

test("the identity is the absolute path and the table, however they are spelt", () => {
  const expected = "/data/my visits.db/enriched";
  assert.equal(identityOf("/data/my visits.db", "enriched"), expected);
  assert.equal(identityOf(relative(process.cwd(), "/data/my visits.db"), "main.Enriched"), expected);
  assert.equal(identityOf("/data/x/../my visits.db", '[Main]."ENRICHED"'), expected);
  assert.equal(identityOf(pathToFileURL("/data/my visits.db"), "`enriched`"), expected);
  assert.notEqual(identityOf("/data/my visits.db", "enriched2"), expected);
});

test("wrong options are refused at construction", () => {
  const good = { databasePath: "x.db", targetTable: "t", mergeKeys: ["id"], columnMap };
  const problems: [object, ErrorFacts][] = [
    [{ databasePath: "" }, { where: "databasePath", got: '""' }],
    [{ targetTable: " " }, { where: "targetTable", got: '" "' }],
    [{ targetTable: "a; DROP TABLE b" }, { where: "targetTable", got: '"a; DROP TABLE b"' }],
    [{ targetTable: "a.b.c" }, { where: "targetTable", got: '"a.b.c"' }],
    [{ targetTable: "dbo.visits" }, { where: "targetTable", expected: 'no schema but "main"', got: '"dbo"' }],
    [{ columnMap: {} }, { where: "columnMap", got: "an object" }],
    [{ columnMap: { id: "pk" } }, { where: "columnMap", got: "an object" }],
    [{ columnMap: { ...columnMap, ID: () => 1 } }, { where: "columnMap", column: "ID" }],
    [{ mergeKeys: undefined }, { where: "mergeKeys", expected: "at least one column", got: "none" }],
    [{ mergeKeys: [] }, { where: "mergeKeys", expected: "at least one column", got: "none" }],
    [{ mergeKeys: "id" }, { where: "mergeKeys", got: '"id"' }],
    [
      { mergeKeys: ["ident"] },
      { where: "mergeKeys", expected: "columns of the columnMap (id, value)", got: '"ident"' },
    ],
    [{ mergeKeys: ["id", "id"] }, { where: "mergeKeys", expected: "each column once" }],
    [{ strategy: "upsert" }, { where: "strategy", expected: '"merge" or "insert" or "update"', got: '"upsert"' }],
    [{ strategy: "insert" }, { where: "mergeKeys", expected: 'none with strategy "insert"', got: 1 }],
    [
      { strategy: "update", mergeKeys: ["id", "value"] },
      { where: "mergeKeys", expected: "a column in the columnMap that is no merge key" },
    ],
    [{ batchSize: 5 }, { where: "batchSize" }],
  ];
  for (const [wrong, facts] of problems) {
    assert.throws(() => construct({ ...good, ...wrong }), failsWith("INVALID_OPTION", facts));
  }
});

test("a database that is not there is refused and not created", async (t) => {
  const path = join(temporaryFolder(t), "none.db");
  const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap });
  await assert.rejects(open(sink), failsWith("SINK_FAILED", { where: path, code: "ENOENT" }));
  assert.equal(existsSync(path), false);
});

test("a file that is no database is refused", async (t) => {
  const sink = visitsSink(t, table);
  const path = join(temporaryFolder(t), "notes.db");
  writeFileSync(path, "no database, but long enough to look at its first hundred bytes. ".repeat(20));
  const wrong = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap });
  await assert.rejects(open(wrong), failsWith("SINK_FAILED", { where: path, errorNumber: 26 }));
  await (await open(sink)).close("completed");
});

test("a target that does not fit is refused before any row, and left as it is", async (t) => {
  const problems: [string, object, RegExp][] = [
    [table, { targetTable: "visit" }, /there is no table "visit" .*; closest: "visits"/],
    [
      table,
      { columnMap: { ...columnMap, catgory: () => 1 } },
      /has no column "catgory"; its columns are "id", "value"/,
    ],
    ["CREATE VIEW visits AS SELECT 1 AS id, 2 AS value", {}, /is a view and not a table/],
    ["CREATE TABLE visits (id TEXT, value TEXT)", {}, /CREATE UNIQUE INDEX "visits_id_unique" ON "visits" \("id"\);/],
    ["CREATE TABLE visits (id TEXT, value TEXT)", { strategy: "update" }, /CREATE UNIQUE INDEX/],
    ["CREATE TABLE visits (id TEXT PRIMARY KEY, value TEXT, a NOT NULL)", {}, /NOT NULL without a default .*"a"/],
  ];
  for (const [sql, options, message] of problems) {
    const path = temporaryDatabase(t, sql);
    const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap, ...options });
    await assert.rejects(open(sink), { name: "TargetError", message });
    assert.equal(query(path, "PRAGMA journal_mode")[0]?.["journal_mode"], "delete");
  }
  const internal = visitsSink(t, `CREATE TABLE a (i INTEGER PRIMARY KEY AUTOINCREMENT)`, {
    targetTable: "sqlite_schema",
    strategy: "insert",
    mergeKeys: undefined,
    columnMap: { name: () => "x" },
  });
  await assert.rejects(open(internal), failsWith("SINK_FAILED", { where: "sqlite_schema", errorNumber: 1 }));
});

test("columns are matched whatever their letter case", async (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE Visits (ID TEXT PRIMARY KEY, Value TEXT)");
  const session = await open(construct({ databasePath: path, targetTable: "VISITS", mergeKeys: ["id"], columnMap }));
  await session.write(groupsOf([{ id: "1", value: "x" }]));
  await session.close("completed");
  assert.deepEqual(query(path, "SELECT * FROM Visits"), [{ ID: "1", Value: "x" }]);
});

test("a database that another connection keeps locked can't be opened, and an abort ends the wait", async (t) => {
  const path = temporaryDatabase(t, table);
  const holder = new DatabaseSync(path);
  t.after(() => holder.close());
  holder.exec("BEGIN EXCLUSIVE");
  const controller = new AbortController();
  const reason = new Error("enough");
  const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap });
  const opening = sink.open({ signal: controller.signal });
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(opening, reason);
  holder.exec("COMMIT");
  await (await open(sink)).close("completed");
});

test("names and values of any kind are data and never SQL", async (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE witness (a); INSERT INTO witness VALUES ('still here')");
  const hostile = fc.constantFrom(
    '"; DROP TABLE witness; --',
    "'; DROP TABLE witness; --",
    "]; DROP TABLE witness --",
    "a]b[c",
    '""',
    "``",
    "-- comment",
    "/* comment",
    "?1",
    "@name",
    "excluded",
    "select",
    "rowid",
    "größe 日本語 😀",
    " ",
    "__proto__",
    "constructor",
    "line\nbreak",
  );
  const anyText = fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());
  const name = fc
    .oneof(hostile, anyText)
    .filter((text) => !text.includes("\0") && !text.toLowerCase().startsWith("sqlite_"));
  const names = fc.uniqueArray(name, { minLength: 4, maxLength: 4, selector: (text) => text.toLowerCase() });
  const value = fc.oneof(name, hostile, fc.constantFrom("", "NULL", "=1+1"));
  await fc.assert(
    fc.asyncProperty(
      names,
      value,
      value,
      fc.constantFrom("merge", "insert", "update"),
      async (four, first, second, strategy) => {
        const [target = "", key = "", other = "", quoted = ""] = four;
        const create = `CREATE TABLE ${quote(target)} (${quote(key)} TEXT PRIMARY KEY, ${quote(other)} TEXT, ${quote(quoted)} TEXT)`;
        execute(path, `DROP TABLE IF EXISTS ${quote(target)}; ${create}`);
        if (strategy === "update") execute(path, `INSERT INTO ${quote(target)} (${quote(key)}) VALUES ('k')`);
        const sink = construct({
          databasePath: path,
          targetTable: `[${target.replaceAll("]", "]]")}]`,
          strategy,
          ...(strategy !== "insert" && { mergeKeys: [key] }),
          columnMap: Object.fromEntries([key, other, quoted].map((column) => [column, () => null])),
        });
        const session = await open(sink);
        const row: ColumnValues = Object.fromEntries([
          [key, "k"],
          [other, first],
          [quoted, second],
        ]);
        assert.deepEqual(session.check?.(row), []);
        await session.write(groupsOf([row]));
        await session.close("completed");
        assert.deepEqual(query(path, `SELECT * FROM ${quote(target)}`), [row]);
        execute(path, `DROP TABLE ${quote(target)}`);
        assert.deepEqual(query(path, "SELECT * FROM witness"), [{ a: "still here" }]);
      },
    ),
    { seed: 1, numRuns: 60 },
  );
});

const hundredVisits = `CREATE TABLE visits (id TEXT PRIMARY KEY, notes TEXT, value TEXT);
  WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
  INSERT INTO visits SELECT 'v' || i, 'note ' || i, NULL FROM n;`;

/** Reads all rows, and writes each 10 of them while the reading goes on. */
async function enrich(databasePath: string, sink: Sink<never>): Promise<number> {
  const session = await open(sink);
  const source = new SQLiteSource<{ id: string }>({
    databasePath,
    sql: "SELECT id, notes FROM visits ORDER BY rowid",
    primaryKeyColumn: "id",
  });
  let [batch, count]: [ColumnValues[], number] = [[], 0];
  for await (const row of source.read({ signal: noAbort(), parameters: {} })) {
    assert.ok(!("error" in row));
    const values = { id: row.raw["id"], value: `value of ${String(row.raw["notes"])}` };
    assert.deepEqual(session.check?.(values), []);
    batch.push(values);
    count += 1;
    if (batch.length === 10) await session.write(groupsOf(batch.splice(0)));
  }
  await session.close("completed");
  return count;
}

test("a source reads the file that the sink writes to at the same time", async (t) => {
  const path = temporaryDatabase(t, `${hundredVisits} CREATE TABLE enriched (id TEXT PRIMARY KEY, value TEXT)`);
  const sink = construct({ databasePath: path, targetTable: "enriched", mergeKeys: ["id"], columnMap });
  assert.equal(await enrich(path, sink), 1000);
  const wrong =
    "SELECT count(*) AS n FROM visits v LEFT JOIN enriched e USING (id) WHERE e.value IS NOT 'value of ' || v.notes";
  assert.deepEqual(query(path, wrong), [{ n: 0 }]);
});

test("a table is enriched in place while it is being read, each row once", async (t) => {
  for (const strategy of ["update", "merge"]) {
    const path = temporaryDatabase(t, hundredVisits);
    const sink = construct({ databasePath: path, targetTable: "visits", strategy, mergeKeys: ["id"], columnMap });
    assert.equal(await enrich(path, sink), 1000);
    assert.equal(existsSync(`${path}-wal`), false, "the last connection to close removes the -wal file");
    const facts = "SELECT count(*) AS n, sum(value IS NOT 'value of ' || notes) AS wrong FROM visits";
    assert.deepEqual(query(path, facts), [{ n: 1000, wrong: 0 }]);
  }
});

test("opening sets WAL, and it stays", async (t) => {
  const path = temporaryDatabase(t, table);
  const session = await open(construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap }));
  await session.close("stopped");
  assert.deepEqual(query(path, "PRAGMA journal_mode"), [{ journal_mode: "wal" }]);
});

test("a look before a run leaves the journal mode as it is", async (t) => {
  const path = temporaryDatabase(t, table);
  const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap });
  const session = await sink.preflight?.({ signal: noAbort() });
  await session?.close("stopped");
  assert.deepEqual(query(path, "PRAGMA journal_mode"), [{ journal_mode: "delete" }]);
});

test("a database that takes no writes is rejected before the first row", async (t) => {
  const path = temporaryDatabase(t, table);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([3]), 0, 1, 18); // a write version of the future: SQLite then only reads
  closeSync(file);
  const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap });
  for (const opening of [open(sink), sink.preflight?.({ signal: noAbort() })]) {
    await assert.rejects(async () => await opening, { name: "SinkError", message: /is read-only/ });
  }
});

const prices = `CREATE TABLE visits (id NUMERIC PRIMARY KEY, value DECIMAL(10,2)) WITHOUT ROWID`;

test("a text that a column would store as another number is a row error, in keys and in values", async (t) => {
  const path = temporaryDatabase(t, prices);
  const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap });
  const session = await open(sink);
  const columnsOf = (values: ColumnValues): unknown => session.check?.(values).map(({ column }) => column);
  assert.deepEqual(columnsOf({ id: "007", value: "1e5" }), ["id", "value"]);
  assert.deepEqual(columnsOf({ id: "1.50", value: "1.50" }), ["id"]);
  const rows = [
    { id: "1", value: "1.50" },
    { id: "2", value: "not a number" },
  ];
  for (const values of rows) assert.deepEqual(columnsOf(values), []);
  assert.deepEqual(columnsOf({ id: 1, value: "2" }), ["id"], "the text 1 and the number 1 are one key there");
  await session.write(groupsOf(rows));
  await assert.rejects(
    session.write(groupsOf([{ id: "3", value: "007" }])),
    failsWith("SINK_DATA_REFUSED", { where: "value" }),
  );
  await session.close("completed");
  assert.deepEqual(query(path, "SELECT * FROM visits ORDER BY id"), [
    { id: 1, value: 1.5 },
    { id: 2, value: "not a number" },
  ]);
});

test("with coerce the number is stored, and keys that are one number are one key", async (t) => {
  const path = temporaryDatabase(t, prices);
  const sink = construct({ databasePath: path, targetTable: "visits", mergeKeys: ["id"], columnMap, coerce: true });
  const session = await open(sink);
  assert.deepEqual(session.check?.({ id: "007", value: "1e5" }), []);
  assert.equal(session.check?.({ id: "7", value: "1" }).length, 1);
  assert.equal(session.keyOf?.({ id: "007", value: "" }), session.keyOf?.({ id: 7, value: "" }));
  await session.write(groupsOf([{ id: "007", value: "1e5" }]));
  assert.equal(await session.holds?.({ id: "7.0", value: "1" }), true);
  await session.close("completed");
  assert.deepEqual(query(path, "SELECT * FROM visits"), [{ id: 7, value: 100_000 }]);
});

/** As a pipeline takes its sink. */
function to(sink: Sink<State>): Sink<State> {
  return sink;
}

test("the types hold the merge keys against the columns, and the columns against the state", () => {
  const settings = { databasePath: "x.db", targetTable: "t" };
  const sink = to(
    new SQLiteSink({ ...settings, mergeKeys: ["id"], columnMap: { id: (s) => s.pk, value: (s) => s.value.length } }),
  );
  assert.deepEqual([sink.name, sink.keepsRows, Object.keys(sink.columnMap)], ["sqlite", true, ["id", "value"]]);
  to(new SQLiteSink({ ...settings, strategy: "insert", columnMap: { id: (s) => s.pk } }));
  to(new SQLiteSink({ ...settings, strategy: "update", mergeKeys: ["id"], columnMap }));
  // @ts-expect-error a column that no step adds
  to(new SQLiteSink({ ...settings, mergeKeys: ["id"], columnMap: { id: (s) => s.pk, other: (s) => s.summary } }));
  // @ts-expect-error a merge key that is no column
  assert.throws(() => to(new SQLiteSink({ ...settings, mergeKeys: ["ident"], columnMap: { id: (s) => s.pk } })));
  // @ts-expect-error merging needs merge keys
  assert.throws(() => to(new SQLiteSink({ ...settings, columnMap: { id: (s) => s.pk } })));
  // @ts-expect-error inserting takes none
  assert.throws(() => new SQLiteSink({ ...settings, strategy: "insert", mergeKeys: ["id"], columnMap }));
});
