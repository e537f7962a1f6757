import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** `run --json` of ROWS rows, with a reader that has not begun. */
function runUnread(ROWS: number) {
  const words = [pathOf("../../../src/cli/main.ts"), "run", pathOf("../../fixtures/pipelines/many.ts"), "--json"];
  const child = spawn(process.execPath, words, { env: { ...process.env, ROWS: String(ROWS) } });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "exit");
  const closed = once(child.stderr, "close");
  const said = async (pattern: RegExp): Promise<void> => {
    while (!pattern.test(stderr)) {
      const isOver = await Promise.race([once(child.stderr, "data").then(() => false), closed.then(() => true)]);
      if (isOver && !pattern.test(stderr)) assert.fail(`it never said ${pattern}: ${stderr}`);
    }
  };
  const read = async (): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    let stdout = "";
    for await (const text of child.stdout.setEncoding("utf8")) stdout += text;
    assert.ok(stdout.endsWith("\n"), "the last line is torn");
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  };
  return { child, ended, said, read, stderr: () => stderr };
}

test("a reader that begins long after the run has ended gets every event, in order", async () => {
  const { said, read, ended } = runUnread(2000);
  await said(/read 500\n/);
  await setTimeout(7000); // longer than a process that has ended is kept
  const events = await read();
  assert.deepEqual(await ended, [0, null]);
  assert.equal(events.filter(({ type }) => type === "row-end").length, 2000);
  assert.deepEqual([events[0]?.["type"], events.at(-1)?.["type"]], ["run-start", "run-end"]);
  assert.deepEqual(
    events.filter(({ type }) => type === "row-start").map(({ position }) => position),
    Array.from({ length: 2000 }, (_, index) => index + 1),
  );
});

test("a reader that never begins holds the run up, which a signal ends; how much was not delivered is said", async () => {
  const { child, said, ended, stderr } = runUnread(1_000_000);
  await said(/read 500\n/);
  await setTimeout(3000);
  const before = stderr();
  await setTimeout(500);
  assert.equal(stderr(), before, "it reads on");
  child.kill("SIGTERM");
  await said(/SIGTERM: stopping\./);
  await setTimeout(200);
  child.kill("SIGTERM");
  await said(/events were not delivered/);
  assert.match(stderr(), /\nllm-etl: [\d,]+ events were not delivered: nobody read stdout\.\n$/);
  const [exitCode] = await ended;
  assert.equal(exitCode, 3);
  child.stdout.destroy();
});
