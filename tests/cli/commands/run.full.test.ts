import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { setTimeout } from "node:timers/promises";
import { sameSignalMs } from "../../../src/cli/signals.ts";
import { readRuns } from "../../support/journal-file.ts";
import { journaledFolder, notesIn, startCommand } from "../../support/command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));
const folder = temporaryFolder();

/** The calls of each run of the fixture `journaled`, the newest first. */
async function callsIn(place: string): Promise<number[]> {
  return (await readRuns(join(place, "journal.db"))).map(({ figures }) => figures.usage.calls);
}

for (const name of ["SIGINT", "SIGTERM"] as const) {
  test(`${name} in the middle: rows in flight are finished and written, and the next run asks for the rest only`, async () => {
    const FOLDER = journaledFolder(folder);
    const stopped = startCommand(["run", fixture("journaled")], { FOLDER, LATENCY_MS: "50" });
    await stopped.said(/begun r9\n/);
    stopped.child.kill(name);
    const { exitCode, stdout, stderr } = await stopped.ended;
    assert.equal(exitCode, 3, stderr);
    const [, processed = ""] = /^Processed: (\d+), Failed: 0\n$/.exec(stdout) ?? assert.fail(stdout);
    assert.ok(Number(processed) >= 9 && Number(processed) < 40, processed);
    assert.equal(notesIn(FOLDER).length, Number(processed));
    assert.match(stderr, new RegExp(`${name}: stopping\\. Rows in flight have up to 20 s`));
    assert.match(
      stderr,
      new RegExp(
        `aborted: .*${name} stopped the run \\[ABORTED\\]\n  see .*#aborted\nRun the same command again to go on`,
      ),
    );
    assert.doesNotMatch(stderr, /pending/);

    const {
      exitCode: next,
      stderr: said,
      stdout: result,
    } = await startCommand(["run", fixture("journaled")], { FOLDER }).ended;
    assert.deepEqual([next, result], [0, "Processed: 40, Failed: 0\n"], said);
    assert.match(said, new RegExp(`^  rows .*, ${processed} unchanged$`, "m"));
    const reused = new RegExp(
      `^  reused +${2 * Number(processed)} answers, saved [\\d,]+ input and [\\d,]+ output tokens, .* USD$`,
      "m",
    );
    assert.match(said, reused);
    assert.deepEqual(await callsIn(FOLDER), [80 - 2 * Number(processed), 2 * Number(processed)]);

    const undisturbed = journaledFolder(folder);
    assert.equal((await startCommand(["run", fixture("journaled")], { FOLDER: undisturbed }).ended).exitCode, 0);
    assert.deepEqual(notesIn(FOLDER), notesIn(undisturbed));
    assert.deepEqual(await callsIn(undisturbed), [80]);
  });
}

test("a second Ctrl-C ends it at once, though calls would take minutes; what is complete is written", async () => {
  const FOLDER = journaledFolder(folder);
  const running = startCommand(["run", fixture("journaled")], { FOLDER, STUCK_FROM: "11" });
  await running.said(/begun r14\n/); // all four places hold a row that is stuck
  running.child.kill("SIGINT");
  await running.said(/SIGINT: stopping\. .*\n/);
  await setTimeout(sameSignalMs + 100);
  running.child.kill("SIGINT");
  const { exitCode, stdout, stderr } = await running.ended;
  assert.deepEqual([exitCode, stdout], [3, "Processed: 10, Failed: 0\n"], stderr);
  assert.match(stderr, /SIGINT: stopping at once\.\naborted in .*\n {2}rows +14 read, 10 written, 4 pending\n/);
  assert.equal(notesIn(FOLDER).length, 10);
  const next = await startCommand(["run", fixture("journaled")], { FOLDER }).ended;
  assert.deepEqual([next.exitCode, next.stdout], [0, "Processed: 40, Failed: 0\n"], next.stderr);
  assert.equal(notesIn(FOLDER).length, 40);
});

test("--fresh writes unchanged rows again, --no-cache asks again; neither is in the advice how to go on", async () => {
  const FOLDER = journaledFolder(folder);
  const run = async (...words: string[]) =>
    await startCommand(["run", fixture("journaled"), ...words], { FOLDER }).ended;
  await run();
  assert.match((await run()).stderr, /^ {2}rows +40 read, 0 written, 40 unchanged$/m);
  const fresh = await run("--fresh");
  assert.deepEqual([fresh.exitCode, fresh.stdout], [0, "Processed: 40, Failed: 0\n"]);
  assert.match(fresh.stderr, /^ {2}rows +40 read, 40 written$/m);
  assert.match(fresh.stderr, /^ {2}reused +80 answers, /m);
  const asked = await run("--no-cache");
  assert.match(asked.stderr, /^ {2}rows +40 read, 0 written, 40 unchanged$/m);
  assert.doesNotMatch(asked.stderr, /reused/);
  assert.deepEqual(await callsIn(FOLDER), [80, 0, 0, 80]);

  const running = startCommand(["run", fixture("journaled"), "--fresh", "--no-cache"], { FOLDER, LATENCY_MS: "50" });
  await running.said(/begun r5\n/);
  running.child.kill("SIGTERM");
  assert.match((await running.ended).stderr, /\nRun the same command again, without --fresh and --no-cache, .*\n$/);
});
