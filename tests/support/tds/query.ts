import { sorter } from "./aggregate.ts";
import { keyOf } from "./compare.ts";
import { column, compile, predicate } from "./compile.ts";
import { type CompiledSource, joined, plan } from "./plan.ts";
import {
  type CompileContext,
  type Compiled,
  type CompiledQuery,
  type Env,
  noScope,
  type Predicate,
  type QueryContext,
  type Scope,
  type Source,
  start,
} from "./scope.ts";
import { openJSON } from "./open-json.ts";
import { seek } from "./seek.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import { withCollation } from "./sql-type.ts";
import type { Expression, Query, TableSource } from "./syntax.ts";
import type { Values } from "./table.ts";
import type { ResultColumn } from "./tokens.ts";

type Common = ReadonlyMap<
  string,
  { readonly query: Query; readonly names: readonly string[]; readonly common: Common }
>;

/** The context with which expressions of that query are compiled. */
export function expressionContext(context: QueryContext, common: Common = new Map()): CompileContext {
  return { ...context, compileQuery: (query, outer) => compileQuery(query, outer, context, common) };
}

export function compileQuery(
  query: Query,
  outer: Scope | undefined,
  context: QueryContext,
  common: Common = new Map(),
): CompiledQuery {
  const known = new Map(common);
  for (const [name, { query: inner, names }] of query.common)
    known.set(name, { query: inner, names, common: new Map(known) });
  const first = compileSelect(query, outer, context, known);
  const rest = query.combined.map(([operator, next]) => [operator, compileQuery(next, outer, context, known)] as const);
  if (rest.length === 0) return first;
  const run = (env: Env): Iterable<Values> => {
    let rows = [...first.run(env)];
    for (const [operator, next] of rest) rows = combine(operator, rows, [...next.run(env)], first.columns);
    return orderCombined(query, rows, first.columns);
  };
  return { columns: first.columns, run };
}

const keysOf = (row: Values, columns: readonly ResultColumn[]): string =>
  JSON.stringify(columns.map(({ type }, index) => keyOf(row[index] ?? null, type) ?? null));

function combine(
  operator: string,
  rows: Values[],
  next: readonly Values[],
  columns: readonly ResultColumn[],
): Values[] {
  if (operator === "union all") return [...rows, ...next];
  const others = new Set(next.map((row) => keysOf(row, columns)));
  if (operator === "intersect")
    return distinct(
      rows.filter((row) => others.has(keysOf(row, columns))),
      columns,
    );
  if (operator === "except")
    return distinct(
      rows.filter((row) => !others.has(keysOf(row, columns))),
      columns,
    );
  return distinct([...rows, ...next], columns);
}

function distinct(rows: readonly Values[], columns: readonly ResultColumn[]): Values[] {
  return [...new Map(rows.toReversed().map((row) => [keysOf(row, columns), row])).values()].toReversed();
}

function orderCombined(query: Query, rows: Values[], columns: readonly ResultColumn[]): Values[] {
  const scope: Scope = { ...noScope, sources: [{ alias: "", columns }] };
  const order = sorter(
    query.order,
    (value) => itemOf(value, columns) ?? column(value.kind === "column" ? value.path : [""], scope),
  );
  return order === undefined ? rows : rows.toSorted((a, b) => order([a], [b]));
}

/** ORDER BY 2. */
function itemOf(value: Expression, columns: readonly ResultColumn[]): Compiled | undefined {
  if (value.kind !== "literal" || typeof value.value !== "number") return undefined;
  const at = value.value - 1;
  const found = columns[at];
  return found === undefined ? undefined : { ...found, evaluate: (env) => env[0]?.[at] ?? null };
}

/** The rows that a FROM and a WHERE leave, each with the values of all sources. */
export function compileRows(
  from: readonly TableSource[],
  where: Expression | undefined,
  outer: Scope | undefined,
  context: QueryContext,
  common: Common = new Map(),
): {
  readonly scope: Scope;
  readonly rows: (env: Env) => Iterable<Env>;
  /** The rows of one source that the WHERE leaves, wherever they come from. */
  readonly where: (rows: Iterable<Values>, env: Env) => Iterable<Env>;
} {
  const expressions = expressionContext(context, common);
  const sources: CompiledSource[] = [];
  for (const source of from) {
    const before = sources.map((one) => one.source);
    sources.push(compileSource(source, outer, context, common, before));
  }
  const scope: Scope = {
    sources: sources.map(({ source }) => source),
    group: { rows: undefined, used: false },
    windows: [],
    ...(outer === undefined ? {} : { outer }),
  };
  const plans = sources.map((source, index) => plan(source, index, { from, where }, scope, expressions, context));
  const condition = where === undefined ? undefined : predicate(where, scope, expressions);
  return {
    scope,
    rows: (env) => filtered(joined(plans, 0, env), condition),
    where: (rows, env) =>
      filtered(
        map(rows, (values) => [...env, values]),
        condition,
      ),
  };
}

