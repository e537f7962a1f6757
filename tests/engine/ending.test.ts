import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Ending, endingMs, within } from "../../src/engine/ending.ts";

/** A limit of so many milliseconds, with timers that stand still and a clock that goes on by a few milliseconds. */
function limited(ending: Ending, limitMs: number): { readonly isOver: () => boolean; readonly forget: () => void } {
  let isOver = false;
  const forget = ending.after(limitMs, () => (isOver = true));
  return { isOver: () => isOver, forget };
}

test("a limit is its own until a signal stops the run, then what is left of the grace period and the ending", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const [stop, stopNow] = [new AbortController(), new AbortController()];
    const ending = new Ending();
    ending.listen(stop.signal, 60_000);
    ending.listen(stopNow.signal, 0);
    const [short, middle, long] = [limited(ending, 30_000), limited(ending, 500_000), limited(ending, 500_000)];
    stop.abort();
    mock.timers.tick(30_000);
    assert.deepEqual([short.isOver(), middle.isOver()], [true, false]);
    mock.timers.tick(30_000 + endingMs);
    assert.deepEqual([middle.isOver(), long.isOver()], [true, true]);
    const next = limited(ending, 500_000);
    stopNow.abort();
    mock.timers.tick(endingMs);
    assert.equal(next.isOver(), true);
  } finally {
    mock.timers.reset();
  }
});

test("work that begins when the time is over still has a moment, and a limit that was forgotten does nothing", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const ending = new Ending();
    ending.listen(AbortSignal.abort(), -60_000);
    const [late, forgotten] = [limited(ending, 30_000), limited(ending, 30_000)];
    forgotten.forget();
    mock.timers.tick(99);
    assert.equal(late.isOver(), false);
    mock.timers.tick(1);
    assert.deepEqual([late.isOver(), forgotten.isOver()], [true, false]);
  } finally {
    mock.timers.reset();
  }
});

test("a run that has ended listens to no signal", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const stop = new AbortController();
    const ending = new Ending();
    ending.listen(stop.signal, 0);
    ending.end();
    const limit = limited(ending, 500_000);
    stop.abort();
    mock.timers.tick(499_999);
    assert.equal(limit.isOver(), false);
    limit.forget();
  } finally {
    mock.timers.reset();
  }
});

test("`within` waits for the work, and no longer than the limit", async () => {
  await within(60_000, Promise.resolve());
  await within(60_000, undefined);
  await assert.rejects(within(60_000, Promise.reject(new Error("bug"))), { message: "bug" });
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    let done = false;
    const waiting = within(100, new Promise(() => {})).then(() => (done = true));
    mock.timers.tick(99);
    await setImmediate();
    assert.equal(done, false);
    mock.timers.tick(1);
    await waiting;
  } finally {
    mock.timers.reset();
  }
});
