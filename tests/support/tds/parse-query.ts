import type { Cursor } from "./cursor.ts";
import { parseExpression, parseOrder, parseType } from "./parse-expression.ts";
import type { Expression, Item, Join, JSONColumn, Query, TableSource } from "./syntax.ts";

/** A SELECT with all that may stand around it: WITH, UNION, ORDER BY, OFFSET. */
export function parseQuery(cursor: Cursor): Query {
  const common = parseCommon(cursor);
  const first = parseSelect(cursor);
  const combined: [Query["combined"][number][0], Query][] = [];
  for (;;) {
    if (cursor.take("UNION", "ALL")) combined.push(["union all", parseSelect(cursor)]);
    else if (cursor.take("UNION")) combined.push(["union", parseSelect(cursor)]);
    else if (cursor.take("INTERSECT")) combined.push(["intersect", parseSelect(cursor)]);
    else if (cursor.take("EXCEPT")) combined.push(["except", parseSelect(cursor)]);
    else break;
  }
  const order = cursor.take("ORDER", "BY") ? cursor.list(() => parseOrder(cursor)) : [];
  const offset = order.length > 0 && cursor.take("OFFSET") ? parseExpression(cursor) : undefined;
  if (offset !== undefined && !cursor.take("ROWS")) cursor.expect("ROW");
  const fetch = offset === undefined ? undefined : parseFetch(cursor);
  if (cursor.take("OPTION", "(")) {
    while (!cursor.take(")")) if (cursor.next().kind === "end") throw cursor.refuse();
  }
  return { ...first, common, combined, order, ...given("offset", offset), ...given("fetch", fetch) };
}

function parseFetch(cursor: Cursor): Expression | undefined {
  if (!cursor.take("FETCH")) return undefined;
  if (!cursor.take("NEXT")) cursor.expect("FIRST");
  const count = parseExpression(cursor);
  if (!cursor.take("ROWS")) cursor.expect("ROW");
  cursor.expect("ONLY");
  return count;
}

export function parseCommon(cursor: Cursor): Query["common"] {
  const common = new Map<string, { query: Query; names: readonly string[] }>();
  if (!cursor.take("WITH")) return common;
  do {
    const name = cursor.name();
    const names = cursor.is("(") ? cursor.names() : [];
    cursor.expect("AS", "(");
    common.set(name.toLowerCase(), { query: parseQuery(cursor), names });
    cursor.expect(")");
  } while (cursor.take(","));
  return common;
}

function parseSelect(cursor: Cursor): Query {
  if (cursor.take("(")) {
    const query = parseQuery(cursor);
    cursor.expect(")");
    return query;
  }
  cursor.expect("SELECT");
  const distinct = cursor.take("DISTINCT");
  if (!distinct) cursor.take("ALL");
  const top = cursor.take("TOP") ? parseTop(cursor) : undefined;
  const items = parseItems(cursor);
  const into = cursor.take("INTO") ? cursor.table() : undefined;
  const from = cursor.take("FROM") ? parseFrom(cursor) : [];
  const where = cursor.take("WHERE") ? parseExpression(cursor) : undefined;
  const group = cursor.take("GROUP", "BY") ? cursor.list(() => parseExpression(cursor)) : [];
  const having = cursor.take("HAVING") ? parseExpression(cursor) : undefined;
  const optional = {
    ...given("top", top),
    ...given("into", into),
    ...given("where", where),
    ...given("having", having),
  };
  return { common: new Map(), distinct, items, from, group, combined: [], order: [], ...optional };
}

/** Nothing where the value is undefined: exactOptionalPropertyTypes wants it left out. */
export function given<Key extends string, Part>(key: Key, value: Part | undefined): Partial<Record<Key, Part>> {
  // The object has that one key with that value, or none: what the type says.
  return (value === undefined ? {} : { [key]: value }) as Partial<Record<Key, Part>>;
}

function parseTop(cursor: Cursor): Expression {
  if (cursor.take("(")) {
    const count = parseExpression(cursor);
    cursor.expect(")");
    return count;
  }
  const token = cursor.next();
  if (token.kind !== "number") throw cursor.refuse();
  return { kind: "literal", type: { name: "int" }, value: Number(token.text) };
}

export function parseItems(cursor: Cursor): Item[] {
  return cursor.list(() => parseItem(cursor));
}

