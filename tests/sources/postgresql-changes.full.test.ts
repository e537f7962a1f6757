// Full lane: it needs a PostgreSQL server, in a process of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import type { ChangedRow, ChangePlace, Parameters } from "../../src/contracts/source.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { PostgreSQLSource } from "../../src/sources/postgresql.ts";
import { changeQueries, greatestQuery } from "../../src/table/change-order.ts";
import type { ColumnChanges } from "../../src/table/column-changes.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { startCuttableProxy } from "../support/cuttable-proxy.ts";
import { failsWith } from "../support/error-facts.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";

const skip = noPostgreSQL;
const database = testDatabase(`
  CREATE TABLE visits (id int PRIMARY KEY, note text NOT NULL, changed_at timestamptz);
  INSERT INTO visits SELECT n, repeat('x', 200), timestamptz '2026-01-01' + n * interval '1 second' FROM generate_series(1, 20000) n;
  CREATE INDEX visits_by_change ON visits (changed_at, id);
  ANALYZE visits;
`);

type Row = Record<string, unknown>;

interface Options {
  readonly lagSeconds?: number | undefined;
  readonly column?: string;
  readonly primaryKeyColumn?: string;
  readonly connectionString?: string;
  readonly pageSize?: number;
  readonly parameters?: Parameters;
}

function sourceOf(sql: string, options: Options = {}): PostgreSQLSource<Row> {
  const { lagSeconds, column = "c", ...rest } = options;
  const changes: ColumnChanges = { by: "column", column, lagSeconds };
  return new PostgreSQLSource<Row>({ connectionString: database.url(), sql, primaryKeyColumn: "id", changes, ...rest });
}

const context = { signal: new AbortController().signal, parameters: {} };

async function changesOf({ changes }: PostgreSQLSource<Row>, since?: string): Promise<ChangedRow[]> {
  assert.ok(changes !== undefined);
  return await Array.fromAsync(changes.read(since, context));
}

function idOf(row: ChangedRow): unknown {
  return "error" in row ? undefined : row.raw["id"];
}

function placeOf(row: ChangedRow | undefined): ChangePlace {
  assert.ok(row !== undefined && row.place !== null);
  return row.place;
}

/** The keys 1, 2, … beside these values. */
function valuesOf(...values: readonly string[]): string {
  const cases = values.map((value, index) => `SELECT ${index + 1} AS id, ${value} AS c`);
  return cases.join(" UNION ALL ");
}

async function assertReadOnBehindEach(source: PostgreSQLSource<Row>, ids: readonly unknown[]): Promise<void> {
  const rows = await changesOf(source);
  assert.deepEqual(rows.map(idOf), ids);
  for (const [index, row] of rows.entries()) {
    if (row.place === null) continue;
    const rest = await changesOf(source, row.place.exact);
    assert.deepEqual(rest.map(idOf), ids.slice(index + 1), row.place.exact);
  }
}

interface Plan {
  readonly "Node Type": string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Plan[];
}

function partsOfPlan(plan: Plan): readonly Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(partsOfPlan)];
}

test("the statements of a read search the index, whatever the query around it", { skip }, async () => {
  const order = { change: 'llm_etl_rows."changed_at"', key: 'llm_etl_rows."id"' };
  const since = { value: "2026-01-01T05:33:00.000001Z", key: 19_980 };
  for (const text of [
    "SELECT id, note, changed_at FROM visits",
    "SELECT * FROM visits WHERE note <> 'gone' -- ours",
    "WITH ours AS (SELECT * FROM visits) SELECT * FROM ours",
    "SELECT v.id, v.note, v.changed_at, w.note AS other FROM visits v LEFT JOIN visits w ON w.id = v.id + 1",
  ]) {
    const query = { text, values: [], isPlain: true };
    for (const { text: sql, values } of [
      ...changeQueries(query, order, { since }),
      greatestQuery(query, order.change, since),
    ]) {
      const [line] = await database.run(`EXPLAIN (FORMAT JSON) ${sql}`, values);
      const plans = line?.["QUERY PLAN"] as readonly { readonly Plan: Plan }[] | undefined; // as the server writes it
      const parts = (plans ?? []).flatMap(({ Plan: plan }) => partsOfPlan(plan));
      if (parts.every((part) => part["Node Type"] === "Result")) continue; // the server knows that no key is NULL
      const search = parts.find((part) => part["Index Name"] === "visits_by_change");
      assert.ok(search !== undefined, sql);
      const condition = search["Index Cond"] ?? "";
      if (sql.includes(">=")) assert.match(condition, /changed_at >= /, sql);
      if (sql.includes('"id") > (')) assert.match(condition, /ROW\((?:\w+\.)?changed_at, (?:\w+\.)?id\) > ROW/, sql);
      assert.ok(!parts.some((part) => part["Node Type"] === "Seq Scan"), sql);
    }
  }
});

