import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { join } from "node:path";
import { Dialect, parse } from "@polyglot-sql/sdk";
import mssql from "mssql";
import { Pipeline } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import type { ChangedRow, ChangePlace, Parameters, Source } from "../../src/contracts/source.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import type { SQLServerChanges } from "../../src/sql-server/read/change-options.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { changeTypes } from "../support/change-types.ts";
import { failsWith } from "../support/error-facts.ts";
import { rejectedAlike } from "../support/rejected-alike.ts";
import { execute, temporaryFolder } from "../support/sqlite.ts";
import { resultSet, type SQLServer, type SQLServerOptions, startSQLServer } from "../support/sql-server.ts";

type Changing = Pick<Source<{ id: number }>, "changes" | "find">;

const byColumn: SQLServerChanges = { by: "column", column: "c" };
const byRowversion: SQLServerChanges = { by: "rowversion", column: "c" };

/** Of each server one: a login for each reading costs more than the reading. */
const pools = new WeakMap<object, mssql.ConnectionPool>();

async function start(t: TestContext, options: SQLServerOptions): Promise<SQLServer> {
  const server = await startSQLServer(options, t);
  const pool = await new mssql.ConnectionPool(server.config).connect();
  t.after(() => pool.close());
  pools.set(server, pool);
  return server;
}

/** As a JavaScript user could, without the types. */
function sourceOf(server: Pick<SQLServer, "connectionString">, changes: object, options: object = {}): Changing {
  const pool = pools.get(server);
  const connection = pool === undefined ? { connectionString: server.connectionString } : { pool };
  const given = { ...connection, sql: "SELECT id, c FROM dbo.t", primaryKeyColumn: "id", changes, ...options };
  return Reflect.construct(SQLServerSource, [given, { sleep: () => Promise.resolve() }]);
}

function read({ changes }: Changing, since?: string, parameters: Parameters = {}): AsyncIterable<ChangedRow> {
  assert.ok(changes !== undefined);
  return changes.read(since, { signal: AbortSignal.timeout(60_000), parameters });
}

async function rowsOf(source: Changing, since?: string): Promise<ChangedRow[]> {
  return await Array.fromAsync(read(source, since));
}

async function idsOf(source: Changing, since?: string): Promise<unknown[]> {
  return (await rowsOf(source, since)).map(idOf);
}

function idOf(row: ChangedRow): unknown {
  return "error" in row ? undefined : row.raw["id"];
}

function placeOf(row: ChangedRow | undefined): ChangePlace {
  assert.ok(row !== undefined && row.place !== null);
  return row.place;
}

/** Each id, with `~` for a row that is not settled and `?` for one without a place. */
async function marksOf(source: Changing, since?: string): Promise<string> {
  const marks = (await rowsOf(source, since)).map(
    (row) => `${String(idOf(row))}${row.place === null ? "?" : row.place.isSettled ? "" : "~"}`,
  );
  return marks.join(" ");
}

/** A table with these values in the column `c` of a type, with the keys 1, 2, … */
async function serverOf(t: TestContext, type: string, values: readonly unknown[] = []): Promise<SQLServer> {
  const server = await start(t, {
    sql: `CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, c ${type} NULL)`,
    snapshot: true,
  });
  server.table("dbo.t").insert(values.map((c, index) => ({ id: index + 1, c })));
  return server;
}

/** A table of so many rows with a rowversion, with the keys 1, 2, … */
async function versioned(t: TestContext, rowCount: number): Promise<SQLServer> {
  const sql = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(20) NULL, c ROWVERSION)";
  const server = await start(t, { sql, snapshot: true });
  server.table("dbo.t").insert(Array.from({ length: rowCount }, (_, index) => ({ id: index + 1 })));
  return server;
}

