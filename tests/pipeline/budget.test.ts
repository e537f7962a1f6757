import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type BudgetOption, type ErrorFacts, Pipeline, type PipelineOptions, SummarizerStep } from "../../src/index.ts";
import type { Journal } from "../../src/contracts/journal.ts";
import type { SpentSlice } from "../../src/contracts/journal-spending.ts";
import { JournalError } from "../../src/errors/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { limitsOf } from "../../src/pipeline/budget.ts";
import { amountOf, billionthsOf } from "../../src/spending/amount.ts";
import { one, runFacts } from "../../src/testing/journal-samples.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly note: string;
}

const folder = temporaryFolder();
const prices = { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "USD" };
let journalCount = 0;

function newJournal(): SQLiteJournal {
  journalCount += 1;
  return new SQLiteJournal({ path: join(folder, `journal ${journalCount}.db`) });
}

/** Each pipeline has a target of its own: what was written before is written again, and not asked again. */
let targetCount = 0;

function pipelineOf(name: string, given: Partial<PipelineOptions<Note>> = {}) {
  targetCount += 1;
  const identity = `target ${targetCount}`;
  const rows = Array.from({ length: 60 }, (_, index) => ({ id: `${index}`, note: `Note ${index} of ${name}.` }));
  return new Pipeline<Note>({
    name,
    source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({ prices }),
    payloadLog: "off",
    concurrency: 16,
    ...given,
  })
    .step(
      new SummarizerStep({
        name: "short",
        maxOutputTokens: 100,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "short",
      }),
    )
    .to(new MemorySink({ identity, columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text } }));
}

/** What the journal knows: what is settled, by pipeline, and the sum of what is reserved. */
async function spentIn(journal: Journal): Promise<{ readonly [name: string]: number }> {
  const reader = await journal.reader();
  const { items: slices = [] } = (await reader?.spending.list({ limit: 100 })) ?? {};
  const { items: open = [] } = (await reader?.spending.reservations({ limit: 100 })) ?? {};
  const sum = (amounts: readonly bigint[]): number => amountOf(amounts.reduce((total, each) => total + each, 0n));
  const byPipeline = Map.groupBy(slices, ({ pipeline }: SpentSlice) => pipeline);
  return {
    ...Object.fromEntries([...byPipeline].map(([name, of]) => [name, sum(of.map(({ settled }) => settled))])),
    ...(open.length > 0 && { reserved: sum(open.map(({ amount }) => amount)) }),
  };
}

test("a budget that is none is rejected at construction", () => {
  const rejected: readonly (readonly [BudgetOption & { readonly perYear?: number }, ErrorFacts])[] = [
    [{}, { where: "perDay", got: "neither" }],
    [{ timeZone: "UTC" }, { where: "perDay" }],
    [{ perDay: 0 }, { where: "perDay", got: "0" }],
    [{ perMonth: -1 }, { where: "perMonth" }],
    [{ perMonth: 2_000_000_000 }, { where: "perMonth" }],
    [{ perDay: Number.NaN }, { where: "perDay" }],
    [{ perDay: 1, timeZone: "Mars/Olympus" }, { where: "timeZone" }],
    [{ perDay: 1, timeZone: "+01:00" }, { where: "timeZone" }],
    [{ perYear: 5 }, { where: "perYear" }],
  ];
  for (const [budget, facts] of rejected)
    assert.throws(() => pipelineOf("visits", { budget }), failsWith("INVALID_OPTION", facts), JSON.stringify(budget));
  assert.throws(
    () => pipelineOf("visits", { budget: { perDay: 1 }, journal: "off" }),
    failsWith("INVALID_OPTION", {
      where: "budget",
      hint: "leave journal out, or give maxCost, which caps each run by itself",
    }),
  );
});

test("run and check miss the prices of a provider alike", async () => {
  const given = { budget: { perDay: 1 }, llmProvider: new MockProvider(), journal: newJournal() };
  const pipeline = pipelineOf("visits", given);
  await assert.rejects(pipeline.run(), failsWith("INVALID_OPTION", { where: "budget", provider: "mock" }));
  const { findings, wouldRun } = await pipeline.check();
  assert.deepEqual([wouldRun, findings.find(({ subject }) => subject === "prices")?.status], [false, "problem"]);
});

test("the limits of a time are those of its day and month in the time zone, and none is asked for what is not limited", () => {
  const limitsAt = limitsOf({ perDay: 0.29, perMonth: 5, timeZone: "Europe/Berlin" });
  for (const [time, day] of [
    ["2026-10-25T00:30:00Z", ["2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"]],
    ["2026-10-25T22:59:59.999Z", ["2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"]],
    ["2026-10-25T23:00:00Z", ["2026-10-25T23:00:00.000Z", "2026-10-26T23:00:00.000Z"]],
    ["2026-10-25T00:30:00Z", ["2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"]],
  ] as const) {
    const month = ["2026-09-30T22:00:00.000Z", "2026-10-31T23:00:00.000Z"];
    assert.deepEqual(
      limitsAt(new Date(time)).map(({ name, from, until, most }) => [
        name,
        from.toISOString(),
        until.toISOString(),
        most,
      ]),
      [
        ["perDay", ...day, 290_000_000n],
        ["perMonth", ...month, 5_000_000_000n],
      ],
    );
  }
  assert.deepEqual(
    limitsOf({ perMonth: 5 })(new Date()).map(({ name }) => name),
    ["perMonth"],
  );
});

