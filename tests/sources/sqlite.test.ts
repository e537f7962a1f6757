import assert from "node:assert/strict";
import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import type { Parameters, Source, SourceRow } from "../../src/contracts/source.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { execute, noAbort, temporaryDatabase, temporaryFolder } from "../support/sqlite.ts";

interface Visit {
  readonly id: number;
  readonly department: string;
}

const visits = `
  CREATE TABLE visits (id INTEGER PRIMARY KEY, department TEXT);
  INSERT INTO visits VALUES (1, 'ER'), (2, 'Lab'), (3, 'ER'), (4, NULL);`;

function visitsSource(t: TestContext, sql: string): SQLiteSource<Visit> {
  return new SQLiteSource<Visit>({ databasePath: temporaryDatabase(t, visits), sql, primaryKeyColumn: "id" });
}

type Readable = Pick<Source<Visit>, "read">;

/** As a JavaScript user could, without the types. */
function construct(options: object): Readable {
  return Reflect.construct(SQLiteSource, [options]);
}

async function readAll(source: Readable, parameters: Parameters = {}): Promise<SourceRow[]> {
  const rows: SourceRow[] = [];
  for await (const row of source.read({ signal: noAbort(), parameters })) rows.push(row);
  return rows;
}

async function idsOf(source: Readable, parameters: Parameters = {}): Promise<unknown[]> {
  return (await readAll(source, parameters)).map((row) => ("error" in row ? row.error : row.raw["id"]));
}

test("SQLiteSource keeps what every source promises", async (t) => {
  const path = temporaryDatabase(t, visits);
  const openFiles = (): number =>
    readdirSync("/proc/self/fd").filter((fd) => {
      const link = join("/proc/self/fd", fd);
      return existsSync(link) && readlinkSync(link) === path;
    }).length;
  const checks = sourceContract({
    create: () => new SQLiteSource<Visit>({ databasePath: path, sql: "SELECT * FROM visits", primaryKeyColumn: "id" }),
    rows: [
      { id: 1, department: "ER" },
      { id: 2, department: "Lab" },
      { id: 3, department: "ER" },
      { id: 4, department: null },
    ],
    ...(existsSync("/proc/self/fd") && { openCount: openFiles }),
  });
  for (const { name, check } of checks) await t.test(name, check);
});

test("values come as plain objects of numbers, exact bigints, Buffers, texts and null", async (t) => {
  const sql = `SELECT 1 AS id, 9007199254740991 AS whole, 9007199254740993 AS big, -9223372036854775808 AS least,
    1.5 AS real, x'00ff' AS bytes, NULL AS missing, 'é😀' || char(10) AS text`;
  const [row] = await readAll(visitsSource(t, sql));
  assert.deepEqual(row, {
    position: 1,
    raw: {
      id: 1,
      whole: 9007199254740991,
      big: 9007199254740993n,
      least: -9223372036854775808n,
      real: 1.5,
      bytes: Buffer.from([0, 255]),
      missing: null,
      text: "é😀\n",
    },
  });
  assert.ok(row !== undefined && !("error" in row) && Buffer.isBuffer(row.raw["bytes"]));
});

test("20,000 rows are read lazily, and a consumer that stops early closes the connection", async (t) => {
  const path = temporaryDatabase(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)");
  const fill = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)";
  execute(path, `${fill} INSERT INTO t SELECT i, 'note ' || i FROM n`);
  const source = new SQLiteSource<{ id: number }>({
    databasePath: path,
    sql: "SELECT * FROM t",
    primaryKeyColumn: "id",
  });
  let count = 0;
  for await (const { position } of source.read({ signal: noAbort(), parameters: {} })) {
    count += 1;
    assert.equal(position, count);
    if (count === 10) break;
  }
  execute(path, "PRAGMA locking_mode = EXCLUSIVE; DROP TABLE IF EXISTS u; BEGIN EXCLUSIVE; COMMIT"); // needs to be alone
  let sum = 0;
  for await (const row of source.read({ signal: noAbort(), parameters: {} })) {
    if (!("error" in row)) sum += Number(row.raw["id"]);
  }
  assert.equal(sum, (20_000 * 20_001) / 2);
});

