import assert from "node:assert/strict";
import { test } from "node:test";
import { type PassingError, retryPassing, type RetryOptions } from "../../src/table/retry.ts";

class Passing extends Error {
  readonly wait: PassingError;

  constructor(wait: PassingError = {}) {
    super("it passes");
    this.wait = wait;
  }
}

/** A clock that only sleeping moves, and the waits. */
function clock(patienceMs: number, longest = 30_000): RetryOptions & { readonly slept: number[] } {
  const slept: number[] = [];
  let time = 0;
  return {
    slept,
    signal: new AbortController().signal,
    patienceMs,
    passing: (error) => (error instanceof Passing ? error.wait : undefined),
    delaysMs: { shortest: 100, longest },
    now: () => time,
    random: () => 1,
    sleep: async (delayMs) => {
      slept.push(delayMs);
      time += delayMs;
    },
  };
}

/** Fails with each of the errors in turn, then succeeds. */
function failing(...errors: readonly unknown[]): (() => Promise<string>) & { attempts: number } {
  const attempt = async (): Promise<string> => {
    attempt.attempts += 1;
    if (attempt.attempts <= errors.length) throw errors[attempt.attempts - 1];
    return "done";
  };
  attempt.attempts = 0;
  return attempt;
}

test("the wait doubles up to the longest, is jittered in full, and the last attempt begins when the time is up", async () => {
  const options = clock(10_000, 3000);
  await assert.rejects(retryPassing(failing(...Array.from({ length: 9 }, () => new Passing())), options), Passing);
  assert.deepEqual(options.slept, [100, 200, 400, 800, 1600, 3000, 3000, 900]);
  const halved = clock(10_000);
  await retryPassing(failing(new Passing(), new Passing()), { ...halved, random: () => 0.5 });
  assert.deepEqual(halved.slept, [50, 100]);
});

test("a least wait is added to the delay, and ends the attempts at once where there is less time", async () => {
  const options = clock(60_000);
  const busy = new Passing({ leastWaitMs: 10_000 });
  assert.equal(await retryPassing(failing(busy), options), "done");
  assert.deepEqual(options.slept, [10_100]);
  const hurried = clock(5000);
  await assert.rejects(retryPassing(failing(busy), hurried), busy);
  assert.deepEqual(hurried.slept, []);
});

test("an error with a bound is tried again as often as that, whatever time is left", async () => {
  const attempt = failing(...Array.from({ length: 9 }, () => new Passing({ mostRetries: 2 })));
  await assert.rejects(retryPassing(attempt, clock(3_600_000)), Passing);
  assert.equal(attempt.attempts, 3);
});

test("an error that does not pass is thrown at once, and each wait is reported", async () => {
  const [first, second] = [new Passing(), new Error("it does not pass")];
  const reported: unknown[] = [];
  const onRetry = (error: unknown, delayMs: number): void => void reported.push(error, delayMs);
  await assert.rejects(retryPassing(failing(first, second), { ...clock(1000), onRetry }), second);
  assert.deepEqual(reported, [first, 100]);
});

test("an abort ends the wait with its own reason, but does not stop an attempt that need not wait", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const { passing } = clock(0);
  const delaysMs = { shortest: 30_000, longest: 30_000 };
  const options = { signal: controller.signal, patienceMs: 60_000, delaysMs, passing, random: () => 1 };
  const waiting = retryPassing(failing(new Passing()), options);
  setImmediate(() => controller.abort(reason));
  await assert.rejects(waiting, reason);
  assert.equal(await retryPassing(failing(), options), "done");
  await assert.rejects(retryPassing(failing(new Passing()), options), reason);
  const lasting = new Error("it does not pass");
  await assert.rejects(retryPassing(failing(lasting), options), lasting);
});

test("what the attempt itself waited is counted, each knows what is left, and it is said how long it was tried", async () => {
  const options = clock(5000);
  const left: number[] = [];
  let triedForMs = 0;
  const attempt = async (leftMs: number): Promise<never> => {
    left.push(leftMs);
    throw new Passing({ waitedMs: left.length === 1 ? 4000 : 0 });
  };
  const onGiveUp = (elapsedMs: number): void => void (triedForMs = elapsedMs);
  await assert.rejects(retryPassing(attempt, { ...options, onGiveUp }), Passing);
  assert.deepEqual(options.slept, [100, 200, 400, 300]);
  assert.deepEqual(left, [5000, 900, 700, 300, 0]);
  assert.equal(triedForMs, 5000);
  await assert.rejects(retryPassing(failing(new Passing({ waitedMs: 5000 })), clock(5000)), Passing);
  const bounded = failing(...Array.from({ length: 9 }, () => new Passing({ mostRetries: 1 })));
  await assert.rejects(retryPassing(bounded, { ...clock(300_000), onGiveUp }), Passing);
  assert.equal(triedForMs, 100);
});
