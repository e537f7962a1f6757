// No file of the project: llm-etl init calls it, to make data/clinic.db.
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** Fails, as `wx` does, where there is a file already. */
export default function createDatabase(path) {
  const database = new DatabaseSync(":memory:");
  try {
    database.exec(readFileSync(new URL("sql/create_tables.sql", import.meta.url), "utf8"));
    database.prepare("VACUUM INTO ?").run(path);
  } finally {
    database.close();
  }
}