/** A transaction of another program. */
async function openTransaction(t: TestContext, { config }: SQLServer): Promise<mssql.Transaction> {
  const pool = await new mssql.ConnectionPool(config).connect();
  const transaction = await pool.transaction().begin();
  t.after(async () => {
    await transaction.rollback().catch(() => {}); // it has ended, unless the test failed
    await pool.close();
  });
  return transaction;
}

const long = 86_400_000;

test("changes are read in the order of their column, of any type that tells them, to its last digit", async (t) => {
  for (const [type, first, second, third] of changeTypes) {
    const server = await serverOf(t, type, [third, null, first, second, first]);
    const source = sourceOf(server, byColumn);
    const rows = await rowsOf(source);
    assert.deepEqual(rows.map(idOf), [3, 5, 4, 1, 2], type);
    assert.equal(rows.at(-1)?.place, null);
    for (const [index, row] of rows.slice(0, 4).entries()) {
      assert.ok(placeOf(row).isSettled, type);
      assert.deepEqual(await idsOf(source, placeOf(row).exact), rows.slice(index + 1).map(idOf), type);
    }
    const withoutLag = await marksOf(sourceOf(server, { ...byColumn, lagSeconds: 0 }));
    assert.equal(withoutLag, "3 5 4 1~ 2?", `${type}: with a lag of 0 more of the greatest may come`);
  }
});

test("a place is shown as a time, a number or a version", async (t) => {
  const shown = async (server: SQLServer, changes: SQLServerChanges): Promise<unknown> =>
    placeOf((await rowsOf(sourceOf(server, changes)))[0]).shown;
  assert.equal(
    await shown(await serverOf(t, "DATETIME", ["2026-01-02T03:04:05.003"]), byColumn),
    "2026-01-02T03:04:05.003",
  );
  assert.equal(await shown(await serverOf(t, "DATE", ["2026-01-02"]), byColumn), "2026-01-02");
  assert.equal(await shown(await serverOf(t, "BIGINT", [1_767_225_600n]), byColumn), "1767225600");
  assert.match(String(await shown(await versioned(t, 1), byRowversion)), /^0x0{12}[\dA-F]{4}$/);
});

test("a row is settled when its time is over by the lag: by the clocks of the server and of this machine, in UTC and local time", async (t) => {
  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString().slice(0, -1);
  const local = new Date().getTimezoneOffset() * 60_000;
  const values = [ago(Math.max(0, local) + 310_000), ago(60_000), ago(-long)];
  const server = await serverOf(t, "DATETIME2(7)", values);
  const source = sourceOf(server, byColumn);
  assert.equal(await marksOf(source), "1 2~ 3~");
  assert.equal(await marksOf(sourceOf(server, { ...byColumn, lagSeconds: 2 * 86_400 })), "1~ 2~ 3~");
  const time = { name: "datetime2", scale: 7 } as const;
  const zoned = await serverOf(
    t,
    "DATETIMEOFFSET(3)",
    values.map((value) => `${value}Z`),
  );
  for (const [utc, here, marks, zonedMarks] of [
    [0, -3600_000, "1~ 2~ 3~", "1 2~ 3~"], // a server in Cape Verde
    [0, 3600_000, "1 2~ 3~", "1 2~ 3~"],
    [-60_000, -60_000, "1~ 2~ 3~", "1~ 2~ 3~"], // its clock is late
  ] as const) {
    for (const each of [server, zoned]) {
      each.on(/SYSUTCDATETIME/, () => [resultSet({ utc: time, local: time }, [[ago(-utc), ago(-here)]])]);
    }
    assert.equal(await marksOf(source), marks);
    assert.equal(await marksOf(sourceOf(zoned, byColumn)), zonedMarks);
  }
});

test("with a lag of any length nothing is settled that is later than 1970", async (t) => {
  for (const [type, value] of [
    ["SMALLDATETIME", "2026-01-01"],
    ["DATETIMEOFFSET(0)", "2026-01-01T00:00:00+00:00"],
    ["BIGINT", 1_767_225_600n],
  ]) {
    const source = sourceOf(await serverOf(t, String(type), [value]), { ...byColumn, lagSeconds: Number.MAX_VALUE });
    assert.equal(await marksOf(source), "1~", String(type));
  }
});