test(
  "rows come in the order of their changes, then those without one; a read goes on behind each",
  { skip },
  async () => {
    const at = (day: number): string => `timestamptz '2026-01-0${day} 00:00:00.000001+00'`;
    await assertReadOnBehindEach(
      sourceOf(valuesOf(at(3), "NULL", at(1), at(2), at(1)), { pageSize: 2 }),
      [3, 5, 4, 1, 2],
    );
  },
);

test("a place is exact in each type", { skip }, async () => {
  const types: readonly (readonly [values: readonly string[], lagSeconds?: number])[] = [
    [["timestamptz '-infinity'", "timestamptz '0044-03-15 00:00:00+00 BC'", "timestamptz '0001-01-01 00:00:00+00'"], 0],
    [["timestamptz '2026-01-01 00:00:00.000001+00'", "timestamptz '2026-01-01 00:00:00.000002+00'"]],
    [
      [
        "timestamptz '2026-01-01 00:00:00.12+00'",
        "timestamptz '9999-12-31 23:59:59+00'",
        "timestamptz '10000-01-01 00:00:00+00'",
        "timestamptz 'infinity'",
      ],
      0,
    ],
    [
      [
        "timestamp '-infinity'",
        "timestamp '0044-03-15 00:00:00 BC'",
        "timestamp '2026-01-01 00:00:00.000001'",
        "timestamp '2026-01-01 00:00:00.000002'",
      ],
    ],
    [["timestamp '2026-01-01 00:00:00'", "timestamp '10000-01-01 00:00:00'", "timestamp 'infinity'"], 0],
    [["date '0044-03-15 BC'", "date '2026-01-01'", "date '2026-01-02'"]],
    [["date '2026-01-01'", "date '10000-01-02'", "date 'infinity'"], 0],
    [["9007199254740992::int8", "9007199254740993::int8", "9223372036854775807::int8"], 0],
    [["-1::int2", "7::int2"], 0],
    [["0.1::float4", "0.2::float4"], 0],
    [["0.1::float8", "0.30000000000000004::float8", "'Infinity'::float8"], 0],
    [
      ["1.000000000000000000001", "1.000000000000000000002", "12345678901234567890.5", "'NaN'"].map(
        (each) => `${each}::numeric`,
      ),
      0,
    ],
    [["1764500000.000001::numeric", "1764500000.000002::numeric"]],
    [["'5'::numeric", "'1764500000.5'::numeric"]],
    [["E'a''\"\\\\b'", "'größe'", "'😀'"].map((each) => `${each}::text COLLATE "C"`), 0],
    [["'2026-01-01 00:00:00'::varchar(30)", "'2026-01-01 00:00:01'::varchar(30)"]],
    [["'ab'::char(4)", "'b'::char(4)"], 0],
    [["'\\x00'::bytea", "'\\x00ff'::bytea"], 0],
    [["false", "true"], 0],
    [["'00000000-0000-0000-0000-000000000001'::uuid", "'00000000-0000-0000-0000-000000000002'::uuid"], 0],
    [["interval '1 day'", "interval '2 days 1 second'"], 0],
  ];
  for (const [values, lagSeconds] of types) {
    for (const timezone of /^(?:time|date)/.test(values[0] ?? "") ? ["UTC", "Asia/Kolkata"] : ["UTC"]) {
      const url = `${database.url()}?options=${encodeURIComponent(`-c timezone=${timezone}`)}`;
      const source = sourceOf(valuesOf(...values), { lagSeconds, connectionString: url });
      await assertReadOnBehindEach(
        source,
        values.map((_, index) => index + 1),
      );
    }
  }
});