test("an aborted signal ends the reading with its reason", async (t) => {
  const controller = new AbortController();
  const reason = new Error("enough");
  const rows = visitsSource(t, "SELECT * FROM visits").read({ signal: controller.signal, parameters: {} });
  await rows.next();
  controller.abort(reason);
  await assert.rejects(rows.next(), reason);
});

test("rows are counted with the query's order, parameters and comments, and a semicolon behind it", async (t) => {
  const source = visitsSource(
    t,
    "WITH some AS (SELECT * FROM visits WHERE department = @department) SELECT * FROM some ORDER BY id; ",
  );
  const signal = new AbortController().signal;
  assert.equal(await source.count({ signal, parameters: { department: "ER" }, limit: Infinity }), 2);
  await assert.rejects(
    source.count({ signal, parameters: {}, limit: Infinity }),
    failsWith("SOURCE_FAILED", {
      parameter: "department",
    }),
  );
  const all = visitsSource(t, "SELECT * FROM visits -- all");
  assert.equal(await all.count({ signal, parameters: {}, limit: Infinity }), 4);
  assert.equal(await all.count({ signal, parameters: {}, limit: 3 }), 3);
});

test("counting lets other work go on, and ends when it is aborted", async (t) => {
  const endless = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n";
  const controller = new AbortController();
  const counting = visitsSource(t, endless).count({ signal: controller.signal, parameters: {}, limit: Infinity });
  const reason = new Error("stopped");
  setTimeout(() => controller.abort(reason), 5);
  await assert.rejects(counting, reason);
});

test("the query may stand in a file, given as text or as a URL, with a byte order mark or without", async (t) => {
  const databasePath = temporaryDatabase(t, visits);
  const sqlFile = join(dirname(databasePath), "get visits.sql");
  writeFileSync(sqlFile, "\ufeff-- the ER; and no other\nSELECT * FROM visits WHERE department = 'ER';\n");
  for (const file of [sqlFile, pathToFileURL(sqlFile)]) {
    const source = new SQLiteSource<Visit>({
      databasePath: pathToFileURL(databasePath),
      sqlFile: file,
      primaryKeyColumn: "id",
    });
    assert.deepEqual(await idsOf(source), [1, 3]);
  }
});

test("parameters are bound by name, and those given at run time win", async (t) => {
  const source = new SQLiteSource<Visit>({
    databasePath: temporaryDatabase(t, visits),
    sql: "SELECT * FROM visits WHERE department = @department AND id >= :from AND id < $to AND :from IS NOT NULL",
    primaryKeyColumn: "id",
    parameters: { department: "Lab", from: 0, to: 99n },
  });
  assert.deepEqual(await idsOf(source), [2]);
  assert.deepEqual(await idsOf(source, { department: "ER" }), [1, 3]);
  assert.deepEqual(
    await idsOf(source, { department: "ER", from: "2" }),
    [3],
    "text is compared by the column's affinity",
  );
  assert.deepEqual(await idsOf(source, { department: "ER'; DROP TABLE visits --" }), []);
  assert.deepEqual(await idsOf(source), [2]);
});

test("booleans, dates and bytes can be parameters", async (t) => {
  const source = visitsSource(t, "SELECT @yes AS id, @at AS at, @bytes AS bytes, @none AS none");
  const parameters = { yes: true, at: new Date(0), bytes: new Uint8Array([1, 2]), none: null };
  const [row] = await readAll(source, parameters);
  assert.deepEqual(row, {
    position: 1,
    raw: { id: 1, at: "1970-01-01T00:00:00.000Z", bytes: Buffer.from([1, 2]), none: null },
  });
});

