/** A type as the server describes a result's column. */
export interface ResultType {
  /** As the server names it, in lower case: `decimal`. For a type of an assembly its own name: `geography`. */
  readonly name: string;
  /** As it is declared: `decimal(10,2)`. */
  readonly declaration: string;
  readonly precision: number;
  readonly scale: number;
  /** Of text, in UTF-16 code units or in bytes, of bytes in bytes; -1 is max. */
  readonly length: number;
}

/** The reading of a column's values: it makes of them the JavaScript values that docs/sql-server.md promises. */
export interface TypeReading {
  /** The types that the server converts the column to, one after the other, since the driver would lose some of it. */
  readonly conversions: readonly string[];
  /** Never called for NULL. @throws {TypeError} for a value that the driver gives only where one of its handlers was set */
  readonly read: (value: unknown) => unknown;
}

/** The most digits of a decimal of which each has a double of its own. */
const exactDigits = 15;
const decimalText = "nvarchar(41)"; // 38 digits, sign, point, and the zero before the point
const offsetText = "nvarchar(34)";

/** Undefined for a type that has no JavaScript value. */
export function readingOf(type: ResultType): TypeReading | undefined {
  const { name, precision, scale } = type;
  switch (name) {
    case "bit":
      return asIs(isBoolean);
    case "tinyint":
    case "smallint":
    case "int":
    case "float":
      return asIs(isNumber);
    case "real":
      return converted(isNumber, shortestReal);
    case "bigint":
      return converted(isText, BigInt);
    case "decimal":
    case "numeric":
      if (precision > exactDigits) return { ...asIs(isText), conversions: [decimalText] };
      return converted(isNumber, (value) => value.toFixed(scale));
    case "smallmoney":
      return converted(isNumber, (value) => value.toFixed(4));
    case "money": // it becomes text by itself only where that is written out, and then with two decimals
      return { ...asIs(isText), conversions: ["decimal(19,4)", decimalText] };
    case "datetime":
    case "smalldatetime":
      return asIs(isDate);
    case "date":
      return converted(isDate, (value) => value.toISOString().slice(0, 10));
    case "time":
      return converted(isDate, (value) => timeText(value, scale));
    case "datetime2":
      return converted(isDate, (value) => `${value.toISOString().slice(0, 10)}T${timeText(value, scale)}`);
    case "datetimeoffset": // the driver drops the offset
      return { ...converted(isText, (value) => value.replace(" ", "T").replace(" ", "")), conversions: [offsetText] };
    case "uniqueidentifier":
      return converted(isText, (value) => value.toUpperCase());
    case "binary":
    case "varbinary":
    case "image":
    case "timestamp":
    case "rowversion":
      return asIs(isBytes);
    case "char":
    case "varchar":
    case "nchar":
    case "nvarchar":
    case "text":
    case "ntext":
    case "xml":
    case "json":
      return asIs(isText);
    default:
      return undefined;
  }
}

type Is<Value> = (value: unknown) => value is Value;

const isBoolean: Is<boolean> = (value) => typeof value === "boolean";
const isNumber: Is<number> = (value) => typeof value === "number";
const isText: Is<string> = (value) => typeof value === "string";
const isBytes: Is<Buffer> = (value) => Buffer.isBuffer(value);
const isDate: Is<Date> = (value): value is Date => value instanceof Date && !Number.isNaN(value.getTime());

function asIs<Value>(is: Is<Value>): TypeReading {
  return converted(is, (value) => value);
}

function converted<Value>(is: Is<Value>, convert: (value: Value) => unknown): TypeReading {
  const read = (value: unknown): unknown => {
    if (is(value)) return convert(value);
    throw new TypeError(`the driver gave a ${typeof value}; is a valueHandler of mssql set?`);
  };
  return { conversions: [], read };
}

/** The double with the fewest digits that is this REAL: 0.1, not 0.10000000149011612. */
function shortestReal(value: number): number {
  for (let digits = 6; digits <= 9; digits += 1) {
    const shorter = Number(value.toPrecision(digits));
    if (Math.fround(shorter) === value) return shorter;
  }
  return value;
}

/** The time of the day in UTC, with as many decimals of a second as the column has. */
function timeText(value: Date, scale: number): string {
  // The driver keeps what a date can't hold in a property of its own, in seconds.
  const rest: unknown = Reflect.get(value, "nanosecondsDelta");
  const ticks = typeof rest === "number" ? Math.round(rest * 1e7) : 0;
  const [whole = "", milliseconds = ""] = value.toISOString().slice(11, -1).split(".");
  const decimals = `${milliseconds}${String(ticks).padStart(4, "0")}`.slice(0, scale);
  return decimals === "" ? whole : `${whole}.${decimals}`;
}

/** The expression to select instead of a column whose type has no JavaScript value. */
export function remedyFor({ name }: ResultType, column: string): string {
  if (name === "geography" || name === "geometry") return `${column}.STAsText() AS ${column}`;
  if (name === "hierarchyid") return `${column}.ToString() AS ${column}`;
  return `CONVERT(nvarchar(4000), ${column}) AS ${column}`;
}
