import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline } from "../../src/builder/pipeline.ts";
import type { RunReport } from "../../src/contracts/report.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import type { RunOptions } from "../../src/pipeline/options.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { TransformStep } from "../../src/steps/transform.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const root = temporaryFolder();
const isRoot = process.geteuid?.() === 0;
const onPOSIX = { skip: process.platform === "win32" };

function newFolder(): string {
  const folder = join(root, `case ${readdirSync(root).length}`);
  mkdirSync(folder);
  return folder;
}

const allOf = (count: number): string =>
  `id\n${Array.from({ length: count }, (_, index) => `${index + 1}\n`).join("")}`;

/** A pipeline of `count` rows to a file; rows whose number is in `failing` fail. */
function pipelineTo(filePath: string, count: number, isFailing: (id: string) => boolean = () => false) {
  const rows = Array.from({ length: count }, (_, index) => ({ id: String(index + 1) }));
  return new Pipeline<{ id: string }>({
    name: "p",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
    onRowError: "skip",
  })
    .step(
      new TransformStep({
        name: "t",
        outputKey: "t",
        transform: ({ pk }) => {
          if (isFailing(pk)) throw new Error("bad");
          return pk;
        },
      }),
    )
    .to(new CSVSink({ filePath, preserveOrder: true, columnMap: { id: (state) => state.pk } }));
}

async function run(
  filePath: string,
  count: number,
  options: RunOptions & { failing?: boolean } = {},
): Promise<RunReport> {
  const { failing = false, ...runOptions } = options;
  return await pipelineTo(filePath, count, () => failing).run(runOptions);
}

test("a run with limit writes beside a complete file, says where, and ends as its rows do", async () => {
  const path = join(newFolder(), "out.csv");
  assert.equal((await run(path, 20)).rowsAside, undefined);
  for (const limit of [10, 10, 3, 50]) {
    const { rowsAside, exitCode, status, successCount } = await run(path, 20, { limit });
    const aside = `${path}.limit-${limit}.csv`;
    assert.deepEqual(rowsAside, { path: aside, reason: "limit" });
    assert.deepEqual([status, exitCode, successCount], ["completed", 0, Math.min(limit, 20)]);
    assert.equal(readFileSync(path, "utf8"), allOf(20));
    assert.equal(readFileSync(aside, "utf8"), allOf(Math.min(limit, 20)));
    assert.ok(!existsSync(`${path}.partial`));
  }
});

test("without a file a run with limit makes it; with replace it replaces it", async () => {
  const path = join(newFolder(), "out.csv");
  const first = await run(path, 20, { limit: 5 });
  assert.equal(first.rowsAside, undefined);
  assert.equal(readFileSync(path, "utf8"), allOf(5));
  const second = await run(path, 20, { limit: 2, replace: true });
  assert.equal(second.rowsAside, undefined);
  assert.equal(readFileSync(path, "utf8"), allOf(2));
});

test("a file that came while a run with limit was on its way is not replaced", async () => {
  const path = join(newFolder(), "out.csv");
  const pipeline = pipelineTo(path, 5, (id) => {
    if (id === "1") writeFileSync(path, "somebody's");
    return false;
  });
  const { rowsAside } = await pipeline.run({ limit: 3 });
  assert.deepEqual(rowsAside, { path: `${path}.limit-3.csv`, reason: "limit" });
  assert.equal(readFileSync(path, "utf8"), "somebody's");
});

test(
  "a link from the file for rows of a run with limit to the complete file is rejected, and replaces nothing",
  onPOSIX,
  async () => {
    const path = join(newFolder(), "out.csv");
    await run(path, 20);
    symlinkSync("out.csv", `${path}.limit-3.csv`);
    await assert.rejects(run(path, 5, { limit: 3 }), failsWith("SINK_FAILED", { where: path }));
    assert.equal(readFileSync(path, "utf8"), allOf(20));
  },
);

test("a file that must not be replaced any more at the end of the run is not", onPOSIX, async () => {
  const path = join(newFolder(), "out.csv");
  await run(path, 20);
  const pipeline = pipelineTo(path, 5, (id) => {
    if (id === "1") linkSync(path, `${path} second name`);
    return false;
  });
  const { error, exitCode } = await pipeline.run();
  assert.deepEqual([exitCode, error?.code, error?.facts["names"]], [3, "SINK_FAILED", 2]);
  assert.equal(readFileSync(path, "utf8"), allOf(20));
});