test("keys of each type tell rows of one time apart; a row whose key is NULL comes behind them", { skip }, async () => {
  const keys = [
    ["1", "2"],
    ["9007199254740992::int8", "9007199254740993::int8"],
    ["1.50::numeric", "1.51::numeric"],
    ["'A' COLLATE \"C\"", '\'a"b\' COLLATE "C"', "'ß' COLLATE \"C\""],
    ["'00000000-0000-0000-0000-000000000001'::uuid", "'00000000-0000-0000-0000-000000000002'::uuid"],
    ["'\\x00'::bytea", "'\\x00ff'::bytea"],
    ["date '2026-01-01'", "date '2026-01-02'"],
    ["timestamptz '2026-01-01 00:00:00.000001+00'", "timestamptz '2026-01-01 00:00:00.000002+00'"],
    ["false", "true"],
  ];
  for (const list of keys) {
    const sql = [...list, "NULL"]
      .map((key) => `SELECT ${key} AS id, timestamptz '2026-01-01' AS c`)
      .join(" UNION ALL ");
    const source = sourceOf(sql, { pageSize: 1 });
    const rows = await changesOf(source);
    assert.equal(rows.length, list.length + 1);
    for (const [index, row] of rows.slice(0, -1).entries()) {
      const rest = await changesOf(source, placeOf(row).exact);
      assert.deepEqual(rest.map(idOf), [null, ...rows.slice(index + 1, -1).map(idOf)], sql);
    }
    assert.equal(idOf(rows.at(-1) ?? assert.fail()), null);
    assert.equal((await changesOf(source, placeOf(rows.at(-1)).exact)).length, rows.length, "they are read again");
  }
});

test("odd names, a computed column and parameters are no trouble", { skip }, async () => {
  await database.run(`CREATE TABLE "odd "" name" ("the ""key""" text, made timestamptz, "Changed At" timestamptz)`);
  await database.run(
    `INSERT INTO "odd "" name" VALUES ('a', '2026-01-02', NULL), ('b', '2026-01-01', '2026-01-03'), ('$1', '2026-01-01', NULL)`,
  );
  const options = {
    column: 'last "change"',
    primaryKeyColumn: 'the "key"',
    parameters: { not: "c", from: new Date(0) },
  };
  const sql = `SELECT "the ""key""", greatest(made, "Changed At") AS "last ""change""" FROM "odd "" name" WHERE "the ""key""" <> @not AND made > @from;`;
  const source = sourceOf(sql, options);
  const keys = (rows: readonly ChangedRow[]): unknown[] =>
    rows.map((row) => ("error" in row ? undefined : row.raw['the "key"']));
  const rows = await changesOf(source);
  assert.deepEqual(keys(rows), ["$1", "a", "b"]);
  assert.deepEqual(keys(await changesOf(source, placeOf(rows[0]).exact)), ["a", "b"]);
});

test("a row is settled when its time is over by the lag, whatever the session's time zone", { skip }, async () => {
  const zones = ["UTC", "America/Los_Angeles", "Asia/Kolkata"];
  const settled = async (value: string, timezone: string): Promise<boolean> => {
    const connectionString = `${database.url()}?options=${encodeURIComponent(`-c timezone=${timezone}`)}`;
    return placeOf((await changesOf(sourceOf(valuesOf(value), { connectionString })))[0]).isSettled;
  };
  for (const timezone of zones) {
    assert.equal(await settled("now() - interval '6 minutes'", timezone), true);
    assert.equal(await settled("now() - interval '4 minutes'", timezone), false);
    assert.equal(await settled("extract(epoch FROM now())::numeric - 360", timezone), true);
    assert.equal(await settled("extract(epoch FROM now())::numeric - 240", timezone), false);
    assert.equal(await settled("(extract(epoch FROM now()) * 1000)::int8 - 240000", timezone), false);
    // Of a time without a time zone it is not known by which clock it was written; the server's is one of them.
    assert.equal(await settled("now()::timestamp - interval '4 minutes'", timezone), false, timezone);
    assert.equal(await settled("(now() AT TIME ZONE 'UTC') - interval '4 minutes'", timezone), false, timezone);
    assert.equal(await settled("now()::timestamp - interval '24 hours'", timezone), true, timezone);
    assert.equal(await settled("now()::date", timezone), false);
    assert.equal(await settled("now()::date - 3", timezone), true);
  }
});

test("a clock of this machine that is ahead of the server's settles nothing too early", { skip }, async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 3_600_000 });
  const rows = await changesOf(sourceOf(valuesOf("now() - interval '6 minutes'", "now() - interval '4 minutes'")));
  assert.deepEqual(
    rows.map((row) => placeOf(row).isSettled),
    [true, false],
  );
});