test("a parameter without a value and a value without a parameter are rejected", async (t) => {
  const source = visitsSource(t, "SELECT * FROM visits WHERE department = @department");
  await assert.rejects(
    readAll(source),
    failsWith("SOURCE_FAILED", { where: "the sql", parameter: "department", given: [] }),
  );
  await assert.rejects(
    readAll(source, { department: "ER", departmen: "ER" }),
    failsWith("SOURCE_FAILED", {
      parameter: "departmen",
      nearest: "department",
    }),
  );
});

test("SQL that is not one query is rejected, with the reason", async (t) => {
  const problems: readonly (readonly [string, ErrorFacts])[] = [
    ["-- nothing here", { expected: "one query" }],
    ["SELECT * FROM visits; DELETE FROM visits", { expected: "one query", got: 2 }],
    ["SELECT * FROM visits WHERE id = ?", { hint: "name it, as in @name" }],
    ["DELETE FROM visits", { columns: [] }],
    ["CREATE TABLE u (a)", { columns: [] }],
    ["DELETE FROM visits RETURNING id", { position: 1 }],
    ["SELECT * FROM visitors", { reason: "no such table: visitors" }],
    ["SELEC * FROM visits", { reason: 'near "SELEC": syntax error' }],
    ["SELECT departmnt AS id FROM visits", { reason: "no such column: departmnt" }],
    ["SELECT id FROM visits\0", { hint: "save it as UTF-8, without it" }],
    ["SELECT id, department AS id, id AS ok, 1 AS x, 2 AS x FROM visits", { columns: ["id", "x"] }],
    ["SELECT id AS visit_id, department FROM visits", { column: "id", columns: ["visit_id", "department"] }],
    ["SELECT id AS idd FROM visits", { column: "id", columns: ["idd"], nearest: "idd" }],
  ];
  for (const [sql, facts] of problems) {
    await assert.rejects(readAll(visitsSource(t, sql)), failsWith("SOURCE_FAILED", { where: "the sql", ...facts }));
    const fine = visitsSource(t, "SELECT count(*) AS id FROM visits");
    assert.deepEqual(await idsOf(fine), [4]);
  }
  const quoted = visitsSource(t, 'SELECT "departmnt" AS id FROM visits');
  await assert.rejects(readAll(quoted), failsWith("SOURCE_FAILED", { where: "the sql" })); // SQLite would take it for a text
});

test("a row on which the query fails ends the source, names the row and hides its content", async (t) => {
  const sql = "SELECT id, json_extract('{}', iif(id = 3, 'secret', '$')) AS j FROM visits";
  const rows: SourceRow[] = [];
  const reading = (async () => {
    for await (const row of visitsSource(t, sql).read({ signal: noAbort(), parameters: {} })) rows.push(row);
  })();
  const error: unknown = await reading.catch((thrown: unknown) => thrown);
  assert.ok(error instanceof SourceError);
  assert.partialDeepStrictEqual(error.facts, { where: "the sql", position: 3 });
  assert.ok(!error.message.includes("secret"));
  assert.ok(error.detail.includes("secret"));
  assert.equal(rows.length, 2);
});

