import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ClassifierStep, Pipeline, type SinkState } from "../../src/index.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { readLines } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A file system of its own with so much room, where this process may mount one. */
function smallDisk(bytes: number): string | undefined {
  let folder: string | undefined;
  after(() => folder !== undefined && spawnSync("umount", [folder])); // before the folder around it is removed
  folder = join(temporaryFolder(), "disk");
  mkdirSync(folder);
  const { status } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "tmpfs", folder]);
  if (status !== 0) folder = undefined;
  return folder;
}

const disk = smallDisk(256 * 1024);
const skip = disk === undefined ? "no file system can be mounted here" : false;

interface Row {
  readonly id: string;
  readonly note: string;
}

test(
  "on a full disk no file has half a line, the run can be resumed, and nothing is lost or paid again",
  { skip },
  async () => {
    const folder = disk ?? "";
    const rows = Array.from({ length: 200 }, (_, index) => ({
      id: String(index),
      note: `${index} ${"n".repeat(900)}`,
    }));
    const pipeline = new Pipeline<Row>({
      name: "notes",
      source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
      onRowError: "dead_letter",
      deadLetterPath: join(folder, "failed.jsonl"),
      payloadLogPath: join(folder, "payloads.jsonl"),
      journalPath: join(temporaryFolder(), "journal.db"),
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [{ name: "Only", definition: "everything" }],
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
        }),
      )
      .to(new CSVSink({ filePath: join(folder, "out.csv"), columnMap: { id: (s: SinkState<Row>) => s.pk } }));
    const stopped = await pipeline.run();
    assert.deepEqual([stopped.exitCode, stopped.error?.code], [3, "PAYLOAD_LOG_FAILED"]);
    const text = readFileSync(join(folder, "payloads.jsonl"), "utf8");
    assert.ok(text.endsWith("\n"));
    assert.ok(readLines(join(folder, "payloads.jsonl")).length > 0);
    rmSync(join(folder, "payloads.jsonl"));
    const calls = stopped.usage.calls;
    let resumed = await pipeline.run();
    let total = calls + resumed.usage.calls;
    for (let attempt = 0; attempt < 10 && resumed.exitCode === 3; attempt += 1) {
      rmSync(join(folder, "payloads.jsonl"));
      resumed = await pipeline.run();
      total += resumed.usage.calls;
    }
    assert.deepEqual([resumed.exitCode, resumed.successCount], [0, 200]);
    assert.equal(total, 200, "an answer was paid for twice");
  },
);

test(
  "a dead letter that the disk has no room for leaves nothing of itself, nor does a file that can't be written anew",
  { skip },
  async () => {
    const folder = disk ?? "";
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const path = join(folder, "failed.jsonl");
    const session = await new DeadLetterFile({ path }).open({ runId: "r", pipeline: "p" });
    const error = new RowError("REFUSAL", "refused");
    const add = async (pk: string): Promise<void> => {
      const raw = { id: pk, note: "n".repeat(5000) };
      await session.add({ position: 1, pk, step: null, error, raw, partialState: {}, retryCount: 0 });
    };
    let added = 0;
    await assert.rejects(
      async () => {
        for (; ; added += 1) await add(String(added));
      },
      { code: "DEAD_LETTER_FAILED" },
    );
    const before = readFileSync(path, "utf8");
    assert.ok(before.endsWith("\n"));
    assert.equal(readLines(path).length, added);
    const remove = session.remove?.(new Map([["1", Infinity]]));
    await assert.rejects(async () => await remove, { code: "DEAD_LETTER_FAILED" });
    assert.equal(readFileSync(path, "utf8"), before);
    assert.deepEqual(readdirSync(folder).toSorted(), ["failed.jsonl", "failed.jsonl.lock"]);
    writeFileSync(path, "");
    await add("last");
    await session.close();
    assert.deepEqual(
      readLines(path).map(({ pk }) => pk),
      ["last"],
    );
  },
);

test("a CSV target that the disk has no room for has whole rows only", { skip }, async () => {
  const folder = disk ?? "";
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const filePath = join(folder, "out.csv");
  const rows = Array.from({ length: 400 }, (_, index) => ({ id: `${index} ${"n".repeat(900)}` }));
  const { exitCode, error, successCount, rowsAside } = await new Pipeline<{ id: string }>({
    name: "rows",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
    batchSize: 7,
  })
    .to(new CSVSink({ filePath, columnMap: { id: (s: SinkState<{ id: string }>) => s.pk } }))
    .run();
  assert.deepEqual([exitCode, error?.code, rowsAside?.reason], [3, "SINK_FAILED", "stopped"]);
  const text = readFileSync(`${filePath}.partial`, "utf8");
  assert.ok(text.endsWith("n\n"));
  assert.equal(text.split("\n").length - 2, successCount);
});

test(
  "a folder for temporary files that is full ends the run resumable, and the message says what to do",
  { skip },
  () => {
    const folder = disk ?? "";
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const module = fileURLToPath(new URL("../../src/files/key-set.ts", import.meta.url));
    const errors = fileURLToPath(new URL("../../src/errors/thrown.ts", import.meta.url));
    const script = `
    const { KeySet } = await import(${JSON.stringify(module)});
    const { asLLMEtlError } = await import(${JSON.stringify(errors)});
    const keys = new KeySet();
    try {
      for (let row = 0; row < 60_000; row += 1) keys.add([String((row * 7919) % 60_000).padStart(150, "k")], row);
    } catch (error) {
      const { code, scope, facts, message } = asLLMEtlError(error);
      console.log(JSON.stringify({ code, scope, fact: facts.code, message }));
    }`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      env: { ...process.env, SQLITE_TMPDIR: folder },
    });
    const { message, ...found }: { message: string } = JSON.parse(stdout);
    assert.deepEqual(found, { code: "INTERNAL_ERROR", scope: "run", fact: "TEMPORARY_FILE_FAILED" }, stderr);
    assert.match(message, /SQLITE_TMPDIR/);
  },
);

test("events that go to a file of a full disk leave no half line in it, and the exit code says so", { skip }, () => {
  const folder = disk ?? "";
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  const path = join(folder, "events.jsonl");
  const module = join(temporaryFolder(), "pipeline.ts");
  const source = fileURLToPath(new URL("../../src", import.meta.url));
  writeFileSync(
    module,
    `import { Pipeline } from ${JSON.stringify(`${source}/builder/pipeline.ts`)};
import { MockProvider } from ${JSON.stringify(`${source}/llm/providers/mock.ts`)};
import { MemorySink } from ${JSON.stringify(`${source}/testing/memory-sink.ts`)};
import { MemorySource } from ${JSON.stringify(`${source}/testing/memory-source.ts`)};
const rows = Array.from({ length: 3000 }, (_, index) => ({ id: String(index) }));
const source = new MemorySource({ rows, primaryKeyColumn: "id" });
const options = { name: "p", source, llmProvider: new MockProvider(), journal: "off", payloadLog: "off" };
export default new Pipeline(options).to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
`,
  );
  for (const redirect of [">", ">>"]) {
    const command = `"${process.execPath}" "${source}/cli/main.ts" run --json "${module}" ${redirect} "${path}"`;
    const { status, stderr } = spawnSync("sh", ["-c", command], { encoding: "utf8" });
    assert.equal(status, 3, stderr);
    assert.match(stderr, /ENOSPC/);
    const text = readFileSync(path, "utf8");
    assert.ok(text.length > 100_000 && text.endsWith("}\n"), text.slice(-100));
    assert.doesNotMatch(text, /\0/);
  }
});
