import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import mssql from "mssql";
import fc from "fast-check";
import { z } from "zod";
import type { ParameterValue, Parameters, Source, SourceRow } from "../../src/contracts/source.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { type SQLServer, startSQLServer } from "../support/sql-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Visit {
  readonly id: number;
  readonly department: string;
}

const visits = `
  CREATE TABLE dbo.visits (id INT NOT NULL PRIMARY KEY, department NVARCHAR(50) NULL);
  INSERT INTO dbo.visits (id, department) VALUES (1, N'ER'), (2, N'Lab'), (3, N'ER'), (4, NULL);`;
const noWait = { sleep: () => Promise.resolve() };

type Readable = Pick<Source<Visit>, "read" | "count">;

/** As a JavaScript user could, without the types. */
function construct(options: object): Readable {
  return Reflect.construct(SQLServerSource, [options, noWait]);
}

async function visitsServer(t: TestContext): Promise<SQLServer> {
  return startSQLServer({ sql: visits }, t);
}

function sourceOf({ connectionString }: SQLServer, sql: string, options: object = {}): Readable {
  return construct({ connectionString, sql, primaryKeyColumn: "id", ...options });
}

async function readRows(source: Readable, parameters: Parameters = {}): Promise<SourceRow[]> {
  const rows: SourceRow[] = [];
  for await (const row of source.read({ signal: new AbortController().signal, parameters })) rows.push(row);
  return rows;
}

async function rawOf(source: Readable, parameters: Parameters = {}): Promise<Readonly<Record<string, unknown>>[]> {
  return (await readRows(source, parameters)).map((row) => {
    if ("error" in row) throw row.error;
    return row.raw;
  });
}

async function idsOf(source: Readable, parameters: Parameters = {}): Promise<unknown[]> {
  return (await rawOf(source, parameters)).map(({ id }) => id);
}

/** The ids that came before the reading ended with an error, and the error. */
async function idsUntilError(source: Readable): Promise<{ ids: unknown[]; error: SourceError }> {
  const ids: unknown[] = [];
  try {
    for await (const row of source.read({ signal: new AbortController().signal, parameters: {} })) {
      if (!("error" in row)) ids.push(row.raw["id"]);
    }
  } catch (error) {
    assert.ok(error instanceof SourceError);
    return { ids, error };
  }
  return assert.fail("expected the reading to fail");
}

