import assert from "node:assert/strict";
import { before, suite, test } from "node:test";
import { keyText } from "../../src/engine/primary-key.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { noServer, realServer } from "../support/real-sql-server.ts";

// Not run here on a real server, for none could be reached: only against the test server, which has no plans and few collations.

/** Two keys of each type, as SQL. */
const keys: Readonly<Record<string, readonly [type: string, one: string, other: string]>> = {
  c_bit: ["BIT", "0", "1"],
  c_tinyint: ["TINYINT", "0", "255"],
  c_int: ["INT", "-2147483648", "2147483647"],
  c_bigint: ["BIGINT", "-9223372036854775808", "9007199254740993"],
  c_decimal: ["DECIMAL(38,10)", "1234567890123456789012345678.0123456789", "-0.0000000001"],
  c_money: ["MONEY", "922337203685477.5807", "-1.25"],
  c_smallmoney: ["SMALLMONEY", "214748.3647", "1"],
  c_float: ["FLOAT", "0.1", "-1.5"],
  c_real: ["REAL", "0.1", "1.5"],
  c_char: ["CHAR(5)", "'ab'", "'x'"],
  c_varchar: ["VARCHAR(10)", "'plain'", "'b'"],
  c_varchar_max: ["VARCHAR(MAX)", "'long'", "'b'"],
  c_nvarchar: ["NVARCHAR(20)", "N'é😀 日本'", "N'b'"],
  c_binary: ["BINARY(4)", "0x01020300", "0x01020304"],
  c_varbinary: ["VARBINARY(10)", "0x00FF", "0x01"],
  c_date: ["DATE", "'0001-01-01'", "'9999-12-31'"],
  c_time: ["TIME(7)", "'23:59:59.9999999'", "'00:00:00'"],
  c_datetime: ["DATETIME", "'2026-01-02T03:04:05.123'", "'2026-01-02T03:04:05.127'"],
  c_smalldatetime: ["SMALLDATETIME", "'2026-01-02T03:04:00'", "'1900-01-01T00:00:00'"],
  c_datetime2: ["DATETIME2(7)", "'9999-12-31T23:59:59.9999999'", "'0001-01-01T00:00:00'"],
  c_datetimeoffset: ["DATETIMEOFFSET(7)", "'2026-01-02T03:04:05.1234567-05:30'", "'2026-01-02T03:04:05+00:00'"],
  c_guid: ["UNIQUEIDENTIFIER", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "'00000000-0000-0000-0000-000000000001'"],
};

suite("rows are found by key on a real server", { skip: noServer }, () => {
  const server = realServer();
  let table = "";

  before(async () => {
    const names = Object.keys(keys);
    table = await server.create(
      "keys",
      `n INT NOT NULL, ${names.map((name) => `${name} ${keys[name]?.[0]} NULL`).join(", ")}`,
    );
    for (const index of [1, 2] as const) {
      const values = Object.values(keys).map((key) => key[index]);
      await server.run(`INSERT INTO ${table} (n, ${names.join(", ")}) VALUES (${index}, ${values.join(", ")})`);
    }
  });

  const sourceOf = (sql: string, primaryKeyColumn: string, options: object = {}): SQLServerSource<object> =>
    Reflect.construct(SQLServerSource, [{ sql, primaryKeyColumn, ...options }]);

  for (const name of Object.keys(keys)) {
    test(`by a key of ${name}`, async () => {
      const source = sourceOf(`SELECT n, ${name} FROM ${table}`, name);
      const pks = new Map<unknown, string>();
      for await (const row of source.read(context())) {
        if (!("error" in row)) pks.set(row.raw["n"], keyText(row.raw[name]) ?? "");
      }
      const [first = "", second = ""] = [pks.get(1), pks.get(2)];
      assert.deepEqual(await numbersFound(source, ["no key", "1e999", first, second]), [1, 2]);
      assert.deepEqual(await numbersFound(source, [second]), [2]);
    });
  }

  test("of a query with common tables, an order, hints, a union, or pages", async () => {
    const rows = `SELECT n, c_int FROM ${table}`;
    const paged = `SELECT TOP (@page_size) n, c_int FROM ${table} WHERE (@after IS NULL OR n > @after) ORDER BY n OPTION (RECOMPILE)`;
    for (const [sql, options] of [
      [`;WITH a AS (${rows}) SELECT n, c_int FROM a ORDER BY n; -- all`, {}],
      [`${rows} ORDER BY n OPTION (MAXDOP 1)`, {}],
      [`SELECT TOP (9) n, c_int FROM ${table} ORDER BY n`, {}],
      [`${rows} WHERE n = 1 UNION ALL ${rows} WHERE n > 1 ORDER BY n`, {}],
      [paged, { paging: { keyColumn: "n", pageSize: 1 } }],
    ] as const) {
      assert.deepEqual(await numbersFound(sourceOf(sql, "n", options), ["1", "2", "3"]), [1, 2], sql);
    }
  });
});

function context() {
  return { signal: AbortSignal.timeout(60_000), parameters: {} };
}

async function numbersFound(source: SQLServerSource<object>, pks: readonly string[]): Promise<unknown[]> {
  const numbers: unknown[] = [];
  for await (const row of (await source.find(pks, context())) ?? []) {
    if (!("error" in row)) numbers.push(row.raw["n"]);
  }
  return numbers.toSorted();
}
