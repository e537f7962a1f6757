import { deepEqual, doesNotReject, equal } from "node:assert/strict";
import type { JournalSession } from "../contracts/journal.ts";
import type { Evaluation, Override, SubmittedWork, Watermark } from "../contracts/journal-work.ts";
import { inSession, type JournalCheck, oddKeys, type OpenedJournal, pagesOf } from "./journal-check.ts";
import { one, other } from "./journal-samples.ts";

/** The promises of every journal about submitted work, watermarks, evaluations and decisions of people. */
export const workChecks: Readonly<Record<string, JournalCheck>> = {
  "submitted work is given back as it was last saved, page by page, the newest first": pagesWork,
  "a fingerprint is found in the work to which it was added last, until it is taken from it":
    inSession(findsFingerprints),
  "the fingerprints of submitted work are given page by page": pagesFingerprints,
  "a watermark is given back as it was last saved, by pipeline and name": savesWatermarks,
  "an evaluation is given back by its id, and all page by page": savesEvaluations,
  "a decision is given back by pipeline, step and input, until it is forgotten": savesOverrides,
  "work, watermarks, evaluations and decisions are there when the journal is opened again": savesAllForGood,
};

function workOf(id: string, given: Partial<SubmittedWork> = {}): SubmittedWork {
  return {
    id,
    pipeline: "visits",
    provider: "azure",
    state: "prepared",
    fileHash: one,
    fileId: null,
    batchId: null,
    createdAt: new Date("2026-01-02T03:04:05.006Z"),
    updatedAt: new Date("2026-01-02T03:04:06.007Z"),
    facts: { lineCount: 3, mayCost: 0.25, isLast: true, deployment: "x-batch", endedAt: null },
    ...given,
  };
}

async function pagesWork({ open, read }: OpenedJournal): Promise<void> {
  const { work } = await open();
  for (const id of ["a", "b", "c"]) await work.save(workOf(id));
  const submitted = workOf("a", { state: "submitted", fileId: "file-1", batchId: "batch-1", updatedAt: new Date(0) });
  await work.save(submitted);
  const expected = [workOf("c"), workOf("b"), submitted];
  const reader = await read();
  for (const look of [work, reader.work]) {
    deepEqual(await pagesOf(look.list, 2), [expected.slice(0, 2), expected.slice(2)]);
  }
}

async function findsFingerprints({ work }: JournalSession): Promise<void> {
  await work.save(workOf("a"));
  await work.save(workOf("b"));
  await work.addFingerprints("a", [one, other]);
  deepEqual(Object.fromEntries(await work.find([one, other, "2".repeat(64)])), { [one]: "a", [other]: "a" });
  await work.addFingerprints("b", [other]);
  await work.save(workOf("a", { state: "submitted" })); // its fingerprints stay
  deepEqual(Object.fromEntries(await work.find([one, other])), { [one]: "a", [other]: "b" });
  await work.removeFingerprints("a", [one, other]);
  deepEqual(Object.fromEntries(await work.find([one, other])), { [other]: "b" }, "it is another's by now");
  await work.removeFingerprints("b", [other]);
  equal((await work.find([one, other])).size, 0);
  await doesNotReject(work.removeFingerprints("b", [other]));
}

async function pagesFingerprints({ open, read }: OpenedJournal): Promise<void> {
  const { work } = await open();
  await work.save(workOf("a"));
  await work.save(workOf("b"));
  const fingerprints = Array.from({ length: 500 }, (_, index) => (index * 7919).toString(16).padStart(64, "0"));
  await work.addFingerprints("a", fingerprints.slice(0, 200));
  await work.addFingerprints("b", [one]);
  await work.addFingerprints("a", fingerprints.slice(200));
  const reader = await read();
  for (const look of [work, reader.work]) {
    const pages = await pagesOf(async (request) => await look.fingerprints("a", request), 200);
    deepEqual(pages.flat().toSorted(), fingerprints.toSorted());
    deepEqual(
      pages.map(({ length }) => length),
      [200, 200, 100],
    );
    deepEqual(await look.fingerprints("none", { limit: 2 }), { items: [], next: null });
  }
}

function watermarkOf(name: string, given: Partial<Watermark> = {}): Watermark {
  const savedAt = new Date("2026-01-02T03:04:05.006Z");
  return { pipeline: "visits", name, value: "2026-01-02T03:04:05.1234567Z", basis: one, savedAt, ...given };
}