function compileSelect(query: Query, outer: Scope | undefined, context: QueryContext, common: Common): CompiledQuery {
  const expressions = expressionContext(context, common);
  const { scope, rows: read, where } = compileRows(query.from, query.where, outer, context, common);
  const items = compileItems(query, scope, expressions);
  const group = query.group.map((part) => compile(part, scope, expressions));
  const having = query.having === undefined ? undefined : predicate(query.having, scope, expressions);
  const columns = items.map(({ evaluate: _evaluate, explicit: _explicit, constant: _constant, ...item }) => ({
    ...item,
    type: withCollation(item.type, context.collation),
  }));
  const projected = start(scope) + scope.sources.length;
  const grouped = group.length > 0 || scope.group.used;
  const sought =
    grouped || scope.windows.length > 0 || query.combined.length > 0
      ? undefined
      : seek(query, scope, expressions, context);
  scope.group.used = false;
  const inOrder = sought !== undefined || query.combined.length > 0;
  const order = inOrder ? undefined : orderOf(query, columns, scope, expressions, projected);
  if (scope.group.used) throw notUnderstood("ORDER BY an aggregate that has no name");
  const top = [query.top, query.fetch].find((part) => part !== undefined);
  const limit = top === undefined ? undefined : compile(top, noScope, expressions);
  const offset = query.offset === undefined ? undefined : compile(query.offset, noScope, expressions);
  const lazy = !grouped && scope.windows.length === 0 && order === undefined && !query.distinct;
  const project = (env: Env): Values => items.map((item) => item.evaluate(env));

  const run = function* (env: Env): Iterable<Values> {
    const skip = Number(offset?.evaluate([]) ?? 0);
    const take = limit === undefined ? Infinity : Number(limit.evaluate([]) ?? 0);
    if (take <= 0) return;
    const found = sought === undefined ? read(env) : where(sought(env), env);
    let taken = 0;
    for (const row of lazy ? map(found, project) : settled(found)) {
      taken += 1;
      if (taken > skip) yield row;
      if (taken - skip >= take) return;
    }
  };

  function settled(found: Iterable<Env>): Iterable<Values> {
    const rows = [...found];
    for (const compute of scope.windows) compute(rows);
    const projections = grouped ? projectGroups(rows) : rows.map((row) => [row, project(row)] as const);
    let pairs = projections;
    if (query.distinct)
      pairs = [
        ...new Map(projections.toReversed().map((pair) => [keysOf(pair[1], columns), pair])).values(),
      ].toReversed();
    if (order === undefined) return pairs.map(([, values]) => values);
    return pairs
      .map(([row, values]) => [...padded(row, projected), values])
      .toSorted(order)
      .map((row) => row[projected] ?? []);
  }

  function projectGroups(rows: readonly Env[]): (readonly [Env, Values])[] {
    const keys = (row: Env) =>
      JSON.stringify(
        group.map((part) => keyOf(part.evaluate(row), withCollation(part.type, context.collation)) ?? null),
      );
    const groups = group.length === 0 ? new Map([["", [...rows]]]) : Map.groupBy(rows, keys);
    const results: (readonly [Env, Values])[] = [];
    for (const members of groups.values()) {
      scope.group.rows = members;
      const [first = []] = members;
      if (having === undefined || having(first) === true) results.push([first, project(first)]);
    }
    return results;
  }

  return { columns, run };
}

const padded = (row: Env, length: number): Env => [
  ...row,
  ...Array.from({ length: Math.max(0, length - row.length) }, () => []),
];

function* filtered(rows: Iterable<Env>, where: Predicate | undefined): Iterable<Env> {
  for (const row of rows) if (where === undefined || where(row) === true) yield row;
}

function* map<From, To>(rows: Iterable<From>, change: (row: From) => To): Iterable<To> {
  for (const row of rows) yield change(row);
}

