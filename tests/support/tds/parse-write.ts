import type { Cursor } from "./cursor.ts";
import { parseExpression } from "./parse-expression.ts";
import { given, parseFrom, parseHints, parseItems, parseQuery, parseSource } from "./parse-query.ts";
import { SQLError } from "./sql-error.ts";
import type { Assignment, Item, MergeAction, MergeBranch, Write } from "./syntax.ts";

export function parseWrite(cursor: Cursor): Write {
  if (cursor.take("INSERT")) return parseInsert(cursor);
  if (cursor.take("MERGE")) return parseMerge(cursor);
  const kind = cursor.take("UPDATE") ? "update" : "delete";
  if (kind === "delete") {
    cursor.expect("DELETE");
    cursor.take("FROM");
  }
  const { line } = cursor.peek();
  const path = cursor.path();
  const target = path.at(-1) ?? "";
  const hints = parseHints(cursor);
  const set = kind === "update" ? (cursor.expect("SET"), parseAssignments(cursor)) : [];
  const output = parseOutput(cursor);
  const { length } = cursor.reads;
  const from = cursor.take("FROM") ? parseFrom(cursor) : [];
  const named = from.some((source) => source.alias.toLowerCase() === target.toLowerCase());
  if (!named) {
    cursor.reads.splice(length, 0, { table: { path, line }, hints });
    from.unshift({ kind: "table", table: { path, line }, hints, alias: target, join: { type: "inner" } });
  }
  const where = cursor.take("WHERE") ? parseExpression(cursor) : undefined;
  const rest = { target, from, output, ...given("where", where) };
  return kind === "update" ? { kind, set, ...rest } : { kind, ...rest };
}

function parseOutput(cursor: Cursor): Item[] {
  return cursor.take("OUTPUT") ? parseItems(cursor) : [];
}

function parseAssignments(cursor: Cursor): Assignment[] {
  return cursor.list(() => {
    const column = cursor.path().at(-1) ?? "";
    cursor.expect("=");
    return { column, value: cursor.take("DEFAULT") ? undefined : parseExpression(cursor) };
  });
}

function parseInsert(cursor: Cursor): Write {
  cursor.take("INTO");
  const target = cursor.table();
  parseHints(cursor);
  const columns = cursor.is("(") ? cursor.names() : [];
  const output = parseOutput(cursor);
  if (cursor.take("VALUES")) {
    const rows = cursor.list(() => {
      cursor.expect("(");
      const row = cursor.list(() => (cursor.take("DEFAULT") ? undefined : parseExpression(cursor)));
      cursor.expect(")");
      return row;
    });
    return { kind: "insert", target, columns, query: undefined, rows, output };
  }
  return { kind: "insert", target, columns, query: parseQuery(cursor), rows: [], output };
}

function parseMerge(cursor: Cursor): Write {
  const { line } = cursor.peek();
  cursor.take("INTO");
  const target = parseSource(cursor, { type: "inner" });
  cursor.expect("USING");
  const source = parseSource(cursor, { type: "inner" });
  cursor.expect("ON");
  const on = parseExpression(cursor);
  const branches: MergeBranch[] = [];
  while (cursor.take("WHEN")) branches.push(parseBranch(cursor));
  if (branches.length === 0) throw cursor.refuse();
  const output = parseOutput(cursor);
  if (!cursor.is(";")) {
    throw new SQLError(10_713, "A MERGE statement must be terminated by a semi-colon (;).", { line });
  }
  return { kind: "merge", target: { ...target, join: { type: "inner", on } }, source, branches, output };
}

function parseBranch(cursor: Cursor): MergeBranch {
  const not = cursor.take("NOT");
  cursor.expect("MATCHED");
  const bySource = not && cursor.take("BY", "SOURCE");
  if (not && !bySource && cursor.take("BY")) cursor.expect("TARGET");
  const and = cursor.take("AND") ? parseExpression(cursor) : undefined;
  cursor.expect("THEN");
  const when = not ? (bySource ? "not matched by source" : "not matched") : "matched";
  return { when, action: parseMergeAction(cursor), ...given("and", and) };
}

function parseMergeAction(cursor: Cursor): MergeAction {
  if (cursor.take("DELETE")) return { kind: "delete" };
  if (cursor.take("UPDATE", "SET")) return { kind: "update", set: parseAssignments(cursor) };
  cursor.expect("INSERT");
  const columns = cursor.is("(") ? cursor.names() : [];
  cursor.expect("VALUES", "(");
  const values = cursor.list(() => (cursor.take("DEFAULT") ? undefined : parseExpression(cursor)));
  cursor.expect(")");
  return { kind: "insert", columns, values };
}
