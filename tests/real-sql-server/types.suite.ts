import assert from "node:assert/strict";
import { before, suite, test } from "node:test";
import type { ColumnValues } from "../../src/contracts/sink.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { noServer, realServer } from "../support/real-sql-server.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

interface TypeCase {
  readonly type: string;
  /** Two values as SQL, and what they are in JavaScript: the ends of the type's range where it has any. */
  readonly values: readonly (readonly [sql: string, value: unknown])[];
  /** Whether the sink writes such a column. @default true */
  readonly isWritten?: false;
}

const cases: Readonly<Record<string, TypeCase>> = {
  c_bit: {
    type: "BIT",
    values: [
      ["0", false],
      ["1", true],
    ],
  },
  c_tinyint: {
    type: "TINYINT",
    values: [
      ["0", 0],
      ["255", 255],
    ],
  },
  c_smallint: {
    type: "SMALLINT",
    values: [
      ["-32768", -32_768],
      ["32767", 32_767],
    ],
  },
  c_int: {
    type: "INT",
    values: [
      ["-2147483648", -2_147_483_648],
      ["2147483647", 2_147_483_647],
    ],
  },
  c_bigint: {
    type: "BIGINT",
    values: [
      ["-9223372036854775808", -(2n ** 63n)],
      ["9223372036854775807", 2n ** 63n - 1n],
    ],
  },
  c_decimal: {
    type: "DECIMAL(38,10)",
    values: [
      ["-9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999"],
      ["1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"],
    ],
  },
  c_decimal_short: {
    type: "DECIMAL(15,4)",
    values: [
      ["-99999999999.9999", "-99999999999.9999"],
      ["0.5", "0.5000"],
    ],
  },
  c_numeric: {
    type: "NUMERIC(38,0)",
    values: [
      ["-99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"],
      ["0", "0"],
    ],
  },
  c_money: {
    type: "MONEY",
    values: [
      ["-922337203685477.5808", "-922337203685477.5808"],
      ["922337203685477.5807", "922337203685477.5807"],
    ],
  },
  c_smallmoney: {
    type: "SMALLMONEY",
    values: [
      ["-214748.3648", "-214748.3648"],
      ["214748.3647", "214748.3647"],
    ],
  },
  c_float: {
    type: "FLOAT",
    values: [
      ["-1.7976931348623157E308", -Number.MAX_VALUE],
      ["2.23E-308", 2.23e-308],
    ],
  },
  c_real: {
    type: "REAL",
    values: [
      ["-3.4028234E38", -3.402_823_5e38],
      ["0.1E0", 0.1],
    ],
  },
  c_char: {
    type: "CHAR(5) COLLATE Latin1_General_CI_AS",
    values: [
      ["''", "     "],
      ["N'caf\u00e9'", "caf\u00e9 "],
    ],
  },
  c_varchar: {
    type: "VARCHAR(10) COLLATE Latin1_General_CI_AS",
    values: [
      ["''", ""],
      ["N'a''\"]-\u20ac'", "a'\"]-\u20ac"],
    ],
  },
  c_varchar_max: {
    type: "VARCHAR(MAX) COLLATE Latin1_General_CI_AS",
    values: [
      ["''", ""],
      ["REPLICATE(CAST('x' AS VARCHAR(MAX)), 9000)", "x".repeat(9000)],
    ],
  },
  c_nchar: {
    type: "NCHAR(5)",
    values: [
      ["N''", "     "],
      ["N'a\u{1F600}z'", "a\u{1F600}z "],
    ],
  },
  c_nvarchar: {
    type: "NVARCHAR(10)",
    values: [
      ["N''", ""],
      ["N'\u00e9\u{1F600}\n''\"]'", "\u00e9\u{1F600}\n'\"]"],
    ],
  },
  c_nvarchar_max: {
    type: "NVARCHAR(MAX)",
    values: [
      ["N''", ""],
      ["REPLICATE(CAST(N'\u65e5' AS NVARCHAR(MAX)), 9000)", "\u65e5".repeat(9000)],
    ],
  },
  c_text: {
    type: "TEXT",
    values: [
      ["''", ""],
      ["'text'", "text"],
    ],
    isWritten: false,
  },
  c_ntext: {
    type: "NTEXT",
    values: [
      ["N''", ""],
      ["N'ntext \u{1F600}'", "ntext \u{1F600}"],
    ],
    isWritten: false,
  },
  c_image: {
    type: "IMAGE",
    values: [
      ["0x", Buffer.alloc(0)],
      ["0x01FF", Buffer.from([1, 255])],
    ],
    isWritten: false,
  },
  c_binary: {
    type: "BINARY(4)",
    values: [
      ["0x", Buffer.alloc(4)],
      ["0x010203FF", Buffer.from([1, 2, 3, 255])],
    ],
  },
  c_varbinary: {
    type: "VARBINARY(10)",
    values: [
      ["0x", Buffer.alloc(0)],
      ["0x00FF", Buffer.from([0, 255])],
    ],
  },
  c_varbinary_max: {
    type: "VARBINARY(MAX)",
    values: [
      ["0x", Buffer.alloc(0)],
      ["0x00FF", Buffer.from([0, 255])],
    ],
  },
  c_date: {
    type: "DATE",
    values: [
      ["'0001-01-01'", "0001-01-01"],
      ["'9999-12-31'", "9999-12-31"],
    ],
  },
  c_time: {
    type: "TIME(7)",
    values: [
      ["'00:00:00'", "00:00:00.0000000"],
      ["'23:59:59.9999999'", "23:59:59.9999999"],
    ],
  },
  c_time_0: {
    type: "TIME(0)",
    values: [
      ["'00:00:00'", "00:00:00"],
      ["'23:59:59'", "23:59:59"],
    ],
  },
  c_datetime: {
    type: "DATETIME",
    values: [
      ["'1753-01-01T00:00:00.000'", new Date("1753-01-01T00:00:00Z")],
      ["'9999-12-31T23:59:59.997'", new Date("9999-12-31T23:59:59.997Z")],
    ],
  },
  c_smalldatetime: {
    type: "SMALLDATETIME",
    values: [
      ["'1900-01-01T00:00:00'", new Date("1900-01-01T00:00:00Z")],
      ["'2079-06-06T23:59:00'", new Date("2079-06-06T23:59:00Z")],
    ],
  },
  c_datetime2: {
    type: "DATETIME2(7)",
    values: [
      ["'0001-01-01T00:00:00'", "0001-01-01T00:00:00.0000000"],
      ["'9999-12-31T23:59:59.9999999'", "9999-12-31T23:59:59.9999999"],
    ],
  },
  c_datetime2_3: {
    type: "DATETIME2(3)",
    values: [
      ["'0001-01-01T00:00:00'", "0001-01-01T00:00:00.000"],
      ["'2026-01-02T03:04:05.678'", "2026-01-02T03:04:05.678"],
    ],
  },
  c_datetimeoffset: {
    type: "DATETIMEOFFSET(7)",
    values: [
      ["'0001-01-02T00:00:00.0000000+14:00'", "0001-01-02T00:00:00.0000000+14:00"],
      ["'2026-01-02T03:04:05.1234567-05:30'", "2026-01-02T03:04:05.1234567-05:30"],
    ],
  },
  c_datetimeoffset_0: {
    type: "DATETIMEOFFSET(0)",
    values: [
      ["'0001-01-02T00:00:00-14:00'", "0001-01-02T00:00:00-14:00"],
      ["'2026-01-02T03:04:05+14:00'", "2026-01-02T03:04:05+14:00"],
    ],
  },
  c_guid: {
    type: "UNIQUEIDENTIFIER",
    values: [
      ["'00000000-0000-0000-0000-000000000000'", "00000000-0000-0000-0000-000000000000"],
      ["'6f9619ff-8b86-d011-b42d-00c04fc964ff'", "6F9619FF-8B86-D011-B42D-00C04FC964FF"],
    ],
  },
  c_xml: {
    type: "XML",
    values: [
      ["N'<a/>'", "<a/>"],
      ["N'<a>\u00e9 \u{1F600}</a>'", "<a>\u00e9 \u{1F600}</a>"],
    ],
  },
};