function firstOf(source: Readable, signal: AbortSignal): Promise<unknown> {
  return source.read(context(signal))[Symbol.asyncIterator]().next();
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const paged =
  "SELECT TOP (@page_size) id, department FROM dbo.visits WHERE (@after IS NULL OR id > @after) ORDER BY id OPTION (RECOMPILE)";

for (const [how, options] of [
  ["with one SELECT", { sql: "SELECT id, department FROM dbo.visits ORDER BY id" }],
  ["in pages", { sql: paged, paging: { keyColumn: "id", pageSize: 2 } }],
] as const) {
  test(`SQLServerSource keeps what every source promises ${how}`, async (t) => {
    const server = await visitsServer(t);
    const { connectionString } = server;
    const checks = sourceContract({
      create: () => new SQLServerSource<Visit>({ connectionString, primaryKeyColumn: "id", ...options }, noWait),
      rows: [
        { id: 1, department: "ER" },
        { id: 2, department: "Lab" },
        { id: 3, department: "ER" },
        { id: 4, department: null },
      ],
      openCount: async () => {
        // The server sees the end of a connection a moment later: all are to end, and a busy machine takes its time.
        for (let tries = 0; server.connections() > 0 && tries < 500; tries += 1) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        return server.connections();
      },
    });
    for (const { name, check } of checks) await t.test(name, check);
  });
}

const typesTable = `
  CREATE TABLE dbo.every_type (id INT NOT NULL PRIMARY KEY, c_bit BIT NULL, c_tinyint TINYINT NULL, c_smallint SMALLINT NULL,
    c_int INT NULL, c_bigint BIGINT NULL, c_decimal DECIMAL(38,10) NULL, c_decimal_short DECIMAL(15,4) NULL, c_numeric NUMERIC(38,0) NULL,
    c_money MONEY NULL, c_smallmoney SMALLMONEY NULL, c_float FLOAT NULL, c_real REAL NULL, c_char CHAR(5) NULL,
    c_varchar VARCHAR(10) NULL, c_varchar_max VARCHAR(MAX) NULL, c_nchar NCHAR(5) NULL, c_nvarchar NVARCHAR(10) NULL,
    c_nvarchar_max NVARCHAR(MAX) NULL, c_text TEXT NULL, c_ntext NTEXT NULL, c_image IMAGE NULL, c_binary BINARY(4) NULL,
    c_varbinary VARBINARY(10) NULL, c_varbinary_max VARBINARY(MAX) NULL, c_date DATE NULL, c_time TIME(7) NULL, c_time_0 TIME(0) NULL,
    c_datetime DATETIME NULL, c_smalldatetime SMALLDATETIME NULL, c_datetime2 DATETIME2(7) NULL, c_datetime2_3 DATETIME2(3) NULL,
    c_datetimeoffset DATETIMEOFFSET(7) NULL, c_datetimeoffset_0 DATETIMEOFFSET(0) NULL, c_guid UNIQUEIDENTIFIER NULL, c_xml XML NULL)`;

const least = {
  c_bit: false,
  c_tinyint: 0,
  c_smallint: -32_768,
  c_int: -2_147_483_648,
  c_bigint: -9_223_372_036_854_775_808n,
  c_decimal: "-9999999999999999999999999999.9999999999",
  c_decimal_short: "-99999999999.9999",
  c_numeric: "-99999999999999999999999999999999999999",
  c_money: "-922337203685477.5808",
  c_smallmoney: "-214748.3648",
  c_float: -1.797_693_134_862_315_7e308,
  c_real: -3.402_823_5e38,
  c_char: "     ",
  c_varchar: "",
  c_varchar_max: "",
  c_nchar: "é    ",
  c_nvarchar: "",
  c_nvarchar_max: "",
  c_text: "",
  c_ntext: "",
  c_image: Buffer.alloc(0),
  c_binary: Buffer.alloc(4),
  c_varbinary: Buffer.alloc(0),
  c_varbinary_max: Buffer.alloc(0),
  c_date: "0001-01-01",
  c_time: "00:00:00.0000000",
  c_time_0: "00:00:00",
  c_datetime: new Date("1753-01-01T00:00:00.000Z"),
  c_smalldatetime: new Date("1900-01-01T00:00:00.000Z"),
  c_datetime2: "0001-01-01T00:00:00.0000000",
  c_datetime2_3: "0001-01-01T00:00:00.000",
  c_datetimeoffset: "0001-01-02T00:00:00.0000000+14:00",
  c_datetimeoffset_0: "0001-01-02T00:00:00-14:00",
  c_guid: "00000000-0000-0000-0000-000000000000",
  c_xml: "<a/>",
};

const most: typeof least = {
  c_bit: true,
  c_tinyint: 255,
  c_smallint: 32_767,
  c_int: 2_147_483_647,
  c_bigint: 9_223_372_036_854_775_807n,
  c_decimal: "1234567890123456789012345678.0123456789",
  c_decimal_short: "12345678901.2345",
  c_numeric: "12345678901234567890123456789012345678",
  c_money: "922337203685477.5807",
  c_smallmoney: "214748.3647",
  c_float: 5e-324,
  c_real: 0.1,
  c_char: "a'\"]-",
  c_varchar: "café",
  c_varchar_max: "x".repeat(9000),
  c_nchar: "a😀z ",
  c_nvarchar: "é😀\n'\"]\0-",
  c_nvarchar_max: "😀".repeat(5000),
  c_text: "text",
  c_ntext: "ntext 😀",
  c_image: Buffer.from([1, 2]),
  c_binary: Buffer.from([1, 2, 3, 255]),
  c_varbinary: Buffer.from([0, 255]),
  c_varbinary_max: Buffer.alloc(9000, 7),
  c_date: "9999-12-31",
  c_time: "23:59:59.9999999",
  c_time_0: "23:59:59",
  c_datetime: new Date("9999-12-31T23:59:59.997Z"),
  c_smalldatetime: new Date("2079-06-06T23:59:00.000Z"),
  c_datetime2: "9999-12-31T23:59:59.9999999",
  c_datetime2_3: "2026-01-02T03:04:05.678",
  c_datetimeoffset: "2026-01-02T03:04:05.1234567-05:30",
  c_datetimeoffset_0: "2026-01-02T03:04:05+14:00",
  c_guid: "6F9619FF-8B86-D011-B42D-00C04FC964FF",
  c_xml: "<a>é 😀</a>",
};

test("every type comes as its documented value, to the last digit, at both ends of its range and as NULL", async (t) => {
  const server = await startSQLServer({ sql: typesTable }, t);
  server.table("dbo.every_type").insert([{ id: 1, ...least }, { id: 2, ...most }, { id: 3 }]);
  const nulls = Object.fromEntries(Object.keys(least).map((name) => [name, null]));
  const rows = await rawOf(sourceOf(server, "SELECT * FROM dbo.every_type ORDER BY id"));
  assert.deepEqual(rows, [
    { id: 1, ...least },
    { id: 2, ...most },
    { id: 3, ...nulls },
  ]);
});

test("each type's value is the same whether it stands alone in a result or beside others", async (t) => {
  const server = await startSQLServer({ sql: typesTable }, t);
  server.table("dbo.every_type").insert([{ id: 1, ...most }]);
  for (const [name, value] of Object.entries(most)) {
    const [row] = await rawOf(sourceOf(server, `SELECT id, ${name} FROM dbo.every_type`));
    assert.deepEqual(row, { id: 1, [name]: value });
  }
});

test("a column name of any letters is a key of the row", async (t) => {
  const server = await visitsServer(t);
  const sql = `SELECT id, department AS [odd]]name "x" é😀;--], 1.5 AS [__proto__], 2.50000000000000000 AS [constructor] FROM dbo.visits WHERE id = 1`;
  const [row] = await rawOf(sourceOf(server, sql));
  assert.deepEqual(Object.entries(row ?? {}), [
    ["id", 1],
    ['odd]name "x" é😀;--', "ER"],
    ["__proto__", "1.5"],
    ["constructor", "2.50000000000000000"],
  ]);
});

function context(signal: AbortSignal = new AbortController().signal, parameters: Parameters = {}) {
  return { signal, parameters };
}

test("a consumer that stops cancels the statement on the server, and the connection is closed", async (t) => {
  const server = await startSQLServer(
    { sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(400) NULL)" },
    t,
  );
  const note = "x".repeat(400);
  server.table("dbo.t").generate(function* () {
    for (let id = 1; ; id += 1) yield { id, note }; // without an end: to drain it would take for ever
  });
  for await (const { position } of sourceOf(server, "SELECT * FROM dbo.t").read(context())) if (position === 10) break;
  const made = server.rowsMade();
  await until(() => server.connections() === 0);
  assert.equal(server.rowsMade(), made);
});

test("a consumer that stops leaves a pool of the user's connected and its connection free", async (t) => {
  const server = await startSQLServer({ sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)" }, t);
  server.table("dbo.t").generate(function* () {
    for (let id = 1; ; id += 1) yield { id };
  });
  const pool = await new mssql.ConnectionPool({ ...server.config, pool: { max: 1 } }).connect();
  t.after(() => pool.close());
  const source = construct({ pool, sql: "SELECT * FROM dbo.t", primaryKeyColumn: "id" });
  for await (const { position } of source.read(context())) if (position === 10) break;
  const { recordset } = await pool.request().query("SELECT 1 AS one");
  assert.deepEqual(recordset[0], { one: 1 });
});

test("an abort ends a reading that waits for its first row, with the signal's reason", async (t) => {
  const server = await visitsServer(t);
  server.faults.add({ on: /^SELECT/, delayMs: 60_000 });
  const controller = new AbortController();
  const reason = new Error("enough");
  const next = firstOf(sourceOf(server, "SELECT * FROM dbo.visits"), controller.signal);
  await until(() => server.statements.some(({ text }) => text.startsWith("SELECT")));
  controller.abort(reason);
  await assert.rejects(next, reason);
  await until(() => server.connections() === 0);
});

test("an abort ends the wait for a description and for a page", async (t) => {
  for (const [on, sql, options] of [
    [/^sp_describe/, "SELECT * FROM dbo.visits", {}],
    [/^SELECT TOP/, paged, { paging: { keyColumn: "id" } }],
  ] as const) {
    const server = await visitsServer(t);
    server.faults.add({ on, delayMs: 60_000 });
    const controller = new AbortController();
    const reason = new Error("enough");
    const next = firstOf(sourceOf(server, sql, options), controller.signal);
    await until(() => server.statements.some(({ text }) => on.test(text)));
    controller.abort(reason);
    await assert.rejects(next, reason);
    await until(() => server.connections() === 0);
  }
});

test("the query may stand in a file, given as text or as a URL, with a byte order mark or without", async (t) => {
  const server = await visitsServer(t);
  const sqlFile = join(temporaryFolder(), "get visits.sql");
  writeFileSync(
    sqlFile,
    "\ufeff-- the ER; and no other\nWITH er AS (SELECT * FROM dbo.visits WHERE department = 'ER')\nSELECT * FROM er;\n",
  );
  for (const file of [sqlFile, pathToFileURL(sqlFile)]) {
    assert.deepEqual(
      await idsOf(construct({ connectionString: server.connectionString, sqlFile: file, primaryKeyColumn: "id" })),
      [1, 3],
    );
  }
});

test("parameters are bound by name, and those given at run time win", async (t) => {
  const server = await visitsServer(t);
  const sql = "SELECT * FROM dbo.visits WHERE department = @department AND id >= @from AND id < @to ORDER BY id";
  const source = sourceOf(server, sql, { parameters: { department: "Lab", from: 0, to: 99n } });
  assert.deepEqual(await idsOf(source), [2]);
  assert.deepEqual(await idsOf(source, { department: "ER" }), [1, 3]);
  assert.deepEqual(
    await idsOf(source, { department: "ER", from: "2" }),
    [3],
    "text is compared as the number it spells",
  );
  assert.deepEqual(await idsOf(source, { department: "ER'; DROP TABLE dbo.visits --" }), []);
  assert.deepEqual(await idsOf(source), [2]);
});

test("a parameter's value reaches the server and comes back whole, whatever is in it", async (t) => {
  const server = await visitsServer(t);
  const source = sourceOf(server, "SELECT 1 AS id, @value AS value FROM dbo.visits WHERE id = 1");
  const value: fc.Arbitrary<ParameterValue> = fc.oneof(
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed()),
    fc.constantFrom("'; DROP TABLE dbo.visits --", "]", '"', "@value", "\0", "é😀", "'".repeat(100_000)),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(value, async (given) => {
      const [row] = await rawOf(source, { value: given });
      assert.deepEqual(row?.["value"], given);
    }),
    { seed: 11, numRuns: 40 },
  );
  const big = { value: 12_345_678_901_234_567_890_123_456_789_012_345_678n };
  assert.equal((await rawOf(source, big))[0]?.["value"], "12345678901234567890123456789012345678");
  const at = { value: new Date("2026-01-02T03:04:05.678Z") };
  assert.equal((await rawOf(source, at))[0]?.["value"], "2026-01-02T03:04:05.6780000");
  assert.equal((await rawOf(source, { value: null }))[0]?.["value"], null);
  assert.equal(server.table("dbo.visits").rows().length, 4);
});

test("a parameter without a value, one without a use and one that can't be bound are rejected before the server is asked", async (t) => {
  const server = await visitsServer(t);
  const source = sourceOf(server, "SELECT * FROM dbo.visits WHERE department = @department");
  const cases: readonly (readonly [Parameters, ErrorFacts])[] = [
    [{}, { parameter: "department", given: [] }],
    [
      { department: "ER", departmen: "ER" },
      { parameter: "departmen", nearest: "department" },
    ],
    [{ department: "\udfff" }, { parameter: "department" }],
  ];
  for (const [parameters, facts] of cases) {
    await assert.rejects(readRows(source, parameters), failsWith("SOURCE_FAILED", { where: "the sql", ...facts }));
  }
  assert.equal(server.roundTrips(), 0);
  assert.equal(server.logins.length, 0);
});

test("SQL that is not one query is rejected, with the reason", async (t) => {
  const server = await visitsServer(t);
  const problems: readonly (readonly [string, ErrorFacts])[] = [
    ["-- nothing here", { statements: 0 }],
    ["SELECT * FROM dbo.visits; DELETE FROM dbo.visits", { statements: 2 }],
    ["SELECT 1 AS id\nGO\n", { word: "GO", line: 2 }],
    ["DELETE FROM dbo.visits", { word: "DELETE" }],
    ["SELECT * FROM dbo.visitors", { errorNumbers: [208] }],
    ["SELECT nme AS id FROM dbo.visits", { errorNumbers: [207] }],
    ["SELECT id, department AS id, 1 AS x, 2 AS x FROM dbo.visits", { columns: ["id", "x"] }],
    ["SELECT id, 1 FROM dbo.visits", { columns: [2] }],
    ["SELECT id AS visit_id, department FROM dbo.visits", { column: "id", columns: ["visit_id", "department"] }],
    ["SELECT id AS Id FROM dbo.visits", { column: "id", columns: ["Id"], nearest: "Id" }],
    ["SELECT FROM dbo.visits", {}],
    ["SELECT id, 1, COUNT(*) OVER () FROM dbo.visits", {}],
  ];
  for (const [sql, facts] of problems) {
    await assert.rejects(
      readRows(sourceOf(server, sql)),
      failsWith("SOURCE_FAILED", { where: "the sql", ...facts }),
      sql,
    );
  }
  await until(() => server.connections() === 0);
  assert.equal(server.table("dbo.visits").rows().length, 4);
  assert.ok(!server.statements.some(({ text }) => text.startsWith("SELECT")), "a statement ran that was rejected");
});

test("types without a JavaScript value are rejected by the column's name before the first row", async (t) => {
  const sql =
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v SQL_VARIANT NULL, place GEOGRAPHY NULL, node HIERARCHYID NULL)";
  const server = await startSQLServer({ sql }, t);
  await assert.rejects(
    readRows(sourceOf(server, "SELECT * FROM dbo.t")),
    failsWith("SOURCE_FAILED", {
      columns: ["v", "place", "node"],
      types: ["sql_variant", "geography", "hierarchyid"],
    }),
  );
  assert.deepEqual(await readRows(sourceOf(server, "SELECT id FROM dbo.t")), []);
});

