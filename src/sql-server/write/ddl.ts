import type { ValueType } from "../../contracts/target.ts";
import type { ColumnDefinition, TableDDL } from "../../table/ddl.ts";
import { names } from "../identifiers.ts";

export const ddl: TableDDL = {
  names,
  definitions: ({ columns, keys }) => {
    const keyTypes = keyColumnTypes(columns.filter(({ name }) => keys.includes(name)));
    return ({ name, type, isNullable }): ColumnDefinition => {
      const key = keyTypes.get(name);
      const { sql, note } = key ?? columnType(type);
      return { sql: `${sql} ${isNullable && key === undefined ? "NULL" : "NOT NULL"}`, note };
    };
  },
};

interface SQLType {
  readonly sql: string;
  /** The bytes that it takes of an index key; undefined for a type that no index takes. */
  readonly bytes: number | undefined;
  readonly note?: string;
}

/**
 * The most bytes of a clustered index key (Microsoft Learn, "Maximum capacity specifications for SQL Server"). An index that may
 * have more can be made, but rejects the rows that do.
 */
const longestKeyBytes = 900;

/** Texts without a limit share what the other keys leave. */
function keyColumnTypes(keys: readonly { name: string; type: ValueType }[]): ReadonlyMap<string, SQLType> {
  const types = new Map(keys.map(({ name, type }) => [name, columnType(type)] as const));
  const fixedBytes = [...types.values()].reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  const isTooLong = fixedBytes > longestKeyBytes;
  const openCount = [...types.values()].filter(({ bytes }) => bytes === undefined).length;
  const share = Math.max(1, Math.floor((longestKeyBytes - fixedBytes) / 2 / openCount));
  const note = `a key has at most ${longestKeyBytes} bytes: make sure that this is wide enough`;
  return new Map(
    [...types].map(([name, type]): [string, SQLType] => {
      if (type.bytes === undefined) return [name, { sql: `NVARCHAR(${share})`, bytes: 2 * share, note }];
      return [
        name,
        isTooLong ? { ...type, note: `a key has at most ${longestKeyBytes} bytes: this one may have more` } : type,
      ];
    }),
  );
}

function columnType(type: ValueType): SQLType {
  switch (type.kind) {
    case "text":
      return textType(type.maxLength ?? Infinity, type.isLimit);
    case "digits":
      return { sql: `CHAR(${type.length})`, bytes: type.length };
    case "integer":
      return isInt(type) ? { sql: "INT", bytes: 4 } : { sql: "BIGINT", bytes: 8 };
    case "number":
      return type.minimum >= 0 && type.maximum <= 1 ? { sql: "DECIMAL(5,4)", bytes: 5 } : { sql: "FLOAT", bytes: 8 };
    case "boolean":
      return { sql: "BIT", bytes: 1 };
    case "moment":
      return { sql: `DATETIME2(${type.decimals})`, bytes: 8, note: "UTC" };
    case "date":
      return { sql: "DATE", bytes: 3 };
    case "uuid":
      return { sql: "UNIQUEIDENTIFIER", bytes: 16 };
    case "json":
      return { sql: "NVARCHAR(MAX)", bytes: undefined, note: "JSON" };
    case "unknown":
    default:
      return { sql: "NVARCHAR(MAX)", bytes: undefined, note: `a guess, for ${type.reason}` };
  }
}

function isInt({ minimum, maximum }: { readonly minimum: number; readonly maximum: number }): boolean {
  return minimum >= -(2 ** 31) && maximum < 2 ** 31;
}

/** In characters; a wider NVARCHAR is MAX. */
const widestText = 4000;
const widths = [50, 100, 200, 500, 1000, 2000, widestText];

/** A limit of the schema is the column's width; what is none leaves room for longer names tomorrow. */
function textType(maxLength: number, isLimit: boolean): SQLType {
  const width = isLimit ? Math.max(1, Math.floor(maxLength)) : widths.find((each) => each >= maxLength);
  if (width === undefined) return { sql: "NVARCHAR(MAX)", bytes: undefined };
  if (width <= widestText) return { sql: `NVARCHAR(${width})`, bytes: 2 * width };
  return { sql: "NVARCHAR(MAX)", bytes: undefined, ...(width < Infinity && { note: `at most ${width} characters` }) };
}