test("a day is settled when it is over", async (t) => {
  const dayAgo = (days: number): string => new Date(Date.now() - days * long).toISOString().slice(0, 10);
  const server = await serverOf(t, "DATE", [dayAgo(3), dayAgo(0), dayAgo(-3)]);
  assert.equal(await marksOf(sourceOf(server, byColumn)), "1 2~ 3~");
});

test("numbers are times in the unit of the greatest; what is none is settled before them, and rejected as the greatest", async (t) => {
  const now = Date.now();
  const milliseconds = await serverOf(t, "BIGINT", [0n, BigInt(now - 301_000), BigInt(now - 60_000)]);
  assert.equal(await marksOf(sourceOf(milliseconds, byColumn)), "1 2 3~");
  const seconds = await serverOf(t, "INT", [7, Math.floor(now / 1000) - 302, Math.floor(now / 1000) - 60]);
  assert.equal(await marksOf(sourceOf(seconds, byColumn)), "1 2 3~");
  const counters = await serverOf(t, "INT", [1, 2, 2]);
  await assert.rejects(rowsOf(sourceOf(counters, byColumn)), failsWith("SOURCE_FAILED", { column: "c" }));
  assert.equal(await marksOf(sourceOf(counters, { ...byColumn, lagSeconds: 0 })), "1 2~ 3~");
  const empty = await serverOf(t, "INT", [null]);
  assert.equal(await marksOf(sourceOf(empty, byColumn)), "1?");
});

test("by rowversion: what an open transaction may still come before is read, and is not settled until it has ended", async (t) => {
  const server = await versioned(t, 3);
  const source = sourceOf(server, byRowversion);
  const all = await rowsOf(source);
  assert.equal(await marksOf(source), "1 2 3");
  const since = placeOf(all[2]).exact;
  assert.equal(await marksOf(source, since), "");
  const transaction = await openTransaction(t, server);
  await transaction.request().batch("UPDATE dbo.t SET note = 'late' WHERE id = 1");
  server.table("dbo.t").insert([{ id: 4 }]); // of another program: a greater version, committed before
  assert.equal(await marksOf(source, since), "4~");
  await transaction.commit();
  assert.equal(await marksOf(source, since), "1 4", "the late one is not missed");
  const rolledBack = await openTransaction(t, server);
  await rolledBack.request().batch("UPDATE dbo.t SET note = 'never' WHERE id = 3");
  server.table("dbo.t").insert([{ id: 5 }]);
  assert.equal(await marksOf(source, since), "1 4 5~");
  await rolledBack.rollback();
  assert.equal(await marksOf(source, since), "1 4 5");
});

test("by rowversion, a database that was put back to an earlier state is read whole", async (t) => {
  const server = await versioned(t, 2);
  const source = sourceOf(server, byRowversion);
  assert.equal(await marksOf(source, JSON.stringify(["00000000ffffffff", "1"])), "1 2");
});

test("a row that moves on while it is read comes once; a key that the statement has twice comes twice", async (t) => {
  const now = new Date().toISOString().slice(0, -1);
  const server = await serverOf(t, "DATETIME2(7)", ["2026-01-01", "2026-01-02", "2026-01-03"]);
  const ids: unknown[] = [];
  for await (const row of read(sourceOf(server, byColumn))) {
    ids.push(idOf(row));
    if (row.position === 1) await server.run(`UPDATE dbo.t SET c = '${now}' WHERE id <> 2`);
  }
  assert.deepEqual(ids.slice(0, 2), [1, 2]);
  assert.equal(ids.filter((id) => id === 1).length, 1);
  assert.equal(ids.filter((id) => id === 3).length, 1);
  assert.equal(await marksOf(sourceOf(server, byColumn)), "2 1~ 3~", "what moved is read again");
  const twice = { sql: "SELECT id, c FROM dbo.t UNION ALL SELECT id, c FROM dbo.t" };
  assert.equal(await marksOf(sourceOf(server, byColumn, twice)), "2 2 1~ 1~ 3~ 3~");
});

