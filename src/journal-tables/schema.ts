import { JournalError } from "../errors/journal.ts";
import type { Ask, JournalDatabase } from "./database.ts";
import { nameOf } from "./statements.ts";
import { newestVersion, tables } from "./tables.ts";

const command = "llm-etl sql create-journal <pipeline.ts>";
const toMake = `print its statements with "${command}", and have them run by one who may make schemas`;

/**
 * The version of the journal that is there; undefined where there is none.
 *
 * @throws {JournalError} if it is newer than what is known here, or must not be read
 */
export async function versionIn(ask: Ask, database: JournalDatabase): Promise<number | undefined> {
  const { identity } = database;
  let version: number;
  try {
    const [line] = await ask(`SELECT version FROM ${nameOf(database, { name: "journal_version" })}`);
    version = Number(line?.["version"] ?? 0);
  } catch (error) {
    const kind = database.kindOf(error);
    if (kind === "missing") return undefined;
    throw kind === "permission" ? notPermitted(database) : error;
  }
  if (version <= newestVersion) return version;
  const hint = "update llm-etl, or give the journal another schema";
  const facts = { problem: "newer", version, newest: newestVersion, hint };
  const words = `has version ${version} of its format, and this llm-etl knows up to ${newestVersion}`;
  throw new JournalError(identity, words, { facts });
}

/** @throws {JournalError} if a run can't use the journal: with what to do */
export async function requireSchema(ask: Ask, database: JournalDatabase): Promise<void> {
  const { identity, schema, dialect } = database;
  const version = await versionIn(ask, database);
  if (version === undefined || version < newestVersion) {
    const [problem, words] =
      version === undefined ? ["missing", "is not there yet"] : ["older", "is of an older version"];
    throw new JournalError(identity, words, { facts: { problem, version, newest: newestVersion, hint: toMake } });
  }
  const { readOnly, mayWrite, unfit } = await dialect.state(ask, schema);
  if (readOnly !== undefined) {
    const facts = { problem: "read-only", hint: "name the server that takes writes" };
    throw new JournalError(identity, `can't be written: the server ${readOnly}`, { facts });
  }
  if (unfit !== undefined) {
    const facts = { problem: "encoding", hint: "give the journal a database whose encoding is UTF8" };
    throw new JournalError(identity, `can't keep every text: the database ${unfit}`, { facts });
  }
  if (!mayWrite) throw notPermitted(database);
  await requireColumns(ask, database);
}

/** Asks for no line of any table. */
async function requireColumns(ask: Ask, database: JournalDatabase): Promise<void> {
  const { identity, dialect, kindOf, problem } = database;
  const looks = Object.values(tables).map((table) => {
    const columns = Object.keys({ ...table.columns, number: "whole" }).map(dialect.quote);
    return `(SELECT ${columns.join(", ")} FROM ${nameOf(database, table)} WHERE 1 = 0) AS ${dialect.quote(table.name)}`;
  });
  try {
    await ask(`SELECT count(*) AS n FROM ${looks.join(" CROSS JOIN ")}`);
  } catch (error) {
    if (kindOf(error) !== "missing") throw error;
    const hint = `a table that is gone is made anew by "${command}"; for a column restore a copy, or give the journal another schema`;
    const words = `lacks a table or a column: ${problem(error, false).problem}`;
    throw new JournalError(identity, words, { facts: { problem: "incomplete", hint }, cause: error });
  }
}

function notPermitted({ identity, grants }: JournalDatabase): JournalError {
  const facts = { problem: "permission", hint: grants };
  return new JournalError(identity, "can't be used: the user lacks permissions on its schema", { facts });
}
