import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { checkFiles } from "../../src/check/files.ts";
import { Findings } from "../../src/check/report.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const log = join(folder, "log.jsonl");
const failed = join(folder, "new", "failed.jsonl");
writeFileSync(log, "");

async function look(payloadLogPath: string | null, deadLetterPath: string | null) {
  const { signal } = new AbortController();
  const findings = new Findings({ rowErrorStatus: "problem", signal });
  const log = { level: "full" as const, redact: (text: string) => text, maxBytes: 1 };
  const payloadLog = payloadLogPath === null ? null : { ...log, path: payloadLogPath };
  const deadLetter = deadLetterPath === null ? null : new DeadLetterFile({ path: deadLetterPath });
  await checkFiles(findings, { journal: null, payloadLog, deadLetter }, { limitMs: 60_000, signal });
  return findings.list;
}

test("the files that a run appends to are looked at, and none is made", async () => {
  const both = await look(log, failed);
  assert.deepEqual(
    both.map(({ subject, status, message }) => [subject, status, message]),
    [
      ["payload log", "ok", log],
      ["dead letter file", "ok", `${failed}, which is not there yet`],
    ],
  );
  assert.ok(!existsSync(join(folder, "new")));
  assert.deepEqual(await look(null, null), []);
});

test("each file that can't be written is a problem of its own", async () => {
  const found = await look(join(log, "below"), folder);
  assert.deepEqual(
    found.map(({ subject, status, code, facts }) => [subject, status, code, facts?.where, facts?.["code"]]),
    [
      ["payload log", "problem", "PAYLOAD_LOG_FAILED", join(log, "below"), "ENOTDIR"],
      ["dead letter file", "problem", "DEAD_LETTER_FAILED", folder, "EISDIR"],
    ],
  );
});

test("a lock file that is none is a problem of its file, and stays as it is", async () => {
  const path = join(folder, "locked.jsonl");
  writeFileSync(`${path}.lock`, "no database".repeat(100));
  const found = await look(path, path);
  assert.deepEqual(
    found.map(({ status, facts }) => [status, facts?.["code"]]),
    [
      ["problem", "LOCK_DAMAGED"],
      ["problem", "LOCK_DAMAGED"],
    ],
  );
  assert.ok(!existsSync(path));
});
