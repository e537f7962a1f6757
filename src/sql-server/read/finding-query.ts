import { quoteIdentifier } from "../identifiers.ts";
import { outlineStatement } from "./statement.ts";

/**
 * A query for the rows of another one whose key is one of the parameters. What may stand only once in a statement moves out: common
 * tables before it, hints behind it. Undefined where the form of the query is not understood.
 *
 * @param keys the names of the parameters, without `@`
 */
export function findingQuery(sql: string, keyColumn: string, keys: readonly string[]): string | undefined {
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
  const among = keys.map((name) => `@${name}`).join(", ");
  const where = `WHERE llm_etl_rows.${quoteIdentifier(keyColumn)} IN (${among})`;
  return `${common}llm_etl_rows AS (\n${body}\n)\nSELECT * FROM llm_etl_rows\n${where}\n${sql.slice(options, end)}`.trimEnd();
}

/** Inside of another query an order is allowed only where it decides which rows there are. */
function orderKept(places: ReadonlyMap<string, number>): string {
  if (!places.has("ORDER") || places.has("OFFSET")) return "";
  const isOfSeveral = ["UNION", "EXCEPT", "INTERSECT"].some((word) => places.has(word));
  return places.has("TOP") && !isOfSeveral ? "" : "\nOFFSET 0 ROWS";
}
