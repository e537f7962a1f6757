import { deepEqual, doesNotReject, equal } from "node:assert/strict";
import type { JournalReader, JournalSession, WrittenRow } from "../contracts/journal.ts";
import type { ContractCheck } from "./base.ts";
import { inSession, type JournalCheck, type JournalUnderTest, oddKeys, type OpenedJournal } from "./journal-check.ts";
import { leaseChecks } from "./journal-lease-contract.ts";
import { readerChecks } from "./journal-reader-contract.ts";
import { runDetailChecks } from "./journal-run-contract.ts";
import { answerOf, badRow, one, other, runFacts, runningRecord, runRecord, writtenRow } from "./journal-samples.ts";
import { spendingChecks } from "./journal-spending-contract.ts";
import { upkeepChecks } from "./journal-upkeep-contract.ts";
import { workChecks } from "./journal-work-contract.ts";

/**
 * The promises of every journal, as checks.
 *
 * @example
 * for (const { name, check } of journalContract({ create })) test(name, check);
 */
export function journalContract(options: {
  /** Called once for each check: an empty journal. */
  readonly create: () => Promise<JournalUnderTest>;
}): readonly ContractCheck[] {
  const checks: Readonly<Record<string, JournalCheck>> = {
    ...sessionChecks,
    ...readerChecks,
    ...runDetailChecks,
    ...workChecks,
    ...leaseChecks,
    ...upkeepChecks,
    ...spendingChecks,
  };
  return Object.entries(checks).map(([name, check]) => ({
    name,
    check: async () => {
      const { journal, moduleText, release } = await options.create();
      const opened: { readonly close: () => Promise<void> }[] = [];
      const added = <Opened extends JournalSession | JournalReader>(each: Opened): Opened => {
        opened.push(each);
        return each;
      };
      try {
        await check({
          journal,
          moduleText,
          open: async (runId = "run-1", given = {}) =>
            added(await journal.open({ ...runFacts(runId), ...given }, new AbortController().signal)),
          read: async () => {
            const reader = await journal.reader();
            if (reader === undefined) throw new Error("a journal that was opened is there, and has a reader");
            return added(reader);
          },
        });
      } finally {
        for (const each of opened) await each.close();
        await release?.();
      }
    },
  }));
}

const sessionChecks: Readonly<Record<string, JournalCheck>> = {
  "what was never saved is not there": inSession(hasNothing),
  "an answer is given back as it was saved": inSession(savesAnswers),
  "an answer that is saved again replaces the one before": inSession(replacesAnswers),
  "an answer that was forgotten is not there, and the others are": inSession(forgetsAnswers),
  "a text survives with NUL, emoji, lone surrogates and a length of a million": inSession(savesAnyText),
  "a row that was written is given back, by sink and primary key": inSession(savesRows),
  "a row that failed counts as not written, until it is written again": inSession(forgetsBadRows),
  "a row that failed is found with the code of its error, until it is written": inSession(findsFailedRows),
  "a prompt counts as answered once a run's record has a model for it": inSession(findsAnsweredPrompts),
  "a row that failed with another row's key leaves that row as it was": inSession(leavesOtherRows),
  "a row takes its place in the target from others with the same key": inSession(takesItsPlace),
  "the rows of one sink are forgotten, and those of others are not": inSession(forgetsRows),
  "the children of a row stay known when it fails, and when the rows of its sink are forgotten":
    inSession(keepsChildren),
  "keys that differ in a lone surrogate, in case or in a trailing blank are different keys": inSession(tellsKeysApart),
  "a thousand writes at once are all saved, and found in one look-up": inSession(savesManyAtOnce),
  "writes at once to one key are made in their order, however they alternate": inSession(keepsTheirOrder),
  "what was saved is there when the journal is opened again": savesForGood,
  "closing twice is harmless": inSession(closesTwice),
};

async function find(session: JournalSession, fingerprint: string) {
  return (await session.answers.find([fingerprint])).get(fingerprint);
}

async function findRow({ rows }: JournalSession, sink: string, pk: string): Promise<WrittenRow | undefined> {
  const row = (await rows.find(sink, [pk])).get(pk);
  if (row === undefined) return undefined;
  // A journal may know more of a row than is asked for.
  const { targetKey, valuesHash, runId, startedAt, completedAt, lineage, fingerprints } = row;
  return { pk: row.pk, targetKey, valuesHash, runId, startedAt, completedAt, lineage, fingerprints };
}

async function hasNothing(session: JournalSession): Promise<void> {
  equal((await session.answers.find([one, other])).size, 0);
  equal((await session.rows.find("sink", ["1", "2"])).size, 0);
  equal((await session.answers.find([])).size, 0);
  equal(await session.rows.hasWritten("sink"), false);
  await doesNotReject(session.answers.forget([one]));
  await doesNotReject(session.rows.forgetAll("sink"));
}