test("several result sets are rejected, also without a semicolon between the statements", async (t) => {
  const server = await visitsServer(t);
  const two = "SELECT id FROM dbo.visits ORDER BY id\nSELECT id, department FROM dbo.visits";
  const { ids, error } = await idsUntilError(sourceOf(server, two));
  assert.partialDeepStrictEqual(error.facts, { where: "the sql", resultSets: "several" });
  assert.ok(ids.length <= 4);
  const exact = "SELECT id, 1.50000000000000000 AS x FROM dbo.visits\nSELECT id FROM dbo.visits";
  const { facts } = (await idsUntilError(sourceOf(server, exact))).error;
  assert.partialDeepStrictEqual(facts, { where: "the sql", errorNumbers: [11_535] });
});

test("a row on which the query fails ends the source, names the row and hides its content", async (t) => {
  const server = await startSQLServer(
    {
      sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v NVARCHAR(20) NULL); INSERT INTO dbo.t VALUES (1, N'1'), (2, N'secret'), (3, N'3')",
    },
    t,
  );
  const { error } = await idsUntilError(sourceOf(server, "SELECT id, CAST(v AS INT) AS n FROM dbo.t ORDER BY id"));
  assert.partialDeepStrictEqual(error.facts, { where: "the sql", errorNumbers: [245] });
  assert.ok(!error.message.includes("secret"));
  assert.ok(error.detail.includes("secret"));
  assert.doesNotMatch(inspect(error), /secret/);
});

