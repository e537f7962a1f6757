import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestContext } from "node:test";

/** A folder of the test's own, removed after it. */
export function temporaryFolder(t: Pick<TestContext, "after">): string {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-sqlite-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The path of a new database file in which that SQL has run. */
export function temporaryDatabase(t: Pick<TestContext, "after">, sql: string): string {
  const path = join(temporaryFolder(t), "test.db");
  execute(path, sql);
  return path;
}

/** Runs SQL in a connection of its own. */
export function execute(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

/** All rows of a query as plain objects, read in a connection of its own. */
export function query(path: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database
      .prepare(sql)
      .all()
      .map((row) => Object.fromEntries(Object.entries(row)));
  } finally {
    database.close();
  }
}

/** A signal that is never aborted. */
export function noAbort(): AbortSignal {
  return new AbortController().signal;
}
