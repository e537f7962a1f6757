import { deepEqual, doesNotReject, equal } from "node:assert/strict";
import type { Journal, RunRecord, StoredAnswer, WrittenRow } from "../contracts/journal.ts";
import type { ContractCheck } from "./base.ts";

/** A journal, and the same one opened again after it was closed. */
export interface JournalUnderTest {
  readonly open: () => Promise<Journal>;
  /** Called after each check, also after one that failed. */
  readonly release?: (() => Promise<void>) | undefined;
}

/**
 * What every journal promises.
 *
 * @example
 * for (const { name, check } of journalContract({ create })) test(name, check);
 */
export function journalContract(options: {
  /** Called once for each check: an empty journal. */
  readonly create: () => Promise<JournalUnderTest>;
}): readonly ContractCheck[] {
  const checks: Record<string, (journal: Journal, reopened: () => Promise<Journal>) => Promise<void>> = {
    "what was never kept is not there": hasNothing,
    "an answer is given back as it was kept": keepsAnswers,
    "an answer that is kept again replaces the one before": replacesAnswers,
    "an answer that was forgotten is not there, and the others are": forgetsAnswers,
    "a text survives with NUL, emoji, lone surrogates and a length of a million": keepsAnyText,
    "a row that was written is given back, by sink and primary key": keepsRows,
    "a row that failed counts as not written, until it is written again": forgetsBadRows,
    "a row takes its place in the target from others with the same key": takesItsPlace,
    "the rows of one sink are forgotten, and those of others are not": forgetsRows,
    "keys that differ in a lone surrogate, in case or in a trailing blank are different keys": tellsKeysApart,
    "a run is given back as it was last kept, the newest first": keepsRuns,
    "a thousand writes at once are all kept": keepsManyAtOnce,
    "what was kept is there when the journal is opened again": keepsForGood,
    "closing twice is harmless": closesTwice,
  };
  return Object.entries(checks).map(([name, check]) => ({
    name,
    check: async () => {
      const { open, release } = await options.create();
      const opened: Journal[] = [];
      const openOne = async (): Promise<Journal> => {
        const journal = await open();
        opened.push(journal);
        return journal;
      };
      try {
        await check(await openOne(), openOne);
      } finally {
        for (const journal of opened) await journal.close();
        await release?.();
      }
    },
  }));
}

const one = "1".repeat(64);
const other = "e".repeat(64);

function answer(text: string, runId = "run-1"): StoredAnswer {
  const usage = { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 };
  return { text, finishReason: "stop", model: "gpt-4o", usage, runId };
}

function row(pk: string, valuesHash = one): WrittenRow {
  return {
    pk,
    targetKey: pk,
    valuesHash,
    runId: "run-1",
    startedAt: new Date("2026-01-02T03:04:05.006Z"),
    completedAt: new Date("2026-01-02T03:04:06.007Z"),
    lineage: {
      kind: { model: "m", promptHash: "p", inputTokens: 1, cachedTokens: 2, outputTokens: 3, calls: 4 },
      upper: null,
    },
  };
}

function run(runId: string, status: RunRecord["status"]): RunRecord {
  const usage = { calls: 1, reAsks: 0, inputTokens: 2, cachedTokens: 0, outputTokens: 3 };
  return {
    runId,
    pipeline: "visits",
    kind: "run",
    sink: "memory",
    startedAt: new Date("2026-01-02T03:04:05.006Z"),
    endedAt: status === "running" ? null : new Date("2026-01-02T03:05:00Z"),
    status,
    error: status === "failed" ? { code: "LIMIT_REACHED", message: "the run has reached maxCalls" } : null,
    exitCode: status === "running" ? null : 0,
    figures: {
      readCount: 3,
      successCount: 2,
      failureCount: 1,
      skippedCount: 0,
      unchangedCount: 1,
      pendingCount: 0,
      failuresByCode: { EMPTY_INPUT: 1 },
      usage: { ...usage, reusedAnswers: 4, savedInputTokens: 5, savedOutputTokens: 6 },
      cost: { amount: 0.25, currency: "USD" },
      savedCost: null,
      durationMs: 1234,
    },
    processId: 42,
    host: "here",
  };
}

async function hasNothing(journal: Journal): Promise<void> {
  equal(await journal.answer(one), undefined);
  equal(await journal.writtenRow("sink", "1"), undefined);
  equal(await journal.hasWrittenRows("sink"), false);
  deepEqual(await journal.runs(), []);
  await doesNotReject(journal.forgetAnswers([one]));
  await doesNotReject(journal.forgetRows("sink"));
}

async function keepsAnswers(journal: Journal): Promise<void> {
  await journal.keepAnswer(one, answer('{"a":1}'));
  await journal.keepAnswer(other, { ...answer("cut"), finishReason: "length" });
  deepEqual(await journal.answer(one), answer('{"a":1}'));
  deepEqual(await journal.answer(other), { ...answer("cut"), finishReason: "length" });
}

async function replacesAnswers(journal: Journal): Promise<void> {
  await journal.keepAnswer(one, answer("first"));
  await journal.keepAnswer(one, answer("second", "run-2"));
  deepEqual(await journal.answer(one), answer("second", "run-2"));
}

