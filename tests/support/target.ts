import { columnType, type DeclaredType } from "../../src/sql-server/write/column-type.ts";
import type { Strategy, Target, TargetColumn } from "../../src/sql-server/write/target.ts";

const declared: DeclaredType = {
  type: "",
  length: undefined,
  precision: 0,
  scale: 0,
  collation: undefined,
  codePage: 0,
};

/** A column as the preflight finds it; text in Latin1_General_CI_AS. */
export function targetColumn(name: string, index: number, type: Partial<DeclaredType> = {}): TargetColumn {
  const found = columnType({
    ...declared,
    type: "nvarchar",
    collation: "Latin1_General_CI_AS",
    codePage: 1252,
    ...type,
  });
  if (found === undefined) throw new TypeError(`no column type ${type.type}`);
  return { name, mapped: name, stagedAs: `c${index}`, isNullable: true, type: found };
}

/** The table [dbo].[t] with a key `id` and the columns `note` and `score`, or what is given. */
export function targetOf(strategy: Strategy, given: Partial<Target> = {}): Target {
  const columns = given.columns ?? [
    targetColumn("id", 0, { type: "varchar", length: 20 }),
    targetColumn("note", 1),
    targetColumn("score", 2, { type: "decimal", precision: 5, scale: 2 }),
  ];
  const keys = columns.slice(0, 1);
  return {
    table: "[dbo].[t]",
    strategy,
    keys: strategy === "insert" ? [] : keys,
    proof: keys,
    names: new Set(),
    ...given,
    columns,
  };
}