test("files that are missing or not what they should be are named by their absolute path", async (t) => {
  const folder = temporaryFolder(t);
  const none = join(folder, "none.db");
  const notes = join(folder, "notes.db");
  writeFileSync(notes, "not a database, but long enough to look at its first hundred bytes. ".repeat(20));
  const databasePath = temporaryDatabase(t, visits);
  const read = (options: object): Promise<unknown> =>
    readAll(construct({ databasePath, primaryKeyColumn: "id", ...options }));
  const one = "SELECT 1 AS id";
  // The facts of a database that can't be opened are those of src/sqlite/: here it is enough that the path is named.
  for (const path of [none, folder, notes]) {
    const error: unknown = await read({ databasePath: path, sql: one }).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof SourceError && error.message.includes(path), String(error));
  }
  assert.equal(existsSync(none), false, "a source never creates a database");
  const noSQL = join(folder, "none.sql");
  await assert.rejects(read({ sqlFile: noSQL }), failsWith("SOURCE_FAILED", { where: noSQL }));
  const latin = join(folder, "latin.sql");
  writeFileSync(latin, Buffer.from("SELECT 1 AS id -- \xe9", "latin1"));
  await assert.rejects(read({ sqlFile: latin }), failsWith("SOURCE_FAILED", { where: latin }));
  const failing = join(folder, "failing.sql");
  writeFileSync(failing, "SELECT * FROM nowhere");
  const facts = { where: `the sqlFile ${failing}`, reason: "no such table: nowhere" };
  await assert.rejects(read({ sqlFile: failing }), failsWith("SOURCE_FAILED", facts));
});

test("a database that another connection locks is waited for", async (t) => {
  const path = temporaryDatabase(t, visits);
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN EXCLUSIVE");
  const source = new SQLiteSource<Visit>({ databasePath: path, sql: "SELECT * FROM visits", primaryKeyColumn: "id" });
  const reading = idsOf(source);
  await new Promise((resolve) => setTimeout(resolve, 5));
  holder.exec("COMMIT");
  holder.close();
  assert.deepEqual(await reading, [1, 2, 3, 4]);
});

test("wrong options are rejected at construction", () => {
  const good = { databasePath: "x.db", sql: "SELECT 1 AS id", primaryKeyColumn: "id" };
  const problems: readonly (readonly [object, ErrorFacts])[] = [
    [{ sql: undefined }, { where: "sql", expected: "exactly one of sql and sqlFile", got: "neither" }],
    [{ sqlFile: "x.sql" }, { where: "sql", expected: "exactly one of sql and sqlFile", got: "both" }],
    [{ sql: "  " }, { where: "sql", expected: "text that is not blank" }],
    [{ databasePath: 5 }, { where: "databasePath", got: "5" }],
    [{ primaryKeyColumn: "" }, { where: "primaryKeyColumn" }],
    [{ parameters: "x=1" }, { where: "parameters", expected: "an object" }],
    [{ primaryKey: "id" }, { where: "primaryKey", nearest: "primaryKeyColumn" }],
  ];
  for (const [wrong, facts] of problems) {
    assert.throws(() => construct({ ...good, ...wrong }), failsWith("INVALID_OPTION", facts));
  }
});

test("the row's type comes from the schema, and holds the primary key", () => {
  const schema = z.object({ id: z.string(), notes: z.string() });
  const source = new SQLiteSource({ databasePath: "x.db", sql: "SELECT 1", primaryKeyColumn: "id", schema });
  const typed: SQLiteSource<{ id: string; notes: string }> = source;
  assert.equal(typed.schema, schema);
  assert.equal(source.name, "sqlite");
  // @ts-expect-error a column that the schema does not have
  void new SQLiteSource({ databasePath: "x.db", sql: "SELECT 1", primaryKeyColumn: "ident", schema });
  // @ts-expect-error sql and sqlFile exclude each other
  assert.throws(() => new SQLiteSource<Visit>({ databasePath: "x", sql: "S", sqlFile: "f", primaryKeyColumn: "id" }));
  // @ts-expect-error one of them is needed
  assert.throws(() => new SQLiteSource<Visit>({ databasePath: "x", primaryKeyColumn: "id" }));
});

async function keysFound(
  source: Pick<Source<Visit>, "find" | "primaryKeyColumn">,
  pks: readonly string[],
): Promise<unknown[]> {
  const found = await source.find?.(pks, { signal: noAbort(), parameters: {} });
  const rows: SourceRow[] = [];
  for await (const row of found ?? []) rows.push(row);
  return rows.map((row) => ("error" in row ? row.error : row.raw[source.primaryKeyColumn]));
}

