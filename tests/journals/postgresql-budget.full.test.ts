// Needs a PostgreSQL server; not dist.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { JournalSession } from "../../src/contracts/journal.ts";
import { JournalBudget } from "../../src/llm/call/journal-budget.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { limitsOf } from "../../src/pipeline/budget.ts";
import { billionthsOf } from "../../src/spending/amount.ts";
import { answerOf, one, runFacts } from "../../src/testing/journal-samples.ts";
import { startCuttableProxy } from "../support/cuttable-proxy.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { journalBehind, journalIn, noSignal } from "../support/postgresql/journal.ts";
import { randomNumbers } from "../support/random-numbers.ts";
import { rowCall } from "../support/row-call.ts";

const database = testDatabase();
const skip = noPostgreSQL;
const provider = new MockProvider();

/** Calls of a pipeline, many at a time, until the budget is used up. Resolves to the number that went, and what they cost. */
async function spendAll(session: JournalSession, pipeline: string, perDay: number, random: () => number) {
  const facts = { pipeline, runId: `run of ${pipeline}`, currency: "USD", othersMs: 300, lookMs: 20 };
  const budget = new JournalBudget({ spending: session.spending, limitsAt: limitsOf({ perDay }), ...facts });
  const spent = { calls: 0, cost: 0n, errors: new Set<unknown>() };
  const worker = async (): Promise<void> => {
    for (;;) {
      try {
        const worstCase = 0.01 + 0.09 * random();
        const settle = await budget.reserve(worstCase, rowCall({ provider }));
        await setTimeout(10 * random());
        const cost = random() < 0.1 ? 0 : worstCase * random();
        spent.calls += 1;
        spent.cost += billionthsOf(cost);
        settle(cost);
        if (random() < 0.2) await session.answers.save(one, answerOf(pipeline)); // whose lines others save, too
      } catch (error) {
        spent.errors.add((error as { code?: unknown }).code); // of a run that stops
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: 12 }, worker));
  return spent;
}

test(
  "pipelines that spend at the same time over one journal stay within the limit together, at every moment",
  { skip },
  async () => {
    const { journal, options } = await journalIn(database);
    const perDay = 12;
    const names = ["a", "b", "c"];
    const sessions = await Promise.all(
      names.map(async (pipeline) => await journal.open({ ...runFacts(`run of ${pipeline}`), pipeline }, noSignal())),
    );
    const watch = { isOver: false, most: 0n, looks: 0 };
    const watching = (async () => {
      while (!watch.isOver) {
        const [line] = await database.run(`SELECT ((SELECT coalesce(sum(settled), 0) FROM "${options.schema}".spending)
        + (SELECT coalesce(sum(amount), 0) FROM "${options.schema}".reservations))::text AS n`);
        const now = BigInt(String(line?.["n"]));
        if (now > watch.most) watch.most = now;
        watch.looks += 1;
      }
    })();
    const random = randomNumbers(71);
    const spent = await Promise.all(
      sessions.map(async (session, index) => await spendAll(session, names[index] ?? "", perDay, random)),
    );
    watch.isOver = true;
    await watching;
    for (const { errors } of spent) deepEqual([...errors], ["LIMIT_REACHED"]);
    const total = spent.reduce((sum, { cost }) => sum + cost, 0n);
    ok(watch.most <= billionthsOf(perDay), `${watch.most} at most, in ${watch.looks} looks`);
    ok(total <= billionthsOf(perDay) && total > billionthsOf(perDay - 0.1), `${total}: less than a worst case is left`);
    ok(watch.looks > 20 && spent.every(({ calls }) => calls > 10));
    await Promise.all(sessions.map(async (session) => await session.close()));
    const reader = await journal.reader();
    const { items = [] } = (await reader?.spending.list({ limit: 1_000 })) ?? {};
    equal(
      items.reduce((sum, { settled }) => sum + settled, 0n),
      total,
    );
    deepEqual((await reader?.spending.reservations({ limit: 1 }))?.items, []);
    await reader?.close();
  },
);

test("a connection that is cut doubles no reservation, and no settlement", { skip }, async () => {
  const { options } = await journalIn(database);
  const proxy = await startCuttableProxy(new URL(options.connectionString));
  try {
    const session = await journalBehind(proxy, options).open(runFacts("run-1"), noSignal());
    const random = randomNumbers(72);
    const spending = spendAll(session, "visits", 8, random);
    for (let round = 0; round < 6; round += 1) {
      await setTimeout(20 * random());
      proxy.cut();
      await setTimeout(5);
      await proxy.mend();
    }
    const { cost, errors } = await spending;
    deepEqual([...errors], ["LIMIT_REACHED"]);
    const [line] = await database.run(`SELECT sum(settled)::text AS n FROM "${options.schema}".spending`);
    equal(line?.["n"], String(cost));
    await session.close();
  } finally {
    proxy.cut();
  }
});

test("a run that has lost its pipeline to another reserves nothing more, and settles nothing", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const session = await journal.open(runFacts("run-1"), noSignal());
  const wanted = { pipeline: "visits", runId: "run-1", currency: "USD", amount: 5n, fingerprint: one };
  await session.spending.reserve([{ ...wanted, id: "1" }], limitsOf({ perDay: 1 }));
  await database.run(`UPDATE "${options.schema}".pipelines SET epoch = epoch + 1`);
  const lost = { code: "JOURNAL_FAILED" };
  await rejects(session.spending.reserve([{ ...wanted, id: "2" }], limitsOf({ perDay: 1 })), lost);
  await rejects(session.spending.settle([{ id: "1", amount: 1n }]), lost);
  await session.close();
  const reader = await journal.reader();
  const { items = [] } = (await reader?.spending.reservations({ limit: 9 })) ?? {};
  deepEqual(
    items.map(({ id }) => id),
    ["1"],
  );
  await reader?.close();
});

test(
  "a journal of the version before shows no spending, and its statements bring it up to date",
  { skip },
  async () => {
    const { journal, options } = await journalIn(database);
    const tables = ["purse", "spending", "reservations"].map((name) => `"${options.schema}".${name}`);
    await database.run(`DROP TABLE ${tables.join(", ")}`);
    await database.run(`UPDATE "${options.schema}".journal_version SET version = 1`);
    const reader = await journal.reader();
    deepEqual((await reader?.spending.list({ limit: 9 }))?.items, []);
    deepEqual((await reader?.spending.reservations({ limit: 9 }))?.items, []);
    await reader?.close();
    await rejects(journal.open(runFacts("run-1"), noSignal()), {
      code: "JOURNAL_FAILED",
      message: /sql create-journal/,
    });
    await database.run(journal.createStatements());
    await (await journal.open(runFacts("run-1"), noSignal())).close();
  },
);
