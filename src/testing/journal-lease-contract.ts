import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import type { JournalSession } from "../contracts/journal.ts";
import type { Lease } from "../contracts/journal-work.ts";
import { JournalError } from "../errors/journal.ts";
import { inSession, type JournalCheck, type OpenedJournal, pagesOf } from "./journal-check.ts";
import { answerOf, one, other, runRow, runningRecord, timeSlice, valueCounts, writtenRow } from "./journal-samples.ts";

/** The promises of every journal about leases, and about workers that share a run. */
export const leaseChecks: Readonly<Record<string, JournalCheck>> = {
  "a range is one owner's until its lease has expired, and each lease has a greater number": inSession(claimsRanges),
  "of owners that claim a range at once one gets it": inSession(claimsOnce),
  "a lease that is renewed goes on, with how far its range is; one that is lost is rejected": inSession(renewsLeases),
  "a range that is released is free for others, or done": inSession(releasesLeases),
  "nothing is saved under a lease that is lost, and all that others save is": inSession(savesUnderLeases),
  "the ranges of a run are given page by page": pagesRanges,
  "workers of one run join where the journal takes workers, and other runs are denied": joinsWorkers,
};

const minuteMs = 60_000;

async function claimed({ leases }: JournalSession, range: string, owner: string, forMs = minuteMs): Promise<Lease> {
  const lease = await leases.claim("run-1", range, owner, forMs);
  if (lease === undefined) throw new Error(`${owner} can't claim ${range}`);
  return lease;
}

/** The rejection of what is saved under a lost lease. */
function isLeaseLost(error: unknown): boolean {
  return error instanceof JournalError && error.facts["problem"] === "lease-lost";
}

async function claimsRanges(session: JournalSession): Promise<void> {
  const before = Date.now();
  const first = await claimed(session, "1-100", "ann");
  deepEqual([first.runId, first.range, first.owner, first.progress], ["run-1", "1-100", "ann", null]);
  // The journal's clock may be another machine's.
  ok(Math.abs(first.expiresAt.getTime() - before - minuteMs) < minuteMs / 2, "it expires in a minute");
  equal(await session.leases.claim("run-1", "1-100", "bob", minuteMs), undefined);
  ok(await session.leases.claim("run-1", "101-200", "bob", minuteMs));
  ok(await session.leases.claim("run-2", "1-100", "bob", minuteMs));
  const again = await claimed(session, "1-100", "ann", 0);
  ok(again.number > first.number, "an owner that was started anew is another");
  const next = await claimed(session, "1-100", "bob");
  ok(next.number > again.number, "a lease that has expired is anyone's");
  equal(await session.leases.claim("run-1", "1-100", "ann", minuteMs), undefined);
}

async function claimsOnce({ leases }: JournalSession): Promise<void> {
  const owners = Array.from({ length: 20 }, (_, index) => `worker-${index}`);
  const all = await Promise.all(owners.map(async (owner) => await leases.claim("run-1", "1-100", owner, minuteMs)));
  equal(all.filter((lease) => lease !== undefined).length, 1);
}

async function renewsLeases(session: JournalSession): Promise<void> {
  const { leases } = session;
  const lease = await claimed(session, "1-100", "ann", 0);
  const renewed = await leases.renew({ ...lease, progress: "row 40" }, minuteMs);
  deepEqual([renewed.number, renewed.owner, renewed.progress], [lease.number, "ann", "row 40"]);
  ok(renewed.expiresAt.getTime() > lease.expiresAt.getTime());
  equal(await leases.claim("run-1", "1-100", "bob", minuteMs), undefined);
  const last = await leases.renew(renewed, 0);
  const others = await claimed(session, "1-100", "bob");
  equal(others.progress, "row 40", "whoever goes on knows how far it is");
  for (const lost of [lease, last]) await rejects(leases.renew(lost, minuteMs), isLeaseLost);
  await rejects(leases.release(last, true), isLeaseLost);
  equal((await leases.renew(others, minuteMs)).number, others.number);
}

async function releasesLeases(session: JournalSession): Promise<void> {
  const { leases } = session;
  const lease = await claimed(session, "1-100", "ann");
  await leases.release({ ...lease, progress: "row 70" }, false);
  await rejects(leases.renew(lease, minuteMs), isLeaseLost);
  const next = await claimed(session, "1-100", "bob");
  deepEqual([next.progress, next.number > lease.number], ["row 70", true]);
  await leases.release(next, true);
  for (const owner of ["ann", "bob"]) equal(await leases.claim("run-1", "1-100", owner, minuteMs), undefined);
}