export function compileSource(
  source: TableSource,
  outer: Scope | undefined,
  context: QueryContext,
  common: Common,
  before: readonly Source[],
): CompiledSource {
  const { alias } = source;
  switch (source.kind) {
    case "table": {
      const { path } = source.table;
      const shared = path.length === 1 ? common.get((path[0] ?? "").toLowerCase()) : undefined;
      if (shared !== undefined)
        return derived(alias, compileQuery(shared.query, outer, context, shared.common), shared.names, outer);
      const view = context.findView(path);
      if (view !== undefined) return derived(alias, compileQuery(view, undefined, context), [], outer);
      const table = context.findTable(path);
      return { source: { alias, columns: table.columns, table }, scan: () => context.rowsOf(table) };
    }
    case "derived":
      return derived(alias, compileQuery(source.query, outer, context, common), source.names, outer);
    case "values": {
      const rows = source.rows.map((row) =>
        row.map((value) => compile(value, outer ?? noScope, expressionContext(context, common))),
      );
      const columns = source.names.map((name, index) => ({
        name,
        nullable: true,
        type: rows[0]?.[index]?.type ?? { name: "int" as const },
      }));
      return { source: { alias, columns }, scan: (env) => rows.map((row) => row.map((value) => value.evaluate(env))) };
    }
    case "function":
      break;
  }
  if (source.name === "openjson" && source.columns !== undefined) {
    // The only one that sees the sources before it, as CROSS APPLY lets it.
    const scope: Scope = { ...noScope, sources: before, ...(outer && { outer }) };
    const passed = source.arguments.map((value) => compile(value, scope, expressionContext(context, common)));
    const wanted = source.columns;
    const scan = (env: Env): Iterable<Values> => {
      const [json = null, path] = passed.map((value) => value.evaluate(env));
      return openJSON(json, path, wanted);
    };
    return {
      source: {
        alias,
        columns: wanted.map(({ name, type }) => ({
          name,
          type: withCollation(type, context.collation),
          nullable: true,
        })),
      },
      scan,
    };
  }
  const given = source.arguments.map((value) =>
    compile(value, noScope, expressionContext(context, common)).evaluate([]),
  );
  const result = context.tableFunction(source.name, given);
  if (result === undefined) throw new SQLError(208, `Invalid object name '${source.name}'.`);
  return { source: { alias, columns: result.columns }, scan: () => result.rows };
}

/** It sees the rows of the outer query, not those of the sources beside it. */
function derived(
  alias: string,
  query: CompiledQuery,
  names: readonly string[],
  outer: Scope | undefined,
): CompiledSource {
  const columns = query.columns.map((one, index) => ({ ...one, name: names[index] ?? one.name }));
  for (const { name } of columns)
    if (name === "") throw new SQLError(8155, `No column name was specified for a column of '${alias}'.`);
  const depth = outer === undefined ? 0 : start(outer) + outer.sources.length;
  return { source: { alias, columns }, scan: (env) => query.run(env.slice(0, depth)) };
}

function compileItems(query: Query, scope: Scope, expressions: CompileContext): Compiled[] {
  return query.items.flatMap((item): Compiled[] => {
    if (item.kind === "value") {
      const value = compile(item.value, scope, expressions);
      return [{ ...value, name: item.name ?? (item.value.kind === "column" ? value.name : "") }];
    }
    const wanted = scope.sources.filter(
      ({ alias }) => item.of === undefined || alias.toLowerCase() === item.of.toLowerCase(),
    );
    if (wanted.length === 0) throw notUnderstood("* without a source");
    return wanted.flatMap((source) => source.columns.map(({ name }) => column([source.alias, name], scope)));
  });
}

/** ORDER BY names a column of the result first, then one of the sources. */
function orderOf(
  query: Query,
  columns: readonly ResultColumn[],
  scope: Scope,
  expressions: CompileContext,
  at: number,
): ReturnType<typeof sorter> {
  return sorter(query.order, (value) => {
    const byNumber = value.kind === "literal" && typeof value.value === "number" ? value.value - 1 : -1;
    const name = value.kind === "column" && value.path.length === 1 ? (value.path[0] ?? "").toLowerCase() : undefined;
    const index =
      byNumber >= 0 ? byNumber : columns.findIndex((one) => one.name !== "" && one.name.toLowerCase() === name);
    const found = columns[index];
    return found === undefined
      ? compile(value, scope, expressions)
      : { ...found, evaluate: (env) => env[at]?.[index] ?? null };
  });
}