async function forgetsAnswers(journal: Journal): Promise<void> {
  await journal.keepAnswer(one, answer("first"));
  await journal.keepAnswer(other, answer("second"));
  await journal.forgetAnswers([one]);
  equal(await journal.answer(one), undefined);
  deepEqual(await journal.answer(other), answer("second"));
}

const oddTexts = ["", "a\0b", "🩺 naïve", "half \uD83D", "\uDE00 half", "x".repeat(1_000_000)];

async function keepsAnyText(journal: Journal): Promise<void> {
  for (const text of oddTexts) {
    await journal.keepAnswer(one, answer(text));
    equal((await journal.answer(one))?.text, text);
  }
}

async function keepsRows(journal: Journal): Promise<void> {
  await journal.keepWrittenRows("sink", [row("1"), row("2", other)]);
  await journal.keepWrittenRows("sink", [row("1", other)]);
  deepEqual(await journal.writtenRow("sink", "1"), row("1", other));
  deepEqual(await journal.writtenRow("sink", "2"), row("2", other));
  equal(await journal.writtenRow("another", "1"), undefined);
  equal(await journal.hasWrittenRows("sink"), true);
  equal(await journal.hasWrittenRows("another"), false);
}

async function forgetsBadRows(journal: Journal): Promise<void> {
  await journal.keepWrittenRows("sink", [row("1")]);
  await journal.keepBadRow("sink", { pk: "1", errorCode: "REFUSAL", runId: "run-2" });
  equal(await journal.writtenRow("sink", "1"), undefined);
  equal(await journal.hasWrittenRows("sink"), false);
  await journal.keepWrittenRows("sink", [row("1")]);
  deepEqual(await journal.writtenRow("sink", "1"), row("1"));
}

async function takesItsPlace(journal: Journal): Promise<void> {
  await journal.keepWrittenRows("sink", [row("1"), row("2"), { ...row("3"), targetKey: "patient" }]);
  await journal.keepWrittenRows("sink", [{ ...row("4"), targetKey: "1" }]);
  equal(await journal.writtenRow("sink", "1"), undefined, "its place was taken by a row with another primary key");
  deepEqual(await journal.writtenRow("sink", "4"), { ...row("4"), targetKey: "1" });
  await journal.keepWrittenRows("sink", [{ ...row("5"), targetKey: "patient" }, row("1")]);
  equal(await journal.writtenRow("sink", "3"), undefined);
  equal(
    await journal.writtenRow("sink", "4"),
    undefined,
    "its place was taken by the row whose primary key is its key",
  );
  deepEqual(await journal.writtenRow("sink", "5"), { ...row("5"), targetKey: "patient" });
  deepEqual(await journal.writtenRow("sink", "2"), row("2"));
  await journal.keepWrittenRows("another", [{ ...row("6"), targetKey: "2" }]);
  deepEqual(await journal.writtenRow("sink", "2"), row("2"), "another sink's rows take no place here");
}

async function forgetsRows(journal: Journal): Promise<void> {
  await journal.keepWrittenRows("sink", [row("1")]);
  await journal.keepWrittenRows("another", [row("1")]);
  await journal.forgetRows("sink");
  equal(await journal.writtenRow("sink", "1"), undefined);
  deepEqual(await journal.writtenRow("another", "1"), row("1"));
}

const oddKeys = ["\uD83D", "\uD83E", "\uFFFD", "a", "A", "a ", "a\0", "a\0b", "1", "01"];

async function tellsKeysApart(journal: Journal): Promise<void> {
  await journal.keepWrittenRows(
    "sink",
    oddKeys.map((pk, index) => row(pk, index.toString(16).padStart(64, "0"))),
  );
  for (const [index, pk] of oddKeys.entries()) {
    deepEqual(await journal.writtenRow("sink", pk), row(pk, index.toString(16).padStart(64, "0")));
  }
}

async function keepsRuns(journal: Journal): Promise<void> {
  await journal.keepRun(run("run-1", "running"));
  await journal.keepRun(run("run-2", "running"));
  await journal.keepRun(run("run-1", "failed"));
  deepEqual(await journal.runs(), [run("run-2", "running"), run("run-1", "failed")]);
}

async function keepsManyAtOnce(journal: Journal): Promise<void> {
  const fingerprints = Array.from({ length: 1000 }, (_, index) => index.toString(16).padStart(64, "0"));
  await Promise.all(
    fingerprints.map(async (fingerprint) => await journal.keepAnswer(fingerprint, answer(fingerprint))),
  );
  for (const fingerprint of fingerprints) equal((await journal.answer(fingerprint))?.text, fingerprint);
}

async function keepsForGood(journal: Journal, reopened: () => Promise<Journal>): Promise<void> {
  const kept = [
    journal.keepAnswer(one, answer("kept")),
    journal.keepWrittenRows("sink", [row("1")]),
    journal.keepRun(run("run-1", "running")),
  ];
  await journal.close(); // what was asked for before is kept
  await Promise.all(kept);
  const again = await reopened();
  deepEqual(await again.answer(one), answer("kept"));
  deepEqual(await again.writtenRow("sink", "1"), row("1"));
  deepEqual(await again.runs(), [run("run-1", "running")]);
}

async function closesTwice(journal: Journal): Promise<void> {
  await journal.close();
  await doesNotReject(journal.close());
}
