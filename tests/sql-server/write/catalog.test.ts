import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import mssql from "mssql";
import { type Catalog, readCatalog } from "../../../src/sql-server/write/catalog.ts";
import { startTargetServer, type TargetServerOptions } from "../../support/sql-server-target.ts";

async function catalogOf(t: TestContext, options: TargetServerOptions, table = "[dbo].[visits]"): Promise<Catalog> {
  const server = await startTargetServer(options, t);
  const pool = await new mssql.ConnectionPool(server.config).connect();
  t.after(() => pool.close());
  server.forget();
  const catalog = await readCatalog({ pool, driver: mssql }, table);
  const catalogTrips = server.statements.filter(({ text }) => text.includes("llm-etl:target")).length;
  assert.equal(catalogTrips, 1, "all facts come in one round trip");
  return catalog;
}

const sql = `CREATE TABLE dbo.visits (id INT NOT NULL, code VARCHAR(20) NOT NULL, notes NVARCHAR(MAX) NULL,
  title NVARCHAR(100) NULL DEFAULT N'x', score DECIMAL(5,2) NULL, at DATETIME2(3) NULL, n INT IDENTITY(1,1), version ROWVERSION,
  PRIMARY KEY (id), CONSTRAINT UQ_code UNIQUE (code, id))`;

test("the catalog tells lengths in the column's own unit, and what the server fills", async (t) => {
  const { columns, table, server } = await catalogOf(t, { sql });
  const known = columns.map(({ name, type, length, precision, scale, hasDefault, isIdentity, isNullable }) => {
    return [name, type, length, precision, scale, hasDefault, isIdentity, isNullable];
  });
  assert.deepEqual(known, [
    ["id", "int", 4, 10, 0, false, false, false],
    ["code", "varchar", 20, 0, 0, false, false, false],
    ["notes", "nvarchar", undefined, 0, 0, false, false, true],
    ["title", "nvarchar", 100, 0, 0, true, false, true],
    ["score", "decimal", 5, 5, 2, false, false, true],
    ["at", "datetime2", 7, 23, 3, false, false, true],
    ["n", "int", 4, 10, 0, false, true, false],
    ["version", "timestamp", 8, 0, 0, false, false, false],
  ]);
  assert.equal(columns[1]?.collation, "SQL_Latin1_General_CP1_CI_AS");
  assert.equal(columns[1].codePage, 1252);
  assert.deepEqual(server, {
    database: "clinic",
    databaseCollation: "SQL_Latin1_General_CP1_CI_AS",
    isReadOnly: false,
  });
  assert.deepEqual(table, {
    schema: "dbo",
    name: "visits",
    kind: "U",
    isMemoryOptimized: false,
    isExternal: false,
    isHistory: false,
    mayInsert: true,
  });
});

test("unique keys come whole, the columns in their order, and tell what makes them unusable", async (t) => {
  const { uniqueKeys } = await catalogOf(t, {
    sql,
    facts: (facts) => ({
      ...facts,
      keys: [
        ...facts.keys,
        { index_name: "F", is_primary_key: false, has_filter: true, is_disabled: false, column_name: "code" },
        { index_name: "D", is_primary_key: false, has_filter: true, is_disabled: true, column_name: "code" },
      ],
    }),
  });
  assert.deepEqual(uniqueKeys, [
    { index: "PK_visits", isPrimary: true, unusable: undefined, columns: [{ name: "id" }] },
    { index: "UQ_code", isPrimary: false, unusable: undefined, columns: [{ name: "code" }, { name: "id" }] },
    { index: "F", isPrimary: false, unusable: "filtered", columns: [{ name: "code" }] },
    { index: "D", isPrimary: false, unusable: "disabled", columns: [{ name: "code" }] },
  ]);
});

test("where the table is not there, the others are", async (t) => {
  const catalog = await catalogOf(t, { sql }, "[dbo].[absent]");
  assert.equal(catalog.table, undefined);
  assert.deepEqual(catalog.otherTables, ["dbo.visits"]);
});
