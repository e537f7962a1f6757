import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import fc from "fast-check";
import { Budget } from "../../../src/llm/call/budget.ts";
import { failsWith } from "../../support/error-facts.ts";

const never = new AbortController().signal;

test("exactly maxCalls calls go, and the next one ends the run", () => {
  const budget = new Budget({ maxCalls: 2, maxCost: Infinity });
  budget.spendCall();
  budget.spendCall();
  assert.throws(() => budget.spendCall(), { code: "LIMIT_REACHED", scope: "run", message: /maxCalls \(2\)/ });
});

test("a call that does not fit beside those in flight waits for them, in order, and goes as soon as it does", async () => {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 10 });
  const went: number[] = [];
  const settles = new Map<number, (cost: number) => void>();
  const reserve = (id: number, worst: number): void => {
    void budget.reserve(worst, never).then((settle) => {
      went.push(id);
      settles.set(id, settle);
    });
  };
  reserve(1, 6);
  reserve(2, 6);
  reserve(3, 1);
  await setImmediate();
  assert.deepEqual(went, [1], "the third would fit, and does not overtake the second");
  settles.get(1)?.(2);
  await setImmediate();
  assert.deepEqual(went, [1, 2, 3]);
  settles.get(1)?.(99);
  settles.get(2)?.(6);
  settles.get(3)?.(1);
  await budget.reserve(1, never);
  await assert.rejects(
    new Budget({ maxCalls: 1, maxCost: 1 }).reserve(1.5, never),
    failsWith("LIMIT_REACHED", { maxCost: 1, spent: 0, worstCase: 1.5 }),
  );
});

test("one that can't fit any more ends the run, once no call in flight may turn out cheaper", async () => {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 10 });
  const settle = await budget.reserve(8, never);
  const outcome = budget.reserve(5, never);
  const smaller = budget.reserve(3, never);
  for (const waiting of [outcome, smaller]) waiting.catch(() => {});
  await setImmediate();
  settle(7);
  const reached = failsWith("LIMIT_REACHED", { spent: 7, worstCase: 5 });
  await assert.rejects(outcome, reached);
  await assert.rejects(smaller, reached, "what the error says is spent is all that is spent");
  await assert.rejects(budget.reserve(1, never), reached);
});

test("who waits and is aborted leaves the others their turn", async () => {
  const budget = new Budget({ maxCalls: Infinity, maxCost: 10 });
  const settle = await budget.reserve(6, never);
  const gone = new AbortController();
  const first = budget.reserve(9, gone.signal);
  const second = budget.reserve(4, never);
  gone.abort(new Error("stopped"));
  await assert.rejects(first, /stopped/);
  (await second)(1);
  settle(1);
  await assert.rejects(budget.reserve(1, gone.signal), /stopped/);
});

test("whatever calls cost within their worst cases, the sum stays within the limit, and less than one worst case is left where it stops", async () => {
  const call = fc.record({
    worst: fc.double({ min: 0.01, max: 5, noNaN: true }),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    turns: fc.integer({ min: 0, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(call, { minLength: 1, maxLength: 60 }),
      fc.double({ min: 0.01, max: 40, noNaN: true }),
      async (calls, maxCost) => {
        const budget = new Budget({ maxCalls: Infinity, maxCost });
        let bill = 0;
        let inFlight = 0;
        const stopped: number[] = [];
        await Promise.all(
          calls.map(async ({ worst, share, turns }) => {
            let settle;
            try {
              settle = await budget.reserve(worst, never);
            } catch {
              stopped.push(worst);
              return;
            }
            inFlight += worst;
            assert.ok(bill + inFlight <= maxCost + 1e-6);
            for (let turn = 0; turn < turns; turn += 1) await setImmediate();
            inFlight -= worst;
            bill += worst * share;
            settle(worst * share);
          }),
        );
        assert.ok(bill <= maxCost + 1e-6);
        if (stopped.length > 0) assert.ok(maxCost - bill < Math.max(...stopped) + 1e-6);
      },
    ),
  );
});
