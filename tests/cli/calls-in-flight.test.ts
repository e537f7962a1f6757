import assert from "node:assert/strict";
import { test } from "node:test";
import { CallsInFlight } from "../../src/cli/calls-in-flight.ts";
import { callEnd } from "../support/run-events.ts";

test("there is quiet when no call has been on its way for a second, and it is told once", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const calls = new CallsInFlight();
  let told = 0;
  calls.observe({ type: "call-start", step: "kind", pk: "r1" });
  calls.onQuiet(() => (told += 1));
  t.mock.timers.tick(60_000);
  assert.equal(told, 0);
  calls.observe(callEnd());
  t.mock.timers.tick(900);
  calls.observe({ type: "call-start", step: "tone", pk: "r1" });
  t.mock.timers.tick(900);
  calls.observe(callEnd());
  t.mock.timers.tick(900);
  assert.equal(told, 0);
  t.mock.timers.tick(60_000);
  assert.equal(told, 1);
});

test("a run that has ended waits for nothing", (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const calls = new CallsInFlight();
  calls.onQuiet(() => assert.fail("it has ended"));
  calls.end();
  t.mock.timers.tick(60_000);
});
