import assert from "node:assert/strict";
import { before, suite, test } from "node:test";
import type { Parameters, SourceRow } from "../../src/contracts/source.ts";
import { SQLServerSource, type SQLServerSourceOptions } from "../../src/sources/sql-server.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { noServer, realServer } from "../support/real-sql-server.ts";

interface Visit {
  readonly id: number;
  readonly department: string | null;
}

const expected: readonly Visit[] = [
  { id: 1, department: "ER" },
  { id: 2, department: "Lab" },
  { id: 3, department: "ER 日本 😀" },
  { id: 4, department: null },
];

suite("SQLServerSource on a real server", { skip: noServer }, () => {
  const server = realServer();
  let visits = "";

  before(async () => {
    visits = await server.create("visits", "id INT NOT NULL PRIMARY KEY, department NVARCHAR(50) NULL");
    await server.run(
      `INSERT INTO ${visits} (id, department) VALUES (1, N'ER'), (2, N'Lab'), (3, N'ER 日本 😀'), (4, NULL)`,
    );
  });

  const sourceOf = (options: Omit<SQLServerSourceOptions<Visit>, "primaryKeyColumn">): SQLServerSource<Visit> =>
    Reflect.construct(SQLServerSource, [{ primaryKeyColumn: "id", ...options }]); // sql or sqlFile, not both: checked there

  test("the server says what it is", async (t) => {
    const [row] = await server.run(
      "SELECT CAST(SERVERPROPERTY('ProductVersion') AS NVARCHAR(128)) AS version, CAST(SERVERPROPERTY('Edition') AS NVARCHAR(128)) AS edition",
    );
    t.diagnostic(`SQL Server ${String(row?.["version"])}, ${String(row?.["edition"])}`);
    assert.match(String(row?.["version"]), /^\d+\.\d+/);
  });

  const paging = { keyColumn: "id", pageSize: 2 } as const;
  const ways: readonly (readonly [string, () => SQLServerSource<Visit>])[] = [
    ["with one SELECT", () => sourceOf({ sql: `SELECT id, department FROM ${visits} ORDER BY id` })],
    [
      "in pages",
      () =>
        sourceOf({
          sql: `SELECT TOP (@page_size) id, department FROM ${visits} WHERE (@after IS NULL OR id > @after) ORDER BY id OPTION (RECOMPILE)`,
          paging,
        }),
    ],
  ];
  for (const [how, create] of ways) {
    test(`it keeps what every source promises ${how}`, async (t) => {
      const rows = expected.map((row) => ({ ...row }));
      for (const { name, check } of sourceContract({ create, rows })) await t.test(name, check);
    });
  }

  test("parameters come to the server as what they are", async () => {
    const parameters = {
      text: "'; DROP TABLE x --",
      long_text: "é".repeat(5000),
      whole: 7,
      big: 9_007_199_254_740_993n,
      huge: 12_345_678_901_234_567_890_123_456_789n,
      fraction: 0.1,
      yes: true,
      moment: new Date("2026-01-02T03:04:05.678Z"),
      bytes: Buffer.from([0, 255]),
      nothing: null,
    };
    const selected = Object.keys(parameters).map((name) => `@${name} AS ${name}`);
    const source = new SQLServerSource<{ id: number }>({
      sql: `SELECT 1 AS id, ${selected.join(", ")}`,
      primaryKeyColumn: "id",
      parameters,
    });
    assert.deepEqual(await rawOf(source), [
      {
        ...parameters,
        id: 1,
        huge: "12345678901234567890123456789",
        moment: "2026-01-02T03:04:05.6780000",
      },
    ]);
  });

  test("what is no query, or has no value of ours, is refused before the first row", async () => {
    for (const [sql, message] of [
      [`SELECT id, department FROM ${visits}; DELETE FROM ${visits}`, /statement/],
      ["SELECT id, department FROM llm_etl_there_is_no_such_table", /failed/],
      ["SELECT 1 AS id, 2", /name/],
      ["SELECT 1 AS id, CAST(1 AS SQL_VARIANT) AS odd", /odd/],
    ] as const) {
      await assert.rejects(rawOf(sourceOf({ sql })), { name: "SourceError", message }, sql);
    }
    assert.equal((await server.run(`SELECT id FROM ${visits}`)).length, 4);
  });

  test("a consumer that stops early need not wait for 40 GB that are left to read", async () => {
    const digits = await server.create("digits", "id INT NOT NULL PRIMARY KEY, note CHAR(4000) NOT NULL");
    const rows = Array.from({ length: 10 }, (_, id) => `(${id}, 'x')`);
    await server.run(`INSERT INTO ${digits} (id, note) VALUES ${rows.join(", ")}`);
    const others = Array.from({ length: 6 }, (_, index) => ` CROSS JOIN ${digits} AS d${index}`);
    const source = new SQLServerSource<{ id: number }>({
      sql: `SELECT d.id AS id, d.note AS note FROM ${digits} AS d${others.join("")}`,
      primaryKeyColumn: "id",
    });
    for await (const { position } of read(source)) if (position === 100) break;
  });
});

function read(source: Pick<SQLServerSource<object>, "read">, parameters: Parameters = {}): AsyncIterable<SourceRow> {
  return source.read({ signal: AbortSignal.timeout(60_000), parameters });
}

async function rawOf(source: Pick<SQLServerSource<object>, "read">): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const row of read(source)) {
    if ("error" in row) throw row.error;
    rows.push({ ...row.raw });
  }
  return rows;
}