const names = Object.keys(cases);
const rows = [0, 1].map((index) => ({
  id: index + 1,
  ...Object.fromEntries(names.map((name) => [name, cases[name]?.values[index]?.[1]])),
}));
const nulls = { id: 3, ...Object.fromEntries(names.map((name) => [name, null])) };

suite("the types of a real server", { skip: noServer }, () => {
  const server = realServer();
  let table = "";

  before(async () => {
    const columns = names.map((name) => `${name} ${cases[name]?.type ?? ""} NULL`);
    table = await server.create("every_type", `id INT NOT NULL PRIMARY KEY, ${columns.join(", ")}`);
    for (const index of [0, 1]) {
      const values = names.map((name) => cases[name]?.values[index]?.[0]);
      await server.run(`INSERT INTO ${table} (id, ${names.join(", ")}) VALUES (${index + 1}, ${values.join(", ")})`);
    }
    await server.run(`INSERT INTO ${table} (id) VALUES (3)`);
  });

  test("every type comes as its documented value, at both ends of its range and as NULL", async () => {
    assert.deepEqual(await readAll(table, "*"), [...rows, nulls]);
  });

  for (const name of names) {
    test(`${cases[name]?.type ?? ""} comes the same alone as beside others`, async () => {
      const expected = [...rows, nulls].map((row) => ({ id: row.id, [name]: Reflect.get(row, name) }));
      assert.deepEqual(await readAll(table, `id, ${name}`), expected);
    });
  }

  for (const strategy of ["merge", "update_insert"] as const) {
    test(`by ${strategy} what was read is written, and read again without a difference`, async (t) => {
      const refusal = strategy === "merge" ? await server.refusalOfMerge() : undefined;
      if (refusal !== undefined) {
        t.skip(refusal);
        return;
      }
      const written = ["id", ...names.filter((name) => cases[name]?.isWritten ?? true)];
      const columns = written.slice(1).map((name) => `${name} ${cases[name]?.type ?? ""} NULL`);
      const copy = await server.create(`copy_${strategy}`, `id INT NOT NULL PRIMARY KEY, ${columns.join(", ")}`);
      const source = await readAll(table, written.join(", "));
      const sink = new SQLServerSink<ColumnValues>({
        targetTable: copy,
        strategy,
        mergeKeys: ["id"],
        columnMap: Object.fromEntries(written.map((name) => [name, (values: ColumnValues) => values[name]])),
      });
      const session = await sink.open({ signal: AbortSignal.timeout(60_000) });
      try {
        for (const row of source) assert.deepEqual(session.check?.(row) ?? [], []);
        await session.write(groupsOf(source));
        await session.write(groupsOf(source));
      } finally {
        await session.close("completed");
      }
      assert.deepEqual(await readAll(copy, "*"), source);
    });
  }
});

async function readAll(from: string, columns: string): Promise<ColumnValues[]> {
  const source = new SQLServerSource<{ id: number }>({
    sql: `SELECT ${columns} FROM ${from} ORDER BY id`,
    primaryKeyColumn: "id",
  });
  const read: ColumnValues[] = [];
  for await (const row of source.read({ signal: AbortSignal.timeout(60_000), parameters: {} })) {
    if ("error" in row) throw row.error;
    read.push({ ...row.raw });
  }
  return read;
}
