import type { Cursor } from "./cursor.ts";
import { parseExpression, parseType } from "./parse-expression.ts";
import { given } from "./parse-query.ts";
import type { Action, ColumnDefinition, Constraint } from "./syntax.ts";

/** CREATE TABLE, CREATE INDEX (which means something here only if it is UNIQUE), CREATE SCHEMA (any name is a schema here). */
export function parseCreate(cursor: Cursor): Action {
  if (cursor.take("SCHEMA")) {
    cursor.name();
    return { kind: "nothing" };
  }
  if (cursor.take("TABLE")) {
    const table = cursor.table();
    const { columns, constraints } = parseColumns(cursor);
    return { kind: "create table", table, columns, constraints };
  }
  const unique = cursor.take("UNIQUE");
  if (!cursor.take("CLUSTERED")) cursor.take("NONCLUSTERED");
  cursor.expect("INDEX");
  const name = cursor.name();
  cursor.expect("ON");
  const table = cursor.table();
  const columns = parseKeyColumns(cursor);
  if (cursor.take("INCLUDE")) cursor.names();
  const ignoresDuplicates = parseIndexOptions(cursor);
  const constraint: Constraint = { kind: "unique", name, primary: false, index: true, columns, ignoresDuplicates };
  return { kind: "create index", table, constraint: unique ? constraint : undefined };
}

export function parseColumns(cursor: Cursor): { columns: ColumnDefinition[]; constraints: Constraint[] } {
  const columns: ColumnDefinition[] = [];
  const constraints: Constraint[] = [];
  cursor.expect("(");
  do {
    if (cursor.is(")")) break; // a comma before the bracket is allowed
    const constraint = parseConstraint(cursor, undefined);
    if (constraint === undefined) columns.push(parseColumn(cursor, constraints));
    else constraints.push(constraint);
  } while (cursor.take(","));
  cursor.expect(")");
  return { columns, constraints };
}

function parseColumn(cursor: Cursor, constraints: Constraint[]): ColumnDefinition {
  const name = cursor.name();
  if (cursor.take("AS")) {
    const computed = parseExpression(cursor);
    cursor.take("PERSISTED");
    return { name, type: { name: "int" }, computed };
  }
  const type = parseType(cursor);
  let collation: string | undefined;
  const rest: { -readonly [Key in keyof ColumnDefinition]?: ColumnDefinition[Key] } = {};
  for (;;) {
    if (cursor.take("COLLATE")) collation = cursor.name();
    else if (cursor.take("NOT", "NULL")) rest.nullable = false;
    else if (cursor.take("NULL")) rest.nullable = true;
    else if (cursor.take("IDENTITY")) rest.identity = parseIdentity(cursor);
    else if (cursor.take("DEFAULT")) rest.defaultValue = parseExpression(cursor);
    else if (cursor.is("CONSTRAINT") && cursor.is("DEFAULT", 2)) cursor.at += 2;
    else {
      const constraint = parseConstraint(cursor, name);
      if (constraint === undefined) break;
      if (constraint.kind === "unique" && constraint.primary) rest.nullable = false;
      constraints.push(constraint);
    }
  }
  return { name, type: { ...type, ...given("collation", collation) }, ...rest };
}

function parseIdentity(cursor: Cursor): [number, number] {
  if (!cursor.take("(")) return [1, 1];
  const seed = Number(cursor.next().text);
  cursor.expect(",");
  const step = Number(cursor.next().text);
  cursor.expect(")");
  return [seed, step];
}

/** A constraint of the table, or of the column of that name; undefined where none comes next. */
function parseConstraint(cursor: Cursor, column: string | undefined): Constraint | undefined {
  const name = cursor.take("CONSTRAINT") ? cursor.name() : undefined;
  const primary = cursor.take("PRIMARY", "KEY");
  if (primary || cursor.take("UNIQUE")) {
    if (!cursor.take("CLUSTERED")) cursor.take("NONCLUSTERED");
    const columns = cursor.is("(") || column === undefined ? parseKeyColumns(cursor) : [column];
    const ignoresDuplicates = parseIndexOptions(cursor);
    return { kind: "unique", primary, index: false, columns, ignoresDuplicates, ...given("name", name) };
  }
  if (cursor.take("CHECK", "(")) {
    const check = parseExpression(cursor);
    cursor.expect(")");
    return { kind: "check", check, ...given("name", name) };
  }
  if (name !== undefined) throw cursor.refuse();
  return undefined;
}

function parseKeyColumns(cursor: Cursor): string[] {
  cursor.expect("(");
  const columns = cursor.list(() => {
    const column = cursor.name();
    if (!cursor.take("DESC")) cursor.take("ASC");
    return column;
  });
  cursor.expect(")");
  return columns;
}

/** True if IGNORE_DUP_KEY is on. */
function parseIndexOptions(cursor: Cursor): boolean {
  let ignores = false;
  if (!cursor.take("WITH", "(")) return ignores;
  cursor.list(() => {
    const option = cursor.next().text.toUpperCase();
    cursor.expect("=");
    const value = cursor.next().text.toUpperCase();
    if (option === "IGNORE_DUP_KEY" && value === "ON") ignores = true;
  });
  cursor.expect(")");
  return ignores;
}
