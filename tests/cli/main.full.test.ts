import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("the built command runs and passes the exit code on", () => {
  const fine = spawnSync(process.execPath, [main, "--version"], { encoding: "utf8" });
  assert.deepEqual([fine.status, fine.stderr], [0, ""]);
  assert.match(fine.stdout, /^\d+\.\d+\.\d+\n$/);
  const wrong = spawnSync(process.execPath, [main, "run", "no such file.ts"], { encoding: "utf8" });
  assert.deepEqual([wrong.status, wrong.stdout], [2, ""]);
  assert.match(
    wrong.stderr,
    /^llm-etl: .*no such file\.ts \[PIPELINE_MODULE_INVALID\]\n {2}see .*#pipeline_module_invalid\n$/,
  );
});

test("an older Node gets one line with both versions, before any import that would break on it", () => {
  const pretend = "data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '22.18.0' })";
  const { status, stderr } = spawnSync(process.execPath, ["--import", pretend, main, "run", "x.ts"], {
    encoding: "utf8",
  });
  assert.equal(status, 2);
  assert.match(stderr, /^llm-etl .*\b22\.19\b.*\b22\.18\.0\b.*\n$/);
  assert.doesNotMatch(readFileSync(main, "utf8"), /^import /m);
});

test(
  "a stdout that can't be written is exit code 3; a reader that has gone is no fault",
  { skip: !existsSync("/dev/full") && "there is no /dev/full" },
  () => {
    const withFull = (words: string): string => `"${process.execPath}" "${main}" ${words} > /dev/full`;
    const full = spawnSync("sh", ["-c", withFull("--version")], { encoding: "utf8" });
    assert.equal(full.status, 3);
    assert.match(full.stderr, /^llm-etl: stdout .*ENOSPC.*\n$/);
    const gone = spawnSync("sh", ["-c", `"${process.execPath}" "${main}" --version | true`], { encoding: "utf8" });
    assert.deepEqual([gone.status, gone.stderr], [0, ""]);
  },
);

test("an --env-file that is missing ends the command before anything else", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "run", "--env-file", "no such file"], {
    encoding: "utf8",
  });
  assert.ok(status !== 0 && stdout === "", `${status}`);
  assert.match(stderr, /no such file/);
});
