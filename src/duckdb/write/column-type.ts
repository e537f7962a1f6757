import type { ColumnLimit } from "../../contracts/sink.ts";
import { describeType } from "../../errors/describe-type.ts";
import { fitDate, fitDateTime2, fitTime } from "../../table/date-fit.ts";
import type { Fitted } from "../../table/dialect.ts";
import { type Fit, fits, mapped, type StagedValue, violation } from "../../table/fit.ts";
import { decimalLimit, fitBit, fitDecimal, fitFloating, fitWhole } from "../../table/number-fit.ts";
import { fitBinary, fitCharacters, fitGUID, fitJSON } from "../../table/text-fit.ts";

/** The type of one value in a Parquet file. DECIMAL has its digits and those behind the point: `DECIMAL(18,2)`. */
export type ParquetScalar =
  | "BIGINT"
  | "BOOLEAN"
  | "DATE"
  | "DOUBLE"
  | "INTEGER"
  | "TIME"
  | "TIMESTAMP"
  | "TIMESTAMPTZ"
  | "UUID"
  | "VARCHAR"
  | `DECIMAL(${number},${number})`;

/** The type of a column: a scalar, a list of one (`VARCHAR[]`), `JSON` for objects and lists of any kind, `BLOB` for bytes. */
export type ParquetType = ParquetScalar | `${ParquetScalar}[]` | "BLOB" | "JSON";

/** How values of a type come into the file: as texts or bytes, which DuckDB reads in the type. */
export interface ParquetColumn {
  readonly fit: Fit;
  readonly isBinary: boolean;
  /** The SQL that makes the value of what was staged. */
  readonly sql: (staged: string) => string;
  readonly limit: ColumnLimit["schema"];
}

export const parquetTypes =
  "VARCHAR, BOOLEAN, INTEGER, BIGINT, DOUBLE, DECIMAL(18,2), DATE, TIME, TIMESTAMP, TIMESTAMPTZ or UUID, one of these with [] for a list, JSON or BLOB";

/** Undefined for a text that names no type. */
export function parquetColumn(type: string): ParquetColumn | undefined {
  if (type === "BLOB") return { fit: fitBinary(type, undefined), isBinary: true, sql: (staged) => staged, limit: {} };
  if (type === "JSON") return textColumn(fitJSON(type), type);
  if (!type.endsWith("[]")) return scalarColumn(type);
  const element = scalarColumn(type.slice(0, -2));
  if (element === undefined) return undefined;
  const fit: Fit = (value) => {
    if (!Array.isArray(value)) {
      return violation(`the column is ${type}: expected an array, got ${describeType(value)}`, "must be an array");
    }
    const texts: (string | null)[] = [];
    const items: readonly unknown[] = value;
    for (const item of items) {
      const fitted = item === null || item === undefined ? null : element.fit(item);
      if (fitted?.ok === false) return fitted;
      texts.push(fitted === null ? null : String(fitted.value));
    }
    return fits(JSON.stringify(texts));
  };
  const sql = (staged: string): string => `CAST(CAST(${staged} AS JSON) AS ${type})`;
  return { fit, isBinary: false, sql, limit: {} };
}

function scalarColumn(type: string): ParquetColumn | undefined {
  const [, precision = "", scale = ""] = /^DECIMAL\((\d{1,2}),(\d{1,2})\)$/.exec(type) ?? [];
  if (precision !== "") {
    const digits = [Number(precision), Number(scale)] as const;
    if (digits[0] < 1 || digits[0] > 38 || digits[1] > digits[0]) return undefined;
    return textColumn(fitDecimal(type, ...digits), type, decimalLimit(...digits));
  }
  switch (type) {
    case "BIGINT":
      return textColumn(whole(type, 64), type);
    case "INTEGER":
      return textColumn(whole(type, 32), type, { minimum: -(2 ** 31), maximum: 2 ** 31 - 1 });
    case "BOOLEAN":
      return textColumn(fitBit("a BOOLEAN"), type);
    case "DOUBLE":
      return textColumn(fitFloating(type, false), type);
    case "DATE":
      return textColumn(fitDate, type);
    case "TIME":
      return textColumn(fitTime(6), type);
    case "TIMESTAMP":
      return textColumn(fitDateTime2(6, type), type);
    case "TIMESTAMPTZ":
      return textColumn(
        mapped(fitDateTime2(6, type), (text) => `${String(text)}+00`),
        type,
      );
    case "UUID":
      return textColumn(fitGUID(type), type);
    case "VARCHAR":
      return { ...textColumn(fitCharacters(type, undefined), type), sql: (staged) => staged };
    default:
      return undefined;
  }
}

function whole(type: string, bits: 32 | 64): Fit {
  const highest = 2n ** BigInt(bits - 1);
  return fitWhole(type, -highest, highest - 1n);
}

function textColumn(fit: Fit, type: string, limit: ColumnLimit["schema"] = {}): ParquetColumn {
  return { fit, isBinary: false, sql: (staged) => `CAST(${staged} AS ${type})`, limit };
}

/** The staged cell of a value: NULL for null and undefined. */
export function cellOf({ fit }: Pick<ParquetColumn, "fit">, value: unknown): Fitted<StagedValue | null> {
  return value === null || value === undefined ? { ok: true, value: null } : fit(value);
}
