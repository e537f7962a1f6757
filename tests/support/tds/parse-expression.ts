import { parseDecimal } from "./convert.ts";
import type { Cursor } from "./cursor.ts";
import type { Token } from "./lexer.ts";
import { syntaxError } from "./sql-error.ts";
import { type SQLType, typeOf } from "./sql-type.ts";
import type { Expression, Order } from "./syntax.ts";

export function parseExpression(cursor: Cursor): Expression {
  let left = parseAnd(cursor);
  while (cursor.take("OR")) left = { kind: "or", left, right: parseAnd(cursor) };
  return left;
}

function parseAnd(cursor: Cursor): Expression {
  let left = parseNot(cursor);
  while (cursor.take("AND")) left = { kind: "and", left, right: parseNot(cursor) };
  return left;
}

function parseNot(cursor: Cursor): Expression {
  return cursor.take("NOT") ? { kind: "not", value: parseNot(cursor) } : parsePredicate(cursor);
}

const comparisons = ["=", "<>", "!=", "<=", ">=", "<", ">"];

function parsePredicate(cursor: Cursor): Expression {
  if (cursor.take("EXISTS", "(")) {
    const query = cursor.parseQuery(cursor);
    cursor.expect(")");
    return { kind: "exists", query };
  }
  const left = parseSum(cursor);
  const operator = comparisons.find((candidate) => cursor.is(candidate));
  if (operator !== undefined) {
    cursor.next();
    return { kind: "compare", operator: operator === "!=" ? "<>" : operator, left, right: parseSum(cursor) };
  }
  if (cursor.take("IS")) {
    const not = cursor.take("NOT");
    cursor.expect("NULL");
    return negated(not, { kind: "isNull", value: left });
  }
  // NOT NULL may follow a DEFAULT: this NOT is ours only before one of these.
  const not = ["IN", "LIKE", "BETWEEN"].some((word) => cursor.is("NOT") && cursor.is(word, 1)) && cursor.take("NOT");
  if (cursor.take("IN", "(")) {
    const among = cursor.is("SELECT") ? cursor.parseQuery(cursor) : cursor.list(() => parseSum(cursor));
    cursor.expect(")");
    return negated(not, { kind: "in", value: left, among });
  }
  if (cursor.take("LIKE")) return negated(not, { kind: "like", value: left, pattern: parseSum(cursor) });
  if (cursor.take("BETWEEN")) {
    const low: Expression = { kind: "compare", operator: ">=", left, right: parseSum(cursor) };
    cursor.expect("AND");
    return negated(not, {
      kind: "and",
      left: low,
      right: { kind: "compare", operator: "<=", left, right: parseSum(cursor) },
    });
  }
  return left;
}

const negated = (not: boolean, value: Expression): Expression => (not ? { kind: "not", value } : value);

function parseSum(cursor: Cursor): Expression {
  return parseOperators(cursor, ["+", "-"], () => parseOperators(cursor, ["*", "/", "%"], () => parseCollated(cursor)));
}

function parseOperators(cursor: Cursor, operators: readonly string[], operand: () => Expression): Expression {
  let left = operand();
  for (;;) {
    const operator = operators.find((candidate) => cursor.is(candidate));
    if (operator === undefined) return left;
    cursor.next();
    left = { kind: "arithmetic", operator, left, right: operand() };
  }
}

function parseCollated(cursor: Cursor): Expression {
  let value = parsePrimary(cursor);
  while (cursor.take("COLLATE")) value = { kind: "collate", value, collation: cursor.name() };
  return value;
}

function parsePrimary(cursor: Cursor): Expression {
  const token = cursor.peek();
  if (token.kind === "string")
    return literal(
      cursor,
      { name: token.unicode ? "nvarchar" : "varchar", length: Math.max(1, token.text.length) },
      token.text,
    );
  if (token.kind === "number") return number(cursor, token);
  if (token.kind === "binary") {
    const bytes = Buffer.from(token.text.slice(2), "hex");
    return literal(cursor, { name: "varbinary", length: Math.max(1, bytes.length) }, bytes);
  }
  if (token.kind === "variable") return { kind: "variable", name: cursor.next().text };
  if (cursor.take("NULL")) return { kind: "literal", type: { name: "int" }, value: null };
  if (cursor.take("-")) {
    const zero: Expression = { kind: "literal", type: { name: "int" }, value: 0 };
    return { kind: "arithmetic", operator: "-", left: zero, right: parseCollated(cursor) };
  }
  if (cursor.take("(")) {
    const inner: Expression = cursor.is("SELECT")
      ? { kind: "subquery", query: cursor.parseQuery(cursor) }
      : parseExpression(cursor);
    cursor.expect(")");
    return inner;
  }
  if (cursor.take("CASE")) return parseCase(cursor);
  if (token.kind === "word" && token.text.toUpperCase() === "$ACTION") return cursor.next() && { kind: "action" };
  if (token.kind === "word" && cursor.is("(", 1)) return parseCall(cursor);
  return { kind: "column", path: cursor.path() };
}

