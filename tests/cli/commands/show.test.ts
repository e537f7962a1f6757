import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { showCommand } from "../../../src/cli/commands/show.ts";
import type { RunRecord } from "../../../src/contracts/journal.ts";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { badRow, stepFigures } from "../../../src/testing/journal-samples.ts";
import { failsWith } from "../../support/error-facts.ts";
import { figures, openJournal, runRecord, writeJournal } from "../../support/journal-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine, runCommand } from "../../support/terminal.ts";

const folder = temporaryFolder();

/** What `show` says of these runs' last, or of the one with that id. */
async function shown(name: string, runs: readonly RunRecord[], id?: string): Promise<string> {
  const journal = join(folder, `${name}.db`);
  await writeJournal(journal, runs);
  const { exitCode, stdout, stderr } = await commandLine([
    "show",
    ...(id === undefined ? [] : [id]),
    "--journal",
    journal,
  ]);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  return stdout;
}

test("a cost by list prices is marked as that", async () => {
  const priceSource = "@pydantic/genai-prices 0.1.8";
  const listed = figures({ cost: { amount: 0.5, currency: "USD" }, priceSource });
  const text = await shown("listed", [runRecord({ figures: listed })]);
  assert.match(text, /^Cost +0\.50 USD \(list price, @pydantic\/genai-prices 0\.1\.8\)$/m);
});

test("it shows all that is known of a run", async () => {
  const text = await shown("all", [
    runRecord({
      runId: "0a1b2c3d-0000",
      status: "failed",
      exitCode: 3,
      error: { code: "QUOTA_EXHAUSTED", message: "the quota is used up" },
      figures: figures({
        readCount: 2000,
        successCount: 1990,
        unchangedCount: 990,
        failureCount: 5,
        skippedCount: 1,
        pendingCount: 4,
        failuresByCode: { EMPTY_INPUT: 1, CONTENT_FILTER: 5 },
        usage: {
          calls: 1010,
          reAsks: 7,
          inputTokens: 123_456,
          cachedTokens: 23_456,
          outputTokens: 9876,
          reusedAnswers: 980,
          savedInputTokens: 100_000,
          savedOutputTokens: 8000,
        },
        cost: { amount: 0.5, currency: "USD" },
        savedCost: { amount: 0.04, currency: "USD" },
        durationMs: 65_000,
      }),
    }),
  ]);
  assert.equal(
    text,
    `Run             0a1b2c3d-0000
Pipeline        visits
Sink            /data/target.db/visits
Journal         ${join(folder, "all.db")}
Process         4711 on worker-1
Started         2026-01-02 03:04:05
Ended           2026-01-02 03:05:10
Took            1 min 05 s
Status          failed, exit code 3
Error           QUOTA_EXHAUSTED: the quota is used up
                see docs/errors.md#quota_exhausted

Read            2,000
Written         1,000
Unchanged       990
Failed          5
Skipped         1
Pending         4
By code         5 × CONTENT_FILTER
                1 × EMPTY_INPUT

Calls           1,010, 7 of them re-asks
Input tokens    123,456, 23,456 of them cached
Output tokens   9,876
Cost            0.50 USD
Reused answers  980, saved 100,000 input and 8,000 output tokens, 0.04 USD

Resume          it can be resumed: run the same command again
`,
  );
});

test("whether it can be resumed follows from how it ended", async () => {
  const error = { code: "ABORTED", message: "SIGINT stopped the run" };
  const cases: [string, Partial<RunRecord>, RegExp][] = [
    ["fine", {}, /nothing to resume: every row that it read is done/],
    [
      "bad",
      { figures: figures({ failureCount: 1 }), exitCode: 1 },
      /failed rows are tried again, the others are not paid/,
    ],
    ["skipped", { figures: figures({ skippedCount: 1 }), exitCode: 1 }, /run again: failed rows are tried again/],
    ["aborted", { status: "aborted", error, exitCode: 3 }, /it can be resumed: run the same command again/],
    ["failed at a row", { status: "failed", error, exitCode: 1 }, /it can be resumed: run the same command again/],
    ["failed before", { status: "failed", error, exitCode: 2 }, /it read nothing: fix what the error names/],
    ["refused", { status: "refused", error, exitCode: 2 }, /it did nothing: fix what the error names/],
    ["killed", { status: "running", endedAt: null, exitCode: null }, /it can be resumed: run the same command again/],
  ];
  for (const [name, given, expected] of cases) {
    const text = await shown(name, [runRecord(given)]);
    assert.match(text.split("\n").findLast((line) => line.startsWith("Resume")) ?? "", expected, name);
  }
});

