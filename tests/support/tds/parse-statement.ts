import { Cursor } from "./cursor.ts";
import { tokenize } from "./lexer.ts";
import { parseExpression, parseType } from "./parse-expression.ts";
import { parseCommon, parseQuery } from "./parse-query.ts";
import { parseColumns, parseCreate } from "./parse-table.ts";
import { parseWrite } from "./parse-write.ts";
import { withCollation } from "./sql-type.ts";
import type { Action, Expression, ResultSetColumn, Statement } from "./syntax.ts";

/** All statements of a batch. One that is not understood refuses the whole batch, with error 102. */
export function parseBatch(sql: string, quotedIdentifier = true): Statement[] {
  const cursor = new Cursor(tokenize(sql, quotedIdentifier), parseQuery);
  const statements: Statement[] = [];
  while (cursor.take(";"));
  while (cursor.peek().kind !== "end") {
    statements.push(parseStatement(cursor, sql));
    while (cursor.take(";"));
  }
  return statements;
}

function parseStatement(cursor: Cursor, sql: string): Statement {
  const first = cursor.peek();
  cursor.reads = [];
  const action = parseAction(cursor, sql);
  const last = cursor.tokens[cursor.at - 1] ?? first;
  return { action, text: sql.slice(first.start, last.end), line: first.line, reads: cursor.reads };
}

function parseAction(cursor: Cursor, sql: string): Action {
  if (cursor.is("SELECT") || cursor.is("WITH") || cursor.is("(")) return parseSelectOrCommon(cursor);
  if (cursor.is("INSERT") && cursor.is("BULK", 1)) return parseBulk(cursor);
  if (cursor.is("INSERT") || cursor.is("UPDATE") || cursor.is("DELETE") || cursor.is("MERGE"))
    return parseWrite(cursor);
  if (cursor.take("CREATE", "OR", "ALTER", "VIEW") || cursor.take("CREATE", "VIEW")) {
    const view = cursor.table();
    cursor.expect("AS");
    return { kind: "create view", view, query: parseQuery(cursor) };
  }
  if (cursor.take("CREATE")) return parseCreate(cursor);
  if (cursor.take("DROP", "TABLE")) {
    const ifExists = cursor.take("IF", "EXISTS");
    return { kind: "drop table", tables: cursor.list(() => cursor.table()), ifExists };
  }
  if (cursor.take("DROP", "VIEW")) return { kind: "drop view", view: cursor.table() };
  if (cursor.take("DROP", "SCHEMA")) return { kind: "drop schema", name: cursor.name() };
  if (cursor.take("TRUNCATE", "TABLE")) return { kind: "truncate", table: cursor.table() };
  if (cursor.take("SET")) return parseSet(cursor);
  if (cursor.take("DECLARE")) return parseDeclare(cursor);
  if (cursor.take("BEGIN", "TRANSACTION") || cursor.take("BEGIN", "TRAN")) return transaction(cursor, "begin");
  if (cursor.take("SAVE", "TRANSACTION") || cursor.take("SAVE", "TRAN")) return transaction(cursor, "save");
  if (cursor.take("COMMIT")) return transaction(cursor, "commit");
  if (cursor.take("ROLLBACK")) return transaction(cursor, "rollback");
  if (cursor.take("USE")) {
    cursor.name();
    return { kind: "nothing" };
  }
  if (cursor.take("PRINT")) {
    parseExpression(cursor);
    return { kind: "nothing" };
  }
  if (cursor.take("THROW")) {
    const number = Number(cursor.next().text);
    cursor.expect(",");
    const message = cursor.next().text;
    cursor.expect(",");
    cursor.next();
    return { kind: "throw", number, message };
  }
  if (cursor.take("IF")) return parseIf(cursor, sql);
  if (cursor.take("EXEC") || cursor.take("EXECUTE")) return parseExecute(cursor);
  throw cursor.refuse();
}

function parseSelectOrCommon(cursor: Cursor): Action {
  const { at } = cursor;
  parseCommon(cursor);
  const write = cursor.is("INSERT") || cursor.is("UPDATE") || cursor.is("DELETE") || cursor.is("MERGE");
  if (write) throw cursor.refuse(); // a CTE before a write is not needed here
  cursor.at = at;
  cursor.reads = [];
  return { kind: "select", query: parseQuery(cursor) };
}

function parseBulk(cursor: Cursor): Action {
  cursor.expect("INSERT", "BULK");
  const target = cursor.table();
  const { columns } = parseColumns(cursor);
  const options: string[] = [];
  if (cursor.take("WITH", "(")) {
    options.push(
      ...cursor.list(() => {
        const option = cursor.next().text.toUpperCase();
        if (cursor.take("(")) while (!cursor.take(")")) if (cursor.next().kind === "end") throw cursor.refuse();
        return option;
      }),
    );
    cursor.expect(")");
  }
  return { kind: "insert bulk", target, columns, options };
}

