import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceRow } from "../../src/contracts/source.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { PostgreSQLSource, type PostgreSQLSourceOptions } from "../../src/sources/postgresql.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { startCuttableProxy } from "../support/cuttable-proxy.ts";
import { failsWith } from "../support/error-facts.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";

const skip = noPostgreSQL;
const database = testDatabase(`
  CREATE TABLE visits (id int PRIMARY KEY, note text);
  INSERT INTO visits SELECT n, 'note ' || n FROM generate_series(1, 25) n;
  CREATE TABLE twins (id text, n int);
  INSERT INTO twins SELECT CASE WHEN n <= 7 THEN 'same' WHEN n > 9 THEN NULL ELSE 'k' || n END, n FROM generate_series(1, 12) n;
`);

type Row = Record<string, unknown>;
type Options = Partial<Extract<PostgreSQLSourceOptions<Row>, { readonly sql: string }>>;

function sourceOf(sql: string, options: Options = {}): PostgreSQLSource<Row> {
  return new PostgreSQLSource<Row>({
    sql,
    connectionString: database.url(),
    primaryKeyColumn: "id",
    ...options,
  });
}

async function readAll(sql: string, options: Options = {}): Promise<Row[]> {
  const rows: Row[] = [];
  const context = { signal, parameters: {} };
  for await (const row of sourceOf(sql, options).read(context)) rows.push({ ...rawOf(row) });
  return rows;
}

function rawOf(row: SourceRow): Row {
  assert.ok(!("error" in row));
  return row.raw;
}

