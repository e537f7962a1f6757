import { apply } from "./apply.ts";
import { describeColumns } from "./catalog.ts";
import { compile, predicate } from "./compile.ts";
import { convert } from "./convert.ts";
import { addConstraint, createLike, createTable, dropTable } from "./create-table.ts";
import { isOn, type Session, tableKey } from "./database.ts";
import { executeSQL } from "./execute-sql.ts";
import { systemFunction } from "./functions.ts";
import { parseBatch } from "./parse-statement.ts";
import { compileQuery, expressionContext } from "./query.ts";
import { type CompiledQuery, noScope, type QueryContext } from "./scope.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import { textOf } from "./sql-type.ts";
import type { Statement, TableName } from "./syntax.ts";
import { type Execution, type Kept, lock } from "./table-locks.ts";
import type { Change, Values } from "./table.ts";
import type { ResultSet } from "./tokens.ts";
import { write } from "./write.ts";

/** What a statement has for the client, in the order in which it is sent. */
export type Outcome =
  | { readonly kind: "rows"; readonly result: ResultSet; readonly finished: () => void }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "information"; readonly number: number; readonly message: string }
  /** The state of the transaction has changed. */
  | { readonly kind: "transaction"; readonly what: "begin" | "commit" | "rollback"; readonly descriptor: bigint };

/** Runs one statement. What it did before it failed is undone; what earlier statements did is not. */
export async function* execute(statement: Statement, execution: Execution): AsyncIterable<Outcome> {
  const { session, signal } = execution;
  const mark = session.transaction?.log.length ?? 0;
  const kept = await lock(statement, execution);
  try {
    signal.throwIfAborted();
    yield* run(statement, execution, kept);
  } catch (error) {
    for (const entry of session.transaction?.log.splice(mark).toReversed() ?? []) {
      if ("undo" in entry) entry.undo();
      else entry.table.revert(entry);
    }
    throw error;
  } finally {
    kept.release();
  }
}

function viewKey(path: readonly string[]): string {
  return tableKey(path.at(-2) ?? "dbo", path.at(-1) ?? "");
}

export function queryContext({ session, variables }: Execution): QueryContext {
  const { database } = session;
  const committed = () => database.options.snapshot || session.settings.get("ISOLATION") === "SNAPSHOT";
  return {
    collation: database.options.collation,
    variables,
    systemFunction: (name, given) => systemFunction(name, given, session),
    findTable: (path) => {
      const table = database.find(path, session);
      if (table === undefined) throw new SQLError(208, `Invalid object name '${path.join(".")}'.`);
      return table;
    },
    findView: (path) => database.views.get(viewKey(path)),
    rowsOf: (table) => database.rows(table, session, committed()),
    seesIndexes: (table) =>
      table.generated === undefined && !(committed() && database.uncommitted(table, session).length > 0),
    tableFunction: (name, [sql]) =>
      name === "sys.dm_exec_describe_first_result_set"
        ? describe(textOf(sql), { session, variables: new Map() })
        : undefined,
  };
}

/** The columns of the first SELECT of that text. */
export function describe(sql: string, { session, variables }: Omit<Execution, "signal">): ResultSet {
  const statements = parseBatch(sql, isOn(session, "QUOTED_IDENTIFIER"));
  const context = queryContext({ session, variables, signal: new AbortController().signal });
  for (const { action } of statements) {
    if (action.kind === "select" && action.query.into === undefined)
      return describeColumns(compileQuery(action.query, undefined, context).columns);
  }
  return describeColumns([]);
}

