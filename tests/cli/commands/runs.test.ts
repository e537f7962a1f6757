import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { figures, runRecord, writeJournal } from "../../support/journal-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine } from "../../support/terminal.ts";

const folder = temporaryFolder();

test("it lists runs in a table, the newest first, exit code 0", async () => {
  const journal = join(folder, "table.db");
  const usage = { ...figures().usage, calls: 2469 };
  const counts = { readCount: 1234, successCount: 1230, unchangedCount: 30, failureCount: 3, skippedCount: 1 };
  const cost = { amount: 1.5, currency: "USD" };
  await writeJournal(journal, [
    runRecord({ runId: "aaaaaaaa-1", figures: figures({ ...counts, usage, cost, durationMs: 65_000 }), exitCode: 1 }),
    runRecord({ runId: "bbbbbbbb-2", startedAt: new Date(2026, 0, 3), status: "refused", exitCode: 2 }),
  ]);
  assert.deepEqual(await commandLine(["runs", "--journal", journal]), {
    exitCode: 0,
    stdout: [
      "run       pipeline  started                    took  status      read  written  unchanged  failed (+skipped)  calls      cost\n",
      "bbbbbbbb  visits    2026-01-03 00:00:00        0 ms  refused        0        0          0                  0      0         -\n",
      "aaaaaaaa  visits    2026-01-02 03:04:05  1 min 05 s  completed  1,234    1,200         30             3 (+1)  2,469  1.50 USD\n",
    ].join(""),
    stderr: "",
  });
});

test("a plan and a preview are told from a run, and wrote nothing", async () => {
  const journal = join(folder, "kinds.db");
  const counts = figures({ readCount: 120, successCount: 120 });
  await writeJournal(journal, [
    runRecord({ runId: "aaaaaaaa", kind: "plan", figures: counts }),
    runRecord({ runId: "bbbbbbbb", kind: "preview", startedAt: new Date(2026, 0, 3), figures: counts }),
  ]);
  const { stdout } = await commandLine(["runs", "--journal", journal]);
  assert.match(stdout, /^bbbbbbbb +visits \(preview\) .* completed +120 +- /m);
  assert.match(stdout, /^aaaaaaaa +visits \(plan\) .* completed +120 +- /m);
  const shown = await commandLine(["show", "aaaaaaaa", "--journal", journal]);
  assert.match(shown.stdout, /Pipeline +visits, the sample of a plan: nothing was written/);
});

test("--limit lists the newest and says how many there are; 20 unless it is given", async () => {
  const journal = join(folder, "many.db");
  const ids = Array.from({ length: 25 }, (_, index) => `run${index}`);
  await writeJournal(
    journal,
    ids.map((runId, index) => runRecord({ runId, startedAt: new Date(index * 1000) })),
  );
  const listed = await commandLine(["runs", "--journal", journal]);
  assert.equal(listed.stdout.trimEnd().split("\n").length, 21);
  assert.equal(listed.stderr, "20 of 25 runs; --limit 25 lists all.\n");
  const two = await commandLine(["runs", "--journal", journal, "--limit", "2", "--json"]);
  assert.deepEqual(
    two.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).runId),
    ["run24", "run23"],
  );
  assert.equal((await commandLine(["runs", "--journal", journal, "--limit", "0"])).exitCode, 2);
});

test("--name and --since list some runs only; what is no time is rejected", async () => {
  const journal = join(folder, "filtered.db");
  await writeJournal(journal, [
    runRecord({ runId: "aaaaaaaa", startedAt: new Date(2026, 0, 1, 12) }),
    runRecord({ runId: "bbbbbbbb", startedAt: new Date(2026, 0, 2), pipeline: "bills" }),
    runRecord({ runId: "cccccccc", startedAt: new Date(2026, 0, 3) }),
  ]);
  const listed = async (...options: string[]): Promise<string[]> => {
    const { stdout } = await commandLine(["runs", "--journal", journal, "--json", ...options]);
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).runId);
  };
  assert.deepEqual(await listed("--name", "visits"), ["cccccccc", "aaaaaaaa"]);
  assert.deepEqual(await listed("--since", "2026-01-02"), ["cccccccc", "bbbbbbbb"]);
  assert.deepEqual(await listed("--since", "2026-01-01T13:00", "--name", "visits"), ["cccccccc"]);
  const { stderr } = await commandLine(["runs", "--journal", journal, "--name", "visits", "--limit", "1"]);
  assert.equal(stderr, "1 of 2 runs; --limit 2 lists all.\n");
  for (const time of ["yesterday", "2026-13-01", "12:00"]) {
    assert.equal((await commandLine(["runs", "--journal", journal, "--since", time])).exitCode, 2, time);
  }
});

test("--json has all that is known of a run, its journal too", async () => {
  const journal = join(folder, "json.db");
  const run = runRecord({ error: { code: "TIMEOUT", message: "too late" }, status: "failed", exitCode: 3 });
  await writeJournal(journal, [run]);
  const { stdout } = await commandLine(["runs", "--journal", journal, "--json"]);
  assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify({ ...run, journal })));
});

test("no journal, or a file that is none: what is wrong and what to do, exit code 2", async () => {
  const missing = await commandLine(["runs", "--journal", join(folder, "none.db")]);
  assert.deepEqual([missing.exitCode, missing.stdout], [2, ""]);
  assert.match(
    missing.stderr,
    /^llm-etl: the journal .*none\.db does not exist: .* \[JOURNAL_FAILED\]\n(?: {2}at .*\n)? {2}see .*#journal_failed\n$/,
  );
  writeFileSync(join(folder, "letter.db"), "Dear journal, ".repeat(100));
  const damaged = await commandLine(["runs", "--journal", join(folder, "letter.db")]);
  assert.deepEqual([damaged.exitCode, damaged.stdout], [2, ""]);
  assert.match(damaged.stderr, /letter\.db .* \[JOURNAL_FAILED\]\n/);
});
