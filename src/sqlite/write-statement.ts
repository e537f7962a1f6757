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
    const where = keys.map((key) => `${quoteIdentifier(key.name)} = ?${collate(key)}`).join(" AND ");
    return { sql: `UPDATE OR ABORT ${into} SET ${set} WHERE ${where}`, columns: [...others, ...keys] };
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

/** The unique index's collation decides what an equal key is, also where the column has another. */
function collate({ isRowid, collation }: Target["keys"][number]): string {
  return isRowid ? "" : ` COLLATE ${quoteIdentifier(collation)}`;
}