async function openCount(): Promise<number> {
  const sql =
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'llm-etl'";
  let count = 0;
  // A server's process ends a little after its connection.
  for (let look = 0; look < 200; look += 1) {
    count = Number((await database.run(sql))[0]?.["n"]);
    if (count === 0) return 0;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return count;
}

const { signal } = new AbortController();
const rows = Array.from({ length: 25 }, (_, index) => ({ id: index + 1, note: `note ${index + 1}` }));

for (const options of [{}, { pageSize: 4 }, { reading: "cursor", pageSize: 4 }] as const) {
  const suite = sourceContract({ create: () => sourceOf("SELECT id, note FROM visits", options), rows, openCount });
  for (const { name, check } of suite) test(`PostgreSQLSource ${JSON.stringify(options)}: ${name}`, { skip }, check);
}

test("keys that repeat, and keys that are NULL, are all read, whatever the pages", { skip }, async () => {
  for (const pageSize of [1, 2, 3, 7, 100]) {
    const found = await readAll("SELECT id, n FROM twins", { pageSize });
    assert.deepEqual(
      found.map(({ n }) => Number(n)).toSorted((left, right) => left - right),
      Array.from({ length: 12 }, (_, n) => n + 1),
    );
    assert.equal(found.at(-1)?.["id"], null);
  }
});

test("a query with an order of its own is read in that order", { skip }, async () => {
  const found = await readAll("SELECT id FROM visits ORDER BY note DESC LIMIT 3;", { pageSize: 2 });
  assert.deepEqual(found, [{ id: 9 }, { id: 8 }, { id: 7 }]);
});

const values: readonly (readonly [sql: string, value: unknown])[] = [
  ["true", true],
  ["32767::int2", 32_767],
  ["(-2147483648)::int4", -2_147_483_648],
  ["9223372036854775807::int8", 9_223_372_036_854_775_807n],
  ["12345678901234567890.123456789012345678::numeric", "12345678901234567890.123456789012345678"],
  ["1.50::numeric(5,2)", "1.50"],
  ["'NaN'::numeric", "NaN"],
  ["0.1::float8", 0.1],
  ["0.1::float4", 0.1],
  ["'NaN'::float8", Number.NaN],
  ["'-Infinity'::float8", -Infinity],
  ["'größe 日本'::text", "größe 日本"],
  ["'ab'::char(4)", "ab  "],
  ["'2026-01-02'::date", "2026-01-02"],
  ["'infinity'::date", "infinity"],
  ["'0044-03-15 BC'::date", "0044-03-15 BC"],
  ["'2026-01-02 03:04:05.123456'::timestamp", "2026-01-02T03:04:05.123456"],
  ["'2026-01-02 03:04:05.123456+05:30'::timestamptz", "2026-01-01T21:34:05.123456Z"],
  ["'2026-07-02 03:04:05-07'::timestamptz", "2026-07-02T10:04:05Z"],
  ["'infinity'::timestamptz", "infinity"],
  ["'1850-01-01 00:00:00.5+05:53:28'::timestamptz", "1849-12-31T18:06:32.5Z"],
  ["'03:04:05.5'::time", "03:04:05.5"],
  ["'1 day 2 hours'::interval", "P1DT2H"],
  ["'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'::uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
  [String.raw`'\x00ff'::bytea`, Buffer.from([0, 255])],
  [
    `'{"a": [1, 12345678901234567890, 0.1, 1e2], "b": null}'::jsonb`,
    { a: [1, 12345678901234567890n, 0.1, 100], b: null },
  ],
  ["ARRAY[1, NULL, 3]", [1, null, 3]],
  [`ARRAY['a "b"', 'c,d', NULL, 'NULL', '', E'\\\\x']`, [`a "b"`, "c,d", null, "NULL", "", "\\x"]],
  [
    "ARRAY[[1, 2], [3, 4]]",
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ["'[2:3]={5,6}'::int[]", [5, 6]],
  ["'{}'::text[]", []],
  [`ARRAY['{"a": 1}'::jsonb]`, [{ a: 1 }]],
  ["ARRAY['2026-01-02 03:04:05+00'::timestamptz]", ["2026-01-02T03:04:05Z"]],
  ["'10.0.0.1'::inet", "10.0.0.1"],
  ["'[1,5)'::int4range", "[1,5)"],
  ["NULL::int", null],
];

test("each type has one JavaScript value, and no digit is lost", { skip }, async () => {
  const list = values.map(([sql], index) => `${sql} AS v${index}`).join(", ");
  for (const reading of ["pages", "cursor"] as const) {
    const [row = {}] = await readAll(`SELECT 1 AS id, ${list}`, { reading });
    for (const [index, [sql, value]] of values.entries()) assert.deepEqual(row[`v${index}`], value, sql);
  }
});

test("parameters are named, typed by their place, and never SQL", { skip }, async () => {
  const sql = `SELECT id, @text AS "@text", '@no' AS q, ARRAY[1] <@ARRAY[1,2] AS c, $t$ @no $t$ AS d /* @no /* @no */ */ FROM visits -- @no
    WHERE id = @id AND note <> @text AND (CAST(@at AS timestamp) < now()) IS NOT NULL`;
  const parameters = { id: "3", text: "'; DROP TABLE visits; --", at: new Date(0) };
  assert.deepEqual(await readAll(sql.replace("@text AS", "CAST(@text AS text) AS"), { parameters }), [
    { id: 3, "@text": parameters.text, q: "@no", c: true, d: " @no " },
  ]);
});

test("keys of each type are found as they were read", { skip }, async () => {
  const keys = values
    .map(([sql]) => sql)
    .filter((sql) => !/json|ARRAY|\{\}|\[2|NULL|NaN|Infinity|float4| BC/.test(sql));
  for (const sql of [...keys, "'a\"b\\,c'::text"]) {
    const source = sourceOf(`SELECT ${sql} AS id`);
    const context = { signal, parameters: {} };
    const [read] = await Array.fromAsync(source.read(context));
    assert.ok(read !== undefined && !("error" in read));
    const id = read.raw["id"];
    const key = Buffer.isBuffer(id) ? id.toString("hex") : String(id);
    const found = await source.find([key, "no such key", "\0"], context);
    assert.equal((await Array.fromAsync(found ?? [])).length, 1, sql);
  }
});

test("rows of a query that is wrong by itself can't be looked for, and the error says why", { skip }, async () => {
  const context = { signal, parameters: {} };
  for (const [sql, state] of [
    ["SELECT id FROM visitz", "42P01"],
    ["SELECT no_such_column AS id FROM visits", "42703"],
    ["SELEC id FROM visits", undefined],
  ] as const) {
    const facts = state === undefined ? {} : { errorStates: [state] };
    await assert.rejects(sourceOf(sql).find([], context), failsWith("SOURCE_FAILED", facts), sql);
  }
});

test("a query that can't be read is rejected before its first row, with what to do", { skip }, async () => {
  const problems: readonly (readonly [sql: string, options: Options, facts: ErrorFacts])[] = [
    ["", { sql: " -- nothing" }, { got: 0 }],
    ["SELECT 1 AS id; SELECT 2", {}, { got: 2 }],
    ["DELETE FROM visits", {}, { word: "DELETE" }],
    ["SELECT id FROM visits WHERE id = $1", {}, { hint: "name it, as in @name" }],
    ["SELECT id FROM visits WHERE id = @a", {}, { parameter: "a" }],
    ["SELECT id FROM visits", { parameters: { a: 1 } }, { parameter: "a" }],
    ["SELECT id, id FROM visits", {}, { columns: ["id"] }],
    ["SELECT note FROM visits", {}, { column: "id", columns: ["note"] }],
    ["SELECT id FROM visitz", {}, { errorStates: ["42P01"] }],
    ["SELECT id FROM visits WHERE id = @a", { parameters: { a: "secret" } }, { errorStates: ["22P02"] }],
    ["SELECT id FROM visits FOR UPDATE", {}, { errorStates: ["25006"] }],
    ["WITH d AS (DELETE FROM visits RETURNING id) SELECT id FROM d", {}, {}],
    ["SELECT '{}'::json AS id", {}, { errorStates: ["42883"] }],
  ];
  for (const [sql, options, facts] of problems) {
    const reading = readAll(sql, { ...(sql === "" ? {} : { sql }), ...options });
    await assert.rejects(
      reading,
      (error: Error) => failsWith("SOURCE_FAILED", facts)(error) && !error.message.includes("secret"),
      sql,
    );
  }
  assert.equal((await database.run("SELECT count(*)::int AS n FROM visits"))[0]?.["n"], 25);
});

test("a time zone whose offset had seconds changes no moment", { skip }, async () => {
  const options = {
    connectionString: `${database.url()}?options=${encodeURIComponent("-c timezone=Europe/Amsterdam")}`,
  };
  const found = await readAll("SELECT '1900-01-01 00:00:00+00'::timestamptz AS id", options);
  assert.deepEqual(found, [{ id: "1900-01-01T00:00:00Z" }]);
});

test("a lock of another is waited for within sourceTimeoutMs", { skip }, async () => {
  const table = "SELECT id FROM visits";
  for (const reading of ["pages", "cursor"] as const) {
    await database.run("BEGIN; LOCK TABLE visits");
    const inVain = readAll(table, { reading, sourceTimeoutMs: 300 });
    await assert.rejects(inVain, failsWith("SOURCE_FAILED", { errorStates: ["55P03"] }));
    const found = readAll(table, { reading });
    await database.run("SELECT pg_sleep(0.2); COMMIT");
    assert.equal((await found).length, 25);
  }
});

test("a cursor's connection that is lost says why, and what to do", { skip }, async (testing) => {
  const proxy = await startCuttableProxy(new URL(database.url()));
  testing.after(proxy.cut);
  const ended = async (): Promise<unknown> => await database.run("SELECT pg_sleep(0.4)");
  const ways = [
    { port: new URL(database.url()).port, lose: ended, errorStates: ["25P03"] },
    { port: `${proxy.port}`, lose: proxy.cut, errorStates: [] },
  ];
  for (const { port, lose, errorStates } of ways) {
    const url = new URL(database.url());
    url.port = port;
    if (errorStates.length > 0) url.search = "?options=-c%20idle_in_transaction_session_timeout%3D100";
    const options = { reading: "cursor", pageSize: 10, connectionString: url.href } as const;
    const reading = sourceOf("SELECT id FROM visits", options).read({ signal, parameters: {} });
    for (let count = 0; count < 10; count += 1) await reading.next();
    await lose();
    const isTold = (error: Error): boolean =>
      failsWith("SOURCE_FAILED", { errorStates })(error) && error.message.includes('reading: "pages"');
    await assert.rejects(async () => await Array.fromAsync(reading), isTold);
  }
});

test(
  "a table that is altered during a reading ends it: no value stands under another column's name",
  { skip },
  async () => {
    await database.run("CREATE TABLE altered AS SELECT * FROM visits");
    const source = sourceOf("SELECT * FROM altered", { pageSize: 10 });
    const reading = source.read({ signal, parameters: {} });
    for (let count = 0; count < 10; count += 1) await reading.next();
    await database.run("ALTER TABLE altered RENAME note TO old; ALTER TABLE altered ADD note text DEFAULT 'new'");
    const failing = async (): Promise<unknown> => await Array.fromAsync(reading);
    await assert.rejects(failing(), failsWith("SOURCE_FAILED", { where: "the sql" }));
  },
);

test("a limit of the server's configuration is told at once", { skip }, async () => {
  const connectionString = `${database.url()}?options=${encodeURIComponent("-c temp_file_limit=64 -c work_mem=64")}`;
  const large = "SELECT n AS id, repeat('x', 500) FROM generate_series(1, 9999) n ORDER BY random()";
  await assert.rejects(readAll(large, { connectionString }), failsWith("SOURCE_FAILED", { errorStates: ["53400"] }));
});
