import assert from "node:assert/strict";
import { test } from "node:test";
import { TargetError } from "../../../src/errors/sink.ts";
import { names } from "../../../src/sql-server/identifiers.ts";
import type { Catalog, CatalogColumn, CatalogTable } from "../../../src/sql-server/write/catalog.ts";
import { tableFacts } from "../../../src/sql-server/write/table-facts.ts";
import type { SQLServerTarget } from "../../../src/sql-server/write/upsert.ts";
import type { TableRequest, UniqueKey } from "../../../src/table/dialect.ts";
import { findTarget } from "../../../src/table/target.ts";

// The preflight that is the same for all databases is tested by the suite for sinks of tables.

const plain: CatalogColumn = {
  name: "id",
  type: "nvarchar",
  length: 40,
  precision: 0,
  scale: 0,
  collation: "Latin1_General_CI_AS",
  codePage: 1252,
  isNullable: false,
  isIdentity: false,
  isComputed: false,
  hasDefault: false,
  isGenerated: false,
  isColumnSet: false,
  isEncrypted: false,
  maySelect: true,
  mayUpdate: true,
};
const value: CatalogColumn = { ...plain, name: "value", isNullable: true };
const visits: CatalogTable = {
  schema: "dbo",
  name: "visits",
  kind: "U",
  isMemoryOptimized: false,
  isExternal: false,
  isHistory: false,
  mayInsert: true,
};

function keyOver(columns: readonly string[], given: Partial<UniqueKey> = {}): UniqueKey {
  return { index: "U", isPrimary: false, unusable: undefined, columns: columns.map((name) => ({ name })), ...given };
}

function catalogOf(changes: Partial<Catalog> = {}): Catalog {
  return {
    server: { database: "clinic", databaseCollation: "SQL_Latin1_General_CP1_CI_AS", isReadOnly: false },
    table: visits,
    columns: [plain, value],
    uniqueKeys: [keyOver(["id"], { index: "PK_visits", isPrimary: true })],
    checks: [],
    otherTables: [],
    ...changes,
  };
}

function find(catalog: Partial<Catalog> = {}, given: Partial<TableRequest> = {}): SQLServerTarget {
  const request: TableRequest = {
    sink: "sql-server",
    table: { schema: "dbo", table: "visits" },
    columns: ["id", "value"],
    mergeKeys: given.strategy === "insert" ? [] : ["id"],
    strategy: "merge",
    hasGroups: false,
    ...given,
  };
  return findTarget(
    names,
    tableFacts(catalogOf(catalog), { server: "host,1433", database: undefined }, request),
    request,
  );
}

/** The error with which a table is rejected. */
function rejection(catalog: Partial<Catalog>, request: Partial<TableRequest> = {}): TargetError {
  try {
    find(catalog, request);
  } catch (error) {
    assert.ok(error instanceof TargetError);
    return error;
  }
  return assert.fail("it was not rejected");
}

test("a table that fits is found with its columns, keys and quoted name", () => {
  const odd = find({ table: { ...visits, schema: "my schema", name: "odd]name" } });
  assert.equal(odd.table.quoted, "[my schema].[odd]]name]");
  assert.deepEqual(
    odd.columns.map(({ name, mapped, place, isKey, isNullable }) => [name, mapped, place, isKey, isNullable]),
    [
      ["id", "id", 0, true, false],
      ["value", "value", 1, false, true],
    ],
  );
});

test("a table that is not there is named with its schema, and with the nearest ones or the same name elsewhere", () => {
  const { where, hint } = rejection({ table: undefined, otherTables: ["dbo.visit", "sales.orders"] }).facts;
  assert.deepEqual([where, hint?.includes("sales.orders")], ["dbo.visits", false]);
  assert.match(hint ?? "", /"dbo\.visit"$/);
  assert.match(rejection({ table: undefined, otherTables: ["etl.Visits"] }).facts.hint ?? "", /"etl\.Visits"$/);
  assert.match(rejection({ table: undefined, otherTables: ["x.y"] }).facts.hint ?? "", /"x\.y"$/);
  assert.notEqual(rejection({ table: undefined }).facts.hint, undefined);
});

test("only a plain table is written to", () => {
  const others: readonly Partial<CatalogTable>[] = [
    { kind: "V" },
    { kind: "SN" },
    { kind: "TF" },
    { isMemoryOptimized: true },
    { isExternal: true },
    { isHistory: true },
  ];
  for (const facts of others) {
    assert.equal(rejection({ table: { ...visits, ...facts } }).facts.where, "dbo.visits", JSON.stringify(facts));
  }
});

test("a database that is read-only is rejected, under the name that the connection has or else the server", () => {
  const server = { database: "clinic", databaseCollation: "", isReadOnly: true };
  const { where, hint } = rejection({ server }).facts;
  assert.equal(where, "host,1433/clinic");
  assert.match(hint ?? "", /ApplicationIntent=ReadOnly/);
});

