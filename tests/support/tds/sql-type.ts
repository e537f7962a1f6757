import { SQLError } from "./sql-error.ts";

/** A type as declared. */
export interface SQLType {
  readonly name: TypeName;
  /** Characters (of char types), bytes (of binary ones); -1 is max. */
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly collation?: string;
}

/**
 * A value of a cell, exact: bit as boolean; tinyint to int, real and float as number; bigint as bigint; decimal and money as text with their scale;
 * dates and times as ISO-like text with the digits of their scale; uniqueidentifier as upper-case text; binary and UDT as Buffer.
 */
export type Value = null | boolean | number | bigint | string | Buffer | Variant;

/** A value of a sql_variant, with its own type. */
export interface Variant {
  readonly type: SQLType;
  readonly value: Value;
}

/** The value as text, with nothing done to it; empty for NULL. */
export function textOf(value: Value | undefined): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  if (Buffer.isBuffer(value)) return value.toString("hex");
  return typeof value === "object" ? textOf(value.value) : String(value);
}

export type Family = "number" | "float" | "text" | "binary" | "date" | "guid" | "variant" | "udt";

const families = {
  bit: "number",
  tinyint: "number",
  smallint: "number",
  int: "number",
  bigint: "number",
  decimal: "number",
  numeric: "number",
  money: "number",
  smallmoney: "number",
  real: "float",
  float: "float",
  char: "text",
  varchar: "text",
  nchar: "text",
  nvarchar: "text",
  text: "text",
  ntext: "text",
  xml: "text",
  binary: "binary",
  varbinary: "binary",
  image: "binary",
  timestamp: "binary",
  date: "date",
  time: "date",
  datetime: "date",
  smalldatetime: "date",
  datetime2: "date",
  datetimeoffset: "date",
  uniqueidentifier: "guid",
  sql_variant: "variant",
  geography: "udt",
  geometry: "udt",
  hierarchyid: "udt",
} as const satisfies Record<string, Family>;

export type TypeName = keyof typeof families;

export function family(type: SQLType): Family {
  return families[type.name];
}

const synonyms: Readonly<Record<string, TypeName>> = {
  integer: "int",
  dec: "decimal",
  rowversion: "timestamp",
  character: "char",
  sysname: "nvarchar",
};

/** The type of that name with the arguments that stand in its brackets ("max" is -1). */
export function typeOf(written: string, given: readonly number[] = [], line = 1): SQLType {
  const lower = written.toLowerCase();
  const name = synonyms[lower] ?? lower;
  if (!isTypeName(name)) throw new SQLError(2715, `Cannot find data type ${written}.`, { line });
  const [first, second] = given;
  const plain: string = name; // more names than stand here
  switch (plain) {
    case "decimal":
    case "numeric":
      return { name, precision: first ?? 18, scale: second ?? 0 };
    case "float":
      return { name: (first ?? 53) <= 24 ? "real" : "float" };
    case "time":
    case "datetime2":
    case "datetimeoffset":
      return { name, scale: first ?? 7 };
    case "char":
    case "varchar":
    case "nchar":
    case "nvarchar":
    case "binary":
    case "varbinary":
      return { name, length: lower === "sysname" ? 128 : (first ?? 1) };
    default:
      return { name };
  }
}

function isTypeName(name: string): name is TypeName {
  return Object.hasOwn(families, name);
}

/** As `system_type_name` gives it. */
export function describeType(type: SQLType): string {
  const { name, length, precision, scale } = type;
  if (length !== undefined) return `${name}(${length === -1 ? "max" : length})`;
  if (precision !== undefined) return `${name}(${precision},${scale})`;
  return scale === undefined ? name : `${name}(${scale})`;
}

export const isUnicode = (type: SQLType): boolean =>
  type.name === "nchar" || type.name === "nvarchar" || type.name === "ntext" || type.name === "xml";

/** `max_length` of the catalog: bytes, -1 for max. */
export function maximumBytes(type: SQLType): number {
  const { name, length, precision = 18, scale = 7 } = type;
  if (length !== undefined) return length === -1 ? -1 : length * (isUnicode(type) ? 2 : 1);
  const timeBytes = scale <= 2 ? 3 : scale <= 4 ? 4 : 5;
  const sizes: Partial<Record<TypeName, number>> = {
    bit: 1,
    tinyint: 1,
    smallint: 2,
    int: 4,
    bigint: 8,
    real: 4,
    float: 8,
    money: 8,
    smallmoney: 4,
    decimal: decimalBytes(precision) + 1,
    numeric: decimalBytes(precision) + 1,
    date: 3,
    datetime: 8,
    smalldatetime: 4,
    time: timeBytes,
    datetime2: timeBytes + 3,
    datetimeoffset: timeBytes + 5,
    uniqueidentifier: 16,
    timestamp: 8,
    text: 16,
    ntext: 16,
    image: 16,
    sql_variant: 8016,
    hierarchyid: 892,
  };
  return sizes[name] ?? -1;
}

export function decimalBytes(precision: number): number {
  return precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16;
}

/** `precision` of the catalog. */
export function catalogPrecision(type: SQLType): number {
  const precisions: Partial<Record<TypeName, number>> = {
    bit: 1,
    tinyint: 3,
    smallint: 5,
    int: 10,
    bigint: 19,
    money: 19,
    smallmoney: 10,
    real: 24,
    float: 53,
    date: 10,
    datetime: 23,
    smalldatetime: 16,
  };
  const { name, precision, scale = 0 } = type;
  const point = scale === 0 ? 0 : scale + 1;
  if (name === "time") return 8 + point;
  if (name === "datetime2") return 19 + point;
  if (name === "datetimeoffset") return 26 + point;
  return precision ?? precisions[name] ?? 0;
}

export function catalogScale(type: SQLType): number {
  const { name, scale } = type;
  if (scale !== undefined) return scale;
  return name === "money" || name === "smallmoney" ? 4 : name === "datetime" ? 3 : 0;
}

/** Text that names no collation gets this one. */
export function withCollation(type: SQLType, collation: string): SQLType {
  return family(type) === "text" && type.collation === undefined ? { ...type, collation } : type;
}