test("a login that is denied and a server that is not there are distinguished by number and code", async (t) => {
  const server = await visitsServer(t);
  const wrong = server.connectionString.replace(
    /Password="[^;]*(?:;[^;]*)*?";Encrypt/,
    'Password="wrong-word";Encrypt',
  );
  await assert.rejects(
    readRows(construct({ connectionString: wrong, sql: "SELECT 1 AS id", primaryKeyColumn: "id" })),
    (error) => {
      assert.ok(error instanceof SourceError);
      assert.ok((error.facts["errorNumbers"] as readonly number[]).includes(18_456)); // numbers, by the code that makes the error
      assert.ok(error.message.includes("127.0.0.1") && error.message.includes('"clinic"'), error.message);
      assert.ok(!inspect(error, { depth: 10 }).includes("wrong-word"));
      return true;
    },
  );
  await server.close();
  await assert.rejects(readRows(sourceOf(server, "SELECT 1 AS id")), (error) => {
    assert.ok(error instanceof SourceError);
    assert.ok((error.facts["errorCodes"] as readonly string[]).includes("ECONNREFUSED")); // likewise
    return true;
  });
});

test("a transient failure before the first row is tried again", async (t) => {
  const server = await visitsServer(t);
  for (const fault of [
    { error: 1205 },
    { drop: "before" },
    { drop: "after" },
    { error: { number: 40_613, class: 20 } },
  ] as const) {
    for (const on of [/^sp_describe/, /^SELECT \*/]) server.faults.add({ on, ...fault });
    assert.deepEqual(
      await idsOf(sourceOf(server, "SELECT * FROM dbo.visits ORDER BY id")),
      [1, 2, 3, 4],
      JSON.stringify(fault),
    );
  }
});

