import { keyOf } from "./compare.ts";
import { resolveCollation } from "./comparison.ts";
import { compile, predicate } from "./compile.ts";
import type { CompileContext, Env, Predicate, QueryContext, Scope, Source } from "./scope.ts";
import { family } from "./sql-type.ts";
import type { Expression, TableSource } from "./syntax.ts";
import type { Table, Values } from "./table.ts";

export interface CompiledSource {
  readonly source: Source;
  readonly scan: (env: Env) => Iterable<Values>;
}

export interface Plan {
  readonly source: Source;
  readonly left: boolean;
  readonly rows: (env: Env) => Iterable<Values>;
  readonly on: Predicate | undefined;
}

/** All rows of the sources from `index` on, put to the rows before them. */
export function* joined(plans: readonly Plan[], index: number, env: Env): Iterable<Env> {
  const next = plans[index];
  if (next === undefined) {
    yield env;
    return;
  }
  let matched = false;
  for (const values of next.rows(env)) {
    const row = [...env, values];
    if (next.on !== undefined && next.on(row) !== true) continue;
    matched = true;
    yield* joined(plans, index + 1, row);
  }
  if (!matched && next.left) yield* joined(plans, index + 1, [...env, next.source.columns.map(() => null)]);
}

/** How the rows of a source are found: through an equality with what came before, where there is one. */
export function plan(
  { source, scan }: CompiledSource,
  index: number,
  query: { readonly from: readonly TableSource[]; readonly where: Expression | undefined },
  scope: Scope,
  expressions: CompileContext,
  context: QueryContext,
): Plan {
  const join = query.from[index]?.join ?? { type: "inner" };
  const left = join.type === "left";
  const partial: Scope = { ...scope, sources: scope.sources.slice(0, index + 1) };
  const on = join.on === undefined ? undefined : predicate(join.on, partial, expressions);
  const conditions = [...conjuncts(join.on), ...(left ? [] : conjuncts(query.where))];
  const equalities = conditions.flatMap((condition) => equality(condition, index, scope, expressions));
  const { table } = source;
  const rows = table === undefined || equalities.length === 0 ? scan : lookUp(table, equalities, scan, context);
  return { source, left, on, rows };
}

export function conjuncts(condition: Expression | undefined): Expression[] {
  if (condition === undefined) return [];
  return condition.kind === "and" ? [...conjuncts(condition.left), ...conjuncts(condition.right)] : [condition];
}

interface Equality {
  readonly column: number;
  readonly key: (env: Env) => string | undefined;
  readonly ownKey: (values: Values) => string | undefined;
}

/** `t.k = <something that is known before t is read>`, of the same kind of type: what a hash can answer. */
function equality(condition: Expression, index: number, scope: Scope, expressions: CompileContext): Equality[] {
  if (condition.kind !== "compare" || condition.operator !== "=") return [];
  const sides = [
    [condition.left, condition.right],
    [condition.right, condition.left],
  ] as const;
  for (const [own, other] of sides) {
    if (own.kind !== "column") continue;
    const position = ownColumn(own.path, index, scope);
    if (position === -1 || !isKnown(other, index, scope)) continue;
    const [mine, theirs] = [compile(own, scope, expressions), compile(other, scope, expressions)];
    if (family(mine.type) !== family(theirs.type)) continue;
    const [type, otherType] = resolveCollation(mine, theirs, expressions);
    if (type.collation !== mine.type.collation) continue;
    return [
      {
        column: position,
        key: (env) => keyOf(theirs.evaluate(env), otherType),
        ownKey: (values) => keyOf(values[position] ?? null, type),
      },
    ];
  }
  return [];
}

function ownColumn(path: readonly string[], index: number, scope: Scope): number {
  const source = scope.sources[index];
  const alias = path.length > 1 ? path.at(-2)?.toLowerCase() : undefined;
  const name = path.at(-1)?.toLowerCase();
  if (source === undefined || (alias !== undefined && source.alias.toLowerCase() !== alias)) return -1;
  if (
    alias === undefined &&
    scope.sources.some((other, at) => at !== index && other.columns.some((one) => one.name.toLowerCase() === name))
  )
    return -1;
  return source.columns.findIndex((one) => one.name.toLowerCase() === name);
}

/** True if the expression reads only sources before `index`, or the outer query's. */
function isKnown(expression: Expression, index: number, scope: Scope): boolean {
  switch (expression.kind) {
    case "literal":
    case "variable":
      return true;
    case "cast":
    case "collate":
      return isKnown(expression.value, index, scope);
    case "column":
      return scope.sources.slice(index).every((_, offset) => ownColumn(expression.path, index + offset, scope) === -1);
    case "action":
    case "and":
    case "arithmetic":
    case "call":
    case "case":
    case "compare":
    case "exists":
    case "in":
    case "isNull":
    case "like":
    case "not":
    case "or":
    case "subquery":
      break;
  }
  return false;
}

function lookUp(
  table: Table,
  equalities: readonly Equality[],
  scan: (env: Env) => Iterable<Values>,
  context: QueryContext,
): Plan["rows"] {
  const index = context.seesIndexes(table)
    ? table.indexes.find(({ columns }) => columns.every((at) => equalities.some(({ column: own }) => own === at)))
    : undefined;
  if (index !== undefined) {
    const parts = index.columns.map((at) => equalities.find(({ column: own }) => own === at));
    return (env) => {
      const keys = parts.map((part) => part?.key(env));
      const row = keys.includes(undefined) ? undefined : index.rows.get(JSON.stringify(keys));
      return row === undefined ? [] : [row.values];
    };
  }
  let hash: Map<string, Values[]> | undefined;
  return (env) => {
    hash ??= Map.groupBy(scan(env), (values) => JSON.stringify(equalities.map((one) => one.ownKey(values) ?? null)));
    const keys = equalities.map((one) => one.key(env));
    return keys.includes(undefined) ? [] : (hash.get(JSON.stringify(keys)) ?? []);
  };
}
