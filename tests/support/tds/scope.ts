import type { SQLType, Value } from "./sql-type.ts";
import type { Query } from "./syntax.ts";
import type { Column, Table, Values } from "./table.ts";
import type { ResultColumn, ResultSet } from "./tokens.ts";

/** One row of every source that is in scope, the outer query's first. */
export type Env = readonly Values[];

export interface Source {
  readonly alias: string;
  readonly columns: readonly (ResultColumn | Column)[];
  readonly table?: Table;
}

/** The names that an expression can use. */
export interface Scope {
  readonly sources: readonly Source[];
  readonly outer?: Scope;
  /** The rows of the group that is being looked at, where there is one. */
  readonly group: { rows: readonly Env[] | undefined; used: boolean };
  /** Each is run over all rows, before the first is projected. */
  readonly windows: ((rows: readonly Env[]) => void)[];
}

export interface Compiled extends ResultColumn {
  readonly evaluate: (env: Env) => Value;
  /** A COLLATE stands here: it wins over the columns'. */
  readonly explicit?: boolean;
  /** A literal or a variable: the collation of the other side holds. */
  readonly constant?: boolean;
}

export type Predicate = (env: Env) => boolean | null;

/** A query that can be run for each row of the outer one. */
export interface CompiledQuery {
  readonly columns: readonly ResultColumn[];
  readonly run: (env: Env) => Iterable<Values>;
}

/** What expressions need of the session. */
export interface CompileContext {
  readonly collation: string;
  readonly variables: ReadonlyMap<string, { readonly type: SQLType; readonly value: Value }>;
  readonly compileQuery: (query: Query, outer: Scope | undefined) => CompiledQuery;
  /** Functions and @@ variables that ask the server or the session; undefined where there is none of the name. */
  readonly systemFunction: (name: string, given: readonly Compiled[]) => Compiled | undefined;
}

export const noScope: Scope = { sources: [], group: { rows: undefined, used: false }, windows: [] };

export function start(scope: Scope): number {
  return scope.outer === undefined ? 0 : start(scope.outer) + scope.outer.sources.length;
}

/** What queries need of the session. */
export interface QueryContext extends Omit<CompileContext, "compileQuery"> {
  /** The table of that name, or error 208. */
  readonly findTable: (path: readonly string[]) => Table;
  /** The query of the view of that name, if there is one. */
  readonly findView: (path: readonly string[]) => Query | undefined;
  /** The rows as this statement may see them. */
  readonly rowsOf: (table: Table) => Iterable<Values>;
  /** True where `rowsOf` is what the table's indexes hold. */
  readonly seesIndexes: (table: Table) => boolean;
  /** Table-valued functions. */
  readonly tableFunction: (name: string, given: readonly Value[]) => ResultSet | undefined;
}