test("a failure that lasts ends the source after sourceTimeoutMs, with the server's number", async (t) => {
  const server = await visitsServer(t);
  server.faults.add({ on: /^SELECT \*/, error: 1205, times: Infinity });
  await assert.rejects(
    readRows(sourceOf(server, "SELECT * FROM dbo.visits", { sourceTimeoutMs: 0 })),
    failsWith("SOURCE_FAILED", { where: "the sql", errorNumbers: [1205] }),
  );
});

test("a connection that breaks among the rows of one SELECT ends the source: no row comes twice", async (t) => {
  const server = await startSQLServer(
    { sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(400) NULL)" },
    t,
  );
  server.table("dbo.t").generate(function* () {
    for (let id = 1; id <= 100_000; id += 1) yield { id, note: "x".repeat(400) };
  });
  const ids: unknown[] = [];
  const reading = async () => {
    for await (const row of sourceOf(server, "SELECT * FROM dbo.t").read(context())) {
      if (!("error" in row)) ids.push(row.raw["id"]);
      if (ids.length === 500) server.kill();
    }
  };
  await assert.rejects(reading(), (error) => {
    assert.ok(error instanceof SourceError);
    assert.deepEqual(error.facts["errorNumbers"], []);
    assert.ok(error.message.includes("127.0.0.1"), error.message);
    assert.ok(error.message.includes("paging"), error.message); // the option that would have helped
    return true;
  });
  assert.ok(ids.length >= 500 && ids.length < 100_000);
  assert.deepEqual(
    ids,
    Array.from(ids, (_, index) => index + 1),
  );
});

test("a connection that closes over rows that were not read yet ends the source, and not the process", async (t) => {
  const server = await startSQLServer({ sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)" }, t);
  server.table("dbo.t").insert(Array.from({ length: 300 }, (_, id) => ({ id })));
  server.faults.add({ on: /^SELECT id FROM dbo\.t$/, drop: "answered" });
  let count = 0;
  const reading = async () => {
    for await (const row of sourceOf(server, "SELECT id FROM dbo.t").read(context())) {
      count += "error" in row ? 0 : 1;
      if (count === 1) while (server.connections() > 0) await setImmediate();
    }
  };
  await assert.rejects(reading(), (error) => {
    failsWith("SOURCE_FAILED", { where: "the sql", errorNumbers: [] })(error);
    assert.ok(error instanceof SourceError);
    return /paging/.test(error.facts.hint ?? "");
  });
  assert.ok(count >= 1 && count < 300);
});

test("a login that is denied between two pages is waited out, and one that stays so keeps its number and remedy", async (t) => {
  const server = await startSQLServer({ sql: numbers }, t);
  server.table("dbo.t").insert(count(4));
  const reading = sourceOf(server, page, { paging: { keyColumn: "id", pageSize: 2 } }).read(context());
  const ids = [];
  for await (const row of reading) {
    if (!("error" in row)) ids.push(row.raw["id"]);
    if (ids.length !== 2) continue;
    server.kill();
    for (const number of [18_456, 4060, 6005]) server.faults.refuseLogin(number, 1);
  }
  assert.deepEqual(ids, [1, 2, 3, 4]);
  for (const number of [18_456, 18_470]) {
    const options = { paging: { keyColumn: "id", pageSize: 2 }, sourceTimeoutMs: 50 };
    const readingOn = async (): Promise<void> => {
      for await (const row of sourceOf(server, page, options).read(context())) {
        if (!("error" in row) && row.raw["id"] === 2) {
          server.kill();
          server.faults.refuseLogin(number, 1000);
        }
      }
    };
    const [outcome] = await Promise.allSettled([readingOn()]);
    assert.ok(outcome.status === "rejected" && outcome.reason instanceof SourceError);
    failsWith("SOURCE_FAILED", { errorNumbers: [number] })(outcome.reason);
    assert.match(outcome.reason.facts.hint ?? "", /login|User ID/);
    server.faults.clear();
  }
});

const numbers = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(40) NULL)";
const page =
  "SELECT TOP (@page_size) id, note FROM dbo.t WHERE (@after IS NULL OR id > @after) ORDER BY id OPTION (RECOMPILE)";
