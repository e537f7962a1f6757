import { setTimeout } from "node:timers/promises";
import type { JournalSession, JournalWrites } from "../contracts/journal.ts";
import type { Lease } from "../contracts/journal-work.ts";
import { LeaseLostError } from "../errors/journal.ts";
import type { Change } from "./changes.ts";
import { GatheredLooks } from "./gathered-looks.ts";
import { GatheredSaves } from "./gathered-saves.ts";
import { claim, release, renew } from "./leases.ts";
import { answerLine, answersOf, fingerprintsPage, toEvaluation, toOverride, toWatermark, workPage } from "./records.ts";
import {
  childrenChanges,
  childrenIn,
  byPk,
  failedChanges,
  forgetRowsChange,
  rowKeys,
  toKnownRow,
  usedChanges,
  usedIn,
  writtenChanges,
} from "./rows.ts";
import { attemptChanges, rowsChanges, runChanges, timelineChanges, valueChanges } from "./run-detail.ts";
import { spendingOf } from "./spending.ts";
import type { Store } from "./store.ts";
import { type Line, tables } from "./tables.ts";
import { keyHash, toRecord } from "./texts.ts";

/** The time that saves have at a close, in milliseconds. All that a run waits for is stored by then: the rest is of rows that it gave up. */
const leftMs = 5_000;

type SaveChanges = (changes: readonly Change[]) => Promise<void>;

/** A look-up costs a round trip, however many rows it is for. Longer pages gain little, and take memory. */
const lookAheadRows = 250;

/** A run's use of a journal in a database. */
export function sessionOf(identity: string, store: Store): JournalSession {
  const saves = new GatheredSaves(store);
  const looks = new GatheredLooks(store.find);
  const save: SaveChanges = async (changes) => void (await saves.save({ changes }));
  let closing: Promise<void> | undefined;
  const closed = async (): Promise<void> => {
    await Promise.race([saves.settled(), setTimeout(leftMs, undefined, { ref: false })]);
    await store.close();
  };
  return {
    lookAheadRows,
    ...writesOf(store, looks, save),
    ...storesOf(store, looks, save),
    spending: spendingOf(saves, store),
    leases: leasesOf(identity, saves, (under) => writesOf(store, looks, under)),
    close: async () => {
      closing ??= closed();
      await closing;
    },
  };
}

function fingerprintKeys(fingerprints: readonly string[]): readonly Line[] {
  return fingerprints.map((fingerprint) => ({ fingerprint }));
}

function decisionKeys(pipeline: string, step: string, hashes: readonly string[]): readonly Line[] {
  return hashes.map((hash) => ({ pipeline, step, input_hash: hash }));
}

function ofWork(id: string, fingerprints: readonly string[], kind: "put" | "remove"): readonly Change[] {
  return fingerprints.map((fingerprint) => ({
    kind,
    table: tables.workFingerprints,
    line: { fingerprint, work: id },
  }));
}

/** The part that rows on their way use, with all that it saves going through a function. */
function writesOf(store: Store, looks: GatheredLooks, save: SaveChanges): JournalWrites {
  const rowsOf = async (sink: string, pks: readonly string[]) => await looks.find(tables.rows, rowKeys(sink, pks));
  return {
    answers: {
      find: async (fingerprints) => answersOf(await looks.find(tables.answers, fingerprintKeys(fingerprints))),
      save: async (fingerprint, answer) =>
        await save([{ kind: "put", table: tables.answers, line: answerLine(fingerprint, answer) }]),
      forget: async (fingerprints) =>
        await save(fingerprintKeys(fingerprints).map((line) => ({ kind: "remove", table: tables.answers, line }))),
      findUsed: async (sink, pks) => byPk(await rowsOf(sink, pks), (_, line) => usedIn(line) ?? undefined),
      saveUsed: async (sink, uses) => await save(usedChanges(sink, uses)),
    },
    rows: {
      find: async (sink, pks) =>
        byPk(await rowsOf(sink, pks), (pk, line) => {
          const known = toKnownRow(pk, line);
          return known?.outcome === "written" ? known : undefined;
        }),
      findFailed: async (sink, pks) =>
        byPk(await rowsOf(sink, pks), (pk, line) => {
          const known = toKnownRow(pk, line);
          return known?.outcome === "failed" ? known.errorCode : undefined;
        }),
      saveWritten: async (sink, rows) => await save(writtenChanges(sink, rows)),
      saveFailed: async (sink, rows) => await save(failedChanges(sink, rows)),
      hasWritten: async (sink) => {
        const where = [["sink", "=", keyHash(sink)] as const, ["outcome", "=", "written"] as const];
        return (await store.page(tables.rows, { where, order: "rising", limit: 1 })).length > 0;
      },
      forgetAll: async (sink) => await save([forgetRowsChange(sink)]),
    },
    children: {
      find: async (sink, pks) =>
        byPk(await looks.find(tables.children, rowKeys(sink, pks)), (_, line) => childrenIn(line)),
      save: async (sink, rows) => await save(childrenChanges(sink, rows)),
    },
    runs: {
      save: async (run) => await save(runChanges(run)),
      hasAnswered: async (pipeline, step, promptHash) => {
        const key = { pipeline, step, prompt_hash: promptHash };
        return (await looks.find(tables.answeredPrompts, [key])).length > 0;
      },
      saveRows: async (runId, rows) => await save(rowsChanges(runId, rows)),
      saveAttempts: async (runId, attempts) => await save(attemptChanges(runId, attempts)),
      saveTimeline: async (runId, slices) => await save(timelineChanges(runId, store.session, slices)),
      saveValues: async (runId, values) => await save(valueChanges(runId, store.session, values)),
    },
  };
}

