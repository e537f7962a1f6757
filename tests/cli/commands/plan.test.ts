import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { commandLine, type Outcome } from "../../support/terminal.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));
const plan = async (...words: string[]): Promise<Outcome> => await commandLine(["plan", ...words]);

const Interval = z.object({ estimate: z.number(), low: z.number(), high: z.number().nullable() });
const Report = z.object({
  pipeline: z.string(),
  rows: z.object({ read: z.number(), toAsk: z.number(), failing: z.number() }),
  sample: z.object({ requests: z.number(), calls: z.number() }),
  run: z.object({ calls: Interval, durationMs: Interval }),
  cost: z.null(),
  notes: z.array(z.object({ code: z.string() })),
});

test("a plan is a table on stdout; stderr says first what the sample may take; exit code 0", async () => {
  const { exitCode, stdout, stderr } = await plan(fixture("good"), "--sample", "4", "--param", "department=Cardiology");
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /\b4 of 9 requests\b.*\bat most 16 calls\b/);
  assert.match(stdout, /^fixture: 10 rows;.*\b9 wait for 9 requests\b.*\b1 fail/);
  assert.match(stdout, /^kind +9 +9 +0$/m);
  assert.match(stdout, /^Calls +\d+ +9 +\d+$/m);
  assert.match(stdout, /\[JOURNAL_OFF\]$/m);
  assert.ok(!stdout.includes("Cardiology"), "no content");
});

test("as JSON it is one object; with --no-calls nothing was asked", async () => {
  const { stdout, stderr, exitCode } = await plan(fixture("good"), "--no-calls", "--json");
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.equal(stdout.indexOf("\n"), stdout.length - 1);
  const report = Report.parse(JSON.parse(stdout));
  assert.deepEqual(report.rows, { read: 10, toAsk: 9, failing: 1 });
  assert.equal(report.sample.calls, 0);
  assert.ok(report.notes.some(({ code }) => code === "TOKENS_FROM_SCHEMA"));
});

test("as Markdown it has two tables, and marks in names do no harm", async () => {
  const { stdout, exitCode } = await plan(fixture("good"), "--sample", "2", "--markdown");
  assert.equal(exitCode, 0);
  assert.match(stdout, /^### Plan of fixture$/m);
  assert.equal(stdout.match(/^\| --- \|( ---: \|)+$/gm)?.length, 2);
  assert.match(stdout, /^\| Calls \| \d+ \| 9 \| \d+ \|$/m);
});

test("the default seed can be given", async () => {
  assert.equal((await plan(fixture("good"), "--no-calls", "--seed", "0")).exitCode, 0);
  assert.equal((await plan(fixture("good"), "--no-calls", "--seed", "-1")).exitCode, 2);
});

test("the limit of rows is that of the planned run, and an unknown option or a wrong value is rejected", async () => {
  const { stdout } = await plan(fixture("good"), "--limit", "3", "--no-calls", "--json");
  assert.equal(Report.parse(JSON.parse(stdout)).rows.read, 3);
  for (const words of [["--sample", "none"], ["--samples"], ["--json", "--markdown"]]) {
    assert.equal((await plan(fixture("good"), ...words)).exitCode, 2, words.join(" "));
  }
  const withoutPrices = await plan(fixture("good"), "--max-cost", "1");
  assert.equal(withoutPrices.exitCode, 2);
  assert.match(withoutPrices.stderr, /INVALID_OPTION/);
});

test("a module that is not there ends with exit code 2", async () => {
  const { exitCode, stdout } = await plan("not-there.ts");
  assert.deepEqual([exitCode, stdout], [2, ""]);
});
