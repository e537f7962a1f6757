import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { RowError, RunError } from "../../src/errors/llm-etl-error.ts";
import { abandonAfterMs, Shutdown } from "../../src/engine/shutdown.ts";

const rowError = new RowError("EMPTY_INPUT", "empty");
const runError = new RunError("SINK_FAILED", "gone");

/** Runs a test under timers that stand still. */
async function still(body: () => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    await body();
  } finally {
    mock.timers.reset();
  }
}

test("a stop ends reading at once, gives rows in flight the grace period, then aborts and at last abandons them", async () => {
  await still(async () => {
    const stopping = new Shutdown(1000);
    stopping.begin();
    const never = stopping.orAbandoned(new Promise(() => {}));
    stopping.stop(runError);
    assert.deepEqual([stopping.reading.aborted, stopping.working.aborted], [true, false]);
    mock.timers.tick(999);
    assert.equal(stopping.working.aborted, false);
    mock.timers.tick(1);
    assert.equal(stopping.working.reason, runError);
    mock.timers.tick(abandonAfterMs - 1);
    assert.equal(stopping.isAbandoned, false);
    mock.timers.tick(1);
    assert.equal(stopping.isAbandoned, true);
    await never;
  });
});

test("before anything is in flight a stop aborts at once", () => {
  const stopping = new Shutdown(1000);
  stopping.stop(runError);
  assert.equal(stopping.working.aborted, true);
  stopping.end();
});

test("the first reason wins, but what ends the run wins over a row that failed", () => {
  const stopping = new Shutdown(0);
  stopping.begin();
  stopping.stop(rowError);
  stopping.stop(new RowError("REFUSAL", "no"));
  assert.equal(stopping.error, rowError);
  stopping.stop(runError);
  stopping.stop(new RunError("FORBIDDEN", "403"));
  assert.equal(stopping.error, runError);
  stopping.end();
});

test("a reason that is no error of ours is an abort, and is kept as the cause", () => {
  const stopping = new Shutdown(0);
  stopping.stop("because");
  assert.equal(stopping.error?.code, "ABORTED");
  assert.equal(stopping.error?.cause, "because");
  stopping.end();
});

test("a wait for the source ends with the source, or as soon as the run stops", async () => {
  const stopping = new Shutdown(0);
  stopping.begin();
  assert.equal(await stopping.orStopped(Promise.resolve(1)), 1);
  await assert.rejects(stopping.orStopped(Promise.reject(runError)), runError);
  const waiting = stopping.orStopped(new Promise(() => {}));
  stopping.stop(runError);
  assert.equal(await waiting, undefined);
  assert.equal(await stopping.orStopped(new Promise(() => {})), undefined);
  stopping.end();
});
