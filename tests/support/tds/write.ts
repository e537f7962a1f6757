import { type Effect, finish, type Written } from "./apply.ts";
import { compile, predicate } from "./compile.ts";
import type { Session } from "./database.ts";
import { compileQuery, compileRows, expressionContext } from "./query.ts";
import { assignments, countError, type Given, insertColumns, insertValues, updated } from "./row-values.ts";
import { type CompileContext, type Env, noScope, type QueryContext, type Scope } from "./scope.ts";
import { SQLError } from "./sql-error.ts";
import type { Expression, MergeAction, Write } from "./syntax.ts";
import type { Row, Table } from "./table.ts";

/** Runs a statement that writes, whole or not at all. */
export function write(statement: Write, context: QueryContext, session: Session): Written {
  if (statement.kind === "insert") return insert(statement, context, session);
  return statement.kind === "merge" ? merge(statement, context, session) : change(statement, context, session);
}

function insert(statement: Write & { kind: "insert" }, context: QueryContext, session: Session): Written {
  const table = context.findTable(statement.target.path);
  const columns = insertColumns(table, statement.columns, session);
  const expressions = expressionContext(context);
  const effects: Effect[] = [];
  const add = (row: readonly Given[]) => {
    const change_ = {
      table,
      row: { values: [] },
      before: undefined,
      after: insertValues(table, columns, row, session),
    };
    effects.push({ action: "INSERT", change: change_, source: [] });
  };
  if (statement.query === undefined) {
    for (const row of statement.rows) {
      if (row.length !== columns.length) throw countError();
      add(row.map((value) => evaluate(value, noScope, expressions)));
    }
  } else {
    const query = compileQuery(statement.query, undefined, context);
    if (query.columns.length !== columns.length) throw countError();
    for (const row of query.run([])) add(query.columns.map(({ type }, index) => ({ type, value: row[index] ?? null })));
  }
  return finish(table, effects, "INSERT", statement.output, [], expressions, session);
}

function evaluate(value: Expression | undefined, scope: Scope, expressions: CompileContext): Given {
  if (value === undefined) return undefined;
  const compiled = compile(value, scope, expressions);
  return { value: compiled.evaluate([]), type: compiled.type };
}

function change(statement: Write & { kind: "update" | "delete" }, context: QueryContext, session: Session): Written {
  const expressions = expressionContext(context);
  const { scope, rows } = compileRows(statement.from, statement.where, undefined, context);
  const at = scope.sources.findIndex(({ alias }) => alias.toLowerCase() === statement.target.toLowerCase());
  const table = scope.sources[at]?.table;
  if (table === undefined) throw new SQLError(208, `Invalid object name '${statement.target}'.`);
  const set = statement.kind === "update" ? assignments(table, statement.set, scope, expressions) : [];
  const seen = new Set<Row>();
  const effects: Effect[] = [];
  for (const env of rows([])) {
    const before = env[at] ?? [];
    const row = table.rowOf(before);
    if (row === undefined || seen.has(row)) continue;
    seen.add(row);
    const after = statement.kind === "delete" ? undefined : updated(table, before, set, env, session);
    effects.push({
      action: statement.kind === "delete" ? "DELETE" : "UPDATE",
      change: { table, row, before, after },
      source: [],
    });
  }
  const verb = statement.kind === "delete" ? "DELETE" : "UPDATE";
  return finish(table, effects, verb, statement.output, [], expressions, session);
}

function merge(statement: Write & { kind: "merge" }, context: QueryContext, session: Session): Written {
  const expressions = expressionContext(context);
  const { target, source, branches } = statement;
  const { scope, rows } = compileRows(
    [source, { ...target, join: { type: "left", ...(target.join.on && { on: target.join.on }) } }],
    undefined,
    undefined,
    context,
  );
  const [sourceSource, targetSource] = scope.sources;
  const table = targetSource?.table;
  if (table === undefined || sourceSource === undefined)
    throw new SQLError(208, `Invalid object name '${target.alias}'.`);
  const compiled = branches.map(({ when, and, action }) => ({
    when,
    holds: and === undefined ? () => true : predicate(and, scope, expressions),
    run: mergeAction(action, table, scope, expressions, session),
  }));
  const touched = new Set<Row>();
  const matched = new Set<Row>();
  const effects: Effect[] = [];
  const act = (when: string, env: Env, row: Row | undefined) => {
    const branch = compiled.find((candidate) => candidate.when === when && candidate.holds(env) === true);
    if (branch === undefined) return;
    if (row !== undefined && touched.has(row)) {
      throw new SQLError(
        8672,
        "The MERGE statement attempted to UPDATE or DELETE the same row more than once. This happens when a target row matches more than one source row.",
      );
    }
    if (row !== undefined) touched.add(row);
    effects.push(branch.run(env, row));
  };
  for (const env of rows([])) {
    const row = table.rowOf(env[1] ?? []);
    if (row !== undefined) matched.add(row);
    act(row === undefined ? "not matched" : "matched", env, row);
  }
  if (compiled.some(({ when }) => when === "not matched by source")) {
    const nothing = sourceSource.columns.map(() => null);
    for (const row of table.rows) if (!matched.has(row)) act("not matched by source", [nothing, row.values], row);
  }
  return finish(table, effects, "MERGE", statement.output, [sourceSource], expressions, session);
}

function mergeAction(
  action: MergeAction,
  table: Table,
  scope: Scope,
  expressions: CompileContext,
  session: Session,
): (env: Env, row: Row | undefined) => Effect {
  if (action.kind === "insert") {
    const columns = insertColumns(table, action.columns, session);
    if (columns.length !== action.values.length) throw countError();
    const values = action.values.map((value) => (value === undefined ? undefined : compile(value, scope, expressions)));
    return (env) => {
      const given = values.map((value) =>
        value === undefined ? undefined : { value: value.evaluate(env), type: value.type },
      );
      const after = insertValues(table, columns, given, session);
      return {
        action: "INSERT",
        change: { table, row: { values: [] }, before: undefined, after },
        source: env[0] ?? [],
      };
    };
  }
  const set = action.kind === "update" ? assignments(table, action.set, scope, expressions) : [];
  return (env, row = { values: [] }) => {
    const before = row.values;
    const after = action.kind === "delete" ? undefined : updated(table, before, set, env, session);
    return {
      action: after === undefined ? "DELETE" : "UPDATE",
      change: { table, row, before, after },
      source: env[0] ?? [],
    };
  };
}
