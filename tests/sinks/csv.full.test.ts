import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { CSVSink } from "../../src/sinks/csv.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, `rows ${files}.csv`);
}

test(
  "a batch that the disk has no room for leaves whole batches only, and the run can go on",
  { skip: process.platform === "win32" },
  async () => {
    const path = newPath();
    const script = `
    const { CSVSink } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../src/sinks/csv.ts")).href)});
    const { groupsOf } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../src/testing/row-groups.ts")).href)});
    const sink = new CSVSink({ filePath: ${JSON.stringify(path)}, columnMap: { id: (s) => s.pk, text: (s) => s.pk } });
    const session = await sink.open({ signal: new AbortController().signal });
    await session.write(groupsOf([{ id: 1, text: "a" }]));
    const failed = await session.write(groupsOf([{ id: 2, text: "b" }, { id: 3, text: "x".repeat(200_000) }])).catch((error) => error);
    const { statSync } = await import("node:fs");
    const size = statSync(${JSON.stringify(`${path}.partial`)}).size;
    await session.write(groupsOf([{ id: 4, text: "c" }]));
    await session.close("completed");
    console.log(JSON.stringify({ name: failed.name, message: failed.message, cause: failed.cause.code, size }));
  `;
    // A limit on the size of files, in blocks of 512 or 1,024 bytes, is met as a full disk is.
    const { stdout, stderr } = spawnSync(
      "sh",
      ["-c", `ulimit -f 64 && exec "$0" --input-type=module -e "$1"`, process.execPath, script],
      { encoding: "utf8", env: { ...process.env, NODE_V8_COVERAGE: "" } }, // its coverage file would be cut off, too
    );
    assert.deepEqual(JSON.parse(stdout || stderr), {
      name: "SinkError",
      message: `CSVSink ${path}: ${path}.partial can't be written (EFBIG: file too large, write); is the disk full?`,
      cause: "EFBIG",
      size: "id,text\n1,a\n".length,
    });
    assert.equal(readFileSync(path, "utf8"), "id,text\n1,a\n4,c\n");
  },
);

test("what a run that was killed left behind does not block the next one", async () => {
  const path = newPath();
  const script = `
    const { CSVSink } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../src/sinks/csv.ts")).href)});
    const { groupsOf } = await import(${JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../src/testing/row-groups.ts")).href)});
    const sink = new CSVSink({ filePath: ${JSON.stringify(path)}, columnMap: { id: (s) => s.pk } });
    const session = await sink.open({ signal: new AbortController().signal });
    await session.write(groupsOf([{ id: "old" }]));
    process.kill(process.pid, "SIGKILL");`;
  spawnSync(process.execPath, ["--input-type=module", "-e", script], { env: { ...process.env, NODE_V8_COVERAGE: "" } });
  assert.equal(readFileSync(`${path}.partial`, "utf8"), "id\nold\n");
  const session = await new CSVSink({ filePath: path, columnMap: { id: (s: { pk: string }) => s.pk } }).open({
    signal: new AbortController().signal,
  });
  await session.write(groupsOf([{ id: "new" }]));
  await session.close("completed");
  assert.equal(readFileSync(path, "utf8"), "id\nnew\n");
});
