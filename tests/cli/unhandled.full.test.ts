import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readRuns } from "../support/journal-file.ts";
import { startCommand } from "../support/command.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const faulty = fileURLToPath(new URL("../fixtures/pipelines/faulty.ts", import.meta.url));
const folder = temporaryFolder();

interface Expected {
  readonly exitCode: number;
  /** The code of the error that stopped the run; undefined where it was not stopped. */
  readonly code?: string;
  /** True where the error's words are in the dead letter file. */
  readonly isKept?: boolean;
}

const unhandled: Expected = { exitCode: 3, code: "UNHANDLED_ERROR", isKept: true };
const failedRow: Expected = { exitCode: 1, isKept: true };

/** By the function that is at fault, and by the way it fails: how the run ends. */
const endings: Readonly<Record<string, Readonly<Record<string, Expected>>>> = {
  input: {
    throws: failedRow,
    text: failedRow,
    rejects: { exitCode: 1 },
    timer: unhandled,
    later: unhandled,
    forgotten: unhandled,
  },
  column: { throws: failedRow, rejects: { exitCode: 1 }, timer: unhandled, later: unhandled },
  step: {
    throws: failedRow,
    rejects: failedRow,
    timer: unhandled,
    later: unhandled,
    stuck: unhandled,
    never: { exitCode: 3, code: "UNHANDLED_ERROR" },
  },
  "row-schema": { throws: failedRow, rejects: failedRow, timer: unhandled, later: unhandled },
  schema: { throws: failedRow, timer: unhandled },
  source: {
    throws: { exitCode: 3, code: "SOURCE_FAILED", isKept: true },
    text: { exitCode: 3, code: "SOURCE_FAILED", isKept: true },
    yields: { exitCode: 3, code: "SOURCE_FAILED" },
    timer: unhandled,
    later: unhandled,
  },
  count: { throws: { exitCode: 0 }, timer: unhandled },
  provider: { throws: { exitCode: 1 }, timer: { exitCode: 3, code: "UNHANDLED_ERROR" } },
  fingerprint: { throws: { exitCode: 2 } },
  open: { throws: { exitCode: 2 }, timer: unhandled },
  check: { throws: { exitCode: 3, code: "SINK_FAILED", isKept: true }, timer: unhandled },
  write: { throws: { exitCode: 3, code: "SINK_FAILED", isKept: true }, timer: unhandled },
  close: { throws: { exitCode: 3, code: "SINK_FAILED", isKept: true }, timer: { exitCode: 3 } },
  redact: { throws: { exitCode: 3, code: "PAYLOAD_LOG_FAILED" } },
  import: { timer: unhandled, later: unhandled },
};

for (const [place, ways] of Object.entries(endings)) {
  test(`${place}: whichever way it fails, the run is reported, and its words are in files of mode 0600 only`, async () => {
    await Promise.all(
      Object.entries(ways).map(async ([way, { exitCode, code, isKept = false }]) => {
        const FOLDER = mkdtempSync(join(folder, "run "));
        const words = ["run", faulty, "--json", "--debug"];
        const ended = await startCommand(words, { FOLDER, FAULT: `${place}/${way}` }).ended;
        const shown = `${way}: ${ended.stdout}${ended.stderr}`;
        assert.equal(ended.exitCode, exitCode, shown);
        assert.ok(!shown.includes("Jane"), shown);
        if (exitCode === 2) return;
        const last = JSON.parse(ended.stdout.trimEnd().split("\n").at(-1) ?? "");
        assert.deepEqual([last.type, last.report.error?.code], ["run-end", code], shown);
        const [run] = await readRuns(join(FOLDER, "journal.db"));
        assert.equal(run?.status, code === undefined ? "completed" : "failed");
        if (code === "UNHANDLED_ERROR" && way !== "never")
          assert.match(ended.stderr, /TypeError.* at .*faulty\.ts:\d+/);
        const letters = join(FOLDER, "failed.jsonl");
        if (isKept) assert.match(existsSync(letters) ? readFileSync(letters, "utf8") : "", /can't use Jane Roe/, shown);
      }),
    );
  });
}

test("process.exit() in code of the user's: exit code 3, and one line says so", async () => {
  for (const place of ["input", "column", "step"]) {
    const FOLDER = mkdtempSync(join(folder, "run "));
    const { exitCode, stderr } = await startCommand(["run", faulty], { FOLDER, FAULT: `${place}/exit` }).ended;
    assert.equal(exitCode, 3);
    assert.match(stderr, /\nllm-etl: process\.exit\(\) was called .*\n$/);
  }
});
