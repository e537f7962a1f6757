import type { ISqlType } from "mssql";
import type { ColumnLimit } from "../../contracts/sink.ts";
import type { TableColumn } from "../../table/dialect.ts";
import {
  fitDate,
  fitDateTime,
  fitDateTime2,
  fitDateTimeOffset,
  fitSmallDateTime,
  fitTime,
  momentOf,
} from "../../table/date-fit.ts";
import type { Driver } from "../connect/driver.ts";
import { type Fit, type StagedValue, violation } from "../../table/fit.ts";
import { decimalLimit, fitBit, fitDecimal, fitFloat, fitMoney, fitWhole } from "../../table/number-fit.ts";
import { codePage } from "./code-page.ts";
import { fitCodePage } from "./code-page-fit.ts";
import { fitBinary, fitGUID, fitMarkup, fitUnicode } from "../../table/text-fit.ts";

/** A column's type as the catalog has it. */
export interface DeclaredType {
  /** Of the system's types, in lower case: of an alias type the one that it is made from. */
  readonly type: string;
  /** In characters for NCHAR and NVARCHAR, in bytes for others; undefined is MAX. */
  readonly length: number | undefined;
  readonly precision: number;
  readonly scale: number;
  readonly collation: string | undefined;
  readonly codePage: number;
}

/** The way of a value into a column: it is checked, staged, and converted by the server to the column's type. */
export interface ColumnType {
  /** As in a CREATE TABLE, for messages. */
  readonly declaration: string;
  readonly fit: Fit;
  /** The type in the staging table. */
  readonly staged: string;
  readonly driverType: (driver: Driver) => ISqlType;
  /** Of a staged column or a parameter, in the column's own type: comparing keys then needs no conversion of the target's. */
  readonly typed: (expression: string) => string;
  /** Of a cell, what is equal for cells that the server holds equal; of a text the cell, for its collation knows more. @default the cell */
  readonly comparable?: ((cell: StagedValue) => StagedValue) | undefined;
  /** The collation of a text, by which the server compares it. */
  readonly collation: string | undefined;
  readonly isText: boolean;
  /** The code page is not known here: the server has to say which rows it can't hold. */
  readonly mayLoseCharacters: boolean;
  /** In the words of JSON Schema, as far as they can say what fits. */
  readonly limit: ColumnLimit["schema"];
}

/** A column of the target, with how its values get into it. */
export interface SQLServerColumn extends TableColumn<StagedValue>, ColumnType {}

/**
 * A type that the driver writes exactly is staged as itself; decimals and dates, which it would write by way of a JavaScript number,
 * are staged as text that the server converts. Undefined for a type that can't be written.
 */
export function columnType(column: DeclaredType): ColumnType | undefined {
  return makers.get(column.type)?.(column);
}

type Maker = (column: DeclaredType) => ColumnType;

const plain = {
  typed: (expression: string): string => expression,
  collation: undefined,
  isText: false,
  mayLoseCharacters: false,
  limit: {},
} as const;

function native(declaration: string, fit: Fit, driverType: ColumnType["driverType"]): ColumnType {
  return { ...plain, declaration, fit, staged: declaration, driverType };
}

/** For a column that nothing is written to: its `problem` says why. */
export const unwritableType: ColumnType = native(
  "",
  () => violation("the column can't be written"),
  (driver) => driver.NVarChar(driver.MAX),
);

function whole(declaration: string, lowest: bigint, highest: bigint, driverType: ColumnType["driverType"]): ColumnType {
  return {
    ...native(declaration, fitWhole(declaration, lowest, highest), driverType),
    limit: limitOf(Number(lowest), Number(highest)),
  };
}

/** Staged as text, and converted by the server. */
function converted(declaration: string, fit: Fit): ColumnType {
  return {
    ...plain,
    declaration,
    fit,
    staged: "NVARCHAR(64)",
    driverType: (driver) => driver.NVarChar(64),
    typed: (expression) => `CAST(${expression} AS ${declaration})`,
  };
}

/** Numbers that a JSON number does not hold exactly are no limit to give. */
function limitOf(minimum: number, maximum: number): ColumnType["limit"] {
  return Math.abs(maximum) < 1e15 ? { minimum, maximum } : {};
}

