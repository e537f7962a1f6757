import type { StatementParameter } from "../parameters.ts";
import type { ResultType } from "./read-types.ts";

/** A value of a parameter, with its type. */
export type KeyValue = Omit<StatementParameter, "name">;

/**
 * The values of a key column that have these texts as their key, in the column's own type, so that the server can use an index. A
 * text that no value of the type has is left out. Undefined for a type that the server does not compare.
 */
export function keyValues(type: ResultType, pks: readonly string[]): readonly KeyValue[] | undefined {
  const valueOf = valuesOf(type);
  return valueOf && pks.filter((pk) => pk.isWellFormed()).flatMap((pk) => valueOf(pk) ?? []);
}

type ValueOf = (pk: string) => KeyValue | undefined;

function valuesOf(type: ResultType): ValueOf | undefined {
  const { name, precision, scale } = type;
  switch (name) {
    case "bit":
      return matching(/^(?:true|false)$/, (pk) => sent("bit", pk === "true"));
    case "tinyint":
    case "smallint":
    case "int":
      return matching(wholeNumber, (pk) =>
        Number(pk) === Math.trunc(Number(pk) | 0) ? sent("int", Number(pk)) : undefined,
      );
    case "bigint":
      return matching(wholeNumber, (pk) => (isWholeIn64Bits(BigInt(pk)) ? sent("bigint", BigInt(pk)) : undefined));
    case "decimal":
    case "numeric":
      return (pk) => decimal(pk, precision, scale);
    case "money":
    case "smallmoney": // text does not become money by itself; a decimal of its digits compares with it
      return (pk) => decimal(pk, 19, 4);
    case "float":
      return (pk) => float(pk, Number);
    case "real":
      return (pk) => float(pk, (text) => Math.fround(Number(text)));
    case "datetime":
    case "smalldatetime":
      return matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, (pk) => viaText("datetime", pk.slice(0, -1)));
    case "date":
      return matching(/^\d{4}-\d\d-\d\d$/, (pk) => viaText("date", pk));
    case "time":
      return matching(/^\d\d:\d\d:\d\d(?:\.\d{1,7})?$/, (pk) => viaText("time(7)", pk));
    case "datetime2":
      return matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?$/, (pk) => viaText("datetime2(7)", pk));
    case "datetimeoffset":
      return matching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?[+-]\d\d:\d\d$/, (pk) =>
        viaText("datetimeoffset(7)", pk),
      );
    case "uniqueidentifier":
      return matching(/^[\dA-F]{8}-(?:[\dA-F]{4}-){3}[\dA-F]{12}$/, (pk) => sent("uniqueidentifier", pk));
    default:
      return stringsOf(type);
  }
}

/** Of text and of bytes. */
function stringsOf({ name, length }: ResultType): ValueOf | undefined {
  switch (name) {
    case "binary":
    case "varbinary":
      return matching(bytes, (pk) =>
        sent(pk.length > 16_000 ? "varbinary(max)" : "varbinary(8000)", Buffer.from(pk, "hex")),
      );
    case "timestamp":
    case "rowversion":
      return matching(bytes, (pk) => ({ ...sent("varbinary(8)", Buffer.from(pk, "hex")), declaration: "binary(8)" }));
    case "char":
    case "varchar":
      // In a VARCHAR the code page of the database might lack a letter; an NVARCHAR has all, but finds no index.
      return (pk) => (length > 0 && isASCII.test(pk) && pk.length <= 8000 ? sent("varchar(8000)", pk) : unicode(pk));
    case "nchar":
    case "nvarchar":
      return unicode;
    default:
      return undefined;
  }
}

const wholeNumber = /^-?\d{1,19}$/;
const bytes = /^(?:[\da-f]{2})+$/;
const isASCII = /^\p{ASCII}*$/u;

function sent(declaration: string, value: KeyValue["value"]): KeyValue {
  return { declaration, sentAs: declaration, value };
}

/** Sent as text, which the server reads to the last digit: the driver would round it. */
function viaText(declaration: string, text: string): KeyValue {
  return { declaration, sentAs: "nvarchar(50)", value: text };
}

function unicode(pk: string): KeyValue {
  return sent(pk.length > 4000 ? "nvarchar(max)" : "nvarchar(4000)", pk);
}

function matching(pattern: RegExp, valueOf: ValueOf): ValueOf {
  return (pk) => (pattern.test(pk) ? valueOf(pk) : undefined);
}

function isWholeIn64Bits(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

/** A number with more digits than the type has would be an error of the server's, not a key that no row has. */
function decimal(pk: string, precision: number, scale: number): KeyValue | undefined {
  const [, whole = "", fraction = ""] = /^-?(\d{1,38})(?:\.(\d{1,38}))?$/.exec(pk) ?? [];
  const isOfType = whole !== "" && whole.length <= Math.max(1, precision - scale) && fraction.length <= scale;
  return isOfType ? viaText(`decimal(${precision},${scale})`, pk) : undefined;
}

function float(pk: string, numberOf: (text: string) => number): KeyValue | undefined {
  const number = numberOf(pk);
  return pk.trim() !== "" && Number.isFinite(number) ? sent("float", number) : undefined;
}