test("pipelines that share a journal share its budget, and each goes on where it stopped once there is money", async () => {
  const journal = newJournal();
  const { cost } = await pipelineOf("first", { journal: newJournal() }).run();
  const oneRun = cost?.amount ?? 0;
  const perDay = 1.5 * oneRun;
  const first = await pipelineOf("first", { journal, budget: { perDay } }).run();
  assert.deepEqual([first.status, first.cost?.amount], ["completed", oneRun]);
  const second = await pipelineOf("second", { journal, budget: { perDay, perMonth: 100 } }).run();
  assert.deepEqual([second.status, second.exitCode, second.error?.code], ["failed", 3, "LIMIT_REACHED"]);
  const spent = await spentIn(journal);
  assert.deepEqual(spent, { first: oneRun, second: second.cost?.amount });
  const facts: ErrorFacts = second.error?.facts ?? {};
  assert.deepEqual([facts["period"], facts["limit"], facts["currency"]], ["perDay", perDay, "USD"]);
  const used = oneRun + (second.cost?.amount ?? 0);
  assert.ok(used <= perDay && perDay - used < Number(facts["worstCase"]), `${used} of ${perDay}`);
  assert.ok(Date.parse(String(facts["nextPeriodAt"])) > Date.now());
  const again = await pipelineOf("second", { journal, budget: { perMonth: 4 * oneRun } }).run();
  assert.equal(again.status, "completed");
  assert.equal(again.usage.calls + second.usage.calls, 60);
  const month = await pipelineOf("third", { journal, budget: { perDay: 100, perMonth: 2.1 * oneRun } }).run();
  assert.equal(month.error?.facts["period"], "perMonth");
});

test("a pipeline without a budget reserves nothing, and books nothing", async () => {
  const journal = newJournal();
  await pipelineOf("first", { journal, maxCost: 1 }).run();
  assert.deepEqual(await spentIn(journal), {});
});

test("a reservation that a killed run left stands: what it may have cost is spent, and nothing waits for it", async () => {
  const journal = newJournal();
  const open = async (runId: string) =>
    await journal.open({ ...runFacts(runId), pipeline: "first" }, new AbortController().signal);
  const killed = await open("killed");
  const reservation = { pipeline: "first", currency: "USD", amount: billionthsOf(0.01), fingerprint: one };
  const wanted = ["a", "b", "c"].map((id) => Object.assign({ id, runId: "killed" }, reservation));
  await killed.spending.reserve(wanted, limitsOf({ perDay: 1 }));
  await killed.close();
  const startedMs = performance.now();
  const stopped = await pipelineOf("first", { journal, budget: { perDay: 0.0301 } }).run();
  assert.ok(performance.now() - startedMs < 30_000, "a minute is what others are waited for");
  assert.deepEqual([stopped.error?.code, stopped.usage.calls], ["LIMIT_REACHED", 0]);
  assert.deepEqual([stopped.error?.facts["spent"], stopped.error?.facts["reserved"]], [0, 0.03]);
  const last = await pipelineOf("first", { journal, budget: { perDay: 1 } }).run();
  assert.deepEqual(await spentIn(journal), { first: last.cost?.amount, reserved: 0.03 });
});

test("a settlement is saved before the answer that it is of: no kill can leave an answer whose cost is not booked", async () => {
  const journal = newJournal();
  const saved: string[] = [];
  const watched: Journal = {
    ...journal,
    open: async (run, signal) => {
      const session = await journal.open(run, signal);
      const { answers, spending } = session;
      const save: typeof answers.save = async (...given) => {
        saved.push("answer");
        await answers.save(...given);
      };
      const settle: typeof spending.settle = async (settlements) => {
        saved.push("cost");
        await spending.settle(settlements);
      };
      return { ...session, answers: { ...answers, save }, spending: { ...spending, settle } };
    },
  };
  await pipelineOf("first", { journal: watched, budget: { perDay: 1 } }).run();
  for (let count = 1; count <= saved.length; count += 1) {
    const part = saved.slice(0, count);
    assert.ok(part.filter((what) => what === "cost").length >= count / 2, "each answer comes behind a cost");
  }
  assert.equal(saved.length, 120);
});

test("a call whose reservation can't be stored does not go", async () => {
  const journal = newJournal();
  const broken: Journal = {
    ...journal,
    open: async (run, signal) => {
      const session = await journal.open(run, signal);
      const reserve = async (): Promise<never> => await Promise.reject(new JournalError("here", "is away"));
      return { ...session, spending: { ...session.spending, reserve } };
    },
  };
  const report = await pipelineOf("first", { journal: broken, budget: { perDay: 1 } }).run();
  assert.deepEqual([report.error?.code, report.usage.calls], ["JOURNAL_FAILED", 0]);
});

test("a call belongs to the day and the month in which it was reserved, also where it ends in the next", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-12-31T22:59:59Z") });
  const session = await newJournal().open(runFacts("run-1"), new AbortController().signal);
  const { reserve, settle } = session.spending;
  const limitsAt = limitsOf({ perDay: 1, perMonth: 1, timeZone: "Europe/Berlin" });
  const wanted = { pipeline: "first", runId: "run-1", currency: "USD", amount: billionthsOf(0.9), fingerprint: one };
  await reserve([{ ...wanted, id: "last of the year" }], limitsAt);
  assert.equal((await reserve([{ ...wanted, id: "too much" }], limitsAt)).count, 0);
  t.mock.timers.tick(1_000);
  await settle([{ id: "last of the year", amount: billionthsOf(0.8) }]);
  const { count, limits } = await reserve([{ ...wanted, id: "first of the year" }], limitsAt);
  assert.equal(count, 1);
  for (const { settled, reserved } of limits) assert.deepEqual([settled, reserved], [0n, billionthsOf(0.9)]);
  t.mock.timers.setTime(Date.parse("2026-12-31T22:00:00Z"));
  const [before] = (await reserve([{ ...wanted, id: "by a clock that was put back" }], limitsAt)).limits;
  assert.equal(before?.settled, billionthsOf(0.8));
  await session.close();
});