test("columns are found as the database's collation tells upper case from lower", () => {
  assert.deepEqual(
    find({}, { columns: ["ID", "Value"], mergeKeys: ["ID"] }).columns.map(({ name }) => name),
    ["id", "value"],
  );
  const server = { database: "clinic", databaseCollation: "Latin1_General_100_BIN2", isReadOnly: false };
  const { where, hint } = rejection({ server }, { columns: ["id", "Value"] }).facts;
  assert.equal(where, "Value");
  assert.match(hint ?? "", /"value"$/);
  const both = { server, columns: [plain, value, { ...value, name: "VALUE" }] };
  assert.deepEqual(
    find(both, { columns: ["id", "VALUE"] }).columns.map(({ name }) => name),
    ["id", "VALUE"],
  );
});

test("one column mapped twice in two spellings is rejected", () => {
  assert.equal(rejection({}, { columns: ["id", "value", "VALUE"] }).facts.where, "VALUE");
});

test("columns that the server fills, and types that can't be written, are rejected by name", () => {
  const problems: readonly Partial<CatalogColumn>[] = [
    { isIdentity: true },
    { isComputed: true },
    { isGenerated: true },
    { isColumnSet: true },
    { isEncrypted: true },
    ...["timestamp", "geography", "sql_variant", "hierarchyid", "text"].map((type) => ({ type })),
  ];
  for (const facts of problems) {
    const found = rejection({ columns: [plain, { ...value, ...facts }] });
    assert.equal(found.facts.where, "value", JSON.stringify(facts));
  }
});

test("an identity can be what an update finds rows by", () => {
  const columns = [{ ...plain, type: "int", isIdentity: true }, value];
  assert.equal(find({ columns }, { strategy: "update" }).keys[0]?.name, "id");
  assert.equal(rejection({ columns }, { strategy: "merge" }).facts.where, "id");
});

test("columns that need a value and get none are listed; those that the server fills are not", () => {
  const more: CatalogColumn[] = [
    { ...plain, name: "needed" },
    { ...plain, name: "defaulted", hasDefault: true },
    { ...plain, name: "counted", isIdentity: true },
    { ...plain, name: "computed", isComputed: true },
    { ...plain, name: "version", type: "timestamp" },
    { ...plain, name: "period", isGenerated: true },
  ];
  assert.deepEqual(rejection({ columns: [plain, value, ...more] }).facts.where, ["needed"]);
});

test("merge keys need a primary key or a unique index of exactly their columns, over all rows", () => {
  const create = "CREATE UNIQUE INDEX [visits_id_unique] ON [dbo].[visits] ([id]);";
  const unproved = rejection({ uniqueKeys: [] }).facts;
  assert.deepEqual(unproved.where, ["id"]);
  assert.ok(unproved.hint?.endsWith(create));
  const wider = keyOver(["id", "value"]);
  assert.deepEqual(rejection({ uniqueKeys: [wider] }).facts.where, ["id"]);
  assert.equal(find({ uniqueKeys: [wider] }, { mergeKeys: ["value", "id"], columns: ["id", "value"] }).keys.length, 2);
  for (const unusable of ["filtered", "disabled"] as const) {
    const index = keyOver(["id"], { unusable });
    assert.match(rejection({ uniqueKeys: [index] }).message, new RegExp(`"U" is ${unusable}`));
    assert.equal(find({ uniqueKeys: [index, keyOver(["id"], { index: "V" })] }).keys.length, 1);
  }
});

test("the permissions that the strategy needs are asked for, with the GRANT to have run", () => {
  const hintOf = (...given: Parameters<typeof rejection>): string => rejection(...given).facts.hint ?? "";
  const none = {
    table: { ...visits, mayInsert: false },
    columns: [
      { ...plain, maySelect: false },
      { ...value, mayUpdate: false },
    ],
  };
  assert.match(rejection(none).message, /INSERT, UPDATE, SELECT on "dbo\.visits"/);
  assert.ok(hintOf(none).endsWith("GRANT SELECT, INSERT, UPDATE ON [dbo].[visits] TO <user>;"));
  const noInsert = { table: { ...visits, mayInsert: false } };
  assert.equal(find(noInsert, { strategy: "update" }).strategy, "update");
  const noUpdate = { columns: [plain, { ...value, mayUpdate: false }] };
  assert.equal(find(noUpdate, { strategy: "insert" }).strategy, "insert");
  assert.match(hintOf(noUpdate, { strategy: "update" }), /GRANT SELECT, UPDATE ON/);
});

test("an insert in doubt is proved by a unique key whose columns are all written and never NULL", () => {
  const proofOf = (uniqueKeys: readonly UniqueKey[]): readonly string[] =>
    find({ uniqueKeys }, { strategy: "insert" }).proof.map(({ name }) => name);
  assert.deepEqual(proofOf(catalogOf().uniqueKeys), ["id"]);
  assert.deepEqual(proofOf([]), []);
  assert.deepEqual(proofOf([keyOver(["value"])]), []);
  assert.deepEqual(proofOf([keyOver(["id", "other"])]), []);
});

test("a check that allows some values only is the column's limit, by the column's collation", () => {
  const checks = ["([value]='low' OR [value]='High')", "([id]>'a')"];
  const [id, checked] = find({ checks }).columns;
  assert.deepEqual([id?.limit, checked?.limit], [{ maxLength: 40 }, { enum: ["low", "High"] }]);
  assert.equal(checked?.exceeds?.("LOW"), undefined);
  assert.match(checked?.exceeds?.("none") ?? "", /^must be one of "low", "High"$/);
});
