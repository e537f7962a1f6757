// Full lane: processes of half a minute.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { startCommand } from "../support/command.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const hanging = fileURLToPath(new URL("../fixtures/pipelines/hanging.ts", import.meta.url));
const folder = temporaryFolder();

/** What a container platform gives a process by default, in milliseconds, and what a busy machine may add. */
const killedAfterMs = 30_000;
const busyMs = 3000;

/** Parts that never end, and the first one that says so before the signal; undefined where that is at the end of the run. */
const parts: readonly (readonly [hangs: string, saidFirst: RegExp])[] = [
  ["journal-open", /journal-open hangs/],
  ["journal-begin", /journal-begin hangs/],
  ["open", /open hangs/],
  ["source", /source hangs/],
  ["step", /step hangs/],
  ["provider", /provider hangs/],
  ["write", /write hangs/],
  ["close", /close hangs/],
  ["journal-save,journal-close", /journal-save hangs/],
  ["provider,return,close,journal-save,journal-close", /provider hangs/],
  ["step,write,return,close,journal-save,journal-close", /step hangs/],
];

test("after SIGTERM the process has gone before a platform would kill it, whatever never ends", async () => {
  const endings = await Promise.all(
    parts.map(async ([hangs, first]) => {
      const FOLDER = mkdtempSync(join(folder, "run "));
      const { child, said, ended } = startCommand(["run", hanging], { FOLDER, HANGS: hangs });
      await said(first);
      const startMs = performance.now();
      child.kill("SIGTERM");
      const { exitCode, signal, stderr } = await ended;
      return { hangs, exitCode, signal, stderr, durationMs: performance.now() - startMs };
    }),
  );
  for (const { hangs, exitCode, signal, stderr, durationMs } of endings) {
    assert.deepEqual([exitCode, signal], [3, null], `${hangs}: ${stderr}`);
    assert.ok(durationMs < killedAfterMs + busyMs, `${hangs}: ${durationMs} ms`);
    assert.match(stderr, /\[(ABORTED|SINK_FAILED|JOURNAL_FAILED)\]/, hangs);
  }
});
