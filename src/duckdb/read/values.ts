import type {
  DuckDBArrayType,
  DuckDBBlobValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBType,
  DuckDBValue,
} from "@duckdb/node-api";
import { parseExactly } from "../../json/json.ts";
import type { Driver } from "../driver.ts";

/** Makes a plain value of one that is not NULL. */
export type Read = (value: DuckDBValue) => unknown;

/** The types whose values a step can use, or the reason why it can't; without the names of a struct, which may be content. */
export type Readable = { readonly read: Read; readonly isKey: boolean } | { readonly unreadable: string };

/** How values of a type become plain ones: no digit is lost. */
export function readable(type: DuckDBType, driver: Driver): Readable {
  const name = driver.DuckDBTypeId[type.typeId] ?? "";
  const read = scalar(name, type, driver);
  if (read !== undefined) return { read, isKey: name !== "SQLNULL" };
  switch (name) {
    case "LIST":
    case "ARRAY":
      return listOf(readable((type as DuckDBListType | DuckDBArrayType).valueType, driver)); // typeId says so
    case "STRUCT":
      return structOf(type as DuckDBStructType, driver); // typeId says so
    case "MAP":
      return mapOf(type as DuckDBMapType, driver); // typeId says so
    default:
      return { unreadable: name === "" ? "of a type that is not known here" : `of the type ${name}` };
  }
}

function scalar(name: string, { alias }: DuckDBType, driver: Driver): Read | undefined {
  switch (name) {
    case "BOOLEAN":
    case "TINYINT":
    case "SMALLINT":
    case "INTEGER":
    case "UTINYINT":
    case "USMALLINT":
    case "UINTEGER":
    case "FLOAT":
    case "DOUBLE":
    case "ENUM":
    case "SQLNULL":
      return (value) => value;
    case "BIGINT":
    case "UBIGINT":
    case "HUGEINT":
    case "UHUGEINT":
    case "BIGNUM":
      return wholeNumber;
    case "VARCHAR":
      return alias === "JSON" ? parsed : (value) => value;
    case "BLOB":
      return (value) => Buffer.from((value as DuckDBBlobValue).bytes); // a copy: the chunk's memory is DuckDB's
    case "DECIMAL":
    case "DATE":
    case "TIME":
    case "TIME_NS":
    case "TIME_TZ":
    case "UUID":
    case "INTERVAL":
    case "BIT":
      return String;
    case "TIMESTAMP":
    case "TIMESTAMP_S":
    case "TIMESTAMP_MS":
    case "TIMESTAMP_NS":
      return (value) => withT(String(value));
    case "TIMESTAMP_TZ":
      return (value) => {
        const { micros } = value as DuckDBTimestampTZValue; // of this type; as text it would be in this machine's zone
        const text = String(new driver.DuckDBTimestampValue(micros));
        return /^\d/.test(text) ? `${withT(text)}Z` : text;
      };
    default:
      return undefined;
  }
}

/** As SQLite and JSON Lines give it: a number, or a bigint where a number would not be exact. */
function wholeNumber(value: DuckDBValue): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A text that a file calls JSON, and is none, stays a text. */
function parsed(value: DuckDBValue): unknown {
  try {
    return parseExactly(String(value));
  } catch {
    return value;
  }
}

/** Dates before the year 1 and the infinities stay as DuckDB writes them. */
function withT(text: string): string {
  return text.replace(/^(\d+-\d\d-\d\d) (?=\d)/, "$1T");
}

function listOf(item: Readable): Readable {
  if ("unreadable" in item) return item;
  const read = orNull(item.read);
  return { isKey: false, read: (value) => (value as DuckDBListValue).items.map(read) }; // ARRAY has items, too
}

function structOf({ entryNames, entryTypes }: DuckDBStructType, driver: Driver): Readable {
  // The driver makes an object of the entries, by assignment.
  if (entryNames.some((name) => name === "" || name === "__proto__")) {
    return { unreadable: "a STRUCT with a field that has no name, or none that an object can have" };
  }
  const fields: (readonly [name: string, read: (value: DuckDBValue | undefined) => unknown])[] = [];
  for (const [index, type] of entryTypes.entries()) {
    const field = readable(type, driver);
    if ("unreadable" in field) return field;
    fields.push([entryNames[index] ?? "", orNull(field.read)]);
  }
  return {
    isKey: false,
    read: (value) => {
      const { entries } = value as DuckDBStructValue; // typeId says so
      return Object.fromEntries(fields.map(([name, read]) => [name, read(entries[name])]));
    },
  };
}

/** A map is an object where its keys are texts or numbers: others would be mixed up. */
function mapOf({ keyType, valueType }: DuckDBMapType, driver: Driver): Readable {
  const key = driver.DuckDBTypeId[keyType.typeId] ?? "";
  if (!/^(?:VARCHAR|ENUM|UUID|DATE|U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER)$/.test(key))
    return { unreadable: `a MAP with keys of the type ${key}` };
  const item = readable(valueType, driver);
  if ("unreadable" in item) return item;
  const read = orNull(item.read);
  return {
    isKey: false,
    read: (value) => {
      const { entries } = value as DuckDBMapValue; // typeId says so
      return Object.fromEntries(entries.map((entry) => [String(entry.key), read(entry.value)]));
    },
  };
}

function orNull(read: Read): (value: DuckDBValue | undefined) => unknown {
  return (value) => (value === null || value === undefined ? null : read(value));
}