async function savesAnswers(session: JournalSession): Promise<void> {
  await session.answers.save(one, answerOf('{"a":1}'));
  await session.answers.save(other, { ...answerOf("cut"), finishReason: "length" });
  const found = await session.answers.find([other, one, "2".repeat(64)]);
  deepEqual(found.get(one), answerOf('{"a":1}'));
  deepEqual(found.get(other), { ...answerOf("cut"), finishReason: "length" });
  equal(found.size, 2);
  const { usage, ...answer } = answerOf("of a tier");
  const inTier = { ...answer, usage: { ...usage, cacheWriteTokens: 12, tier: "flex" } };
  await session.answers.save(one, inTier);
  deepEqual(await find(session, one), inTier);
}

async function replacesAnswers(session: JournalSession): Promise<void> {
  await session.answers.save(one, answerOf("first"));
  await session.answers.save(one, answerOf("second", "run-2"));
  deepEqual(await find(session, one), answerOf("second", "run-2"));
}

async function forgetsAnswers(session: JournalSession): Promise<void> {
  await session.answers.save(one, answerOf("first"));
  await session.answers.save(other, answerOf("second"));
  await session.answers.forget([one]);
  equal(await find(session, one), undefined);
  deepEqual(await find(session, other), answerOf("second"));
}

const oddTexts = ["", "a\0b", "🩺 naïve", "half \uD83D", "\uDE00 half", "x".repeat(1_000_000)];

async function savesAnyText(session: JournalSession): Promise<void> {
  for (const text of oddTexts) {
    await session.answers.save(one, answerOf(text));
    equal((await find(session, one))?.text, text);
  }
}

async function savesRows(session: JournalSession): Promise<void> {
  await session.rows.saveWritten("sink", [writtenRow("1"), writtenRow("2", other)]);
  await session.rows.saveWritten("sink", [writtenRow("1", other)]);
  equal((await session.rows.find("sink", ["2", "1", "3"])).size, 2);
  deepEqual(await findRow(session, "sink", "1"), writtenRow("1", other));
  deepEqual(await findRow(session, "sink", "2"), writtenRow("2", other));
  equal(await findRow(session, "another", "1"), undefined);
  equal(await session.rows.hasWritten("sink"), true);
  equal(await session.rows.hasWritten("another"), false);
}

async function forgetsBadRows(session: JournalSession): Promise<void> {
  await session.rows.saveWritten("sink", [writtenRow("1")]);
  await session.rows.saveFailed("sink", [badRow(7, { pk: "1" })]);
  equal(await findRow(session, "sink", "1"), undefined);
  equal(await session.rows.hasWritten("sink"), false);
  await session.rows.saveWritten("sink", [writtenRow("1")]);
  deepEqual(await findRow(session, "sink", "1"), writtenRow("1"));
}

async function findsFailedRows({ rows }: JournalSession): Promise<void> {
  await rows.saveWritten("sink", [writtenRow("1"), writtenRow("2")]);
  await rows.saveFailed("sink", [badRow(7, { pk: "2" }), badRow(8, { pk: "3" })]);
  const { errorCode } = badRow(7, { pk: "2" });
  const found = await rows.findFailed("sink", ["1", "2", "3", "4"]);
  deepEqual(Object.fromEntries(found), { "2": errorCode, "3": errorCode });
  equal((await rows.findFailed("another", ["2"])).size, 0);
  await rows.saveWritten("sink", [writtenRow("2")]);
  equal((await rows.findFailed("sink", ["2"])).size, 0);
}

async function findsAnsweredPrompts({ runs }: JournalSession): Promise<void> {
  const record = runRecord("run-1");
  const [figures] = record.steps;
  if (figures === undefined) throw new Error("the sample of a record has a step");
  const failing = { ...figures, step: "failing", models: [], promptHashes: ["hash-1"] };
  const answered = { ...figures, step: "answered", models: ["m"], promptHashes: ["hash-1", "hash-2"] };
  await runs.save({ ...record, steps: [failing, answered] });
  const { pipeline } = record;
  equal(await runs.hasAnswered(pipeline, "answered", "hash-2"), true);
  equal(await runs.hasAnswered(pipeline, "answered", "hash-3"), false);
  equal(await runs.hasAnswered(pipeline, "failing", "hash-1"), false);
  equal(await runs.hasAnswered(`${pipeline}-other`, "answered", "hash-2"), false);
}

async function leavesOtherRows(session: JournalSession): Promise<void> {
  await session.rows.saveWritten("sink", [writtenRow("1")]);
  await session.rows.saveFailed("sink", [badRow(7, { pk: "1", ownsKey: false }), badRow(8, { pk: null })]);
  deepEqual(await findRow(session, "sink", "1"), writtenRow("1"));
}