test("a statement that breaks among its rows goes on behind the last one, in each part of the rows", async (t) => {
  const sql = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(4000) NULL, c DATE NULL)";
  const server = await startSQLServer({ sql }, t);
  const note = "x".repeat(4000); // more than the network holds
  const dates = ["2026-01-01", "2999-01-01", null];
  const rows = dates.flatMap((c, part) => Array.from({ length: 900 }, (_, at) => ({ id: part * 900 + at, note, c })));
  server.table("dbo.t").insert(rows);
  const source = sourceOf(server, byColumn, { sql: "SELECT * FROM dbo.t" });
  const ids: unknown[] = [];
  for await (const row of read(source)) {
    ids.push(idOf(row));
    if ([100, 1000, 1900].includes(row.position)) server.kill();
  }
  assert.ok(server.logins.length >= 4, "the connection broke three times");
  assert.deepEqual(
    ids,
    rows.map(({ id }) => id),
  );
});

test("a statement that breaks where no row came since, or with an error that does not pass, ends the reading", async (t) => {
  const server = await serverOf(t, "DATE", ["2026-01-01", "2026-01-02"]);
  server.faults.add({ on: /llm_etl_boundary/, error: 1205, times: Infinity });
  const source = sourceOf(server, byColumn, { sourceTimeoutMs: 0 });
  await assert.rejects(rowsOf(source), failsWith("SOURCE_FAILED", { where: "the sql", errorNumbers: [1205] }));
});

test("keys of text are read behind as they are sorted, in VARCHAR, too", async (t) => {
  for (const type of ["VARCHAR(10)", "NVARCHAR(10)", "CHAR(10)", "UNIQUEIDENTIFIER", "DATETIMEOFFSET(7)"]) {
    const sql = `CREATE TABLE dbo.t (id ${type} NOT NULL PRIMARY KEY, c DATE NULL)`;
    const server = await start(t, { sql });
    const keys = type.includes("CHAR")
      ? ["a", "b-c", "bc", "Z"]
      : type === "UNIQUEIDENTIFIER"
        ? ["6F9619FF-8B86-D011-B42D-00C04FC964FF", "00000000-0000-0000-0000-000000000001"]
        : ["2026-01-02T03:04:05.1234567-05:30", "2026-01-02T03:04:05.1234568+00:00"];
    server.table("dbo.t").insert(keys.map((id) => ({ id, c: "2026-01-01" })));
    const source = sourceOf(server, byColumn);
    const rows = await rowsOf(source);
    assert.equal(rows.length, keys.length);
    for (const [index, row] of rows.entries()) {
      assert.deepEqual(await idsOf(source, placeOf(row).exact), rows.slice(index + 1).map(idOf), type);
    }
  }
  const server = await start(t, { sql: "CREATE TABLE dbo.t (id VARCHAR(10) NOT NULL, c DATE NULL)" });
  server.table("dbo.t").insert(["b", "é"].map((id) => ({ id, c: "2026-01-01" })));
  const source = sourceOf(server, byColumn);
  const last = placeOf((await rowsOf(source)).at(-1)).exact;
  assert.deepEqual(await idsOf(source, last), ["b", "é"], "its order is the collation's: the ties are read again");
});

