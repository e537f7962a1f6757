import type { StatementParameter } from "../parameters.ts";
import type { ResultType } from "./read-types.ts";

/** The last key of a page on its way back to the server, in the key column's own type. */
export interface PagingKey {
  readonly declaration: string;
  readonly sentAs: string;
  /** Of a value as the source gives it, or of null. */
  readonly toValue: (key: unknown) => StatementParameter["value"];
  /** Why this key can't be sent back, without its content; undefined if it can. */
  readonly problem: (key: unknown) => string | undefined;
  /** True if the second key comes after the first in the server's order; undefined if only the server can tell. */
  readonly isAfter: (previous: unknown, next: unknown) => boolean | undefined;
}

/** Undefined for a type by which rows can't be paged. */
export function pagingKey(type: ResultType): PagingKey | undefined {
  const { name, declaration, length } = type;
  switch (name) {
    case "tinyint":
    case "smallint":
    case "int":
      return key(
        "int",
        (value) => value,
        (previous, next) => Number(next) > Number(previous),
      );
    case "bigint":
      return key(
        "bigint",
        (value) => value,
        (previous, next) => integer(next) > integer(previous),
      );
    case "decimal":
    case "numeric":
      return viaText(declaration, (previous, next) => integer(next) > integer(previous));
    case "date":
    case "datetime2":
      return viaText(declaration, (previous, next) => text(next) > text(previous));
    case "datetime":
    case "smalldatetime":
      return viaText(declaration, (previous, next) => text(next) > text(previous));
    case "uniqueidentifier":
      return key(
        declaration,
        (value) => value,
        (previous, next) => inServerOrder(next) > inServerOrder(previous),
      );
    case "binary":
    case "varbinary":
      return length > 0 ? bytes(declaration, length) : undefined;
    case "timestamp":
    case "rowversion":
      return bytes("binary(8)", 8);
    case "char":
    case "varchar":
      return length > 0 ? { ...collated(`varchar(${length})`), problem: codePageProblem } : undefined;
    case "nchar":
    case "nvarchar":
      return length > 0 ? collated(`nvarchar(${length})`) : undefined;
    default:
      return undefined;
  }
}

/** The types that a key column can have, for a message. */
export const pagingTypes =
  "a whole number, decimal, text or binary of limited length, date, datetime, datetime2 or uniqueidentifier";

type ToValue = (key: string | number | bigint | Date | Buffer) => StatementParameter["value"];
type IsAfter = PagingKey["isAfter"];

function key(declaration: string, convert: ToValue, isAfter: IsAfter, sentAs: string = declaration): PagingKey {
  return {
    declaration,
    sentAs,
    toValue: (value) => (isKey(value) ? convert(value) : null),
    problem: () => undefined,
    isAfter,
  };
}

function isKey(value: unknown): value is Parameters<ToValue>[0] {
  return ["string", "number", "bigint"].includes(typeof value) || value instanceof Date || Buffer.isBuffer(value);
}

/** Sent as text, which the server reads back to the last digit: the driver would round it. */
function viaText(declaration: string, isAfter: IsAfter): PagingKey {
  return key(declaration, text, isAfter, "nvarchar(50)");
}

function bytes(declaration: string, length: number): PagingKey {
  return key(declaration, (value) => value, followsInBytes, `varbinary(${length})`);
}

function followsInBytes(previous: unknown, next: unknown): boolean {
  return Buffer.isBuffer(previous) && Buffer.isBuffer(next) && Buffer.compare(next, previous) > 0;
}

/** In the order of a collation, of which nothing is known here but that no text comes after itself. */
function collated(declaration: string): PagingKey {
  return key(
    declaration,
    (value) => value,
    (previous, next) => (previous === next ? false : undefined),
  );
}

/** The parameter's code page may lack a letter that the column's has: the server would put a `?` in its place. */
function codePageProblem(value: unknown): string | undefined {
  if (/^\p{ASCII}*$/u.test(text(value))) return undefined;
  return "has letters beyond ASCII in a VARCHAR, which may not reach the server whole; page by another column, or by CONVERT(nvarchar(…), …) of it";
}

function text(value: unknown): string {
  return value instanceof Date ? value.toISOString().slice(0, -1) : String(value);
}

/** All decimals of a column have the same scale. */
function integer(value: unknown): bigint {
  return BigInt(text(value).replace(".", ""));
}

/** SQL Server compares the last group first, and the bytes of the first three from their end. */
function inServerOrder(value: unknown): string {
  const [first = "", second = "", third = "", fourth = "", fifth = ""] = text(value).split("-");
  const reversed = [third, second, first].map((group) => group.match(/../g)?.toReversed().join("") ?? "");
  return [fifth, fourth, ...reversed].join("");
}

/** The parameters of the page after a key. */
export function pageBindings(
  { declaration, sentAs, toValue }: PagingKey,
  after: unknown,
  pageSize: number,
): readonly StatementParameter[] {
  return [
    { name: "after", declaration, sentAs, value: toValue(after) },
    { name: "page_size", declaration: "int", sentAs: "int", value: pageSize },
  ];
}

/** The parameters of paging, where the type of the key is a guess. */
export function guess(declaration: string): readonly StatementParameter[] {
  return [
    { name: "after", declaration, sentAs: declaration, value: null },
    { name: "page_size", declaration: "int", sentAs: "int", value: null },
  ];
}

/** The parameters of a page that has every row. */
export function allRows({ declaration, sentAs }: PagingKey): readonly StatementParameter[] {
  return [
    { name: "after", declaration, sentAs, value: null },
    { name: "page_size", declaration: "bigint", sentAs: "bigint", value: 2n ** 63n - 1n },
  ];
}