async function savesUnderLeases(session: JournalSession): Promise<void> {
  const old = await claimed(session, "1-100", "ann", 0);
  const under = session.leases.under(old);
  await under.answers.save(one, answerOf("held"));
  await under.rows.saveWritten("sink", [writtenRow("1")]);
  const next = session.leases.under(await claimed(session, "1-100", "bob"));
  const lost = [
    under.answers.save(one, answerOf("late")),
    under.answers.forget([one]),
    under.answers.saveUsed("sink", [{ pk: "1", fingerprints: [one] }]),
    under.rows.saveWritten("sink", [writtenRow("1", other)]),
    under.rows.saveFailed("sink", []),
    under.rows.forgetAll("sink"),
    under.runs.save(runningRecord("run-1")),
    under.runs.saveRows("run-1", [runRow(1)]),
    under.runs.saveAttempts("run-1", []),
    under.runs.saveTimeline("run-1", [timeSlice(1)]),
    under.runs.saveValues("run-1", [valueCounts("a")]),
  ];
  const saved = [next.answers.save(other, answerOf("next")), session.rows.saveWritten("sink", [writtenRow("2")])];
  await Promise.all(lost.map(async (saving) => await rejects(saving, isLeaseLost)));
  await Promise.all(saved);
  const found = await under.answers.find([one, other]);
  deepEqual([found.get(one)?.text, found.get(other)?.text], ["held", "next"]);
  const rows = await session.rows.find("sink", ["1", "2"]);
  deepEqual([rows.get("1")?.valuesHash, rows.size], [writtenRow("1").valuesHash, 2]);
  deepEqual((await session.answers.findUsed("sink", ["1"])).get("1"), writtenRow("1").fingerprints);
}

async function pagesRanges({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  const ranges = ["1-100", "101-200", "half \uD83D"];
  const leases: Lease[] = [];
  for (const range of ranges) leases.push(await claimed(session, range, "ann"));
  await session.leases.claim("run-2", "1-100", "bob", minuteMs);
  const [first, second, third] = leases;
  if (first === undefined || second === undefined || third === undefined) throw new Error("three ranges were claimed");
  await session.leases.release(first, true);
  await session.leases.release(second, false);
  const reader = await read();
  const pages = await pagesOf(async (request) => await reader.leases.list("run-1", request), 2);
  const free = { owner: null, expiresAt: null };
  const expected = [
    { ...first, ...free, isDone: true },
    { ...second, ...free, isDone: false },
    { ...third, isDone: false },
  ];
  deepEqual(
    pages.flat().toSorted((a, b) => ranges.indexOf(a.range) - ranges.indexOf(b.range)),
    expected,
  );
  deepEqual(
    pages.map(({ length }) => length),
    [2, 1],
  );
}

async function joinsWorkers({ journal, open, read }: OpenedJournal): Promise<void> {
  const role = "worker";
  if (journal.takesWorkers !== true) {
    await rejects(open("run-1", { role }), { code: "JOURNAL_FAILED" });
    const session = await open("run-1", { role: "run" });
    return await session.close();
  }
  const [ann, bob] = [await open("run-1", { role }), await open("run-1", { role })];
  for (const given of [{ role }, {}] as const) await rejects(open("run-2", given), { code: "JOURNAL_IN_USE" });
  await rejects(open("run-1"), { code: "JOURNAL_IN_USE" });
  await ann.answers.save(one, answerOf("by ann"));
  equal((await bob.answers.find([one])).get(one)?.text, "by ann");
  for (const { runs } of [ann, bob]) {
    await runs.saveRows("run-1", [runRow(1)]);
    await runs.saveTimeline("run-1", [timeSlice(1, { calls: 100 })]);
    await runs.saveTimeline("run-1", [timeSlice(1)]);
    await runs.saveValues("run-1", [valueCounts("a")]);
  }
  const { runs } = await read();
  equal((await runs.rows("run-1", { limit: 9 })).items.length, 2);
  const [slice] = (await runs.timeline("run-1", { limit: 9 })).items;
  deepEqual(
    [slice?.calls, slice?.rows, slice?.rateLimited],
    [12, { written: 2, unchanged: 4, failed: 6, skipped: 8, pending: 10 }, 4],
  );
  const [counts] = (await runs.values("run-1", { limit: 9 })).items;
  deepEqual(
    [counts?.nulls, counts?.categories[0], counts?.numbers?.bins[1]],
    [2, { name: "Routine", count: 10 }, { value: 0.5, count: 4 }],
  );
  await ann.close();
  await rejects(open("run-2"), { code: "JOURNAL_IN_USE" });
  await bob.close();
  await (await open("run-2")).close();
}
