import { compare } from "./compare.ts";
import { resolveCollation } from "./comparison.ts";
import { column, compile } from "./compile.ts";
import { conjuncts } from "./plan.ts";
import type { CompileContext, Compiled, Env, QueryContext, Scope } from "./scope.ts";
import type { Expression, Query } from "./syntax.ts";
import type { Row, Values } from "./table.ts";

/**
 * `SELECT TOP (n) … FROM t WHERE key > @after ORDER BY key` where a unique index has that key: read from there on, in order, without sorting the table for
 * each page. Undefined for any other query.
 */
export function seek(
  query: Query,
  scope: Scope,
  expressions: CompileContext,
  context: QueryContext,
): ((env: Env) => Iterable<Values>) | undefined {
  const [source, ...others] = scope.sources;
  const [order, ...further] = query.order;
  const table = source?.table;
  const plain = others.length === 0 && further.length === 0 && query.group.length === 0 && !query.distinct;
  if (!plain || table === undefined || order?.value.kind !== "column" || order.descending) return undefined;
  const name = order.value.path.at(-1)?.toLowerCase() ?? "";
  const position = table.columnIndex(name);
  const index = table.indexes.find(({ columns }) => columns.length === 1 && columns[0] === position);
  if (index === undefined || !context.seesIndexes(table) || hidesColumn(query, name)) return undefined;
  const key = column(order.value.path, scope);
  const from = conjuncts(query.where).map((condition) => lowerBound(condition, name, scope, expressions));
  const bound = from.find((one) => one !== undefined);
  const [type, boundType] = bound === undefined ? [key.type, key.type] : resolveCollation(key, bound, expressions);
  if (type.collation !== key.type.collation) return undefined;
  return function* (env) {
    const rows = table.sorted(position);
    const value = bound?.evaluate(env) ?? null;
    if (bound !== undefined && value === null) return;
    const first =
      bound === undefined
        ? 0
        : firstAbove(rows, (row) => compare(row.values[position] ?? null, type, value, boundType) > 0);
    // The rows as they are now: what is written while a client reads does not come into its page.
    yield* rows.slice(first).map((row) => row.values);
  };
}

/** ORDER BY would mean another column that the SELECT gives this name. */
function hidesColumn(query: Query, name: string): boolean {
  return query.items.some(
    (item) =>
      item.kind === "value" &&
      item.name?.toLowerCase() === name &&
      !(item.value.kind === "column" && item.value.path.at(-1)?.toLowerCase() === name),
  );
}

function lowerBound(
  condition: Expression,
  name: string,
  scope: Scope,
  expressions: CompileContext,
): Compiled | undefined {
  if (condition.kind !== "compare" || condition.operator !== ">") return undefined;
  const { left, right } = condition;
  const isKey = left.kind === "column" && left.path.at(-1)?.toLowerCase() === name;
  return isKey && (right.kind === "variable" || right.kind === "literal")
    ? compile(right, scope, expressions)
    : undefined;
}

function firstAbove(rows: readonly Row[], isAbove: (row: Row) => boolean): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row !== undefined && isAbove(row)) high = middle;
    else low = middle + 1;
  }
  return low;
}
