import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import type { JournalSpending, LimitState, SpendingLimit } from "../../../src/contracts/journal-spending.ts";
import { JournalError } from "../../../src/errors/journal.ts";
import { Budget, type Settle } from "../../../src/llm/call/budget.ts";
import { budgeted } from "../../../src/llm/call/budgeted.ts";
import { Fingerprints } from "../../../src/llm/call/fingerprint.ts";
import { JournalBudget, type JournalBudgetOptions } from "../../../src/llm/call/journal-budget.ts";
import { MockProvider } from "../../../src/llm/providers/mock.ts";
import { billionthsOf } from "../../../src/spending/amount.ts";
import { granted } from "../../../src/spending/granted.ts";
import { failsWith } from "../../support/error-facts.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const prices = { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "EUR" };
const provider = new MockProvider({ prices });
const call = rowCall({ provider });
const day = { name: "perDay", from: new Date(0), until: new Date("2100-01-01T00:00:00Z") };

/** A purse in memory, which other processes use, too. */
class Purse {
  readonly open = new Map<string, bigint>();
  readonly asked: number[] = [];
  readonly fingerprints: string[] = [];
  settled = 0n;
  /** In the way of the others. */
  othersReserved = 0n;
  failure: Error | undefined;

  readonly spending: Pick<JournalSpending, "reserve" | "settle"> = {
    reserve: async (wanted, limitsAt) => {
      await setImmediate();
      if (this.failure !== undefined) throw this.failure;
      this.asked.push(wanted.length);
      const reservedAt = new Date();
      const result = granted(wanted, limitsAt(reservedAt).map(this.#stateOf));
      for (const { id, amount, fingerprint } of wanted.slice(0, result.count)) {
        this.open.set(id, amount);
        this.fingerprints.push(fingerprint);
      }
      return { reservedAt, ...result };
    },
    settle: async (settlements) => {
      await setImmediate();
      if (this.failure !== undefined) throw this.failure;
      for (const { id, amount } of settlements) {
        if (this.open.delete(id)) this.settled += amount;
      }
    },
  };

  readonly #stateOf = (limit: SpendingLimit): LimitState => {
    const own = [...this.open.values()].reduce((sum, amount) => sum + amount, 0n);
    return { limit, settled: this.settled, reserved: own + this.othersReserved };
  };

  /** A budget of so much a day. */
  budget(most: number, given: Partial<JournalBudgetOptions> = {}): JournalBudget {
    const facts = { pipeline: "visits", runId: "run-1", currency: "EUR", lookMs: 1 };
    const limitsAt = () => [{ ...day, most: billionthsOf(most) }];
    return new JournalBudget({ spending: this.spending, limitsAt, ...facts, ...given });
  }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
}

test("calls of one turn are reserved together, each with the fingerprint of its request", async () => {
  const purse = new Purse();
  const budget = purse.budget(10);
  await Promise.all([1, 2, 3].map(async (worstCase) => await budget.reserve(worstCase, call)));
  assert.deepEqual([purse.asked, purse.open.size], [[3], 3]);
  const [fingerprint] = new Fingerprints().keysOf(provider, call.request);
  assert.deepEqual(purse.fingerprints, [fingerprint, fingerprint, fingerprint]);
});

test("a call that does not fit beside those in flight waits for them, in order, and goes as soon as it does", async () => {
  const purse = new Purse();
  const budget = purse.budget(10);
  const went: number[] = [];
  const settles = new Map<number, Settle>();
  const reserve = (id: number, worst: number): void => {
    void budget.reserve(worst, call).then((settle) => {
      went.push(id);
      settles.set(id, settle);
    });
  };
  for (const [id, worst] of [6, 6, 1].entries()) reserve(id, worst);
  await turns();
  assert.deepEqual(went, [0], "the third would fit, and does not overtake the second");
  settles.get(0)?.(2);
  settles.get(0)?.(9);
  await turns();
  assert.deepEqual([went, purse.settled], [[0, 1, 2], billionthsOf(2)]);
});

test("one that does not fit with what is settled ends the run, and the facts say when the next period begins", async () => {
  const purse = new Purse();
  const budget = purse.budget(10);
  const settle = await budget.reserve(8, call);
  const outcome = budget.reserve(5, call);
  outcome.catch(() => {});
  await turns();
  settle(7);
  const facts = { period: "perDay", limit: 10, currency: "EUR", spent: 7, reserved: 0, worstCase: 5 };
  await assert.rejects(outcome, failsWith("LIMIT_REACHED", { ...facts, nextPeriodAt: day.until.toISOString() }));
  await budget.reserve(3, call);
});

test("money that others have reserved is waited for, and for a while only", async () => {
  const purse = new Purse();
  purse.othersReserved = billionthsOf(6);
  const waiting = purse.budget(10).reserve(5, call);
  await turns();
  assert.equal(purse.open.size, 0);
  purse.othersReserved = 0n;
  await waiting;
  purse.othersReserved = billionthsOf(1);
  const othersMs = 1_000;
  const inVain = purse.budget(10, { othersMs });
  const startedMs = performance.now();
  const [first, second] = [inVain.reserve(6, call), inVain.reserve(5, call)];
  second.catch(() => {});
  await assert.rejects(first, failsWith("LIMIT_REACHED", { spent: 0, reserved: 6, worstCase: 6 }));
  await assert.rejects(second, { code: "LIMIT_REACHED" });
  assert.ok(performance.now() - startedMs < 2 * othersMs, "whoever is behind the first has waited long enough, too");
});

test("who is aborted leaves the others their turn, and nothing reserved", async () => {
  const purse = new Purse();
  const budget = purse.budget(10);
  const settle = await budget.reserve(6, call);
  const gone = new AbortController();
  const first = budget.reserve(9, { ...call, signal: gone.signal });
  const second = budget.reserve(4, call);
  await turns();
  gone.abort(new Error("stopped"));
  await assert.rejects(first, /stopped/);
  await second;
  settle(0);
  const late = new AbortController();
  const third = budget.reserve(1, { ...call, signal: late.signal });
  late.abort(new Error("too late"));
  await assert.rejects(third, /too late/);
  await turns();
  assert.deepEqual([...purse.open.values()], [billionthsOf(4)]);
  await assert.rejects(budget.reserve(1, { ...call, signal: late.signal }), /too late/);
});

test("without a place for the reservation, or for a settlement, no call goes", async () => {
  const purse = new Purse();
  const budget = purse.budget(10);
  const settle = await budget.reserve(1, call);
  purse.failure = new JournalError("here", "is away");
  await assert.rejects(budget.reserve(1, call), { code: "JOURNAL_FAILED" });
  settle(0);
  await turns();
  purse.failure = undefined;
  await assert.rejects(budget.reserve(1, call), { code: "JOURNAL_FAILED" });
});

test("an attempt is booked in both budgets, and in neither where one of them rejects it", async () => {
  const purse = new Purse();
  const own = new Budget({ maxCalls: Infinity, maxCost: 1 });
  const ask = budgeted(own, purse.budget(0.5))(async () => answer);
  await ask(call);
  await turns();
  assert.deepEqual([purse.settled, purse.open.size], [billionthsOf(13 / 1_000_000), 0]);
  const poor = budgeted(own, new Purse().budget(0.000_001))(async () => answer);
  await assert.rejects(poor(call), { code: "LIMIT_REACHED" });
  await own.reserve(1 - 13 / 1_000_000, call.signal);
});

test("a call that costs nothing is not reserved", async () => {
  const purse = new Purse();
  (await purse.budget(1).reserve(0, call))(0);
  assert.deepEqual(purse.asked, []);
});

test("a limit below one call says so, before anything is paid", async () => {
  const purse = new Purse();
  const outcome = purse.budget(1).reserve(2, call);
  await assert.rejects(outcome, failsWith("LIMIT_REACHED", { limit: 1, spent: 0, reserved: 0, worstCase: 2 }));
  await assert.rejects(purse.budget(1).reserve(2, call), /not even one call fits/u);
});
