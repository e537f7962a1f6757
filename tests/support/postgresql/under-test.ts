import type { Sink } from "../../../src/contracts/sink.ts";
import { quoteIdentifier } from "../../../src/postgresql/names.ts";
import { PostgreSQLSink } from "../../../src/sinks/postgresql.ts";
import type { DatabaseUnderTest, TestColumn, TestTable } from "../../../src/testing/table-under-test.ts";
import { startCommitProxy } from "./commit-proxy.ts";
import type { TestDatabase } from "./database.ts";

export const postgreSQLKinds = ["a table of text", "a partitioned table", "a table of domains"] as const;

/** As a JavaScript user could, without the types. */
export function constructPostgreSQLSink<State>(options: object): Sink<State> {
  return Reflect.construct(PostgreSQLSink, [options]);
}

/** An empty schema `public` of the file's database for one check of the suite for sinks of tables. */
export async function postgreSQLUnderTest({ url, run }: TestDatabase): Promise<DatabaseUnderTest> {
  await run("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public");
  const proxy = await startCommitProxy(url());
  return {
    create: async (table) => void (await run(createSQL(table))),
    execute: async (sql) => void (await run(sql)),
    insert: async (table, rows) => {
      for (const row of rows) {
        const names = Object.keys(row).map(quoteIdentifier).join(", ");
        const places = Object.keys(row).map((_, index) => `$${index + 1}`);
        await run(`INSERT INTO ${quoteIdentifier(table)} (${names}) VALUES (${places.join(", ")})`, Object.values(row));
      }
    },
    rows: async (table) => await run(`SELECT * FROM ${quoteIdentifier(table)}`),
    sink: ({ isTwin = false, targetTable, ...options }) =>
      constructPostgreSQLSink({
        connectionString: proxy.url,
        targetTable: isTwin ? `PUBLIC."${targetTable}"` : targetTable,
        ...options,
      }),
    createView: async (name) =>
      void (await run(`CREATE VIEW ${quoteIdentifier(name)} AS SELECT '1' AS id, '2' AS value`)),
    loseCommit: proxy.loseCommit,
    release: async () => proxy.close(),
  };
}

function createSQL({ name, columns, key = [], rejects, kind }: TestTable): string {
  const table = quoteIdentifier(name);
  const isPartitioned = kind === "a partitioned table" && key.length > 0;
  const type = kind === "a table of domains" ? "words" : "text";
  const definitions = columns.map((column) => `${quoteIdentifier(column.name)} ${definition(column, type)}`);
  const keys = key.map(quoteIdentifier).join(", ");
  return [
    `CREATE COLLATION IF NOT EXISTS any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);`,
    ...(type === "words" ? ["CREATE DOMAIN words AS text CHECK (VALUE <> 'never');"] : []),
    `CREATE TABLE ${table} (${[...definitions, ...(key.length > 0 ? [`PRIMARY KEY (${keys})`] : [])].join(", ")})`,
    ...(isPartitioned ? [` PARTITION BY HASH (${keys})`] : []),
    ";",
    ...(isPartitioned
      ? [0, 1].map(
          (part) => `CREATE TABLE part_${part} PARTITION OF ${table} FOR VALUES WITH (MODULUS 2, REMAINDER ${part});`,
        )
      : []),
    ...(rejects === undefined ? [] : [`ALTER TABLE ${table} ADD CONSTRAINT rejects CHECK (value <> '${rejects}');`]),
  ].join("\n");
}

function definition(
  { maxLength, isNotNull = false, computedFrom, ignoresCase = false, ...column }: TestColumn,
  type: string,
): string {
  return [
    maxLength === undefined ? type : `varchar(${maxLength})`,
    ...(ignoresCase ? ["COLLATE any_case"] : []),
    ...(isNotNull ? ["NOT NULL"] : []),
    ...(column.default === undefined ? [] : [`DEFAULT '${column.default}'`]),
    ...(computedFrom === undefined ? [] : [`GENERATED ALWAYS AS (${quoteIdentifier(computedFrom)}) STORED`]),
  ].join(" ");
}
