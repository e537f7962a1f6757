import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { RunError } from "../../src/errors/llm-etl-error.ts";
import { Tally } from "../../src/pipeline/tally.ts";
import type { RunFacts, RunRecord } from "../../src/contracts/journal.ts";
import { plainOptions, RunRecorder } from "../../src/pipeline/recorder.ts";
import { runFacts, stepFigures } from "../../src/testing/journal-samples.ts";

const run: RunFacts = { ...runFacts("run-1"), processId: process.pid };

function recorderInto(save: (record: RunRecord) => Promise<void>, onFailure: (error: unknown) => void = fail) {
  const tally = new Tally(null);
  const figures = () => tally.figures(7);
  return { tally, recorder: new RunRecorder({ runs: { save }, run, figures, steps: () => [stepFigures], onFailure }) };
}

function fail(error: unknown): void {
  assert.fail(String(error));
}

function mockTime(context: TestContext): void {
  context.mock.timers.enable({ apis: ["setInterval"] });
}

test("a run is kept when it begins, every second as it goes on, and when it ends", async (context) => {
  mockTime(context);
  const records: RunRecord[] = [];
  const { tally, recorder } = recorderInto(async (record) => void records.push(record));
  await recorder.begin();
  tally.add({ type: "row-start", position: 1 });
  context.mock.timers.tick(1000);
  tally.add({
    type: "row-end",
    position: 1,
    pk: "1",
    outcome: "written",
    errorCode: null,
    errorMessage: null,
    step: null,
  });
  const report = tally.report({ runId: "run-1", error: null, durationMs: 8 });
  await recorder.end(report);
  context.mock.timers.tick(5000);
  assert.deepEqual(
    records.map(({ status, figures, exitCode }) => [status, figures.readCount, figures.successCount, exitCode]),
    [
      ["running", 0, 0, null],
      ["running", 1, 0, null],
      ["completed", 1, 1, 0],
    ],
  );
  assert.deepEqual(
    records.map(({ figures }) => figures.durationMs),
    [7, 7, 8],
    "the last one is the report's",
  );
  assert.equal(records[0]?.processId, process.pid);
  assert.deepEqual(records[0]?.steps, [stepFigures]);
  assert.equal(records[0]?.endedAt, null);
  assert.ok(records[2]?.endedAt instanceof Date);
});

test("what ended or refused a run is kept with its code, and without content", async () => {
  const records: RunRecord[] = [];
  const { tally, recorder } = recorderInto(async (record) => void records.push(record));
  await recorder.begin();
  const error = new RunError("LIMIT_REACHED", "the run has reached maxCalls (3)", { detail: "Jane Doe" });
  await recorder.end(tally.report({ runId: "run-1", error, durationMs: 8 }));
  await recorder.abort(new RunError("SETTING_MISSING", "no value"));
  assert.deepEqual(
    records.map(({ status, error: cause, exitCode }) => [status, cause, exitCode]),
    [
      ["running", null, null],
      ["failed", { code: "LIMIT_REACHED", message: "the run has reached maxCalls (3)" }, 2],
      ["refused", { code: "SETTING_MISSING", message: "no value" }, 2],
    ],
  );
});

test("progress that can't be kept is told once", async (context) => {
  mockTime(context);
  let kept = 0;
  const failures: unknown[] = [];
  const keep = async (): Promise<void> => {
    kept += 1;
    if (kept > 1) throw new Error("disk full");
  };
  const { recorder } = recorderInto(keep, (error) => failures.push(error));
  await recorder.begin();
  context.mock.timers.tick(1000);
  await Promise.resolve();
  await Promise.resolve();
  context.mock.timers.tick(9000);
  assert.deepEqual(failures.map(String), ["Error: disk full"]);
});

test("a run that did not start is refused, and one that a signal stopped before its first row aborted", async () => {
  const records: RunRecord[] = [];
  const { recorder } = recorderInto(async (record) => void records.push(record));
  await recorder.abort(new RunError("SINK_FAILED", "no table"));
  await recorder.abort(new RunError("ABORTED", "SIGTERM stopped the run"));
  assert.deepEqual(
    records.map(({ status, exitCode, error }) => [status, exitCode, error?.code]),
    [
      ["refused", 2, "SINK_FAILED"],
      ["aborted", 3, "ABORTED"],
    ],
  );
});

test("a beginning that comes when the run has ended begins nothing", async (context) => {
  mockTime(context);
  const saved = Promise.withResolvers<void>();
  let count = 0;
  const { recorder } = recorderInto(async () => {
    count += 1;
    if (count === 1) await saved.promise;
  });
  const beginning = recorder.begin();
  await recorder.abort(new RunError("ABORTED", "SIGTERM stopped the run"));
  saved.resolve();
  await beginning;
  context.mock.timers.tick(10_000);
  assert.equal(count, 2);
});

test("without a journal nothing is kept", async () => {
  const tally = new Tally(null);
  const recorder = new RunRecorder({
    runs: undefined,
    run,
    figures: () => tally.figures(0),
    steps: () => [],
    onFailure: fail,
  });
  await assert.doesNotReject(recorder.begin());
  await assert.doesNotReject(recorder.abort(new Error("no")));
});

test("of the options those are kept that are plain values and say something", () => {
  const options = { limit: Infinity, batchSize: 500, fresh: false, onRowError: "skip", parameters: { id: "1" } };
  const other = { redact: (text: string) => text, maxCost: Number.NaN, nothing: undefined, none: null };
  assert.deepEqual(plainOptions({ ...options, ...other }), { batchSize: 500, fresh: false, onRowError: "skip" });
});
