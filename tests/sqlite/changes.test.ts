import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import type { ChangedRow, ChangePlace } from "../../src/contracts/source.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { changeQueries, greatestQuery } from "../../src/sqlite/changes.ts";
import { columnChanges } from "../../src/table/column-changes.ts";
import { latestMs } from "../../src/table/change-times.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { noAbort, temporaryDatabase } from "../support/sqlite.ts";

interface Row {
  readonly id: unknown;
}

const order = { column: "changed_at", keyColumn: "id" };

/** The column `changed_at` of a table with these values, with the keys 1, 2, … */
function sourceOf(t: TestContext, values: readonly string[], lagSeconds?: number): SQLiteSource<Row> {
  const rows = values.map((value, index) => `(${index + 1}, ${value})`).join(", ");
  const databasePath = temporaryDatabase(t, `CREATE TABLE t (id, changed_at); INSERT INTO t VALUES ${rows}`);
  const changes = { by: "column", column: "changed_at", lagSeconds } as const;
  return new SQLiteSource<Row>({ databasePath, sql: "SELECT * FROM t;", primaryKeyColumn: "id", changes });
}

async function changesOf({ changes }: SQLiteSource<Row>, since?: string): Promise<ChangedRow[]> {
  assert.ok(changes !== undefined);
  const rows: ChangedRow[] = [];
  for await (const row of changes.read(since, { signal: noAbort(), parameters: {} })) rows.push(row);
  return rows;
}

function idOf(row: ChangedRow): unknown {
  return "error" in row ? undefined : row.raw["id"];
}

function placeOf(row: ChangedRow | undefined): ChangePlace {
  assert.ok(row !== undefined && row.place !== null);
  return row.place;
}

