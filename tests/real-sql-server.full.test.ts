import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { startTargetServer } from "./support/sql-server-target.ts";

// The suites for a real server run here against the test server, so that they are in order on the day a real one is there.

const root = new URL("../", import.meta.url);

interface SuiteRun {
  readonly exitCode: unknown;
  /** In the Test Anything Protocol. */
  readonly stdout: string;
}

/** As `npm run test:sql-server` runs them. */
async function runSuites(connectionString: string): Promise<SuiteRun> {
  const { scripts } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
  const [, options = "", pattern = ""] = /^node --test (.*)"(.+)"$/.exec(scripts["test:sql-server"]) ?? [];
  const child = spawn(process.execPath, ["--test", "--test-reporter=tap", ...options.trim().split(" "), pattern], {
    cwd: fileURLToPath(root),
    env: { PATH: process.env["PATH"], SQL_SERVER_CONN: connectionString }, // without what ties the child to this test run
    stdio: ["ignore", "pipe", "inherit"],
  });
  let stdout = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const [exitCode]: unknown[] = await once(child, "close");
  return { exitCode, stdout };
}

function countOf({ stdout }: SuiteRun, name: string): number {
  return Number(new RegExp(`^# ${name} (\\d+)$`, "m").exec(stdout)?.[1]);
}

async function runAgainst(t: TestContext, refuses: readonly RegExp[]): Promise<SuiteRun> {
  const server = await startTargetServer({ refuses }, t);
  const run = await runSuites(server.connectionString);
  const schemas = (pattern: RegExp): string[] =>
    server.statements.flatMap(({ text }) => pattern.exec(text)?.[1] ?? []).toSorted();
  const made = schemas(/^CREATE SCHEMA (\[llm_etl_test_\w+\])$/);
  const files = readdirSync(new URL("tests/real-sql-server/", root)).filter((name) => name.endsWith(".suite.ts"));
  assert.equal(made.length, files.length, "each file has a schema of its own");
  assert.deepEqual(schemas(/^DROP SCHEMA (\[llm_etl_test_\w+\])$/), made);
  return run;
}

test("the suites for a real SQL Server pass, and leave nothing behind", async (t) => {
  const run = await runAgainst(t, []);
  assert.equal(run.exitCode, 0, run.stdout);
  assert.equal(countOf(run, "skipped"), 0);
  assert.ok(countOf(run, "pass") > 100);
});

test("on a server that refuses MERGE its tests are skipped by name, and the others pass", async (t) => {
  const run = await runAgainst(t, [/\bMERGE\b/]);
  assert.equal(run.exitCode, 0, run.stdout);
  const skipped = run.stdout.split("\n").filter((line) => line.includes("# SKIP"));
  assert.equal(skipped.length, 3, skipped.join("\n"));
  for (const line of skipped) assert.match(line, /by merge .* # SKIP the server refuses MERGE \(error 102\)$/);
});

test("without SQL_SERVER_CONN they are skipped, with the reason", async () => {
  const run = await runSuites("");
  assert.equal(run.exitCode, 0, run.stdout);
  assert.equal(countOf(run, "pass"), 0, run.stdout);
  assert.match(run.stdout, /# SKIP SQL_SERVER_CONN is not set/);
});
