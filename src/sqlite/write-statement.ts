import { quoteIdentifier } from "./identifiers.ts";
import type { Target, TargetColumn } from "./target.ts";

/** One row's statement: SQL with a `?` for each of `columns`, in their order. */
export interface WriteStatement {
  readonly sql: string;
  readonly columns: readonly TargetColumn[];
}

/** The statement that writes a row by the target's strategy. Names are quoted, values are parameters. */
export function writeStatement(target: Target): WriteStatement {
  const { table, strategy, columns, keys } = target;
  const keyNames = new Set(keys.map(({ name }) => name));
  const others = columns.filter(({ name }) => !keyNames.has(name));
  const into = `"main".${quoteIdentifier(table)}`;
  // OR ABORT: a constraint declared with ON CONFLICT IGNORE or REPLACE would drop rows in silence.
  if (strategy === "update") {
    const set = others.map(({ name }) => `${quoteIdentifier(name)} = ?`).join(", ");
    return { sql: `UPDATE OR ABORT ${into} SET ${set} WHERE ${whereKey(keys)}`, columns: [...others, ...keys] };
  }
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const insert = `INSERT OR ABORT INTO ${into} (${names}) VALUES (${columns.map(() => "?").join(", ")})`;
  if (strategy === "insert") return { sql: insert, columns };
  const conflict = keys.map((key) => `${quoteIdentifier(key.name)}${collate(key)}`).join(", ");
  const set = (others.length > 0 ? others : keys.slice(0, 1)) // a key that is all there is stays as it is
    .map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`)
    .join(", ");
  return { sql: `${insert} ON CONFLICT (${conflict}) DO UPDATE SET ${set}`, columns };
}

/**
 * The statement that finds a row by the target's keys; one without keys finds any row. Of the columns in `filled` at least
 * one must hold something: a table that is enriched in place has its rows before anything was written to them.
 */
export function findStatement(
  { table, keys }: Pick<Target, "table" | "keys">,
  filled: readonly TargetColumn[] = [],
): WriteStatement {
  const isFilled = filled.map(({ name }) => `${quoteIdentifier(name)} IS NOT NULL`).join(" OR ");
  const conditions = [...(keys.length === 0 ? [] : [whereKey(keys)]), ...(isFilled === "" ? [] : [`(${isFilled})`])];
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  return { sql: `SELECT 1 FROM "main".${quoteIdentifier(table)}${where} LIMIT 1`, columns: keys };
}

function whereKey(keys: Target["keys"]): string {
  return keys.map((key) => `${quoteIdentifier(key.name)} = ?${collate(key)}`).join(" AND ");
}

/** The unique index's collation decides what an equal key is, also where the column has another. */
function collate({ isRowid, collation }: Target["keys"][number]): string {
  return isRowid ? "" : ` COLLATE ${quoteIdentifier(collation)}`;
}