test("a run that a later one went on from points to that; a refused one did not, nor one to another sink", async () => {
  const stopped = runRecord({ runId: "aaaa", startedAt: new Date(1000), status: "aborted", exitCode: 3 });
  const elsewhere = runRecord({ startedAt: new Date(2000), sink: "another" });
  const refused = runRecord({ startedAt: new Date(3000), status: "refused", exitCode: 2 });
  assert.match(await shown("not yet", [stopped, elsewhere, refused], "aaaa"), /Resume +it can be resumed/);
  const later = runRecord({ runId: "bbbbbbbb-cccc", startedAt: new Date(4000) });
  const text = await shown("later", [stopped, refused, later], "aaaa");
  assert.match(text, /Resume +a later run went on: llm-etl show bbbbbbbb\n$/);
});

test("a run is found by the first characters of its id; too few, none and several are refused, exit code 2", async () => {
  const runs = ["abcd1111", "abcd2222", "ef001111"].map((runId) => runRecord({ runId }));
  assert.match(await shown("found", runs, "ef00"), /^Run +ef001111\n/);
  const cases: [string, ErrorFacts][] = [
    ["abc", { got: 3 }],
    ["9999", { begin: "9999", found: [] }],
    ["abcd", { begin: "abcd", found: ["abcd2222", "abcd1111"] }],
  ];
  for (const [id, facts] of cases) {
    const words = [id, "--journal", join(folder, "found.db")];
    await assert.rejects(runCommand(showCommand, words), failsWith("INVALID_OPTION", { where: "run", ...facts }));
    const { exitCode, stdout, stderr } = await commandLine(["show", ...words]);
    assert.deepEqual([exitCode, stdout], [2, ""]);
    assert.match(stderr, /\[INVALID_OPTION\]/);
  }
});

test("figures by step and the first failed rows are shown where there are any", async () => {
  const path = join(folder, "steps.db");
  const run = runRecord({
    runId: "0a1b2c3d-1111",
    steps: [stepFigures, { ...stepFigures, step: "tone", latency: null, spending: undefined }],
  });
  await writeJournal(path, [run]);
  const session = await openJournal(path);
  const failures = Array.from({ length: 12 }, (_, index) => badRow(index + 1, { runId: run.runId }));
  await session.rows.saveFailed(run.sink, [...failures, badRow(99, { runId: "another" })]);
  await session.close();
  const { stdout } = await commandLine(["show", "--journal", path]);
  const lines = stdout.split("\n").map((line) => line.trim().replaceAll(/ {2,}/g, "  "));
  const first = lines.findIndex((line) => line.startsWith("step  calls"));
  assert.deepEqual(lines.slice(first - 1, first + 4), [
    "",
    "step  calls  reused  re-asks  retries  429s  input  output  cost  p50  p95  model",
    "kind  7  6  5  4  3  812  61  0.25 USD  12 ms  340 ms  gpt-4o-2024-11-20",
    "tone  7  6  5  4  3  812  61  0.25 USD  -  -  gpt-4o-2024-11-20",
    "",
  ]);
  assert.deepEqual(lines.slice(first + 4, first + 7), [
    "spent by step  first calls  re-asks  longer  retries  of it on bad rows  saved: earlier runs  saved: this run",
    "kind  0.03 USD  0.15 USD  -  0.07 USD  0.10 USD  0.18 USD  -",
    "",
  ]);
  assert.equal(lines[first + 7], "row  key  step  code  failed with");
  assert.equal(lines[first + 8], "1  1  kind  REFUSAL  the model declined");
  assert.equal(lines.filter((line) => line.endsWith("the model declined")).length, 10);
  const { stdout: json } = await commandLine(["show", "--json", "--journal", path]);
  const { steps, failures: shownFailures } = JSON.parse(json);
  assert.deepEqual([steps.length, shownFailures.length, shownFailures[0].errorCode], [2, 10, "REFUSAL"]);
});

test("--json is one object with all of it; a journal without runs says so", async () => {
  const run = runRecord();
  await writeJournal(join(folder, "json.db"), [run]);
  const { stdout } = await commandLine(["show", "--json", "--journal", join(folder, "json.db")]);
  assert.deepEqual(
    JSON.parse(stdout),
    JSON.parse(JSON.stringify({ ...run, journal: join(folder, "json.db"), failures: [] })),
  );
  await writeJournal(join(folder, "empty.db"), []);
  const { exitCode, stderr } = await commandLine(["show", "--journal", join(folder, "empty.db")]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /no run has begun yet/);
});