function text({ type, length, collation = "", codePage: page }: DeclaredType): ColumnType {
  const declaration = sized(type, length);
  const isUnicode = type.startsWith("n");
  // Staged wider than the column is, so that a column that was narrowed during the run is named by the server.
  const staged = length !== undefined && length <= 4000 ? "4000" : "MAX";
  const collate = ` COLLATE ${collationName(collation)}`;
  const wide = length === undefined ? "VARCHAR(MAX)" : "VARCHAR(8000)";
  return {
    ...plain,
    declaration,
    fit: isUnicode ? fitUnicode(declaration, length) : fitCodePage(declaration, length, page),
    staged: `NVARCHAR(${staged})${collate}`,
    driverType: (driver) => driver.NVarChar(staged === "MAX" ? driver.MAX : 4000),
    typed: (expression) => {
      const collated = expression.startsWith("@") ? `${expression}${collate}` : expression;
      return isUnicode ? collated : `CAST(${collated} AS ${wide})`;
    },
    collation,
    isText: true,
    mayLoseCharacters: !isUnicode && codePage(page) === undefined,
    limit: length === undefined ? {} : { maxLength: length },
  };
}

function markup({ type }: DeclaredType): ColumnType {
  const declaration = type.toUpperCase();
  return {
    ...plain,
    declaration,
    fit: fitMarkup(declaration),
    staged: "NVARCHAR(MAX)",
    driverType: (driver) => driver.NVarChar(driver.MAX),
    typed: (expression) => `CAST(${expression} AS ${declaration})`,
  };
}

function binary({ type, length }: DeclaredType): ColumnType {
  const declaration = sized(type, length);
  const staged = length === undefined ? "VARBINARY(MAX)" : "VARBINARY(8000)";
  return {
    ...plain,
    declaration,
    fit: fitBinary(declaration, length),
    staged,
    driverType: (driver) => driver.VarBinary(length === undefined ? driver.MAX : 8000),
    // A shorter key is filled with zeros, as the column does. Longer ones do not get here: the CAST would cut them.
    typed: (expression) => (type === "binary" ? `CAST(${expression} AS ${declaration})` : expression),
    comparable: (cell) => (cell instanceof Buffer ? withoutTrailingZeros(cell) : cell),
  };
}

/** The server compares bytes as if zeros filled the shorter ones: 0x0102 is 0x010200. */
function withoutTrailingZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

function dateTimeOffset({ scale }: DeclaredType): ColumnType {
  return {
    ...converted(`DATETIMEOFFSET(${scale})`, fitDateTimeOffset(scale)),
    comparable: (cell) => (typeof cell === "string" ? momentOf(cell) : cell),
  };
}

function decimal({ type, precision, scale }: DeclaredType): ColumnType {
  const declaration = `${type.toUpperCase()}(${precision},${scale})`;
  return {
    ...converted(declaration, fitDecimal(declaration, precision, scale)),
    limit: decimalLimit(precision, scale),
  };
}

const makers: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ["bit", () => native("BIT", fitBit("a BIT"), (driver) => driver.Bit())],
  ["tinyint", () => whole("TINYINT", 0n, 255n, (driver) => driver.TinyInt())],
  ["smallint", () => whole("SMALLINT", -(2n ** 15n), 2n ** 15n - 1n, (driver) => driver.SmallInt())],
  ["int", () => whole("INT", -(2n ** 31n), 2n ** 31n - 1n, (driver) => driver.Int())],
  ["bigint", () => whole("BIGINT", -(2n ** 63n), 2n ** 63n - 1n, (driver) => driver.BigInt())],
  ["real", () => native("REAL", fitFloat("REAL"), (driver) => driver.Real())],
  ["float", () => native("FLOAT", fitFloat("FLOAT"), (driver) => driver.Float())],
  [
    "uniqueidentifier",
    () => native("UNIQUEIDENTIFIER", fitGUID("UNIQUEIDENTIFIER"), (driver) => driver.UniqueIdentifier()),
  ],
  ["decimal", decimal],
  ["numeric", decimal],
  ["money", () => converted("MONEY", fitMoney("MONEY", 64))],
  ["smallmoney", () => converted("SMALLMONEY", fitMoney("SMALLMONEY", 32))],
  ["date", () => converted("DATE", fitDate)],
  ["time", ({ scale }) => converted(`TIME(${scale})`, fitTime(scale))],
  ["datetime2", ({ scale }) => converted(`DATETIME2(${scale})`, fitDateTime2(scale))],
  ["datetimeoffset", dateTimeOffset],
  ["datetime", () => converted("DATETIME", fitDateTime)],
  ["smalldatetime", () => converted("SMALLDATETIME", fitSmallDateTime)],
  ["char", text],
  ["varchar", text],
  ["nchar", text],
  ["nvarchar", text],
  ["xml", markup],
  ["json", markup],
  ["binary", binary],
  ["varbinary", binary],
]);

function sized(type: string, length: number | undefined): string {
  return `${type.toUpperCase()}(${length ?? "MAX"})`;
}

/** A collation's name can't be quoted in SQL. */
function collationName(name: string): string {
  if (!/^\w+$/.test(name)) throw new TypeError("a collation's name is made of letters, digits and _");
  return name;
}