async function savesWatermarks({ open, read }: OpenedJournal): Promise<void> {
  const { watermarks } = await open();
  equal(await watermarks.find("visits", "changes"), undefined);
  const last = watermarkOf("changes", { value: "0x00000000000007D1", basis: other, savedAt: new Date(0) });
  await watermarks.save(watermarkOf("changes"));
  await watermarks.save(watermarkOf("changes", { pipeline: "bills" }));
  await watermarks.save(watermarkOf("more", { value: "half \uD83D\0" }));
  await watermarks.save(last);
  deepEqual(await watermarks.find("visits", "changes"), last);
  deepEqual(await watermarks.find("visits", "more"), watermarkOf("more", { value: "half \uD83D\0" }));
  deepEqual(await watermarks.find("bills", "changes"), watermarkOf("changes", { pipeline: "bills" }));
  const listed = await pagesOf((await read()).watermarks.list, 2);
  deepEqual(
    listed
      .flat()
      .map(({ pipeline, name }) => `${pipeline} ${name}`)
      .toSorted(),
    ["bills changes", "visits changes", "visits more"],
  );
  deepEqual(
    listed.map(({ length }) => length),
    [2, 1],
  );
  await watermarks.forget("visits", "changes");
  equal(await watermarks.find("visits", "changes"), undefined);
  equal((await watermarks.find("bills", "changes"))?.name, "changes");
}

function evaluationOf(id: string, given: Partial<Evaluation> = {}): Evaluation {
  const startedAt = new Date("2026-01-02T03:04:05.006Z");
  return { id, pipeline: "visits", startedAt, findings: '{"accuracy":0.92}', ...given };
}

async function savesEvaluations({ open, read }: OpenedJournal): Promise<void> {
  const { evaluations } = await open();
  equal(await evaluations.find("a"), undefined);
  const last = evaluationOf("a", { findings: JSON.stringify({ text: "x".repeat(1_000_000) }) });
  for (const id of ["a", "b", "c"]) await evaluations.save(evaluationOf(id));
  await evaluations.save(evaluationOf("d", { pipeline: "bills" }));
  await evaluations.save(last);
  deepEqual(await evaluations.find("a"), last);
  const reader = await read();
  deepEqual(await reader.evaluations.find("a"), last);
  const idsOf = async (pipeline: string | undefined): Promise<string[]> => {
    const pages = await pagesOf(async (request) => await reader.evaluations.list({ pipeline, ...request }), 2);
    return pages.map((page) => page.map(({ id }) => id).join(""));
  };
  deepEqual(await idsOf(undefined), ["dc", "ba"]);
  deepEqual(await idsOf("visits"), ["cb", "a"]);
}

function overrideOf(inputHash: string, given: Partial<Override> = {}): Override {
  const decided = { output: '{"category":"Routine"}', pk: "1", reviewer: "Ann", decidedAt: new Date(1_234) };
  return { pipeline: "visits", step: "kind", inputHash, ...decided, ...given };
}

async function savesOverrides({ open, read }: OpenedJournal): Promise<void> {
  const { overrides } = await open();
  equal((await overrides.find("visits", "kind", [one])).size, 0);
  const last = overrideOf(one, {
    output: '"half \uD83D\0"',
    pk: "half \uD83D",
    reviewer: null,
    decidedAt: new Date(0),
  });
  const elsewhere = [overrideOf(one, { step: "tone" }), overrideOf(one, { pipeline: "bills" })];
  await overrides.save([overrideOf(one), overrideOf(other), ...elsewhere]);
  await overrides.save([last]);
  const found = await overrides.find("visits", "kind", [other, one, "2".repeat(64)]);
  deepEqual(Object.fromEntries(found), { [one]: last, [other]: overrideOf(other) });
  const reader = await read();
  const listed = async (pipeline?: string): Promise<number[]> =>
    (await pagesOf(async (request) => await reader.overrides.list({ pipeline, ...request }), 2)).map(
      ({ length }) => length,
    );
  deepEqual([await listed(), await listed("visits"), await listed("bills")], [[2, 2], [2, 1], [1]]);
  await overrides.forget("visits", "kind", [one, "2".repeat(64)]);
  deepEqual([...(await overrides.find("visits", "kind", [one, other])).keys()], [other]);
  deepEqual((await overrides.find("visits", "tone", [one])).get(one), elsewhere[0]);
  deepEqual((await overrides.find("bills", "kind", [one])).get(one), elsewhere[1]);
  await overrides.save(oddKeys.map((pk) => overrideOf(other, { pk })));
  equal((await overrides.find("visits", "kind", [other])).get(other)?.pk, oddKeys.at(-1));
}

async function savesAllForGood({ open }: OpenedJournal): Promise<void> {
  const session = await open();
  const saved = [
    session.work.save(workOf("a")),
    session.work.addFingerprints("a", [one]),
    session.watermarks.save(watermarkOf("changes")),
    session.evaluations.save(evaluationOf("a")),
    session.overrides.save([overrideOf(one)]),
  ];
  await session.close();
  await Promise.all(saved);
  const { work, watermarks, evaluations, overrides } = await open("run-2");
  deepEqual((await work.list({ limit: 2 })).items, [workOf("a")]);
  equal((await work.find([one])).get(one), "a");
  deepEqual(await watermarks.find("visits", "changes"), watermarkOf("changes"));
  deepEqual(await evaluations.find("a"), evaluationOf("a"));
  deepEqual((await overrides.find("visits", "kind", [one])).get(one), overrideOf(one));
}
