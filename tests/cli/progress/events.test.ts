import assert from "node:assert/strict";
import { test } from "node:test";
import { Delivery } from "../../../src/cli/delivery.ts";
import { eventsProgress, toLine } from "../../../src/cli/progress/events.ts";
import { RunError } from "../../../src/index.ts";
import { reportOf, rowFailure, runStart } from "../../support/run-events.ts";

test("each event is one line of JSON with the time, on stdout; a line that stays is on stderr", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: new Date("2026-01-02T03:04:05.678Z") });
  const written = { stdout: "", stderr: "" };
  const progress = eventsProgress(
    new Delivery({
      write: (text, done) => {
        written.stdout += text;
        done?.();
      },
    }),
    { write: (text) => (written.stderr += text) },
  );
  const failure = rowFailure(1, "REFUSAL", { errorMessage: "in\ntwo lines" });
  assert.equal(progress.observe(failure), undefined);
  progress.say("one\ntwo");
  progress.observe({ type: "batch-start", sink: "memory", rowCount: 2 });
  progress.end();
  assert.equal(written.stderr, "one two\n");
  const lines = written.stdout.split("\n");
  assert.deepEqual([lines.length, lines[2]], [3, ""]);
  assert.deepEqual(JSON.parse(lines[0] ?? ""), { time: "2026-01-02T03:04:05.678Z", ...failure });
  assert.deepEqual(JSON.parse(lines[1] ?? ""), {
    time: "2026-01-02T03:04:05.678Z",
    type: "batch-start",
    sink: "memory",
    rowCount: 2,
  });
});

test("dates are ISO 8601; an error is its name, code, scope, message and facts, without what may hold content", () => {
  assert.equal(JSON.parse(toLine(runStart({ startedAt: new Date(0) }))).startedAt, "1970-01-01T00:00:00.000Z");
  const facts = { where: "mock" };
  const error = new RunError("STALLED", "no call", { cause: new Error("a secret"), detail: "a secret", facts });
  const expected = { name: "RunError", code: "STALLED", scope: "run", message: "no call", facts };
  const line = toLine({ type: "run-end", report: reportOf({ error }) });
  assert.deepEqual(JSON.parse(line).report.error, expected);
  assert.ok(!line.includes("secret"), line);
  assert.deepEqual(JSON.parse(toLine({ type: "run-refused", error })).error, expected);
});