test("a run in which no row succeeds replaces nothing, with limit or not; with replace it does", async () => {
  const path = join(newFolder(), "out.csv");
  await run(path, 20);
  for (const limit of [undefined, 10]) {
    const { rowsAside, exitCode, status } = await run(path, 20, { failing: true, limit });
    assert.deepEqual(rowsAside, { path: `${path}.partial`, reason: "no-row-succeeded" });
    assert.deepEqual([status, exitCode], ["completed", 1]);
    assert.equal(readFileSync(path, "utf8"), allOf(20));
    assert.equal(readFileSync(`${path}.partial`, "utf8"), allOf(0));
    assert.ok(!existsSync(`${path}.limit-10.csv`));
  }
  assert.equal((await run(path, 20, { failing: true, replace: true })).rowsAside, undefined);
  assert.equal(readFileSync(path, "utf8"), allOf(0));
});

test("a complete run of fewer rows replaces it, also one of no rows, and one in which a row succeeds", async () => {
  const path = join(newFolder(), "out.csv");
  await run(path, 20);
  await run(path, 3);
  assert.equal(readFileSync(path, "utf8"), allOf(3));
  assert.equal((await pipelineTo(path, 3, (id) => id !== "1").run()).exitCode, 1);
  assert.equal(readFileSync(path, "utf8"), allOf(1));
  await run(path, 0);
  assert.equal(readFileSync(path, "utf8"), allOf(0));
});

test("a run that stops names the file with what it had written", async () => {
  const path = join(newFolder(), "out.csv");
  const { rowsAside, exitCode } = await pipelineTo(path, 20, (id) => id === "9").run({
    onRowError: "fail",
    concurrency: 1,
    batchSize: 2,
  });
  assert.equal(exitCode, 1);
  assert.deepEqual(rowsAside, { path: `${path}.partial`, reason: "stopped" });
  assert.equal(readFileSync(`${path}.partial`, "utf8"), allOf(8));
});

test("a symbolic link stays, and what it leads to is replaced, also where that is not there yet", onPOSIX, async () => {
  const folder = newFolder();
  mkdirSync(join(folder, "data"));
  const [path, real] = [join(folder, "out.csv"), join(folder, "data", "real.csv")];
  symlinkSync(join("data", "real.csv"), path);
  for (const count of [2, 3]) {
    await run(path, count);
    assert.ok(lstatSync(path).isSymbolicLink());
    assert.ok(lstatSync(real).isFile());
    assert.equal(readFileSync(real, "utf8"), allOf(count));
  }
  const { rowsAside } = await run(path, 3, { limit: 1 });
  assert.deepEqual(rowsAside, { path: `${real}.limit-1.csv`, reason: "limit" });
  unlinkSync(path);
  symlinkSync("out.csv", path); // a circle
  await assert.rejects(run(path, 1), failsWith("SINK_FAILED"));
});

test("mode and owner of the file are kept; a new one is its owner's alone", onPOSIX, async () => {
  const path = join(newFolder(), "out.csv");
  await run(path, 1);
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  chmodSync(path, 0o664);
  if (isRoot) chownSync(path, 1234, 2345);
  await run(path, 2);
  const { mode, uid, gid } = statSync(path);
  assert.equal(mode & 0o7777, 0o664);
  if (isRoot) assert.deepEqual([uid, gid], [1234, 2345]);
  assert.equal(readFileSync(path, "utf8"), allOf(2));
});

test("what is no file of one name that may be written is rejected by run and check, and stays", onPOSIX, async () => {
  const folder = newFolder();
  const hard = join(folder, "hard.csv");
  writeFileSync(hard, "before");
  linkSync(hard, join(folder, "other-name.csv"));
  const readOnly = join(folder, "read-only.csv");
  writeFileSync(readOnly, "before", { mode: 0o444 });
  const socket = join(folder, "socket.csv");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const device = join(folder, "device.csv");
  symlinkSync("/dev/null", device);
  const facts = {
    [hard]: { names: 2 },
    [readOnly]: { code: "EACCES" },
    [socket]: {},
    [device]: {},
    [folder]: { code: "EISDIR" },
  };
  for (const [path, expected] of Object.entries(facts)) {
    const before = lstatSync(path);
    const pipeline = pipelineTo(path, 1);
    await assert.rejects(pipeline.run(), failsWith("SINK_FAILED", expected), path);
    const { findings } = await pipeline.check();
    assert.ok(
      findings.some(({ subject, status }) => subject === "sink csv" && status === "problem"),
      path,
    );
    const after = lstatSync(path);
    assert.deepEqual([after.ino, after.mode, after.mtimeMs], [before.ino, before.mode, before.mtimeMs], path);
  }
  server.close();
  assert.ok(!existsSync("/dev/null.partial"));
});
