import { type FileHandle, open } from "node:fs/promises";
import type { DatabaseSync } from "node:sqlite";
import type { JournalSession, JournalWrites } from "../../contracts/journal.ts";
import type { Lease } from "../../contracts/journal-work.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { JournalError, LeaseLostError } from "../../errors/journal.ts";
import { OpenFile } from "../../files/open-file.ts";
import type { FileLock } from "../../files/file-lock.ts";
import { isKind } from "../errors.ts";
import { untilUnlocked } from "../open.ts";
import { Answers } from "./answers.ts";
import { Children } from "./children.ts";
import { asJournalError } from "./failure.ts";
import { Evaluations, Overrides, Watermarks } from "./decisions.ts";
import { foundOf } from "./found-of.ts";
import { GroupCommit } from "./group-commit.ts";
import { lockJournal, openJournal } from "./open.ts";
import { Leases } from "./leases.ts";
import { Rows } from "./rows.ts";
import { RunDetailWriter } from "./run-detail.ts";
import { Spending } from "./spending.ts";
import { Work } from "./work.ts";

/**
 * Opens the journal in a file, or makes it; locked for this process.
 *
 * @throws {JournalError} if it is damaged, of a newer version or no journal, or its folder does not let it be written
 * @throws {JournalInUseError} if a run holds it: with the process and its start
 */
export async function openSession(path: string, busyTimeoutMs: number, signal: AbortSignal): Promise<JournalSession> {
  return (await openAlone(path, busyTimeoutMs, signal)).session;
}

/** A session, and the parts that it works with. */
export interface OpenSession {
  readonly session: JournalSession;
  readonly database: DatabaseSync;
  /** Does work in a transaction, with all that gathers in this turn. */
  readonly save: Save;
}