function parseItem(cursor: Cursor): Item {
  if (cursor.take("*")) return { kind: "star" };
  if (cursor.is(".", 1) && cursor.is("*", 2)) {
    const of = cursor.name();
    cursor.at += 2;
    return { kind: "star", of };
  }
  const first = cursor.peek();
  if ((first.kind === "name" || first.kind === "word") && cursor.is("=", 1)) {
    const name = cursor.name();
    cursor.next();
    return { kind: "value", value: parseExpression(cursor), name };
  }
  const value = parseExpression(cursor);
  const token = cursor.peek();
  if (cursor.take("AS")) {
    const alias = cursor.peek().kind === "string" ? cursor.next().text : cursor.name();
    return { kind: "value", value, name: alias };
  }
  if (token.kind === "name" || (token.kind === "word" && isFree(cursor)))
    return { kind: "value", value, name: cursor.name() };
  return { kind: "value", value };
}

/** True if the next word can be an alias. */
function isFree(cursor: Cursor): boolean {
  const { at } = cursor;
  try {
    cursor.name();
    return true;
  } catch {
    return false;
  } finally {
    cursor.at = at;
  }
}

export function parseFrom(cursor: Cursor): TableSource[] {
  const sources = [parseSource(cursor, { type: "inner" })];
  for (;;) {
    if (cursor.take(",") || cursor.take("CROSS", "JOIN") || cursor.take("CROSS", "APPLY"))
      sources.push(parseSource(cursor, { type: "inner" }));
    else if (cursor.take("INNER", "JOIN") || cursor.take("JOIN")) sources.push(parseJoined(cursor, "inner"));
    else if (cursor.take("LEFT", "OUTER", "JOIN") || cursor.take("LEFT", "JOIN"))
      sources.push(parseJoined(cursor, "left"));
    else return sources;
  }
}

function parseJoined(cursor: Cursor, type: Join["type"]): TableSource {
  const source = parseSource(cursor, { type });
  cursor.expect("ON");
  return { ...source, join: { type, on: parseExpression(cursor) } };
}

export function parseSource(cursor: Cursor, join: Join): TableSource {
  if (cursor.take("(")) {
    if (cursor.take("VALUES")) {
      const rows = cursor.list(() => {
        cursor.expect("(");
        const row = cursor.list(() => parseExpression(cursor));
        cursor.expect(")");
        return row;
      });
      cursor.expect(")");
      return { kind: "values", rows, join, ...parseAliasAndNames(cursor) };
    }
    const query = parseQuery(cursor);
    cursor.expect(")");
    return { kind: "derived", query, join, ...parseAliasAndNames(cursor) };
  }
  const table = cursor.table();
  const last = table.path.at(-1) ?? "";
  if (cursor.take("(")) {
    const passed = cursor.is(")") ? [] : cursor.list(() => parseExpression(cursor));
    cursor.expect(")");
    const columns = cursor.take("WITH") ? { columns: parseJSONColumns(cursor) } : {};
    const alias = parseAlias(cursor) ?? last;
    return { kind: "function", name: table.path.join(".").toLowerCase(), arguments: passed, alias, join, ...columns };
  }
  const before = parseHints(cursor);
  const alias = parseAlias(cursor) ?? last;
  const hints = [...before, ...parseHints(cursor)];
  cursor.reads.push({ table, hints });
  return { kind: "table", table, hints, alias, join };
}

function parseJSONColumns(cursor: Cursor): JSONColumn[] {
  cursor.expect("(");
  const columns = cursor.list(() => {
    const name = cursor.name();
    const type = parseType(cursor);
    const path = cursor.peek().kind === "string" ? cursor.next().text : `$.${name}`;
    return { name, type, path };
  });
  cursor.expect(")");
  return columns;
}

function parseAliasAndNames(cursor: Cursor): { alias: string; names: string[] } {
  cursor.take("AS");
  const alias = cursor.name();
  return { alias, names: cursor.is("(") ? cursor.names() : [] };
}

function parseAlias(cursor: Cursor): string | undefined {
  if (cursor.take("AS")) return cursor.name();
  const { kind } = cursor.peek();
  return kind === "name" || (kind === "word" && isFree(cursor)) ? cursor.name() : undefined;
}

export function parseHints(cursor: Cursor): string[] {
  if (!(cursor.is("WITH") && cursor.is("(", 1))) return [];
  cursor.at += 2;
  const hints = cursor.list(() => cursor.next().text.toUpperCase());
  cursor.expect(")");
  return hints;
}