test("any form of query has its changes: common tables, an order, hints, parameters", async (t) => {
  const server = await serverOf(t, "DATETIME2(7)", ["2026-01-01", "2026-01-02", "2026-01-03"]);
  for (const sql of [
    "WITH a AS (SELECT id, c FROM dbo.t) SELECT id, c FROM a WHERE id > @least ORDER BY id DESC;",
    "SELECT id, c FROM dbo.t WHERE id > @least ORDER BY id OPTION (RECOMPILE) -- all",
  ]) {
    const source = sourceOf(server, byColumn, { sql, parameters: { least: 1 } });
    const rows = await rowsOf(source);
    assert.deepEqual(rows.map(idOf), [2, 3]);
    assert.deepEqual(await idsOf(source, placeOf(rows[0]).exact), [3]);
  }
});

/** The queries that the server was asked to describe before they were run. */
function described({ statements }: SQLServer): string[] {
  return statements.flatMap(({ parameters: { tsql } }) => (typeof tsql === "string" ? [tsql] : []));
}

test("the column may be the key itself", async (t) => {
  const server = await serverOf(t, "INT", [null, null, null]);
  const source = sourceOf(server, { by: "column", column: "id", lagSeconds: 0 }, { sql: "SELECT id FROM dbo.t" });
  server.forget();
  const rows = await rowsOf(source);
  assert.equal(await marksOf(source), "1 2 3~");
  assert.deepEqual(await idsOf(source, placeOf(rows[0]).exact), [2, 3]);
  const orders = described(server).flatMap((text) => /ORDER BY .*/.exec(text)?.[0] ?? []);
  assert.ok(orders.length > 5);
  for (const order of orders) assert.doesNotMatch(order, /,/, "the server takes no column twice (error 169)");
});

test("every statement is T-SQL to an independent parser", async (t) => {
  const times = await serverOf(t, "DATETIME2(7)", ["2026-01-01", null, "2999-01-01"]);
  const versions = await versioned(t, 2);
  const options = { sql: "WITH a AS (SELECT id, c FROM dbo.t) SELECT id, c FROM a ORDER BY id OPTION (RECOMPILE)" };
  for (const source of [
    sourceOf(times, byColumn),
    sourceOf(times, { ...byColumn, lagSeconds: 0 }, options),
    sourceOf(versions, byRowversion, options),
  ]) {
    const [row] = await rowsOf(source);
    await rowsOf(source, placeOf(row).exact);
  }
  const texts = new Set([...described(times), ...described(versions)]);
  assert.ok(texts.size > 10);
  for (const text of texts) {
    const { success, error } = parse(text, Dialect.TSQL);
    assert.ok(success, `${error}: ${text}`);
  }
});

test("a column that can't tell changes, or a statement that may pass over rows, is rejected before the first row", async (t) => {
  const server = await start(t, {
    sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v ROWVERSION, word NVARCHAR(20) NULL, at DATETIME2(7) NULL)",
  });
  const cases: readonly (readonly [changes: SQLServerChanges, facts: ErrorFacts, sql?: string])[] = [
    [
      { by: "rowversion", column: "at" },
      { column: "at", got: "datetime2(7)" },
    ],
    [{ by: "rowversion", column: "gone" }, { column: "gone" }],
    [
      { by: "column", column: "v" },
      { column: "v", got: "timestamp" },
    ],
    [
      { by: "column", column: "word" },
      { column: "word", got: "nvarchar(20)" },
    ],
    [
      { by: "column", column: "att" },
      { column: "att", nearest: "at" },
    ],
    [{ by: "column", column: "at" }, { word: "NOLOCK" }, "SELECT * FROM dbo.t WITH (NOLOCK)"],
    [{ by: "rowversion", column: "v" }, { word: "READPAST" }, "SELECT * FROM dbo.t WITH (READPAST)"],
  ];
  for (const [changes, facts, sql = "SELECT id, v, word, at FROM dbo.t"] of cases) {
    await assert.rejects(rowsOf(sourceOf(server, changes, { sql })), failsWith("SOURCE_FAILED", facts));
  }
});

