import { columnType, type DeclaredType, type SQLServerColumn } from "../../src/sql-server/write/column-type.ts";
import type { SQLServerTarget } from "../../src/sql-server/write/upsert.ts";
import type { Strategy, TargetColumn } from "../../src/table/dialect.ts";

const declared: DeclaredType = {
  type: "",
  length: undefined,
  precision: 0,
  scale: 0,
  collation: undefined,
  codePage: 0,
};

/** A column as the preflight finds it; text in Latin1_General_CI_AS. */
export function targetColumn(
  name: string,
  place: number,
  given: Partial<DeclaredType> = {},
): TargetColumn<SQLServerColumn> {
  const type = columnType({
    ...declared,
    type: "nvarchar",
    collation: "Latin1_General_CI_AS",
    codePage: 1252,
    ...given,
  });
  if (type === undefined) throw new TypeError(`no column type ${given.type}`);
  return { ...type, name, mapped: name, place, isKey: false, isNullable: true, isRequired: false };
}

/** The table [dbo].[t] with a key `id` and the columns `note` and `score`, or what is given. */
export function targetOf(
  strategy: Strategy,
  {
    quoted = "[dbo].[t]",
    columns: given = [
      targetColumn("id", 0, { type: "varchar", length: 20 }),
      targetColumn("note", 1),
      targetColumn("score", 2, { type: "decimal", precision: 5, scale: 2 }),
    ],
    keyCount = 1,
  }: {
    readonly quoted?: string;
    readonly columns?: SQLServerTarget["columns"];
    readonly keyCount?: number;
  } = {},
): SQLServerTarget {
  const columns = given.map((column) => ({ ...column, isKey: strategy !== "insert" && column.place < keyCount }));
  const table = {
    place: "host,1433/clinic",
    name: "dbo.t",
    quoted,
    problem: undefined,
    columns,
    uniqueKeys: [],
    foldName: (name: string) => name,
  };
  const keys = columns.filter(({ isKey }) => isKey);
  return { table, strategy, columns, keys, hasGroups: false, uniqueKey: undefined, proof: columns.slice(0, keyCount) };
}
