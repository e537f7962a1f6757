import { DatabaseSync } from "node:sqlite";
import { Dialect, parse } from "@polyglot-sql/sdk";

/** What is wrong with a text that is neither T-SQL nor SQL for SQLite; `GO` on a line of its own ends a batch. */
export function sqlProblems(text: string): string[] {
  const batches = text.split(/^GO$/m).map((batch) => parse(batch, Dialect.TSQL));
  const refused = batches.find(({ success }) => !success);
  if (refused === undefined) return [];
  const bySQLite = syntaxErrorOf(text);
  return bySQLite === undefined ? [] : [`T-SQL: ${refused.error}`, `SQLite: ${bySQLite}`];
}

/** Tables that are not there are no fault of the syntax. */
function syntaxErrorOf(text: string): string | undefined {
  const database = new DatabaseSync(":memory:");
  try {
    database.exec(text);
    return undefined;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return /syntax error|unrecognized token|incomplete input/.test(message) ? message : undefined;
  } finally {
    database.close();
  }
}
