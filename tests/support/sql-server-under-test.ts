import type { TestContext } from "node:test";
import { quoteIdentifier } from "../../src/sql-server/identifiers.ts";
import type { DatabaseUnderTest, TestColumn, TestTable } from "../../src/testing/table-under-test.ts";
import { type CatalogRow, constructSink, startTargetServer } from "./sql-server-target.ts";

const utf8 = "Latin1_General_100_CI_AS_SC_UTF8";
export const sqlServerKinds = ["a table of NVARCHAR", "a table of VARCHAR in UTF-8"] as const;

/** A server of its own for one check of the suite for sinks of tables. Views are not in its language: the catalog calls a table one. */
export async function sqlServerUnderTest(
  context: Pick<TestContext, "after">,
): Promise<DatabaseUnderTest & { readonly address: string }> {
  const views = new Set<unknown>();
  const describeType = (row: CatalogRow): CatalogRow => (views.has(row["table_name"]) ? { ...row, type: "V" } : row);
  const server = await startTargetServer(
    { facts: (facts) => ({ ...facts, table: facts.table.map(describeType) }) },
    context,
  );
  return {
    address: `127.0.0.1,${server.port}`,
    create: async (table) => {
      await server.run(createSQL(table));
      const { name, rejects } = table;
      if (rejects !== undefined) server.table(pathOf(name)).check("CK_rejects", ({ value }) => value !== rejects);
    },
    execute: async (sql) => void (await server.run(sql)),
    insert: async (table, rows) => server.table(pathOf(table)).insert(rows),
    rows: async (table) => server.table(pathOf(table)).rows(),
    sink: ({ isTwin = false, targetTable, ...options }) =>
      constructSink({
        connectionString: server.connectionString,
        targetTable: isTwin ? `[DBO]."${targetTable.toUpperCase()}"` : targetTable,
        ...options,
      }),
    createView: async (name) => {
      await server.run(createSQL({ name, columns: [{ name: "id" }, { name: "value" }] }));
      views.add(name);
    },
    loseCommit: (when) => void server.faults.add({ on: /^COMMIT/, drop: when }),
  };
}

function pathOf(table: string): string {
  return `dbo.${quoteIdentifier(table)}`;
}

function createSQL({ name, columns, key = [], kind }: TestTable): string {
  const definitions = columns.map((column) => `${quoteIdentifier(column.name)} ${definition(column, kind)}`);
  const primaryKey = key.length > 0 ? [`PRIMARY KEY (${key.map(quoteIdentifier).join(", ")})`] : [];
  return `CREATE TABLE ${pathOf(name)} (${[...definitions, ...primaryKey].join(", ")})`;
}

function definition({ maxLength, isNotNull, computedFrom, ignoresCase, ...column }: TestColumn, kind = ""): string {
  if (computedFrom !== undefined) return `AS ${quoteIdentifier(computedFrom)}`;
  const type = kind === "a table of VARCHAR in UTF-8" ? "VARCHAR" : "NVARCHAR";
  const collation = ignoresCase === undefined ? undefined : `Latin1_General_100_${ignoresCase ? "CI" : "CS"}_AS`;
  const collate = type === "VARCHAR" ? utf8 : collation;
  return [
    `${type}(${maxLength ?? 200})`,
    ...(collate === undefined ? [] : [`COLLATE ${collate}`]),
    isNotNull === true ? "NOT NULL" : "NULL",
    ...(column.default === undefined ? [] : [`DEFAULT N'${column.default}'`]),
  ].join(" ");
}
