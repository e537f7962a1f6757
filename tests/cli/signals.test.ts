import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { setTimeout } from "node:timers/promises";
import { test } from "node:test";
import { sameSignalMs, stopSignals } from "../../src/cli/signals.ts";
import { RunError } from "../../src/index.ts";

function listening() {
  const signals = new EventEmitter();
  const said: string[] = [];
  const stops = stopSignals(signals, (line) => said.push(line));
  return {
    signals,
    said,
    ...stops,
    states: () => [stops.signal.aborted, stops.stopNowSignal.aborted],
    listenerCount: () => signals.listenerCount("SIGINT") + signals.listenerCount("SIGTERM"),
  };
}

const firstWord = (line: string): string | undefined => line.split(":")[0];

test("the first signal stops, the second stops at once, and nobody listens for a third", async () => {
  const { signals, said, states, listenerCount } = listening();
  assert.deepEqual([states(), said], [[false, false], []]);
  signals.emit("SIGINT");
  assert.deepEqual(states(), [true, false]);
  assert.deepEqual(said.map(firstWord), ["SIGINT"]);
  await setTimeout(sameSignalMs + 20);
  signals.emit("SIGTERM");
  assert.deepEqual(states(), [true, true]);
  assert.deepEqual(said.map(firstWord), ["SIGINT", "SIGTERM"]);
  await setTimeout(sameSignalMs + 20);
  assert.equal(listenerCount(), 0);
});

test("a Ctrl-C that npm passes on besides the terminal's is the same one, the first time and the second", async () => {
  const { signals, said, states, listenerCount } = listening();
  signals.emit("SIGINT");
  signals.emit("SIGINT");
  assert.deepEqual([states(), said.length], [[true, false], 1]);
  await setTimeout(sameSignalMs + 20);
  signals.emit("SIGINT");
  assert.deepEqual([states(), said.length, listenerCount()], [[true, true], 2, 2]);
  signals.emit("SIGINT");
  assert.deepEqual([said.length, listenerCount()], [2, 2]);
  await setTimeout(sameSignalMs + 20);
  assert.equal(listenerCount(), 0);
});

test("sentences of signals", async (t) => {
  for (const [first, second] of [
    ["SIGINT", "SIGINT"],
    ["SIGTERM", "SIGTERM"],
  ] as const) {
    const { signals, said } = listening();
    signals.emit(first);
    await setTimeout(sameSignalMs + 20);
    signals.emit(second);
    t.assert.snapshot(said, { serializers: [(lines) => lines.join("\n")] });
  }
});

test("the run's error names the signal", () => {
  const { signals, signal } = listening();
  signals.emit("SIGTERM");
  const reason: unknown = signal.reason;
  assert.ok(reason instanceof RunError);
  assert.deepEqual([reason.code, reason.facts], ["ABORTED", { signal: "SIGTERM" }]);
});

test("release stops listening, also between two signals", () => {
  const { signals, listenerCount, release } = listening();
  assert.equal(listenerCount(), 2);
  signals.emit("SIGINT");
  release();
  assert.equal(listenerCount(), 0);
});

test("an error of the user's code stops the run, and sets no time for its events; a signal after it does, also once it stopped at once", () => {
  for (const isQuiet of [false, true]) {
    const { signals, stop, stopNow, delivery, states, release } = listening();
    stop(new RunError("UNHANDLED_ERROR", "a bug"));
    if (isQuiet) stopNow();
    assert.deepEqual(states(), [true, isQuiet]);
    assert.deepEqual([delivery.signal.aborted, delivery.stopNowSignal.aborted], [false, false]);
    signals.emit("SIGTERM");
    assert.deepEqual([...states(), delivery.stopNowSignal.aborted], [true, true, true]);
    release();
  }
});

test("the time for events runs from the first signal on", (t) => {
  let nowMs = 1000;
  t.mock.method(performance, "now", () => nowMs);
  const { signals, delivery, release } = listening();
  nowMs += 60_000;
  assert.equal(delivery.leftMs(), 28_000);
  signals.emit("SIGTERM");
  nowMs += 10_000;
  assert.deepEqual([delivery.signal.aborted, delivery.leftMs()], [true, 18_000]);
  release();
});