function parseSet(cursor: Cursor): Action {
  const token = cursor.peek();
  if (token.kind === "variable") {
    cursor.next();
    cursor.expect("=");
    return { kind: "assign", name: token.text, value: parseExpression(cursor) };
  }
  if (cursor.take("TRANSACTION", "ISOLATION", "LEVEL")) {
    const words = [cursor.next().text];
    if (cursor.is("COMMITTED") || cursor.is("UNCOMMITTED")) words.push(cursor.next().text);
    else if (words[0]?.toUpperCase() === "REPEATABLE") words.push(cursor.next().text);
    return { kind: "set", option: "ISOLATION", value: words.join(" ").toUpperCase() };
  }
  if (cursor.take("IDENTITY_INSERT")) {
    const table = cursor.path().join(".");
    return { kind: "set", option: cursor.take("ON") ? "IDENTITY_INSERT" : "NO_IDENTITY_INSERT", value: table };
  }
  const option = cursor.next().text.toUpperCase();
  if (!knownOptions.has(option)) {
    cursor.at -= 1;
    throw cursor.refuse();
  }
  const negative = cursor.take("-") ? "-" : "";
  return { kind: "set", option, value: negative + cursor.next().text.toUpperCase() };
}

const knownOptions: ReadonlySet<string> = new Set(
  `XACT_ABORT NOCOUNT LOCK_TIMEOUT QUOTED_IDENTIFIER ANSI_NULLS ANSI_NULL_DFLT_ON ANSI_PADDING ANSI_WARNINGS ARITHABORT CONCAT_NULL_YIELDS_NULL
  CURSOR_CLOSE_ON_COMMIT DATEFIRST DATEFORMAT IMPLICIT_TRANSACTIONS LANGUAGE NUMERIC_ROUNDABORT TEXTSIZE DEADLOCK_PRIORITY ROWCOUNT`.split(
    /\s+/u,
  ),
);

function parseDeclare(cursor: Cursor): Action {
  const token = cursor.next();
  if (token.kind !== "variable") throw cursor.refuse();
  cursor.take("AS");
  const type = parseType(cursor);
  const value: Expression | undefined = cursor.take("=") ? parseExpression(cursor) : undefined;
  if (cursor.is(",")) throw cursor.refuse();
  return { kind: "declare", name: token.text, type, value };
}

function transaction(cursor: Cursor, what: "begin" | "commit" | "rollback" | "save"): Action {
  if (what === "commit" || what === "rollback") {
    if (!cursor.take("TRANSACTION") && !cursor.take("TRAN")) cursor.take("WORK");
  }
  const { kind } = cursor.peek();
  const named = what === "save" || kind === "name" || (kind === "word" && !cursor.is("SET") && isName(cursor));
  return { kind: "transaction", what, name: named ? cursor.name() : "" };
}

/** A name after BEGIN TRAN, unless it starts the next statement. */
function isName(cursor: Cursor): boolean {
  return cursor.peek(1).kind === "end" || cursor.is(";", 1);
}

function parseIf(cursor: Cursor, sql: string): Action {
  const condition = parseExpression(cursor);
  const whenTrue = parseBlock(cursor, sql);
  while (cursor.is(";") && cursor.is("ELSE", 1)) cursor.next();
  const otherwise = cursor.take("ELSE") ? parseBlock(cursor, sql) : [];
  return { kind: "if", condition, whenTrue, otherwise };
}

function parseBlock(cursor: Cursor, sql: string): Statement[] {
  if (!cursor.take("BEGIN")) return [parseStatement(cursor, sql)];
  const statements: Statement[] = [];
  while (!cursor.take("END")) {
    if (!cursor.take(";")) statements.push(parseStatement(cursor, sql));
  }
  return statements;
}

function parseExecute(cursor: Cursor): Action {
  if (cursor.take("(")) {
    const text = parseExpression(cursor);
    cursor.expect(")");
    return { kind: "execute", procedure: "sp_executesql", arguments: [["", text]], resultSets: undefined };
  }
  const procedure = cursor.path().at(-1) ?? "";
  const passed: [string, Expression][] = [];
  if (cursor.peek().kind !== "end" && !cursor.is(";")) {
    passed.push(
      ...cursor.list((): [string, Expression] => {
        const named = cursor.peek().kind === "variable" && cursor.is("=", 1);
        const name = named ? cursor.next().text : "";
        if (named) cursor.next();
        return [name, parseExpression(cursor)];
      }),
    );
  }
  return { kind: "execute", procedure, arguments: passed, resultSets: parseResultSets(cursor) };
}

function parseResultSets(cursor: Cursor): readonly (readonly ResultSetColumn[])[] | undefined {
  if (!cursor.take("WITH", "RESULT", "SETS")) return undefined;
  cursor.expect("(");
  const sets = cursor.list(() => {
    cursor.expect("(");
    const columns = cursor.list(() => {
      const name = cursor.name();
      const type = parseType(cursor);
      const collated = cursor.take("COLLATE") ? withCollation(type, cursor.next().text) : type;
      if (!cursor.take("NOT", "NULL")) cursor.take("NULL");
      return { name, type: collated };
    });
    cursor.expect(")");
    return columns;
  });
  cursor.expect(")");
  return sets;
}