test("rows of any query are found by key: with its order, its limit, comments and a semicolon behind it", async (t) => {
  for (const sql of [
    "SELECT * FROM visits WHERE department = 'ER'",
    "SELECT * FROM visits WHERE department = 'ER' ORDER BY id DESC LIMIT 5; -- the ER; no other",
    "; /* all */ WITH er AS (SELECT * FROM visits WHERE department = 'ER') SELECT * FROM er -- comment",
    "VALUES (1, 'x'), (3, 'y')",
    "SELECT id, upper(department) || '\"' FROM visits WHERE id IN (1, 3)",
  ]) {
    const options = { databasePath: temporaryDatabase(t, visits), sql };
    const primaryKeyColumn = sql.startsWith("VALUES") ? "column1" : "id";
    const source: SQLiteSource<Visit> = Reflect.construct(SQLiteSource, [{ ...options, primaryKeyColumn }]);
    assert.deepEqual((await keysFound(source, ["1", "2", "3", "x"])).toSorted(), [1, 3], sql);
  }
  const limited = visitsSource(t, "SELECT * FROM visits ORDER BY id LIMIT 2");
  assert.deepEqual(await keysFound(limited, ["1", "3"]), [1], "a row beyond the query's limit is not given");
});

test("a key is found whatever type the column has, and one that is only equal to SQLite is not", async (t) => {
  const values = [
    "-9223372036854775808",
    "9007199254740993",
    "5.0",
    "1.5",
    "1e300",
    "9223372036854775000.0",
    "x'00ff'",
    "'é''\"'",
  ];
  const table = values.map((value, index) => `SELECT ${value} AS id, ${index} AS n`).join(" UNION ALL ");
  const all = visitsSource(t, table);
  const ids = await idsOf(all);
  const pks = ids.map((id) => (Buffer.isBuffer(id) ? id.toString("hex") : String(id)));
  assert.equal((await keysFound(all, pks)).length, values.length);
  const texts = visitsSource(t, "SELECT '007' AS id UNION ALL SELECT '7' UNION ALL SELECT 'abc' COLLATE NOCASE");
  assert.deepEqual(await keysFound(texts, ["7", "ABC"]), ["7"]);
  const declared =
    "CREATE TABLE k (id VARCHAR(9) COLLATE NOCASE, n NUMERIC); INSERT INTO k VALUES ('a', 1), ('A', 2), ('8', 3)";
  const path = temporaryDatabase(t, declared);
  const source = new SQLiteSource<Visit>({ databasePath: path, sql: "SELECT * FROM k", primaryKeyColumn: "id" });
  assert.deepEqual((await keysFound(source, ["A", "8", "8.0"])).toSorted(), ["8", "A"]);
});

test("more keys than a statement takes go in batches, and a key that is asked for twice is found once", async (t) => {
  const numbers =
    "WITH RECURSIVE n (id) AS (VALUES (1) UNION ALL SELECT id + 1 FROM n WHERE id < 12000) SELECT id FROM n";
  const pks = Array.from({ length: 12_000 }, (_, index) => String(index + 1));
  assert.equal((await keysFound(visitsSource(t, numbers), [...pks, ...pks])).length, 12_000);
});

test("a query that can't be a part of another one is not found by key", async (t) => {
  for (const sql of ["PRAGMA database_list", "SELECT 1 AS name, 2 AS NAME"]) {
    const databasePath = temporaryDatabase(t, visits);
    const source = new SQLiteSource<{ name: string }>({ databasePath, sql, primaryKeyColumn: "name" });
    const found = await source.find(["1", "main"], { signal: noAbort(), parameters: {} });
    const rows: unknown[] = [];
    for await (const row of found ?? []) rows.push("error" in row ? row.error : row.raw);
    assert.equal(found, undefined, `${sql}: ${JSON.stringify(rows)}`);
  }
});
