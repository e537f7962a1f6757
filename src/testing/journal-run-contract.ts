import { deepEqual, doesNotReject, equal } from "node:assert/strict";
import type { JournalReader, JournalSession, PageRequest } from "../contracts/journal.ts";
import type { RunRow, RunRowFilter } from "../contracts/run-detail.ts";
import { inSession, type JournalCheck, oddKeys, type OpenedJournal, pagesOf } from "./journal-check.ts";
import {
  answerOf,
  badRow,
  one,
  other,
  runAttempt,
  runRow,
  timeSlice,
  valueCounts,
  writtenRow,
} from "./journal-samples.ts";

/** The promises of every journal about what runs tell of their rows, attempts, time and values, and which answers rows used. */
export const runDetailChecks: Readonly<Record<string, JournalCheck>> = {
  "the answers that a row used last are given back in their order, by sink and primary key": inSession(savesUsed),
  "the answers that a row used are saved with the row, and alone": inSession(savesUsedWithRows),
  "what a row used stays known when it fails, loses its place, or is to be written anew": inSession(keepsUsed),
  "what rows used, and the answers themselves, are seen by a look": looksAtUsed,
  "the rows of a run are given back as they were saved, page by page, in the order of their ends": pagesRows,
  "many rows of a run are given back, each once": pagesManyRows,
  "the rows of a run are found by end state, step, code, category and primary key": filtersRows,
  "the attempts for a row are given page by page, and those for others are not": pagesAttempts,
  "an attempt is given back as it was saved": givesAttempts,
  "the time line of a run is given page by page, with what was saved last of each slice": pagesTimeline,
  "the value counts of a run are given page by page, with what was saved last of each column": pagesValues,
  "what is known of a run in detail is there when the journal is opened again": savesDetailForGood,
};

async function usedOf({ answers }: Pick<JournalReader, "answers">, sink: string, pks: readonly string[]) {
  return Object.fromEntries(await answers.findUsed(sink, pks));
}

async function savesUsed(session: JournalSession): Promise<void> {
  const { saveUsed, findUsed } = session.answers;
  equal((await findUsed("sink", ["1"])).size, 0);
  equal((await findUsed("sink", [])).size, 0);
  await saveUsed("sink", [
    { pk: "1", fingerprints: [other, one, other] },
    { pk: "2", fingerprints: [one] },
  ]);
  await saveUsed("another", [{ pk: "1", fingerprints: [one] }]);
  deepEqual(await usedOf(session, "sink", ["2", "1", "3"]), { 1: [other, one, other], 2: [one] });
  await saveUsed("sink", [{ pk: "1", fingerprints: [] }]);
  deepEqual(await usedOf(session, "sink", ["1", "2"]), { 1: [], 2: [one] });
  deepEqual(await usedOf(session, "another", ["1"]), { 1: [one] });
  const uses = oddKeys.map((pk, index) => ({ pk, fingerprints: [index.toString(16).padStart(64, "0")] }));
  await saveUsed("odd", uses);
  deepEqual(
    oddKeys.map((pk) => pk),
    [...(await findUsed("odd", oddKeys)).keys()].toSorted((a, b) => oddKeys.indexOf(a) - oddKeys.indexOf(b)),
  );
  for (const { pk, fingerprints } of uses) deepEqual((await findUsed("odd", [pk])).get(pk), fingerprints);
}

async function savesUsedWithRows({ answers, rows }: JournalSession): Promise<void> {
  const written = [
    writtenRow("1"),
    { ...writtenRow("2"), fingerprints: null },
    { ...writtenRow("3"), fingerprints: [] },
  ];
  await rows.saveWritten("sink", written);
  deepEqual(await usedOf({ answers }, "sink", ["1", "2", "3"]), { 1: [other, one], 3: [] });
  await answers.saveUsed(
    "sink",
    ["1", "2", "4"].map((pk) => ({ pk, fingerprints: [one] })),
  );
  const found = await rows.find("sink", ["1", "2", "3", "4"]);
  deepEqual([...found.keys()].toSorted(), ["1", "2", "3"], "a row that used answers is not written by that");
  for (const pk of ["1", "2"]) deepEqual(found.get(pk), { ...found.get(pk), ...writtenRow(pk), fingerprints: [one] });
  equal(await rows.hasWritten("another"), false);
  await answers.saveUsed("another", [{ pk: "1", fingerprints: [one] }]);
  equal(await rows.hasWritten("another"), false);
  equal((await rows.findFailed("another", ["1"])).size, 0);
  await rows.saveWritten("sink", [writtenRow("4")]);
  deepEqual(await usedOf({ answers }, "sink", ["4"]), { 4: [other, one] });
}