function storesOf(
  store: Store,
  looks: GatheredLooks,
  save: SaveChanges,
): Pick<JournalSession, "work" | "watermarks" | "evaluations" | "overrides"> {
  return {
    work: {
      save: async (work) =>
        await save([{ kind: "put", table: tables.work, line: { id: work.id, record: toRecord(work) } }]),
      addFingerprints: async (id, fingerprints) => await save(ofWork(id, fingerprints, "put")),
      removeFingerprints: async (id, fingerprints) => await save(ofWork(id, fingerprints, "remove")),
      find: async (fingerprints) => {
        const lines = await looks.find(tables.workFingerprints, fingerprintKeys(fingerprints));
        return new Map(lines.map(({ fingerprint, work }) => [String(fingerprint), String(work)]));
      },
      list: async (request) => await workPage(store, request),
      fingerprints: async (id, request) => await fingerprintsPage(store, id, request),
    },
    watermarks: {
      find: async (pipeline, name) => (await looks.find(tables.watermarks, [{ pipeline, name }])).map(toWatermark)[0],
      save: async (watermark) => {
        const { pipeline, name } = watermark;
        await save([{ kind: "put", table: tables.watermarks, line: { pipeline, name, record: toRecord(watermark) } }]);
      },
      forget: async (pipeline, name) =>
        await save([{ kind: "remove", table: tables.watermarks, line: { pipeline, name } }]),
    },
    evaluations: {
      save: async (evaluation) => {
        const { id, pipeline } = evaluation;
        await save([{ kind: "put", table: tables.evaluations, line: { id, pipeline, record: toRecord(evaluation) } }]);
      },
      find: async (id) => (await looks.find(tables.evaluations, [{ id }])).map(toEvaluation)[0],
    },
    overrides: {
      find: async (pipeline, step, hashes) => {
        const lines = await looks.find(tables.overrides, decisionKeys(pipeline, step, hashes));
        return new Map(lines.map((line) => [String(line["input_hash"]), toOverride(line)]));
      },
      save: async (decisions) =>
        await save(
          decisions.map((decision) => {
            const { pipeline, step, inputHash } = decision;
            const line = { pipeline, step, input_hash: inputHash, record: toRecord(decision) };
            return { kind: "put", table: tables.overrides, line };
          }),
        ),
      forget: async (pipeline, step, hashes) =>
        await save(
          decisionKeys(pipeline, step, hashes).map((line) => ({ kind: "remove", table: tables.overrides, line })),
        ),
    },
  };
}

function leasesOf(
  identity: string,
  saves: GatheredSaves,
  writes: (save: SaveChanges) => JournalWrites,
): JournalSession["leases"] {
  /** Throws where the result of work is undefined or false, for the lease is lost then; the others of its transaction are saved. */
  const held = <Result>(lease: Lease, result: Result | undefined): Result => {
    if (result === undefined || result === false) throw new LeaseLostError(identity, lease);
    return result;
  };
  return {
    claim: async (runId, range, owner, forMs) =>
      (await saves.save({ work: async (each) => await claim(each, { runId, range, owner }, forMs) })) as
        | Lease
        | undefined, // as `claim` gave it
    renew: async (lease, forMs) =>
      held(lease, (await saves.save({ work: async (each) => await renew(each, lease, forMs) })) as Lease | undefined), // as `renew` gave it
    release: async (lease, isDone) =>
      void held(lease, await saves.save({ work: async (each) => await release(each, lease, isDone) })),
    under: (lease) => writes(async (changes) => void held(lease, await saves.save({ changes, lease }))),
  };
}
