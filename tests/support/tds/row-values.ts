import { compile } from "./compile.ts";
import { convert, fromJavaScript } from "./convert.ts";
import type { Session } from "./database.ts";
import type { CompileContext, Compiled, Env, Scope } from "./scope.ts";
import { SQLError } from "./sql-error.ts";
import type { SQLType, Value } from "./sql-type.ts";
import type { Assignment } from "./syntax.ts";
import type { Column, Table, Values } from "./table.ts";

/** A value for a column, with the type that it has now; undefined is DEFAULT. */
export type Given = { readonly value: Value; readonly type: SQLType } | undefined;

export const countError = (): SQLError =>
  new SQLError(213, "Column name or number of supplied values does not match table definition.");

/** The positions of the columns that values are given for. */
export function insertColumns(table: Table, names: readonly string[], session: Session): number[] {
  const plain = (column: Column) =>
    column.compute === undefined && column.type.name !== "timestamp" && column.identity !== true;
  if (names.length === 0)
    return [...table.columns.entries()].filter(([, column]) => plain(column)).map(([index]) => index);
  const seen = new Set<number>();
  return names.map((name) => {
    const index = table.columnIndex(name);
    const column = table.columns[index];
    if (column === undefined) throw new SQLError(207, `Invalid column name '${name}'.`);
    if (seen.has(index))
      throw new SQLError(
        264,
        `The column name '${name}' is specified more than once in the SET clause or column list of an INSERT.`,
      );
    seen.add(index);
    if (column.compute !== undefined) throw computedError(column.name);
    if (column.type.name === "timestamp")
      throw new SQLError(
        273,
        "Cannot insert an explicit value into a timestamp column. Use INSERT with a column list to exclude the timestamp column, or insert a DEFAULT into the timestamp column.",
      );
    if (column.identity === true && session.identityInsert !== table.qualifiedName.toLowerCase()) {
      throw new SQLError(
        544,
        `Cannot insert explicit value for identity column in table '${table.name}' when IDENTITY_INSERT is set to OFF.`,
      );
    }
    return index;
  });
}

const computedError = (name: string): SQLError =>
  new SQLError(
    271,
    `The column "${name}" cannot be modified because it is either a computed column or is the result of a UNION operator.`,
  );

/** A whole row: what is not given gets its default, its number or its version. */
export function insertValues(
  table: Table,
  columns: readonly number[],
  given: readonly Given[],
  session: Session,
): Values {
  const values: Value[] = table.columns.map((column, index) => {
    const position = columns.indexOf(index);
    const one = position === -1 ? undefined : given[position];
    if (one !== undefined) return store(table, column, one, session);
    if (column.identitySeed !== undefined) {
      const number = table.nextIdentity(column.identitySeed);
      session.scopeIdentity = String(number);
      return fromJavaScript(number, column.type);
    }
    return column.type.name === "timestamp" ? table.nextRowVersion() : (column.defaultValue?.() ?? null);
  });
  return computed(table, values);
}

function store(
  table: Table,
  column: Column,
  { value, type }: { value: Value; type: SQLType },
  session: Session,
): Value {
  const named = Number.parseInt(session.database.options.productVersion, 10) >= 15;
  return convert(value, type, column.type, table.tooLong(column, named));
}

function computed(table: Table, values: Value[]): Values {
  for (const [index, { compute }] of table.columns.entries())
    if (compute !== undefined) values[index] = compute(values);
  return values;
}

export interface CompiledAssignment {
  readonly index: number;
  readonly column: Column;
  readonly value: Compiled | undefined;
}

export function assignments(
  table: Table,
  set: readonly Assignment[],
  scope: Scope,
  expressions: CompileContext,
): CompiledAssignment[] {
  return set.map((assignment) => {
    const index = table.columnIndex(assignment.column);
    const column = table.columns[index];
    if (column === undefined) throw new SQLError(207, `Invalid column name '${assignment.column}'.`);
    if (column.compute !== undefined) throw computedError(column.name);
    if (column.type.name === "timestamp") throw new SQLError(272, "Cannot update a timestamp column.");
    if (column.identity === true) throw new SQLError(8102, `Cannot update identity column '${column.name}'.`);
    return {
      index,
      column,
      value: assignment.value === undefined ? undefined : compile(assignment.value, scope, expressions),
    };
  });
}

export function updated(
  table: Table,
  before: Values,
  set: readonly CompiledAssignment[],
  env: Env,
  session: Session,
): Values {
  const values = [...before];
  for (const { index, column, value } of set) {
    values[index] =
      value === undefined
        ? (column.defaultValue?.() ?? null)
        : store(table, column, { value: value.evaluate(env), type: value.type }, session);
  }
  for (const [index, { type }] of table.columns.entries())
    if (type.name === "timestamp") values[index] = table.nextRowVersion();
  return computed(table, values);
}
