import { checkedLimit, fitChoice } from "../../table/choices.ts";
import { beyondDates, fitDate, fitDateTime2, fitTime } from "../../table/date-fit.ts";
import type { TableColumn, TableRequest } from "../../table/dialect.ts";
import { arrayFit } from "../../table/array-text.ts";
import { type Fit, mapped } from "../../table/fit.ts";
import { foldName } from "../names.ts";
import {
  decimalLimit,
  fitBit,
  fitDecimal,
  fitFloating,
  fitNumeric,
  fitWhole,
  notFinite,
} from "../../table/number-fit.ts";
import { fitBinary, fitCharacters, fitGUID, fitJSON, fitMarkup, textWithoutNUL } from "../../table/text-fit.ts";

/** A type as the catalog has it, of a domain the one that it is made from. */
interface CatalogType {
  /** As in a CREATE TABLE. */
  readonly declaration: string;
  readonly type: string;
  /** Length, or precision and scale; -1 without. */
  readonly modifier: number;
  /** Of an enum type, or of an array of one. */
  readonly labels: readonly string[];
}

export interface CatalogColumn extends CatalogType {
  readonly name: string;
  /** The type of an array's elements. */
  readonly element: string | null;
  readonly isNotNull: boolean;
  readonly hasDefault: boolean;
  readonly identity: string;
  readonly isGenerated: boolean;
  readonly collation: string | null;
  readonly isDeterministic: boolean;
  /** By a trigger, before a row is inserted. */
  readonly mayBeChanged: boolean;
  /** The schema of its type's own operator =, quoted. */
  readonly equality: string | null;
  readonly maySelect: boolean;
  readonly mayUpdate: boolean;
  readonly checks: readonly string[];
}

/** A column of the target. Each cell is the text that the server reads it from. */
export interface PostgreSQLColumn extends TableColumn<string> {
  /** The column's own type, with its collation. */
  readonly staged: string;
  /** The operator that holds two equal, whatever the search path. */
  readonly equals: string;
  /** Two cells are one text where the server holds them equal, and it stores that text. */
  readonly isExact: boolean;
}

export function columnFacts(column: CatalogColumn, { strategy, mergeKeys }: TableRequest): PostgreSQLColumn {
  const { name, declaration, type, element, collation, isDeterministic, isNotNull, hasDefault, identity, isGenerated } =
    column;
  const isFoundBy = strategy === "update" && mergeKeys.some((key) => foldName(key) === foldName(name));
  const takeOut = "take it out of the columnMap";
  const isServers = identity === "a" && !isFoundBy;
  const fit = element === null ? scalar(column) : arrayFit(scalar({ ...column, type: element }), declaration);
  const fold = type === "citext" || !isDeterministic ? (text: string): string => text.toLowerCase() : undefined;
  const isOneText = /^(?:int\d|uuid|bool|bytea|date|timestamp|timestamptz|text|varchar)$/.test(type);
  const holdsNumbers = /^(?:int\d|numeric|float\d)$/.test(type);
  return {
    name,
    staged: `${declaration}${collation === null ? "" : ` COLLATE ${collation}`}`,
    equals: column.equality === null ? "=" : `OPERATOR(${column.equality}.=)`,
    isExact: isOneText && isDeterministic && !column.mayBeChanged,
    isNullable: !isNotNull,
    isRequired: isNotNull && !hasDefault && identity === "" && !isGenerated,
    problem: isGenerated
      ? `is generated; the server computes it: ${takeOut}`
      : isServers
        ? `is GENERATED ALWAYS AS IDENTITY, so the server gives its values: ${takeOut}, or use strategy "update" to find rows by it`
        : undefined,
    fit: (value) => textWithoutNUL(fit(value), declaration, type === "jsonb"),
    limit: element === null ? limitOf(column) : {},
    ...checkedLimit(column.checks, { isColumn: (one) => one === name || one === "VALUE", holdsNumbers, fold }),
    maySelect: column.maySelect,
    mayUpdate: column.mayUpdate,
  };
}

function scalar({ declaration, type, modifier, labels }: CatalogType): Fit {
  if (labels.length > 0) return fitChoice(declaration, labels);
  const digits = modifier < 0 ? 6 : modifier;
  switch (type) {
    case "bool":
      return fitBit(`a ${declaration}`);
    case "int2":
    case "int4":
    case "int8": {
      const highest = 2n ** (BigInt(type.slice(3)) * 8n - 1n);
      return fitWhole(declaration, -highest, highest - 1n);
    }
    case "float4":
    case "float8":
      return fitFloating(declaration, type === "float4");
    case "numeric": {
      const { precision, scale } = sizeOf(modifier);
      return notFinite(modifier < 0 || scale < 0 ? fitNumeric(declaration) : fitDecimal(declaration, precision, scale));
    }
    case "text":
    case "varchar":
    case "bpchar":
    case "citext":
      return fitCharacters(declaration, modifier < 0 ? undefined : modifier - 4);
    case "date":
      return beyondDates(fitDate);
    case "time":
      return beyondDates(fitTime(digits));
    case "timestamp":
      return beyondDates(fitDateTime2(digits, declaration));
    case "timestamptz":
      return beyondDates(fitDateTime2(digits, declaration), "+00");
    case "uuid":
      return mapped(fitGUID(declaration), (text) => String(text).toLowerCase());
    case "bytea":
      return mapped(fitBinary(declaration, undefined), (bytes) => `\\x${Buffer.from(bytes as Buffer).toString("hex")}`); // fitBinary gives bytes
    case "json":
    case "jsonb":
      return fitJSON(declaration);
    default:
      return fitMarkup(declaration); // what it takes is the server's to say
  }
}

function sizeOf(modifier: number): { readonly precision: number; readonly scale: number } {
  return { precision: ((modifier - 4) >> 16) & 0xffff, scale: (((modifier - 4) & 0x7ff) ^ 1024) - 1024 };
}

function limitOf({ type, modifier, labels }: CatalogType): PostgreSQLColumn["limit"] {
  if (labels.length > 0) return { enum: labels };
  if (type === "int2" || type === "int4") {
    const highest = 2 ** (Number(type.slice(3)) * 8 - 1);
    return { minimum: -highest, maximum: highest - 1 };
  }
  if (modifier < 0) return {};
  if (type === "varchar" || type === "bpchar") return { maxLength: modifier - 4 };
  const { precision, scale } = sizeOf(modifier);
  return type === "numeric" && scale >= 0 ? decimalLimit(precision, scale) : {};
}