test("a row that changes during the read comes once, as it was when the read began", { skip }, async () => {
  await database.run(
    "CREATE TABLE moving AS SELECT n AS id, timestamptz '2026-01-01' + n * interval '1 second' AS c FROM generate_series(1, 20) n",
  );
  const reading = sourceOf("SELECT * FROM moving", { pageSize: 4 }).changes?.read(undefined, context);
  const ids: unknown[] = [];
  for await (const row of reading ?? []) {
    ids.push(idOf(row));
    if (ids.length === 3)
      await database.run(
        "UPDATE moving SET c = now() WHERE id IN (1, 2, 15); UPDATE moving SET c = NULL WHERE id IN (3, 16)",
      );
  }
  assert.deepEqual(
    ids,
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

test("a row that changes between the two queries of a read comes once, too", { skip }, async (t) => {
  await database.run(
    "CREATE TABLE jumping AS SELECT n AS id, timestamptz '2026-01-01' AS c FROM generate_series(1, 3) n",
  );
  const query: unknown = Reflect.get(pg.Client.prototype, "query");
  assert.ok(typeof query === "function");
  t.mock.method(pg.Client.prototype, "query", async function (this: pg.Client, ...given: unknown[]): Promise<unknown> {
    if (String(given[0]).startsWith("DECLARE llm_etl_rows_1")) {
      await database.run("UPDATE jumping SET c = NULL WHERE id = 1");
    }
    return await Promise.resolve(Reflect.apply(query, this, given));
  });
  assert.deepEqual((await changesOf(sourceOf("SELECT * FROM jumping"))).map(idOf), [1, 2, 3]);
});

test("a column that can't tell changes is rejected before the first row", { skip }, async () => {
  const cases: readonly (readonly [sql: string, options: Options, facts: ErrorFacts])[] = [
    ["SELECT 1 AS id, now() AS changed", { column: "chnaged" }, { column: "chnaged", nearest: "changed" }],
    ["SELECT 1 AS id, 'unknown' AS c", {}, { column: "c", got: "a text of 7 characters" }],
    ["SELECT 1 AS id, 5 AS c", {}, { column: "c" }],
    ["SELECT 1 AS id, timestamptz 'infinity' AS c", {}, { column: "c" }],
    ["SELECT 1 AS id, time '10:00' AS c", {}, { column: "c" }],
    ["SELECT 1 AS id, true AS c", {}, { column: "c" }],
    ["SELECT 1 AS id, ARRAY[now()] AS c", {}, { column: "c" }],
    ["SELECT 1 AS id, ARRAY[1] AS c", { lagSeconds: 0 }, { column: "c" }],
    [`SELECT 1 AS id, '{"a": 1}'::jsonb AS c`, { lagSeconds: 0 }, { column: "c" }],
    ["SELECT 1 AS id, '{}'::json AS c", {}, { errorStates: ["42883"] }],
    ["SELECT 1 AS key, now() AS c", {}, { column: "id" }],
    ["SELECT 1 AS id, now() AS c, now() AS c", {}, { columns: ["c"] }],
    ["SELECT id, now() AS c FROM no_table", {}, { errorStates: ["42P01"] }],
  ];
  for (const [sql, options, facts] of cases) {
    await assert.rejects(changesOf(sourceOf(sql, options)), failsWith("SOURCE_FAILED", facts), sql);
  }
});

test(
  "a connection that is lost is tried again before the first row, and ends the read after it",
  { skip },
  async (t) => {
    const proxy = await startCuttableProxy(new URL(database.url()));
    t.after(proxy.cut);
    const url = new URL(database.url());
    url.port = `${proxy.port}`;
    const source = sourceOf("SELECT id, changed_at FROM visits", {
      column: "changed_at",
      connectionString: url.href,
      pageSize: 10,
    });
    const reading = source.changes?.read(undefined, context) ?? assert.fail();
    const iterator = reading[Symbol.asyncIterator]();
    for (let count = 0; count < 10; count += 1) await iterator.next();
    proxy.cut();
    await assert.rejects(iterator.next(), (error: Error) => {
      return (
        failsWith("SOURCE_FAILED", {})(error) && error.message.includes("run again") && !error.message.includes("pages")
      );
    });
  },
);

test("PostgreSQLSource keeps what every source promises that can tell changes", { skip }, async (t) => {
  const times = [
    "2026-01-02T00:00:00Z",
    null,
    "2026-01-01T00:00:00.000001Z",
    "2999-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000001Z",
  ];
  const sql = valuesOf(...times.map((time) => (time === null ? "NULL::timestamptz" : `timestamptz '${time}'`)));
  for (const pageSize of [1, 1000]) {
    const checks = sourceContract({
      create: () => sourceOf(sql, { pageSize }),
      rows: times.map((c, index) => ({ id: index + 1, c })),
    });
    for (const { name, check } of checks) await t.test(`${pageSize}: ${name}`, check);
  }
});