/** The same, for more than a run does. @throws as {@link openSession} */
export async function openAlone(path: string, busyTimeoutMs: number, signal: AbortSignal): Promise<OpenSession> {
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

type Save = (work: () => void) => Promise<void>;

function sessionOf({ path, busyTimeoutMs, database, lock, log }: Opened): OpenSession {
  const asError = (cause: unknown): LLMEtlError => asJournalError(path, cause);
  const files = [new OpenFile(path, { isNeverEmpty: true }), new OpenFile(`${path}-wal`)];
  const answers = new Answers(database);
  const commits = new GroupCommit({
    database,
    log,
    asError,
    isBusy: (error) => isKind(error, "busy"),
    busyTimeoutMs,
    beforeCommit: () => files.forEach((file) => requireInPlace(path, file)),
    onCommit: () => answers.index(),
    onUndone: answers.undone,
  });
  const save: Save = async (work) => await commits.save(work);
  const writes = writesOf(database, commits, answers);
  const session: JournalSession = {
    ...writes(save),
    ...storesOf(database, commits),
    leases: leasesOf(path, { database, save, writes }),
    close: async () => {
      if (!database.isOpen) return;
      try {
        await commits.close(() => answers.index(1)); // so that the next run need not
      } finally {
        await lock.release();
      }
    },
  };
  return { session, database, save };
}

/** The part that rows on their way use, with all that it saves going through a function. */
function writesOf(database: DatabaseSync, commits: GroupCommit, answers: Answers): (save: Save) => JournalWrites {
  const rows = new Rows(database);
  const children = new Children(database);
  const detail = new RunDetailWriter(database);
  const saveRun = database.prepare(
    "INSERT INTO runs (run_id, record) VALUES (?, ?) ON CONFLICT (run_id) DO UPDATE SET record = excluded.record",
  );
  const anyAnswered = database.prepare(
    `SELECT 1 FROM runs, json_each(record, '$.steps') AS step WHERE record ->> '$.pipeline' = ? AND step.value ->> '$.step' = ?
      AND json_array_length(step.value, '$.models') > 0
      AND EXISTS (SELECT 1 FROM json_each(step.value, '$.promptHashes') AS hash WHERE hash.value = ?) LIMIT 1`,
  );
  return (save) => ({
    answers: {
      find: async (fingerprints) => commits.read(() => foundOf(fingerprints, (one) => answers.find(one))),
      save: async (fingerprint, answer) => await save(() => answers.save(fingerprint, answer)),
      forget: async (fingerprints) => await save(() => fingerprints.forEach((one) => answers.forget(one))),
      findUsed: async (sink, pks) => commits.read(() => foundOf(pks, (pk) => rows.findUsed(sink, pk))),
      saveUsed: async (sink, uses) => await save(() => uses.forEach((use) => rows.saveUsed(sink, use))),
    },
    rows: {
      find: async (sink, pks) => commits.read(() => foundOf(pks, (pk) => rows.find(sink, pk))),
      findFailed: async (sink, pks) => commits.read(() => foundOf(pks, (pk) => rows.findFailed(sink, pk))),
      saveWritten: async (sink, written) => await save(() => written.forEach((row) => rows.saveWritten(sink, row))),
      saveFailed: async (sink, failed) => await save(() => failed.forEach((row) => rows.saveFailed(sink, row))),
      hasWritten: async (sink) => commits.read(() => rows.hasWritten(sink)),
      forgetAll: async (sink) => await save(() => rows.forgetAll(sink)),
    },
    children: {
      find: async (sink, pks) => commits.read(() => foundOf(pks, (pk) => children.find(sink, pk))),
      save: async (sink, ofRows) => await save(() => ofRows.forEach((row) => children.save(sink, row))),
    },
    runs: {
      save: async (run) => await save(() => saveRun.run(run.runId, JSON.stringify(run))),
      hasAnswered: async (pipeline, step, promptHash) =>
        commits.read(() => anyAnswered.get(pipeline, step, promptHash) !== undefined),
      saveRows: async (runId, ended) => await save(() => detail.saveRows(runId, ended)),
      saveAttempts: async (runId, attempts) => await save(() => detail.saveAttempts(runId, attempts)),
      saveTimeline: async (runId, slices) => await save(() => detail.saveTimeline(runId, slices)),
      saveValues: async (runId, values) => await save(() => detail.saveValues(runId, values)),
    },
  });
}

function storesOf(
  database: DatabaseSync,
  commits: GroupCommit,
): Pick<JournalSession, "work" | "watermarks" | "evaluations" | "overrides" | "spending"> {
  const work = new Work(database);
  const spending = new Spending(database);
  const watermarks = new Watermarks(database);
  const evaluations = new Evaluations(database);
  const overrides = new Overrides(database);
  const save: Save = async (each) => await commits.save(each);
  return {
    work: {
      save: async (each) => await save(() => work.save(each)),
      addFingerprints: async (id, fingerprints) => await save(() => work.addFingerprints(id, fingerprints)),
      removeFingerprints: async (id, fingerprints) => await save(() => work.removeFingerprints(id, fingerprints)),
      find: async (fingerprints) => commits.read(() => foundOf(fingerprints, (one) => work.find(one))),
      list: async (request) => commits.read(() => work.list(request)),
      fingerprints: async (id, request) => commits.read(() => work.fingerprints(id, request)),
    },
    watermarks: {
      find: async (pipeline, name) => commits.read(() => watermarks.find(pipeline, name)),
      save: async (watermark) => await save(() => watermarks.save(watermark)),
      forget: async (pipeline, name) => await save(() => watermarks.forget(pipeline, name)),
    },
    evaluations: {
      find: async (id) => commits.read(() => evaluations.find(id)),
      save: async (evaluation) => await save(() => evaluations.save(evaluation)),
    },
    overrides: {
      find: async (pipeline, step, hashes) =>
        commits.read(() => foundOf(hashes, (one) => overrides.find(pipeline, step, one))),
      save: async (decisions) => await save(() => decisions.forEach((each) => overrides.save(each))),
      forget: async (pipeline, step, hashes) =>
        await save(() => hashes.forEach((one) => overrides.forget(pipeline, step, one))),
    },
    spending: {
      reserve: async (wanted, limitsAt) => await resultOf(save, () => spending.reserve(wanted, limitsAt)),
      settle: async (settlements) => await save(() => spending.settle(settlements)),
      reservations: async (request) => commits.read(() => spending.reservations(request)),
    },
  };
}

/** The result of work in a transaction. */
async function resultOf<Result>(save: Save, work: () => Result): Promise<Result> {
  let result: { readonly value: Result } | undefined;
  await save(() => {
    result = { value: work() };
  });
  if (result === undefined) throw new Error("a transaction was committed without its work");
  return result.value;
}

interface LeasesOptions {
  readonly database: DatabaseSync;
  readonly save: Save;
  readonly writes: (save: Save) => JournalWrites;
}

function leasesOf(path: string, { database, save, writes }: LeasesOptions): JournalSession["leases"] {
  const leases = new Leases(database);
  /** The result of work in a transaction. Where it is undefined or false the lease is lost; the others of its group are saved. */
  const held = async <Result>(lease: Lease, work: () => Result | undefined): Promise<Result> => {
    const result = await resultOf(save, work);
    if (result === undefined || result === false) throw new LeaseLostError(path, lease);
    return result;
  };
  return {
    claim: async (runId, range, owner, forMs) => await resultOf(save, () => leases.claim(runId, range, owner, forMs)),
    renew: async (lease, forMs) => await held(lease, () => leases.renew(lease, forMs)),
    release: async (lease, isDone) => void (await held(lease, () => leases.release(lease, isDone))),
    under: (lease) =>
      writes(async (work) => {
        await held(lease, () => {
          const isHeld = leases.isHeld(lease);
          if (isHeld) work();
          return isHeld;
        });
      }),
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