const count = (rows: number) => Array.from({ length: rows }, (_, index) => ({ id: index + 1, note: `n${index}` }));

test("pages are read one after the other, each after the last key, and no SELECT is open between them", async (t) => {
  const server = await startSQLServer({ sql: numbers, openSelectsLock: true }, t);
  server.table("dbo.t").insert(count(25));
  const ids: unknown[] = [];
  for await (const row of sourceOf(server, page, { paging: { keyColumn: "id", pageSize: 10 } }).read(context())) {
    if (!("error" in row)) ids.push(row.raw["id"]);
    await server.run(`UPDATE dbo.t SET note = N'seen' WHERE id = ${ids.length}`); // an open SELECT would hold a lock
  }
  assert.deepEqual(
    ids,
    count(25).map(({ id }) => id),
  );
  const pages = server.statements.filter(({ text }) => text === page).map(({ parameters }) => parameters);
  assert.deepEqual(
    pages,
    [null, 10, 20, 25].map((after) => ({ after, page_size: 10 })),
  );
});

test("a page has 1,000 rows where nothing else is said", async (t) => {
  const server = await startSQLServer({ sql: numbers }, t);
  server.table("dbo.t").insert(count(1001));
  assert.equal((await idsOf(sourceOf(server, page, { paging: { keyColumn: "id" } }))).length, 1001);
  assert.deepEqual(
    server.statements.filter(({ text }) => text === page).map(({ parameters }) => parameters["after"]),
    [null, 1000, 1001],
  );
});

test("a connection that breaks among pages is made anew, and every row comes once", async (t) => {
  const server = await startSQLServer({ sql: numbers }, t);
  server.table("dbo.t").insert(count(200));
  for (const drop of ["before", "after"] as const)
    server.faults.add({ on: /^SELECT TOP/, drop, probability: 0.2, seed: 3 });
  server.faults.add({ on: /^SELECT TOP/, error: 1205, probability: 0.1, seed: 4 });
  const source = sourceOf(server, page, { paging: { keyColumn: "id", pageSize: 5 } });
  const ids: unknown[] = [];
  for await (const row of source.read(context())) {
    if (!("error" in row)) ids.push(row.raw["id"]);
    if (ids.length % 50 === 0) server.kill(); // between two pages, too
  }
  assert.deepEqual(
    ids,
    count(200).map(({ id }) => id),
  );
  assert.ok(server.logins.length > 5);
});

test("keys of every type for it are paged by, to the last digit", async (t) => {
  const keys: readonly (readonly [type: string, values: readonly unknown[]])[] = [
    ["SMALLINT", [-2, -1, 3]],
    ["BIGINT", [9_007_199_254_740_992n, 9_007_199_254_740_993n, 9_007_199_254_740_994n]],
    [
      "DECIMAL(38,10)",
      ["-1.0000000001", "1234567890123456789012345678.0000000001", "1234567890123456789012345678.0000000002"],
    ],
    ["NUMERIC(9,2)", ["-1.10", "-1.09", "0.01"]],
    ["VARCHAR(20)", ["enc_1", "enc_2", "enc_3"]],
    ["NVARCHAR(20)", ["a", "é", "z"]],
    ["NCHAR(4)", ["a   ", "b   ", "c   "]],
    ["DATE", ["0001-01-01", "2026-01-02", "9999-12-31"]],
    ["DATETIME2(7)", ["2026-01-02T03:04:05.1234567", "2026-01-02T03:04:05.1234568", "2026-01-02T03:04:05.1234569"]],
    [
      "DATETIME",
      [
        new Date("2026-01-02T03:04:05.003Z"),
        new Date("2026-01-02T03:04:05.007Z"),
        new Date("2026-01-02T03:04:05.010Z"),
      ],
    ],
    [
      "UNIQUEIDENTIFIER",
      [
        "FF000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-0000-000000000002",
        "01000000-0000-0000-0000-000000000002",
      ],
    ],
    ["BINARY(2)", [Buffer.from([0, 1]), Buffer.from([0, 255]), Buffer.from([1, 0])]],
    ["VARBINARY(4)", [Buffer.from([1]), Buffer.from([1, 1]), Buffer.from([2])]],
  ];
  for (const [type, values] of keys) {
    const server = await startSQLServer(
      { sql: `CREATE TABLE dbo.t (id ${type} NOT NULL PRIMARY KEY, note NVARCHAR(40) NULL)` },
      t,
    );
    server.table("dbo.t").insert(values.map((id) => ({ id })));
    assert.deepEqual(await idsOf(sourceOf(server, page, { paging: { keyColumn: "id", pageSize: 1 } })), values, type);
  }
});

test("a ROWVERSION is a key, too: rows that were changed come by it", async (t) => {
  const server = await startSQLServer(
    {
      sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, v ROWVERSION); INSERT INTO dbo.t (id) VALUES (1), (2), (3)",
    },
    t,
  );
  await server.run("UPDATE dbo.t SET id = 9 WHERE id = 1");
  const sql = "SELECT TOP (@page_size) id, v FROM dbo.t WHERE (@after IS NULL OR v > @after) ORDER BY v";
  assert.deepEqual(await idsOf(sourceOf(server, sql, { paging: { keyColumn: "v", pageSize: 1 } })), [2, 3, 9]);
});

