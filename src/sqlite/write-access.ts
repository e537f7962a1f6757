import type { DatabaseSync } from "node:sqlite";
import { isKind } from "./errors.ts";
import type { Fail } from "./open.ts";

/** Refuses a database that takes no writes, by writing what is there already. */
export function requireWritable(database: DatabaseSync, path: string, fail: Fail): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
  try {
    database.exec("BEGIN IMMEDIATE");
    database.exec(`PRAGMA user_version = ${version}`); // only a write tells
  } catch (cause) {
    if (!isKind(cause, "readOnly")) throw cause;
    throw fail(`the database ${path} is read-only; look at the permissions of the file and its folder`, { cause });
  } finally {
    if (database.isTransaction) database.exec("ROLLBACK");
  }
}

/** Sets the database to WAL, which it then stays in: readers and one writer don't wait for each other. */
export function setWAL(database: DatabaseSync, path: string, fail: Fail): void {
  const mode = database.prepare("PRAGMA journal_mode = WAL").get()?.["journal_mode"];
  database.exec("PRAGMA synchronous = FULL");
  if (mode === "wal") return;
  const advice = "its file system must support shared memory (a network drive does not)";
  throw fail(`the database ${path} can't be set to WAL, its journal mode stays "${String(mode)}"; ${advice}`);
}