async function* run(statement: Statement, execution: Execution, kept: Kept): AsyncIterable<Outcome> {
  const { action } = statement;
  const { session, variables } = execution;
  const context = queryContext(execution);
  switch (action.kind) {
    case "select": {
      const query = compileQuery(action.query, undefined, context);
      if (action.query.into === undefined) yield select(query, session, kept);
      else yield count(selectInto(query, action.query.into, action.query.from.length === 1, session), session);
      break;
    }
    case "insert":
    case "update":
    case "delete":
    case "merge": {
      const written = write(action, context, session);
      if (written.ignored) yield { kind: "information", number: 3604, message: "Duplicate key was ignored." };
      if (written.triggers) yield count(written.count, session); // what a statement of the trigger did
      session.rowCount = written.count;
      if (written.output === undefined) yield count(written.count, session);
      else yield { kind: "rows", result: written.output, finished: () => undefined };
      break;
    }
    case "create table":
      createTable(action.table, action.columns, action.constraints, context, session);
      break;
    case "create view":
      session.database.views.set(viewKey(action.view.path), action.query);
      break;
    case "drop view":
      session.database.views.delete(viewKey(action.view.path));
      break;
    case "create index":
      if (action.constraint !== undefined)
        addConstraint(context.findTable(action.table.path), action.constraint, context);
      break;
    case "drop table":
      for (const table of action.tables) dropTable(table, action.ifExists, session);
      break;
    case "drop schema": {
      const tables = Array.from(session.database.tables.values());
      const left = tables.find(({ schema }) => schema.toLowerCase() === action.name.toLowerCase());
      if (left === undefined) break;
      throw new SQLError(
        3729,
        `Cannot drop schema '${action.name}' because it is being referenced by object '${left.name}'.`,
      );
    }
    case "truncate": {
      const table = context.findTable(action.table.path);
      const changes = Array.from(table.rows, (row): Change => ({ table, row, before: row.values, after: undefined }));
      apply(table, changes, "DELETE", session);
      table.resetIdentity();
      break;
    }
    case "set":
      setOption(action.option, action.value, session);
      break;
    case "declare": {
      const value = action.value === undefined ? undefined : compile(action.value, noScope, expressionContext(context));
      variables.set(action.name.toLowerCase(), {
        type: action.type,
        value: value === undefined ? null : convert(value.evaluate([]), value.type, action.type),
      });
      break;
    }
    case "assign": {
      const variable = variables.get(action.name.toLowerCase());
      if (variable === undefined) throw new SQLError(137, `Must declare the scalar variable "${action.name}".`);
      const value = compile(action.value, noScope, expressionContext(context));
      variable.value = convert(value.evaluate([]), value.type, variable.type);
      break;
    }
    case "transaction":
      yield* transact(action.what, action.name, session);
      break;
    case "if": {
      const holds = predicate(action.condition, noScope, expressionContext(context))([]) === true;
      for (const inner of holds ? action.whenTrue : action.otherwise) yield* execute(inner, execution);
      break;
    }
    case "throw":
      throw new SQLError(action.number, action.message);
    case "execute": {
      const passed = action.arguments.map(([name, argument]) => {
        const { type, evaluate } = compile(argument, noScope, expressionContext(context));
        return { name, type, value: evaluate([]) };
      });
      if (action.procedure.toLowerCase() === "sp_executesql") {
        yield* executeSQL(passed, action.resultSets, execution, execute);
        break;
      }
      const given = passed.map(({ name, value }) => [name, value] as const);
      if (action.procedure.toLowerCase() !== "sp_describe_first_result_set") throw unknownProcedure(action.procedure);
      const sql = (given.find(([name]) => name.toLowerCase() === "@tsql") ?? given[0])?.[1];
      yield {
        kind: "rows",
        result: describe(textOf(sql), { session, variables: new Map() }),
        finished: () => undefined,
      };
      break;
    }
    case "insert bulk":
      throw notUnderstood("INSERT BULK with other statements");
    case "nothing":
      break;
  }
}

export const unknownProcedure = (name: string): SQLError =>
  new SQLError(2812, `Could not find stored procedure '${name}'.`);

function count(rows: number, session: Session): Outcome {
  session.rowCount = rows;
  return { kind: "count", count: rows };
}

/** The first row is made before the locks are gone: from then on the query reads what it has seen. */
function select(query: CompiledQuery, session: Session, kept: Kept): Outcome {
  const iterator = query.run([])[Symbol.iterator]();
  const first = iterator.next();
  const finished = session.database.options.openSelectsLock ? kept.takeOver() : kept.release;
  if (finished === kept.release) finished();
  const rows = function* (): Iterable<Values> {
    session.rowCount = 0;
    for (let next = first; next.done !== true; next = iterator.next()) {
      session.rowCount += 1;
      yield next.value;
    }
  };
  return { kind: "rows", result: { columns: query.columns, rows: rows() }, finished };
}

function selectInto(query: CompiledQuery, into: TableName, keepsIdentity: boolean, session: Session): number {
  const rows = [...query.run([])];
  const table = createLike(into, query.columns, keepsIdentity, session);
  const changes = rows.map((after): Change => ({ table, row: { values: [] }, before: undefined, after: [...after] }));
  apply(table, changes, "INSERT", session);
  return rows.length;
}

function setOption(option: string, value: string, session: Session): void {
  if (option === "IDENTITY_INSERT")
    session.identityInsert = (value.includes(".") ? value : `dbo.${value}`).toLowerCase();
  else if (option === "NO_IDENTITY_INSERT") session.identityInsert = undefined;
  else session.settings.set(option, value);
}

function* transact(what: "begin" | "commit" | "rollback" | "save", name: string, session: Session): Iterable<Outcome> {
  const { database } = session;
  const { transaction } = session;
  if (what === "begin") {
    const { descriptor, count: depth } = database.begin(session);
    if (depth === 1) yield { kind: "transaction", what, descriptor };
  } else if (what === "commit") {
    if (database.commit(session)) yield { kind: "transaction", what, descriptor: transaction?.descriptor ?? 0n };
  } else if (transaction === undefined) {
    throw new SQLError(
      3903,
      `The ${what === "save" ? "SAVE" : "ROLLBACK"} TRANSACTION request has no corresponding BEGIN TRANSACTION.`,
    );
  } else if (what === "save") {
    transaction.savepoints.set(name.toLowerCase(), transaction.log.length);
  } else if (name !== "" && transaction.savepoints.has(name.toLowerCase())) {
    database.rollBack(session, name);
  } else {
    database.rollBack(session);
    yield { kind: "transaction", what: "rollback", descriptor: transaction.descriptor };
  }
}