test("the statement of a read uses the index, whatever the query around it", () => {
  const database = new DatabaseSync(":memory:");
  database.exec(
    "CREATE TABLE t (id TEXT PRIMARY KEY, note TEXT, changed_at TEXT); CREATE INDEX by_change ON t (changed_at)",
  );
  const place = { value: "2026-01-01 00:00:00", key: "a" };
  for (const sql of [
    "SELECT * FROM t",
    "SELECT id, note, changed_at FROM t WHERE note IS NOT NULL -- ours\n;",
    "WITH some AS (SELECT * FROM t) SELECT * FROM some",
  ]) {
    const columns = ["id", "note", "changed_at"];
    for (const query of [...changeQueries(sql, columns, order, { since: place }), greatestQuery(sql, columns, order)]) {
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${query.sql}`).all();
      assert.match(String(plan[0]?.["detail"]), /^SEARCH t USING INDEX by_change \(changed_at[=>]\?\)/);
    }
  }
});

test("check says where no index serves the column", async (t) => {
  const found: string[] = [];
  for (const sql of ["", "CREATE INDEX by_change ON t (changed_at)", "CREATE INDEX by_place ON t (changed_at, id)"]) {
    const table =
      "CREATE TABLE t (id INTEGER PRIMARY KEY, note, changed_at); INSERT INTO t VALUES (1, 2, '2026-01-01')";
    const source = new SQLiteSource<Row>({
      databasePath: temporaryDatabase(t, `${table}; ${sql}`),
      sql: "SELECT * FROM t",
      primaryKeyColumn: "id",
      changes: { by: "column", column: "changed_at" },
    });
    const context = { signal: noAbort(), parameters: {}, onFound: (finding: string) => void found.push(finding) };
    await Array.fromAsync(source.changes?.read(undefined, context) ?? []);
  }
  assert.equal(found.length, 1);
  assert.ok(found[0]?.includes('"changed_at"'));
});

test("rows come in the order of their changes, then those without one; a read goes on behind each place", async (t) => {
  const times = ["'2026-01-03'", "NULL", "'2026-01-01'", "'2026-01-02'", "'2026-01-01'"];
  const source = sourceOf(t, times);
  const rows = await changesOf(source);
  assert.deepEqual(rows.map(idOf), [3, 5, 4, 1, 2]);
  for (const [index, row] of rows.slice(0, 4).entries()) {
    assert.deepEqual((await changesOf(source, placeOf(row).exact)).map(idOf), rows.slice(index + 1).map(idOf));
  }
  assert.equal(rows.at(-1)?.place, null);
  assert.deepEqual(placeOf(rows[0]).shown, "2026-01-01");
});

test("among rows of one time those behind a place are searched for in an index on both columns", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (id TEXT PRIMARY KEY, changed_at TEXT); CREATE INDEX by_both ON t (changed_at, id)");
  const since = { value: "2026-01-01 00:00:00", key: "a" };
  const [query] = changeQueries("SELECT * FROM t", ["id", "changed_at"], order, { since });
  const plan = database.prepare(`EXPLAIN QUERY PLAN ${query?.sql}`).all();
  assert.match(
    String(plan[0]?.["detail"]),
    /^SEARCH t USING (?:COVERING )?INDEX by_both \(\(changed_at,id\)>\(\?,\?\)\)/,
  );
});

test("a place is exact: bytes, whole numbers of 64 bits, texts of any characters and numbers with a fraction", async (t) => {
  const values = ["-0.5", "1.5", "9007199254740992", "9007199254740993", "'a''\"b'", "'😀'", "x'00ff'", "x'01'"];
  const source = sourceOf(t, values, 0);
  const rows = await changesOf(source);
  assert.deepEqual(rows.map(idOf), [1, 2, 3, 4, 5, 6, 7, 8]);
  for (const [index, row] of rows.entries()) {
    assert.deepEqual((await changesOf(source, placeOf(row).exact)).map(idOf), rows.slice(index + 1).map(idOf));
  }
  assert.deepEqual(
    rows.map((row) => placeOf(row).shown),
    ["-0.5", "1.5", "9007199254740992", "9007199254740993", null, null, null, null],
  );
});

test("a row is settled when its time is over by the lag", async (t) => {
  const nowMs = Date.UTC(2026, 5, 1, 12);
  t.mock.timers.enable({ apis: ["Date"], now: nowMs });
  const settled = async (value: string, lagSeconds?: number): Promise<boolean> =>
    placeOf((await changesOf(sourceOf(t, [value], lagSeconds)))[0]).isSettled;
  assert.equal(await settled("'2026-06-01T11:54:59Z'"), true);
  assert.equal(await settled("'2026-06-01T11:55:00Z'"), false, "the second lasts until one after it");
  assert.equal(await settled("'2026-06-01T11:54:59.999Z'"), true);
  assert.equal(await settled("'2026-06-01T13:54:59+02:00'"), true);
  assert.equal(await settled("'2026-06-01'"), false, "the day is not over");
  assert.equal(await settled("'2026-05-30'"), true);
  assert.equal(await settled("'2026-06-01T11:59:58Z'", 1), true);
  assert.equal(await settled("'2027-01-01'"), false);
  assert.equal(await settled(`${nowMs / 1000 - 301}`), true);
  assert.equal(await settled(`${nowMs / 1000 - 299}`), false);
  assert.equal(await settled(`${nowMs - 300_001}`), true);
  assert.equal(await settled(`${nowMs - 299_000}`), false);
  assert.equal(await settled(`${nowMs - 300_001}000`), true);
  assert.equal(await settled(`julianday('2026-06-01 11:54')`), true);
  assert.equal(await settled(`julianday('2026-06-01 11:56')`), false);
});

test("a text without a time zone may be in UTC or in the local time: the later one counts", () => {
  const utc = Date.UTC(2026, 5, 1, 12);
  const local = new Date(2026, 5, 1, 12).getTime();
  assert.equal(latestMs("2026-06-01 12:00:00"), Math.max(utc, local) + 1000);
  assert.equal(latestMs("2026-06-01 12:00"), Math.max(utc, local) + 60_000);
  assert.equal(latestMs("2026-06-01T12:00:00.5+00"), utc + 501);
  assert.equal(latestMs("2026-06-01 12:00:00", ["-11:00", "+05:30"]), Math.max(utc + 11 * 3_600_000, local) + 1000);
  assert.equal(latestMs("2026-06-01T12:00:00Z", ["-11:00"]), utc + 1000);
  for (const value of [
    "",
    "today",
    "2026-13-01",
    "2026-06-01 25:00",
    "01.06.2026",
    "2026",
    null,
    7,
    1e30,
    Buffer.from("2026-06-01"),
  ]) {
    assert.equal(latestMs(value), undefined);
  }
});

test("what is no time holds nothing up where it comes before all times, and hides no change where it comes after them", async (t) => {
  const first = await changesOf(sourceOf(t, ["''", "0", "'2026-01-01'"]));
  assert.deepEqual(
    first.map((row) => placeOf(row).isSettled),
    [true, true, true],
  );
  await assert.rejects(
    changesOf(sourceOf(t, ["'2026-01-01'", "'unknown'"])),
    failsWith("SOURCE_FAILED", { column: "changed_at", got: "a text of 7 characters" }),
  );
  await assert.rejects(changesOf(sourceOf(t, ["1", "2"])), failsWith("SOURCE_FAILED", { column: "changed_at" }));
});

test("numbers since 1970 may be texts, as of a type with more digits than a number has", async (t) => {
  const rows = await changesOf(sourceOf(t, ["'1764500000.000001'", "'1764500000.000002'", "'9764500000'"]));
  assert.deepEqual(
    rows.map((row) => placeOf(row).isSettled),
    [true, true, false],
  );
  assert.equal(placeOf(rows[2]).shown, "9764500000");
  await assert.rejects(changesOf(sourceOf(t, ["'20261130120000'"])), failsWith("SOURCE_FAILED", {}));
});

test("with lagSeconds: 0 any values will do: all are settled but the greatest, of which more may come", async (t) => {
  const rows = await changesOf(sourceOf(t, ["1", "2", "2"], 0));
  assert.deepEqual(
    rows.map((row) => placeOf(row).isSettled),
    [true, false, false],
  );
});

test("with lagSeconds: 0 what became greater than the greatest value meanwhile is left to the next run", async () => {
  const asked: unknown[] = [];
  const changes = columnChanges(
    { by: "column", column: "changed_at", lagSeconds: 0 },
    {
      ...{ owner: "a source", keyColumn: "id", where: "the sql", fail: (problem) => new Error(problem) },
      text: async () => await Promise.resolve(["", {}]),
      greatest: async () => await Promise.resolve({ row: { id: 1, changed_at: 5 } }),
      rows: async function* (_, { until }) {
        asked.push(until);
        yield await Promise.resolve({ position: 1, raw: { id: 2, changed_at: 4 } }); // row 1 was changed since
      },
    },
  );
  const context = { signal: noAbort(), parameters: {} };
  const rows = await Array.fromAsync(changes?.read(undefined, context) ?? []);
  assert.deepEqual([asked, rows.map((row) => placeOf(row).isSettled)], [[5], [true]]);
});

test("with lagSeconds: 0 bytes are compared, and texts that a database may hold equal are not settled", async (t) => {
  const cases: readonly (readonly [values: readonly string[], settled: readonly boolean[]])[] = [
    [
      ["x'01'", "x'02'", "x'02'"],
      [true, false, false],
    ],
    [
      ["'A'", "'B'", "'b'"],
      [true, false, false],
    ],
    [
      ["'1'", "'1.5'", "'1.50'"],
      [true, false, false],
    ],
  ];
  for (const [values, settled] of cases) {
    const rows = await changesOf(sourceOf(t, values, 0));
    assert.deepEqual(
      rows.map((row) => placeOf(row).isSettled),
      settled,
    );
  }
});

test("wrong options are rejected at construction", () => {
  const construct = (changes: object): unknown =>
    Reflect.construct(SQLiteSource, [{ databasePath: "a.db", sql: "SELECT 1 AS id", primaryKeyColumn: "id", changes }]);
  const cases = [
    {},
    { by: "xmin" },
    { by: "column" },
    { by: "column", column: "c", lagSeconds: -1 },
    { by: "column", colum: "c" },
  ];
  for (const changes of cases) assert.throws(() => construct(changes), failsWith("INVALID_OPTION", {}));
});

test("SQLiteSource keeps what every source promises that can tell changes", async (t) => {
  const times = ["'2026-01-02'", "NULL", "'2026-01-01'", "'2999-01-01'", "'2026-01-01'"];
  const checks = sourceContract({
    create: () => sourceOf(t, times),
    rows: times.map((time, index) => ({ id: index + 1, changed_at: time === "NULL" ? null : time.slice(1, -1) })),
  });
  for (const { name, check } of checks) await t.test(name, check);
});