async function takesItsPlace(session: JournalSession): Promise<void> {
  const { saveWritten } = session.rows;
  await saveWritten("sink", [writtenRow("1"), writtenRow("2"), { ...writtenRow("3"), targetKey: "patient" }]);
  await saveWritten("sink", [{ ...writtenRow("4"), targetKey: "1" }]);
  equal(await findRow(session, "sink", "1"), undefined, "its place was taken by a row with another primary key");
  deepEqual(await findRow(session, "sink", "4"), { ...writtenRow("4"), targetKey: "1" });
  await saveWritten("sink", [{ ...writtenRow("5"), targetKey: "patient" }, writtenRow("1")]);
  equal(await findRow(session, "sink", "3"), undefined);
  const taken = "its place was taken by the row whose primary key is its key";
  equal(await findRow(session, "sink", "4"), undefined, taken);
  deepEqual(await findRow(session, "sink", "5"), { ...writtenRow("5"), targetKey: "patient" });
  deepEqual(await findRow(session, "sink", "2"), writtenRow("2"));
  await saveWritten("another", [{ ...writtenRow("6"), targetKey: "2" }]);
  deepEqual(await findRow(session, "sink", "2"), writtenRow("2"), "another sink's rows take no place here");
}

async function forgetsRows(session: JournalSession): Promise<void> {
  await session.rows.saveWritten("sink", [writtenRow("1")]);
  await session.rows.saveWritten("another", [writtenRow("1")]);
  await session.rows.forgetAll("sink");
  equal(await findRow(session, "sink", "1"), undefined);
  deepEqual(await findRow(session, "another", "1"), writtenRow("1"));
}

async function keepsChildren(session: JournalSession): Promise<void> {
  const { children, rows } = session;
  equal((await children.find("sink", ["1"])).size, 0);
  equal((await children.find("sink", [])).size, 0);
  await children.save("sink", [
    { pk: "1", children: ["a", "\uD83D half", "a\0b", "x".repeat(10_000)] },
    { pk: "2", children: [] },
  ]);
  await children.save("another", [{ pk: "1", children: ["c"] }]);
  await rows.saveWritten("sink", [writtenRow("1"), writtenRow("2")]);
  await rows.saveFailed("sink", [badRow(1)]);
  await rows.forgetAll("sink");
  const found = await children.find("sink", ["1", "2", "3"]);
  deepEqual(found.get("1"), ["a", "\uD83D half", "a\0b", "x".repeat(10_000)]);
  deepEqual(found.get("2") ?? [], []);
  equal(found.get("3"), undefined);
  deepEqual((await children.find("another", ["1"])).get("1"), ["c"]);
  await children.save("sink", [{ pk: "1", children: ["b"] }]);
  deepEqual((await children.find("sink", ["1"])).get("1"), ["b"]);
  deepEqual((await children.find("another", ["1"])).get("1"), ["c"]);
}

async function tellsKeysApart(session: JournalSession): Promise<void> {
  const rows = oddKeys.map((pk, index) => writtenRow(pk, hashOf(index)));
  await session.rows.saveWritten("sink", rows);
  const found = await session.rows.find("sink", oddKeys);
  equal(found.size, oddKeys.length);
  for (const [index, pk] of oddKeys.entries()) equal(found.get(pk)?.valuesHash, hashOf(index));
}

function hashOf(index: number): string {
  return index.toString(16).padStart(64, "0");
}

async function savesManyAtOnce(session: JournalSession): Promise<void> {
  const fingerprints = Array.from({ length: 1000 }, (_, index) => hashOf(index));
  await Promise.all(fingerprints.map(async (each) => await session.answers.save(each, answerOf(each))));
  const found = await session.answers.find(fingerprints);
  for (const fingerprint of fingerprints) equal(found.get(fingerprint)?.text, fingerprint);
}

async function keepsTheirOrder(session: JournalSession): Promise<void> {
  for (const count of [3, 4, 301, 302]) {
    const changes = Array.from({ length: count }, async (_, index) => {
      await (index % 2 === 0 ? session.answers.save(one, answerOf(`${index}`)) : session.answers.forget([one]));
    });
    await Promise.all(changes);
    equal((await find(session, one))?.text, count % 2 === 0 ? undefined : `${count - 1}`);
  }
}

async function savesForGood({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const saved = [
    session.answers.save(one, answerOf("saved")),
    session.rows.saveWritten("sink", [writtenRow("1")]),
    session.runs.save(runRecord("run-1")),
  ];
  await session.close(); // what was asked for before is saved
  await Promise.all(saved);
  const again = await open("run-2");
  deepEqual(await find(again, one), answerOf("saved"));
  deepEqual(await findRow(again, "sink", "1"), writtenRow("1"));
  await again.runs.save(runningRecord("run-2"));
  equal(await (await read()).runs.count({}), 2);
}

async function closesTwice(session: JournalSession): Promise<void> {
  await session.close();
  await doesNotReject(session.close());
}