test("paging goes with parameters, and with columns that the server converts", async (t) => {
  const server = await startSQLServer(
    { sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, m MONEY NULL, d DECIMAL(38,2) NULL)" },
    t,
  );
  server.table("dbo.t").insert([1, 2, 3, 4].map((id) => ({ id, m: `${id}.0001`, d: `${id}.10` })));
  const sql = "SELECT TOP (@page_size) * FROM dbo.t WHERE id <> @not AND (@after IS NULL OR id > @after) ORDER BY id";
  const rows = await rawOf(sourceOf(server, sql, { paging: { keyColumn: "id", pageSize: 2 }, parameters: { not: 2 } }));
  assert.deepEqual(rows, [
    { id: 1, m: "1.0001", d: "1.10" },
    { id: 3, m: "3.0001", d: "3.10" },
    { id: 4, m: "4.0001", d: "4.10" },
  ]);
});

test("a statement that does not page as it should is rejected", async (t) => {
  const server = await startSQLServer(
    {
      sql: `${numbers}; CREATE TABLE dbo.u (id INT NOT NULL PRIMARY KEY, k INT NULL, name VARCHAR(20) NULL, f FLOAT NULL)`,
    },
    t,
  );
  server.table("dbo.t").insert(count(5));
  server.table("dbo.u").insert([
    { id: 1, k: 1, name: "a" },
    { id: 2, k: 1, name: "a" },
    { id: 3, k: null, name: "é" },
  ]);
  const by = (keyColumn: string, from = "dbo.u", order = keyColumn) =>
    `SELECT TOP (@page_size) * FROM ${from} WHERE (@after IS NULL OR ${keyColumn} > @after) ORDER BY ${order}`;
  const above = "(@after IS NULL OR id > @after)";
  const problems: readonly (readonly [sql: string, keyColumn: string, pageSize: number, ErrorFacts])[] = [
    ["SELECT * FROM dbo.t WHERE id > @after ORDER BY id", "id", 2, { missing: "page_size" }],
    ["SELECT TOP (@page_size) * FROM dbo.t ORDER BY id", "id", 2, { missing: "after" }],
    [`SELECT TOP (@page_size) * FROM dbo.t WHERE ${above}`, "id", 2, { missing: "ORDER BY" }],
    [by("id", "dbo.t", "id DESC"), "id", 2, { column: "id", position: 2, isNull: false }],
    [
      "SELECT TOP (@page_size) * FROM dbo.t WHERE (@after IS NULL OR id > 0) ORDER BY id",
      ...(["id", 2, { column: "id", position: 3, isNull: false }] as const),
    ],
    [`SELECT * FROM dbo.t WHERE ${above} AND @page_size > 0 ORDER BY id`, "id", 2, { pageSize: 2 }],
    [by("k"), "k", 3, { column: "k", position: 1, isNull: true }],
    [by("k").replace("WHERE", "WHERE k IS NOT NULL AND"), "k", 2, { column: "k", position: 2, isNull: false }],
    [by("name"), "name", 2, { column: "name", position: 2, isNull: false }],
    [by("name").replace("WHERE", "WHERE id = 3 AND"), "name", 2, { column: "name", position: 1 }],
    [by("f"), "f", 2, { column: "f", type: "float" }],
    [by("id"), "seq", 2, { column: "seq", columns: ["id", "k", "name", "f"] }],
    ["SELECT TOP (@page_size) * FROM dbo.nowhere WHERE id > @after ORDER BY id", "id", 2, { errorNumbers: [208] }],
  ];
  for (const [sql, keyColumn, pageSize, facts] of problems) {
    await assert.rejects(
      readRows(sourceOf(server, sql, { paging: { keyColumn, pageSize } })),
      failsWith("SOURCE_FAILED", { where: "the sql", ...facts }),
      sql,
    );
  }
  const given = sourceOf(server, page, { paging: { keyColumn: "id" } });
  await assert.rejects(readRows(given, { after: 5 }), failsWith("SOURCE_FAILED", { parameter: "after" }));
  await until(() => server.connections() === 0);
});

test("without paging @after and @page_size are parameters like others", async (t) => {
  const server = await visitsServer(t);
  assert.deepEqual(await idsOf(sourceOf(server, paged), { after: 2, page_size: 1 }), [3]);
});

test("a pool that reads dates as local time is rejected", async (t) => {
  const server = await visitsServer(t);
  const pool = new mssql.ConnectionPool({ ...server.config, options: { ...server.config.options, useUTC: false } });
  t.after(() => pool.close());
  await assert.rejects(
    readRows(construct({ pool, sql: "SELECT 1 AS id", primaryKeyColumn: "id" })),
    failsWith("SOURCE_FAILED", { where: "pool", option: "useUTC" }),
  );
});

test("a pool's own habits change no row, and it stays connected", async (t) => {
  const server = await visitsServer(t);
  const pool = new mssql.ConnectionPool({ ...server.config, arrayRowMode: true, stream: true });
  t.after(() => pool.close());
  const sql = "SELECT *, 1.50000000000000000 AS d FROM dbo.visits WHERE id = 1";
  assert.deepEqual(await rawOf(construct({ pool, sql, primaryKeyColumn: "id" })), [
    { id: 1, department: "ER", d: "1.50000000000000000" },
  ]);
  assert.equal(pool.connected, true);
});

