import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { AbortListeners } from "../../../src/llm/chat-completions/abort-listeners.ts";

test("all of a signal's functions are called when it aborts, by one listener, and those of no other signal", () => {
  const listeners = new AbortListeners();
  const [one, other] = [new AbortController(), new AbortController()];
  const called: string[] = [];
  listeners.add(one.signal, () => called.push("a"));
  listeners.add(one.signal, () => called.push("b"));
  listeners.add(other.signal, () => called.push("c"));
  assert.equal(getEventListeners(one.signal, "abort").length, 1);
  one.abort();
  assert.deepEqual(called, ["a", "b"]);
});

test("a function that was removed is not called, and the last one takes the listener with it", () => {
  const listeners = new AbortListeners();
  const controller = new AbortController();
  const called: string[] = [];
  const [first, second] = [() => called.push("first"), () => called.push("second")];
  listeners.add(controller.signal, first);
  listeners.add(controller.signal, second);
  listeners.remove(controller.signal, first);
  listeners.remove(controller.signal, first);
  assert.equal(getEventListeners(controller.signal, "abort").length, 1);
  listeners.remove(controller.signal, second);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  listeners.add(controller.signal, second);
  controller.abort();
  assert.deepEqual(called, ["second"]);
});

test("functions that remove themselves while the signal aborts are in nobody's way", () => {
  const listeners = new AbortListeners();
  const controller = new AbortController();
  const called: number[] = [];
  const functions = [0, 1, 2].map((index) => {
    const onAbort = (): void => {
      called.push(index);
      listeners.remove(controller.signal, onAbort);
    };
    return onAbort;
  });
  for (const each of functions) listeners.add(controller.signal, each);
  controller.abort();
  assert.deepEqual(called, [0, 1, 2]);
});