test("a pipeline that can't read changes is rejected before its first row, by run and check alike", async (t) => {
  const server = await versioned(t, 1);
  const folder = temporaryFolder(t);
  const databasePath = join(folder, "data.db");
  execute(databasePath, "CREATE TABLE target (id INTEGER PRIMARY KEY)");
  for (const [changes, sql, facts] of [
    [{ ...byRowversion, column: "note" }, "SELECT id, note FROM dbo.t", { column: "note", got: "nvarchar(20)" }],
    [byColumn, "SELECT id, c FROM dbo.t", { column: "c", got: "timestamp" }],
    [byRowversion, "SELECT id, c FROM dbo.t WITH (NOLOCK)", { word: "NOLOCK" }],
  ] as const) {
    const { connectionString } = server;
    const pipeline = new Pipeline({
      name: "rows",
      source: new SQLServerSource<{ id: number }>({ connectionString, sql, primaryKeyColumn: "id", changes }),
      llmProvider: new MockProvider(),
      payloadLog: "off",
      journal: new SQLiteJournal({ path: join(folder, "journal.db") }),
    }).to(
      new SQLiteSink({
        databasePath,
        targetTable: "target",
        mergeKeys: ["id"],
        columnMap: { id: (s) => Number(s.pk) },
      }),
    );
    await rejectedAlike(pipeline, "SOURCE_FAILED", facts);
  }
});

test("a copy that is read-only does not know the open transactions: it has no changes by rowversion", async (t) => {
  const server = await versioned(t, 1);
  const types = { least: { name: "binary", length: 8 }, updateability: { name: "nvarchar", length: 60 } } as const;
  server.on(/^SELECT MIN_ACTIVE_ROWVERSION/, () => [resultSet(types, [[Buffer.alloc(8, 1), "READ_ONLY"]])]);
  await assert.rejects(rowsOf(sourceOf(server, byRowversion)), failsWith("SOURCE_FAILED", { where: "the sql" }));
});

test("wrong options are rejected at construction", () => {
  const construct = (changes: object, options: object = {}): unknown =>
    Reflect.construct(SQLServerSource, [
      {
        connectionString: "Server=a;User ID=b;Password=c",
        sql: "SELECT 1 AS id",
        primaryKeyColumn: "id",
        changes,
        ...options,
      },
    ]);
  for (const changes of [
    {},
    { by: "xmin" },
    { by: "column" },
    { by: "rowversion" },
    { by: "column", column: "c", lagSeconds: -1 },
    { by: "rowversion", column: "c", lagSeconds: 1 },
  ]) {
    assert.throws(() => construct(changes), failsWith("INVALID_OPTION", {}));
  }
  const paging = { keyColumn: "id" };
  assert.throws(() => construct(byColumn, { paging }), failsWith("INVALID_OPTION", { where: "paging" }));
});

test("the basis of changes is told apart by column and by rowversion", async () => {
  const basisOf = (changes: object): Promise<string> | undefined =>
    sourceOf({ connectionString: "Server=a;User ID=b;Password=c" }, changes).changes?.basis({});
  assert.notEqual(await basisOf(byColumn), await basisOf(byRowversion));
});

for (const [by, changes] of [
  ["column", byColumn],
  ["rowversion", byRowversion],
] as const) {
  test(`SQLServerSource keeps what every source promises that can tell changes by ${by}`, async (t) => {
    const times = ["2026-01-02", null, "2026-01-01", "2999-01-01", "2026-01-01"];
    const server = by === "column" ? await serverOf(t, "DATETIME2(7)", times) : await versioned(t, 5);
    const rows = server
      .table("dbo.t")
      .rows()
      .map(({ id, c }) => ({ id, c: typeof c === "string" ? c.replace(" ", "T") : c }));
    const checks = sourceContract({ create: () => sourceOf(server, changes) as SQLServerSource<{ id: number }>, rows });
    for (const { name, check } of checks) await t.test(name, check);
  });
}
