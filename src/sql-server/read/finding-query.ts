import { quoteIdentifier } from "../identifiers.ts";
import { outlineStatement } from "./statement.ts";

/**
 * A query for the rows of another one whose key is one of the parameters. Undefined where the form of the query is not understood.
 *
 * @param keys the names of the parameters, without `@`
 */
export function findingQuery(sql: string, keyColumn: string, keys: readonly string[]): string | undefined {
  const among = keys.map((name) => `@${name}`).join(", ");
  return queryAround(sql, `SELECT * FROM ${rowsName}\nWHERE ${rowsName}.${quoteIdentifier(keyColumn)} IN (${among})`);
}

/** The name of the rows of a query in the one around it. */
export const rowsName = "llm_etl_rows";

/**
 * A query over the rows of another one. What may stand only once in a statement moves out: common tables before it, hints behind it.
 * Undefined where the form of the query is not understood.
 *
 * @param outer the query over {@link rowsName}
 */
export function queryAround(sql: string, outer: string): string | undefined {
  const { outerWords, end } = outlineStatement(sql);
  const places = new Map<string, number>();
  for (const { word, at } of outerWords) if (!places.has(word)) places.set(word, at);
  const [first] = outerWords;
  const select = places.get("SELECT");
  if (first === undefined || select === undefined || (first.word !== "SELECT" && first.word !== "WITH"))
    return undefined;
  // FOR XML and FOR JSON make one text of the rows; FOR SYSTEM_TIME belongs to a table.
  const hasFor = outerWords.some(({ word }, index) => word === "FOR" && outerWords[index + 1]?.word !== "SYSTEM_TIME");
  if (hasFor) return undefined;
  const options = places.get("OPTION") ?? end;
  const common = first.word === "WITH" ? `${sql.slice(first.at, select)}\n, ` : "WITH ";
  const body = `${sql.slice(select, options)}${orderKept(places)}`;
  return `${common}${rowsName} AS (\n${body}\n)\n${outer}\n${sql.slice(options, end)}`.trimEnd();
}

/** Inside of another query an order is allowed only where it decides which rows there are. */
function orderKept(places: ReadonlyMap<string, number>): string {
  if (!places.has("ORDER") || places.has("OFFSET")) return "";
  const isOfSeveral = ["UNION", "EXCEPT", "INTERSECT"].some((word) => places.has(word));
  return places.has("TOP") && !isOfSeveral ? "" : "\nOFFSET 0 ROWS";
}
