import assert from "node:assert/strict";
import { test } from "node:test";
import { TargetError } from "../../../src/errors/sink.ts";
import type { Catalog, ColumnFacts, TableFacts } from "../../../src/sql-server/write/catalog.ts";
import { findTarget, type Target, type TargetRequest } from "../../../src/sql-server/write/target.ts";

const plain: ColumnFacts = {
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
const value: ColumnFacts = { ...plain, name: "value", isNullable: true };
const visits: TableFacts = {
  schema: "dbo",
  name: "visits",
  kind: "U",
  isMemoryOptimized: false,
  isExternal: false,
  isHistory: false,
  mayInsert: true,
};

function catalogOf(changes: Partial<Catalog> = {}): Catalog {
  return {
    server: { database: "clinic", databaseCollation: "SQL_Latin1_General_CP1_CI_AS", isReadOnly: false },
    table: visits,
    columns: [plain, value],
    uniqueKeys: [{ index: "PK_visits", isPrimary: true, unusable: undefined, columns: ["id"] }],
    otherTables: [],
    ...changes,
  };
}

function find(catalog: Partial<Catalog> = {}, request: Partial<TargetRequest> = {}): Target {
  return findTarget(catalogOf(catalog), {
    sink: "sql-server",
    place: "host,1433/clinic",
    schema: "dbo",
    table: "visits",
    columns: ["id", "value"],
    mergeKeys: request.strategy === "insert" ? [] : ["id"],
    strategy: "merge",
    ...request,
  });
}

function refusal(catalog: Partial<Catalog>, request: Partial<TargetRequest> = {}): string {
  try {
    find(catalog, request);
  } catch (error) {
    assert.ok(error instanceof TargetError);
    return error.message.replace(/^sql-server: /, "");
  }
  return assert.fail("it was not refused");
}

test("a table that fits is found with its columns, keys and quoted name", () => {
  const odd = find({ table: { ...visits, schema: "my schema", name: "odd]name" } });
  assert.equal(odd.table, "[my schema].[odd]]name]");
  assert.deepEqual(
    odd.columns.map(({ name, mapped, stagedAs, isNullable }) => [name, mapped, stagedAs, isNullable]),
    [
      ["id", "id", "c0", false],
      ["value", "value", "c1", true],
    ],
  );
  assert.equal(odd.keys.length, 1);
  assert.equal(odd.keys[0], odd.columns[0], "the same object: it is looked for among the columns");
  assert.deepEqual(odd.names, new Set(["id", "value", "PK_visits"]));
});

test("a table that is not there is named with the nearest ones", () => {
  assert.equal(
    refusal({ table: undefined, otherTables: ["dbo.visit", "sales.orders"] }),
    'there is no table "dbo.visits" in host,1433/clinic, or the login may not see it; closest: "dbo.visit"',
  );
  assert.match(refusal({ table: undefined, otherTables: ["etl.Visits"] }), /; closest: "etl\.Visits"$/);
  assert.match(refusal({ table: undefined, otherTables: ["x.y"] }), /; there are "x\.y"$/);
  assert.match(refusal({ table: undefined }), /; the login sees no table there$/);
});

test("what is no plain table is refused, with what to do", () => {
  assert.equal(
    refusal({ table: { ...visits, kind: "V" } }),
    '"dbo.visits" in host,1433/clinic is a view: name the table behind it',
  );
  assert.match(refusal({ table: { ...visits, kind: "SN" } }), /is a synonym: name the table behind it/);
  assert.match(refusal({ table: { ...visits, kind: "TF" } }), /is no table: /);
  assert.match(refusal({ table: { ...visits, isMemoryOptimized: true } }), /is memory-optimized, /);
  assert.match(refusal({ table: { ...visits, isExternal: true } }), /is external/);
  assert.match(refusal({ table: { ...visits, isHistory: true } }), /name the temporal table/);
});

test("a database that is read-only is refused", () => {
  const server = { database: "clinic", databaseCollation: "", isReadOnly: true };
  assert.match(refusal({ server }), /is read-only; take ApplicationIntent=ReadOnly out of the connection string/);
});

test("columns are found as the database's collation tells upper case from lower", () => {
  assert.deepEqual(
    find({}, { columns: ["ID", "Value"], mergeKeys: ["ID"] }).columns.map(({ name }) => name),
    ["id", "value"],
  );
  const server = { database: "clinic", databaseCollation: "Latin1_General_100_BIN2", isReadOnly: false };
  assert.equal(
    refusal({ server }, { columns: ["id", "Value"] }),
    'the table "dbo.visits" has no column "Value" (the database tells upper case from lower); its columns are "id", "value"; closest: "value"',
  );
  const both = { server, columns: [plain, value, { ...value, name: "VALUE" }] };
  assert.deepEqual(
    find(both, { columns: ["id", "VALUE"] }).columns.map(({ name }) => name),
    ["id", "VALUE"],
  );
});

test("a column that is not there is named with the nearest one", () => {
  assert.match(
    refusal({}, { columns: ["id", "valeu"] }),
    /has no column "valeu"; its columns are "id", "value"; closest: "value"$/,
  );
});

test("one column mapped twice in two spellings is refused", () => {
  assert.equal(
    refusal({}, { columns: ["id", "value", "VALUE"] }),
    'the columnMap has "value" and "VALUE", which are one column: map it once',
  );
});

test("columns that the server fills are refused by name, with what to do", () => {
  const problems: readonly (readonly [Partial<ColumnFacts>, RegExp])[] = [
    [
      { isIdentity: true },
      /"value" of "dbo\.visits" is an identity, .*: take it out of the columnMap, or use strategy "update" to find rows by it$/,
    ],
    [{ isComputed: true }, /is computed by the server: take it out of the columnMap$/],
    [{ type: "timestamp" }, /is a rowversion, which the server writes: take it out/],
    [{ isGenerated: true }, /is GENERATED ALWAYS/],
    [{ isColumnSet: true }, /is a column set of sparse columns: map the columns themselves$/],
    [{ isEncrypted: true }, /is encrypted with Always Encrypted/],
    [{ type: "geography" }, /is of the type GEOGRAPHY, which can't be written: take it out of the columnMap$/],
    [{ type: "sql_variant" }, /is of the type SQL_VARIANT/],
    [{ type: "hierarchyid" }, /is of the type HIERARCHYID/],
    [
      { type: "text" },
      /is of the type TEXT, which can't be written: take it out of the columnMap, or make it VARCHAR\(MAX\)$/,
    ],
  ];
  for (const [facts, expected] of problems)
    assert.match(refusal({ columns: [plain, { ...value, ...facts }] }), expected);
});

test("an identity can be what an update finds rows by", () => {
  const columns = [{ ...plain, type: "int", isIdentity: true }, value];
  assert.equal(find({ columns }, { strategy: "update" }).keys[0]?.name, "id");
  assert.match(refusal({ columns }, { strategy: "merge" }), /is an identity/);
});

test("columns that need a value and get none are listed; those that the server fills are not", () => {
  const more: ColumnFacts[] = [
    { ...plain, name: "needed" },
    { ...plain, name: "defaulted", hasDefault: true },
    { ...plain, name: "counted", isIdentity: true },
    { ...plain, name: "computed", isComputed: true },
    { ...plain, name: "version", type: "timestamp" },
    { ...plain, name: "period", isGenerated: true },
  ];
  const columns = [plain, value, ...more];
  assert.equal(
    refusal({ columns }),
    'the table "dbo.visits" has columns that are NOT NULL without a default and not in the columnMap: "needed"; add them to the columnMap, or give them a default',
  );
  assert.equal(find({ columns }, { strategy: "update" }).columns.length, 2);
});

test("merge keys need a primary key or a unique index of exactly their columns, over all rows", () => {
  const advice = "create one: CREATE UNIQUE INDEX [visits_id_unique] ON [dbo].[visits] ([id]);";
  const base = 'the table "dbo.visits" has no primary key or unique index over exactly the mergeKeys "id"';
  assert.equal(refusal({ uniqueKeys: [] }), `${base}, so a key could stand for more than one row; ${advice}`);
  const wider = { index: "U", isPrimary: false, unusable: undefined, columns: ["id", "value"] };
  assert.ok(refusal({ uniqueKeys: [wider] }).startsWith(base));
  assert.equal(find({ uniqueKeys: [wider] }, { mergeKeys: ["value", "id"], columns: ["id", "value"] }).keys.length, 2);
  for (const unusable of ["filtered", "disabled"] as const) {
    const index = { index: "U", isPrimary: false, unusable, columns: ["id"] };
    assert.ok(refusal({ uniqueKeys: [index] }).startsWith(`${base} (the index "U" is ${unusable})`));
    const other = { index: "V", isPrimary: false, unusable: undefined, columns: ["id"] };
    assert.equal(find({ uniqueKeys: [index, other] }).keys.length, 1);
  }
});

test("the permissions that the strategy needs are asked for, with the GRANT to have run", () => {
  assert.equal(
    refusal({
      table: { ...visits, mayInsert: false },
      columns: [
        { ...plain, maySelect: false },
        { ...value, mayUpdate: false },
      ],
    }),
    'the login may not INSERT, UPDATE, SELECT on "dbo.visits"; have it granted: GRANT SELECT, INSERT, UPDATE ON [dbo].[visits] TO <user>;',
  );
  const noInsert = { table: { ...visits, mayInsert: false } };
  assert.equal(find(noInsert, { strategy: "update" }).strategy, "update");
  const noUpdate = { columns: [plain, { ...value, mayUpdate: false }] };
  assert.equal(find(noUpdate, { strategy: "insert" }).strategy, "insert");
  assert.match(refusal(noUpdate, { strategy: "update" }), /may not UPDATE on .*: GRANT SELECT, UPDATE ON/);
});

test("an insert in doubt is proved by a unique key whose columns are all written and never NULL", () => {
  const insert = { strategy: "insert" } as const;
  assert.deepEqual(
    find({}, insert).proof.map(({ name }) => name),
    ["id"],
  );
  assert.deepEqual(find({ uniqueKeys: [] }, insert).proof, []);
  const nullable = { index: "U", isPrimary: false, unusable: undefined, columns: ["value"] };
  assert.deepEqual(find({ uniqueKeys: [nullable] }, insert).proof, []);
  const unmapped = { index: "U", isPrimary: false, unusable: undefined, columns: ["id", "other"] };
  assert.deepEqual(find({ uniqueKeys: [unmapped] }, insert).proof, []);
});