function literal(cursor: Cursor, type: SQLType, value: string | Buffer): Expression {
  cursor.next();
  return { kind: "literal", type, value };
}

function number(cursor: Cursor, token: Token): Expression {
  cursor.next();
  const { text } = token;
  if (/e/iu.test(text)) return { kind: "literal", type: { name: "float" }, value: Number(text) };
  const decimal = parseDecimal(text);
  if (decimal === undefined) throw syntaxError(text, token.line);
  const int = decimal.scale === 0 && !text.includes(".") && decimal.unscaled < 2n ** 31n;
  if (int) return { kind: "literal", type: { name: "int" }, value: Number(text) };
  const precision = Math.max(decimal.unscaled.toString().length, decimal.scale);
  return { kind: "literal", type: { name: "numeric", precision, scale: decimal.scale }, value: text };
}

function parseCase(cursor: Cursor): Expression {
  const subject = cursor.is("WHEN") ? undefined : parseExpression(cursor);
  const branches: [Expression, Expression][] = [];
  while (cursor.take("WHEN")) {
    const value = parseExpression(cursor);
    const when: Expression =
      subject === undefined ? value : { kind: "compare", operator: "=", left: subject, right: value };
    cursor.expect("THEN");
    branches.push([when, parseExpression(cursor)]);
  }
  const otherwise = cursor.take("ELSE") ? parseExpression(cursor) : undefined;
  cursor.expect("END");
  return { kind: "case", branches, otherwise };
}

function parseCall(cursor: Cursor): Expression {
  const name = cursor.next().text.toUpperCase();
  cursor.expect("(");
  if (name === "CAST" || name === "TRY_CAST") {
    const value = parseExpression(cursor);
    cursor.expect("AS");
    const type = parseType(cursor);
    cursor.expect(")");
    return { kind: "cast", value, type, attempt: name === "TRY_CAST" };
  }
  if (name === "CONVERT" || name === "TRY_CONVERT") {
    const type = parseType(cursor);
    cursor.expect(",");
    const value = parseExpression(cursor);
    const style = cursor.take(",") ? parseExpression(cursor) : undefined; // all dates are written the ISO way
    cursor.expect(")");
    const styled = style?.kind === "literal" && typeof style.value === "number" ? { style: style.value } : {};
    return { kind: "cast", value, type, attempt: name === "TRY_CONVERT", ...styled };
  }
  const part = datePartFunctions.has(name) ? [datePart(cursor)] : [];
  const distinct = cursor.take("DISTINCT");
  const star = cursor.take("*");
  const given = star || cursor.is(")") ? [] : cursor.list(() => parseExpression(cursor));
  cursor.expect(")");
  const call = { kind: "call", name, arguments: [...part, ...given], star, distinct } as const;
  if (!cursor.take("OVER", "(")) return call;
  const partition = cursor.take("PARTITION", "BY") ? cursor.list(() => parseExpression(cursor)) : [];
  const order = cursor.take("ORDER", "BY") ? cursor.list(() => parseOrder(cursor)) : [];
  cursor.expect(")");
  return { ...call, over: { partition, order } };
}

const datePartFunctions: ReadonlySet<string> = new Set(["DATEDIFF_BIG", "DATEADD"]);

function datePart(cursor: Cursor): Expression {
  const part = cursor.name().toUpperCase();
  cursor.expect(",");
  return { kind: "literal", type: { name: "varchar", length: part.length }, value: part };
}

export function parseOrder(cursor: Cursor): Order {
  const value = parseExpression(cursor);
  const descending = cursor.take("DESC");
  if (!descending) cursor.take("ASC");
  return { value, descending };
}

export function parseType(cursor: Cursor): SQLType {
  const { line } = cursor.peek();
  const path = cursor.path();
  const given: number[] = [];
  if (cursor.take("(")) {
    given.push(...cursor.list(() => (cursor.take("MAX") ? -1 : Number(cursor.next().text))));
    cursor.expect(")");
  }
  return typeOf(path.at(-1) ?? "", given, line);
}
