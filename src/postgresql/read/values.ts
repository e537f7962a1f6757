import type { ClientBase, FieldDef } from "pg";
import { parseExactly } from "../../json/json.ts";
import { parseArray } from "../../table/array-text.ts";
import { isMoment, isText, isWhole } from "../../table/key-texts.ts";
import { textInUTC } from "../../table/moment.ts";
import type { Columns, ResultColumn } from "../../table/text-rows.ts";

/** The columns of a result; one look into the catalog tells the types that extensions and users have made. */
export async function resultColumns(client: ClientBase, fields: readonly FieldDef[]): Promise<Columns> {
  const sql = `SELECT y.oid, y.typname AS type, e.typname AS element, y.typdelim AS delimiter
    FROM pg_type y LEFT JOIN pg_type e ON e.oid = y.typelem AND y.typcategory = 'A' AND y.typlen = -1 AND y.typname NOT LIKE '%vector'
    WHERE y.oid = ANY ($1)`;
  const ids = `{${fields.map(({ dataTypeID }) => dataTypeID).join(",")}}`;
  type Found = Record<"oid" | "type" | "delimiter", string> & { element: string | null };
  const { rows } = await client.query<Found>(sql, [ids]);
  return fields.map(({ name, dataTypeID }) => {
    const found = rows.find(({ oid }) => Number(oid) === dataTypeID);
    const { type = "", element = null, delimiter = "," } = found ?? {};
    if (element === null) return { name, type, typeID: dataTypeID, read: readerOf(type) };
    const readElement = readerOf(element);
    return { name, type, typeID: dataTypeID, read: (text) => parseArray(text, readElement, delimiter) };
  });
}

function readerOf(type: string): ResultColumn["read"] {
  switch (type) {
    case "bool":
      return (text) => text === "t";
    case "int2":
    case "int4":
    case "oid":
    case "float4":
    case "float8":
      return Number;
    case "int8":
      return BigInt;
    case "bytea":
      return (text) => Buffer.from(text.slice(2), "hex");
    case "json":
    case "jsonb":
      return parseExactly;
    case "timestamp":
      return (text) => text.replace(" ", "T");
    case "timestamptz":
      return (text) => textInUTC(text) ?? text;
    default:
      return (text) => text;
  }
}

/** The type in which keys are compared, so that an index helps, and the keys that may be of it. */
const comparisons: Readonly<Record<string, readonly [type: string, isKey: (key: string) => boolean]>> = {
  int2: ["int8", isWhole],
  int4: ["int8", isWhole],
  int8: ["int8", isWhole],
  numeric: ["numeric", (key) => /^-?\d{1,1000}(?:\.\d{1,1000})?$/.test(key)],
  float8: ["float8", (key) => Number.isFinite(Number(key)) && key.trim() !== ""],
  bool: ["bool", (key) => key === "true" || key === "false"],
  uuid: ["uuid", (key) => /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(key)],
  date: ["date", isMoment],
  timestamp: ["timestamp", isMoment],
  timestamptz: ["timestamptz", isMoment],
  bytea: ["bytea", (key) => /^(?:[\da-f]{2})+$/.test(key)],
  bpchar: ["bpchar", isText],
  varchar: ["text", isText],
  text: ["text", isText],
};

/** A condition on a column that holds for the rows with these keys, and maybe for others; its value is an array as text. */
export function keyCondition(
  column: string,
  type: string,
  keys: readonly string[],
  place: number,
): readonly [sql: string, value: string] {
  const [compared, isKey] = comparisons[type] ?? ["text", isText];
  const text = comparisons[type] === undefined ? `format('%s', ${column})` : column; // as the server writes it
  const items = keys
    .filter(isKey)
    .map((key) => `"${(type === "bytea" ? `\\x${key}` : key).replaceAll(/["\\]/g, "\\$&")}"`);
  return [`${text} = ANY ($${place}::${compared}[])`, `{${items.join(",")}}`];
}