async function keepsUsed(session: JournalSession): Promise<void> {
  const { answers, rows } = session;
  await rows.saveWritten("sink", [writtenRow("1"), writtenRow("2")]);
  await answers.saveUsed(
    "sink",
    ["1", "2", "3"].map((pk) => ({ pk, fingerprints: [one] })),
  );
  await rows.saveFailed("sink", [badRow(1)]);
  await rows.saveWritten("sink", [{ ...writtenRow("4"), targetKey: "2" }]);
  await answers.forget([one]);
  await rows.forgetAll("sink");
  deepEqual(await usedOf(session, "sink", ["1", "2", "3"]), { 1: [one], 2: [one], 3: [one] });
}

async function looksAtUsed({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const reader = await read();
  await session.answers.saveUsed("sink", [{ pk: "1", fingerprints: [one, other] }]);
  deepEqual(await usedOf(reader, "sink", ["1", "2"]), { 1: [one, other] });
  for (const text of ["first", "last"]) {
    await session.answers.save(one, answerOf(text));
    deepEqual(Object.fromEntries(await reader.answers.find([other, one])), { [one]: answerOf(text) });
  }
  await session.answers.forget([one]);
  equal((await reader.answers.find([one])).size, 0);
}

const rowsOfAllKinds: readonly RunRow[] = [
  runRow(3),
  runRow(1, { outcome: "unchanged", cost: null, categories: {}, confidences: {} }),
  runRow(2, { pk: null, outcome: "failed", errorCode: "ROW_SCHEMA", errorMessage: "row 2: no name", cost: 0 }),
  runRow(5, { outcome: "skipped", step: "kind", errorCode: "REFUSAL", errorMessage: "declined" }),
  runRow(4, { outcome: "pending", categories: { "kind.category": "Emergency", "tone.category": "Calm" } }),
  runRow(10_000_000, {
    outcome: "unchanged",
    categories: { "tone.category": "Routine" },
    confidences: { "a.b": -1e-9 },
  }),
  runRow(6, { pk: "half \uD83D" }),
];

async function rowPages(reader: JournalReader, limit: number, filter: RunRowFilter = {}): Promise<RunRow[][]> {
  return await pagesOf(async (request) => await reader.runs.rows("run-1", { ...filter, ...request }), limit);
}

async function pagesRows({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  await doesNotReject(runs.saveRows("run-1", []));
  await runs.saveRows("run-1", rowsOfAllKinds.slice(0, 3));
  await runs.saveRows("run-0", [runRow(3, { outcome: "unchanged" })]);
  await runs.saveRows("run-1", rowsOfAllKinds.slice(3, 4));
  await runs.saveRows("run-1", rowsOfAllKinds.slice(4));
  const reader = await read();
  deepEqual((await rowPages(reader, 10)).flat(), rowsOfAllKinds);
  for (const limit of [1, 2, 3]) {
    const pages = await rowPages(reader, limit);
    deepEqual(pages.flat(), rowsOfAllKinds);
    for (const page of pages.slice(0, -1)) equal(page.length, limit);
  }
  equal((await reader.runs.rows("run-1", { limit: rowsOfAllKinds.length })).next, null);
  deepEqual(await reader.runs.rows("run-2", { limit: 3 }), { items: [], next: null });
}

async function pagesManyRows({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  const rows = Array.from({ length: 2500 }, (_, index) =>
    runRow(index + 1, { outcome: index % 1000 === 0 ? "written" : "unchanged" }),
  );
  await Promise.all([0, 1000, 2000].map(async (from) => await runs.saveRows("run-1", rows.slice(from, from + 1000))));
  const reader = await read();
  deepEqual((await rowPages(reader, 700)).flat(), rows);
  const written = (await rowPages(reader, 2, { outcome: "written" })).flat();
  deepEqual(
    written.map(({ position }) => position),
    [1, 1001, 2001],
  );
}

async function filtersRows({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  await runs.saveRows("run-1", rowsOfAllKinds.slice(0, 4));
  await runs.saveRows("run-1", rowsOfAllKinds.slice(4));
  const reader = await read();
  const filters: readonly (readonly [RunRowFilter, readonly number[]])[] = [
    [{ outcome: "unchanged" }, [1, 10_000_000]],
    [{ outcome: "written" }, [3, 6]],
    [{ step: "kind" }, [5]],
    [{ step: "tone" }, []],
    [{ errorCode: "ROW_SCHEMA" }, [2]],
    [{ category: "Routine" }, [3, 2, 5, 10_000_000, 6]],
    [{ category: "Calm" }, [4]],
    [{ category: "kind" }, []],
    [{ pk: "half \uD83D" }, [6]],
    [{ pk: "7" }, []],
    [{ outcome: "failed", category: "Routine" }, [2]],
    [{ outcome: "failed", errorCode: "REFUSAL" }, []],
  ];
  for (const [filter, positions] of filters) {
    for (const limit of [1, 10]) {
      const found = (await rowPages(reader, limit, filter)).flat();
      deepEqual(
        found.map(({ position }) => position),
        positions,
        JSON.stringify(filter),
      );
    }
  }
}

async function pagesAttempts({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  const kinds = ["first", "retry", "longer", "re-ask"] as const;
  await doesNotReject(runs.saveAttempts("run-1", []));
  await runs.saveAttempts("run-1", [
    runAttempt({ kind: "first" }),
    runAttempt({ pk: "2" }),
    runAttempt({ kind: "retry" }),
  ]);
  await runs.saveAttempts("run-0", [runAttempt()]);
  await runs.saveAttempts("run-1", [runAttempt({ kind: "longer" }), runAttempt({ pk: "A" }), runAttempt({ pk: "a" })]);
  await runs.saveAttempts("run-1", [runAttempt({ kind: "re-ask" })]);
  const reader = await read();
  const pages = await pagesOf(async (request) => await reader.runs.attempts("run-1", "1", request), 3);
  deepEqual(
    pages.map((page) => page.map(({ kind }) => kind)),
    [kinds.slice(0, 3), kinds.slice(3)],
  );
  for (const pk of ["a", "A"]) {
    const { items } = await reader.runs.attempts("run-1", pk, { limit: 9 });
    deepEqual(items, [runAttempt({ pk })]);
  }
  deepEqual(await reader.runs.attempts("run-1", "3", { limit: 9 }), { items: [], next: null });
  deepEqual(await reader.runs.attempts("run-2", "1", { limit: 9 }), { items: [], next: null });
}

async function givesAttempts({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  const pk = "half \uD83D\0";
  const failed = { kind: "first", issueCodes: [], errorCode: "TIMEOUT", cost: null, waitMs: 0 } as const;
  const attempts = [runAttempt({ pk }), runAttempt({ pk, ...failed })];
  await runs.saveAttempts("run-1", attempts);
  deepEqual((await (await read()).runs.attempts("run-1", pk, { limit: 2 })).items, attempts);
}

async function pagesTimeline({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  const last = timeSlice(1, { calls: 60, gateClosedMs: 10_000 });
  await runs.saveTimeline("run-1", [timeSlice(2), timeSlice(1)]);
  await runs.saveTimeline("run-1", [last, timeSlice(400)]);
  await runs.saveTimeline("run-0", [timeSlice(1), timeSlice(5)]);
  const reader = await read();
  const ask = async (request: PageRequest) => await reader.runs.timeline("run-1", request);
  for (const limit of [1, 2, 9]) deepEqual((await pagesOf(ask, limit)).flat(), [last, timeSlice(2), timeSlice(400)]);
  deepEqual(await reader.runs.timeline("run-2", { limit: 2 }), { items: [], next: null });
}

async function pagesValues({ open, read }: OpenedJournal): Promise<void> {
  const { runs } = await open();
  const none = { numbers: null, textLengths: null, categories: [] };
  const listLengths = {
    minimum: 0,
    maximum: 12,
    bins: [
      { value: 0, count: 1 },
      { value: 12, count: 1 },
    ],
  };
  const last = valueCounts("kind.category", { nulls: 9, categories: [{ name: "__proto__", count: 1 }] });
  await runs.saveValues("run-1", [valueCounts("summary.text", none), valueCounts("kind.category")]);
  await runs.saveValues("run-1", [last, valueCounts("tags", { listLengths })]);
  await runs.saveValues("run-0", [valueCounts("kind.category")]);
  const reader = await read();
  const ask = async (request: PageRequest) => await reader.runs.values("run-1", request);
  const expected = [last, valueCounts("summary.text", none), valueCounts("tags", { listLengths })];
  for (const limit of [1, 2, 9]) deepEqual((await pagesOf(ask, limit)).flat(), expected);
  deepEqual(await reader.runs.values("run-2", { limit: 2 }), { items: [], next: null });
}

async function savesDetailForGood({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const { runs, answers } = session;
  const saved = [
    answers.saveUsed("sink", [{ pk: "1", fingerprints: [one] }]),
    runs.saveRows("run-1", [runRow(1)]),
    runs.saveAttempts("run-1", [runAttempt()]),
    runs.saveTimeline("run-1", [timeSlice(1)]),
    runs.saveValues("run-1", [valueCounts("a")]),
  ];
  await session.close();
  await Promise.all(saved);
  const again = await open("run-2");
  await again.runs.saveRows("run-2", [runRow(2)]);
  await again.runs.saveAttempts("run-2", [runAttempt()]);
  deepEqual(await usedOf(again, "sink", ["1"]), { 1: [one] });
  const { runs: look } = await read();
  deepEqual((await look.rows("run-1", { limit: 2 })).items, [runRow(1)]);
  deepEqual((await look.rows("run-2", { limit: 2 })).items, [runRow(2)]);
  deepEqual((await look.attempts("run-1", "1", { limit: 2 })).items, [runAttempt()]);
  deepEqual((await look.timeline("run-1", { limit: 2 })).items, [timeSlice(1)]);
  deepEqual((await look.values("run-1", { limit: 2 })).items, [valueCounts("a")]);
}