test("files that can't be read are named by their absolute path", async () => {
  const folder = temporaryFolder();
  const read = (sqlFile: string) =>
    readRows(construct({ connectionString: "Server=x;User ID=u;Password=p", sqlFile, primaryKeyColumn: "id" }));
  const none = join(folder, "none.sql");
  await assert.rejects(read(none), failsWith("SOURCE_FAILED", { where: none }));
  const latin = join(folder, "latin.sql");
  writeFileSync(latin, Buffer.from("SELECT 1 AS id -- \xe9", "latin1"));
  await assert.rejects(read(latin), failsWith("SOURCE_FAILED", { where: latin }));
});

test("rows are counted if the query can be part of another one", async (t) => {
  const server = await visitsServer(t);
  const count = async (sql: string, options: object = {}): Promise<unknown> => {
    const source = sourceOf(server, sql, options);
    return await source.count?.({ signal: new AbortController().signal, parameters: {}, limit: Infinity });
  };
  assert.equal(await count("SELECT id FROM dbo.visits"), 4);
  assert.equal(
    await count("SELECT id FROM dbo.visits WHERE department = @d ORDER BY id;", { parameters: { d: "ER" } }),
    2,
  );
  assert.equal(await count("SELECT TOP (3) id FROM dbo.visits ORDER BY id"), 3);
  assert.equal(await count("WITH some AS (SELECT id FROM dbo.visits) SELECT id FROM some"), undefined);
  assert.equal(await count("SELECT id FROM dbo.visits OPTION (RECOMPILE)"), undefined);
  assert.equal(await count(paged, { paging: { keyColumn: "id" } }), undefined);
});

test("wrong options are rejected at construction", () => {
  const good = { connectionString: "Server=x;User ID=u;Password=p", sql: "SELECT 1 AS id", primaryKeyColumn: "id" };
  const problems: readonly (readonly [object, ErrorFacts])[] = [
    [{ sql: undefined }, { where: "sql", expected: "exactly one of sql and sqlFile", got: "neither" }],
    [{ sqlFile: "x.sql" }, { where: "sql", expected: "exactly one of sql and sqlFile", got: "both" }],
    [{ sql: "  " }, { where: "sql", expected: "text that is not blank" }],
    [{ primaryKeyColumn: "" }, { where: "primaryKeyColumn" }],
    [{ parameters: "x=1" }, { where: "parameters", expected: "an object" }],
    [{ primaryKey: "id" }, { where: "primaryKey", nearest: "primaryKeyColumn" }],
    [{ sourceTimeoutMs: -1 }, { where: "sourceTimeoutMs", got: "-1" }],
    [{ paging: true }, { where: "paging", expected: "an object" }],
    [{ paging: {} }, { where: "keyColumn", got: "nothing" }],
    [{ paging: { keyColumn: "id", pageSize: 0 } }, { where: "pageSize", got: "0" }],
    [{ paging: { keyColumn: "id", size: 5 } }, { where: "size" }],
    [{ connectionString: "Sever=x" }, { where: "connectionString" }],
    [{ pool: {} }, { where: "pool" }],
  ];
  for (const [wrong, facts] of problems) {
    assert.throws(() => construct({ ...good, ...wrong }), failsWith("INVALID_OPTION", facts));
  }
});

test("without a connection string the environment is asked at first use, and the error names both", async () => {
  const source = new SQLServerSource<Visit>({ sql: "SELECT 1 AS id", primaryKeyColumn: "id" }, { environment: {} });
  const facts = { where: "connectionString", variable: "SQL_SERVER_CONN" };
  await assert.rejects(readRows(source), failsWith("SETTING_MISSING", facts));
});

test("neither the connection string nor a password is seen by inspecting the source", () => {
  const source = new SQLServerSource<Visit>({
    connectionString: "Server=x;User ID=u;Password=hidden",
    sql: "SELECT 1",
    primaryKeyColumn: "id",
  });
  assert.doesNotMatch(inspect(source, { depth: 10, showHidden: true }), /hidden/);
  assert.doesNotMatch(JSON.stringify(source), /hidden/);
});

test("the row's type comes from the schema, and holds the primary key and the paging key", () => {
  const schema = z.object({ id: z.string(), notes: z.string() });
  const connectionString = "Server=x;User ID=u;Password=p";
  const source = new SQLServerSource({
    connectionString,
    sql: "SELECT 1",
    primaryKeyColumn: "id",
    schema,
    paging: { keyColumn: "id" },
  });
  const typed: SQLServerSource<{ id: string; notes: string }> = source;
  assert.equal(typed.schema, schema);
  assert.equal(source.name, "sql-server");
  // @ts-expect-error a column that the schema does not have
  void new SQLServerSource({ connectionString, sql: "SELECT 1", primaryKeyColumn: "ident", schema });
  const options = { connectionString, sql: "SELECT 1", primaryKeyColumn: "id", schema } as const;
  // @ts-expect-error a paging key that the schema does not have
  void new SQLServerSource({ ...options, paging: { keyColumn: "x" } });
  // @ts-expect-error sql and sqlFile exclude each other
  assert.throws(() => new SQLServerSource<Visit>({ connectionString, sql: "S", sqlFile: "f", primaryKeyColumn: "id" }));
});
