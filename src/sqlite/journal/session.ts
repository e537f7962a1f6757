import { type FileHandle, open } from "node:fs/promises";
import type { DatabaseSync } from "node:sqlite";
import type { JournalSession } from "../../contracts/journal.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { JournalError } from "../../errors/journal.ts";
import { OpenFile } from "../../files/open-file.ts";
import type { FileLock } from "../../files/file-lock.ts";
import { isKind } from "../errors.ts";
import { untilUnlocked } from "../open.ts";
import { Answers } from "./answers.ts";
import { asJournalError } from "./failure.ts";
import { GroupCommit } from "./group-commit.ts";
import { lockJournal, openJournal } from "./open.ts";
import { Rows } from "./rows.ts";

/**
 * Opens the journal in a file, or makes it; locked for this process.
 *
 * @throws {JournalError} if it is damaged, of a newer version or no journal, or its folder does not let it be written
 * @throws {JournalInUseError} if a run holds it: with the process and its start
 */
export async function openSession(path: string, busyTimeoutMs: number, signal: AbortSignal): Promise<JournalSession> {
  const lock = await lockJournal(path, signal);
  let database: DatabaseSync | undefined;
  let log: FileHandle | undefined;
  try {
    database = await untilUnlocked(async () => await openJournal(path), signal, busyTimeoutMs);
    log = await open(`${path}-wal`, "r+");
    return sessionOf({ path, busyTimeoutMs, database, lock, log });
  } catch (error) {
    database?.close();
    await log?.close();
    await lock.release();
    throw asJournalError(path, error);
  }
}

interface Opened {
  readonly path: string;
  readonly busyTimeoutMs: number;
  readonly database: DatabaseSync;
  readonly lock: FileLock;
  /** The write-ahead log. */
  readonly log: FileHandle;
}

function sessionOf({ path, busyTimeoutMs, database, lock, log }: Opened): JournalSession {
  const answers = new Answers(database);
  const rows = new Rows(database);
  const saveRun = database.prepare(
    "INSERT INTO runs (run_id, record) VALUES (?, ?) ON CONFLICT (run_id) DO UPDATE SET record = excluded.record",
  );
  const anyAnswered = database.prepare(
    `SELECT 1 FROM runs, json_each(record, '$.steps') AS step WHERE record ->> '$.pipeline' = ? AND step.value ->> '$.step' = ?
      AND json_array_length(step.value, '$.models') > 0
      AND EXISTS (SELECT 1 FROM json_each(step.value, '$.promptHashes') AS hash WHERE hash.value = ?) LIMIT 1`,
  );
  const asError = (cause: unknown): LLMEtlError => asJournalError(path, cause);
  const files = [new OpenFile(path, { isNeverEmpty: true }), new OpenFile(`${path}-wal`)];
  const commits = new GroupCommit({
    database,
    log,
    asError,
    isBusy: (error) => isKind(error, "busy"),
    busyTimeoutMs,
    beforeCommit: () => files.forEach((file) => requireInPlace(path, file)),
    onCommit: () => answers.index(),
  });
  const saveEach = async <Item>(items: readonly Item[], work: (item: Item) => void): Promise<void> => {
    await commits.save(() => items.forEach(work));
  };
  return {
    answers: {
      find: async (fingerprints) => commits.read(() => foundOf(fingerprints, (one) => answers.find(one))),
      save: async (fingerprint, answer) => await commits.save(() => answers.save(fingerprint, answer)),
      forget: async (fingerprints) => await saveEach(fingerprints, (one) => answers.forget(one)),
    },
    rows: {
      find: async (sink, pks) => commits.read(() => foundOf(pks, (pk) => rows.find(sink, pk))),
      findFailed: async (sink, pks) => commits.read(() => foundOf(pks, (pk) => rows.findFailed(sink, pk))),
      saveWritten: async (sink, written) => await saveEach(written, (row) => rows.saveWritten(sink, row)),
      saveFailed: async (sink, failed) => await saveEach(failed, (row) => rows.saveFailed(sink, row)),
      hasWritten: async (sink) => commits.read(() => rows.hasWritten(sink)),
      forgetAll: async (sink) => await commits.save(() => rows.forgetAll(sink)),
    },
    runs: {
      save: async (run) => await commits.save(() => saveRun.run(run.runId, JSON.stringify(run))),
      hasAnswered: async (pipeline, step, promptHash) =>
        commits.read(() => anyAnswered.get(pipeline, step, promptHash) !== undefined),
    },
    close: async () => {
      if (!database.isOpen) return;
      try {
        await commits.close(() => answers.index(1)); // so that the next run need not
      } finally {
        await lock.release();
      }
    },
  };
}

/** @throws {JournalError} if a file of the journal is no longer under its path: what is committed to it is lost with the run */
function requireInPlace(path: string, file: OpenFile): void {
  const problem = file.problem();
  if (problem === undefined) return;
  const hint = "put it back if it was moved, then run again: what it does not hold is asked and paid for again";
  throw new JournalError(path, `can't be written: ${file.path} ${problem} while this run had it open`, {
    facts: { problem, file: file.path, hint },
  });
}

/** By key, what a look-up of one finds. */
function foundOf<Found>(keys: readonly string[], find: (key: string) => Found | undefined): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const key of keys) {
    const one = find(key);
    if (one !== undefined) found.set(key, one);
  }
  return found;
}
