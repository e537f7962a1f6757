import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Pipeline } from "../../src/builder/pipeline.ts";
import { DeadLetterError } from "../../src/errors/journal.ts";
import { EmptyInputError, ValidationError } from "../../src/errors/step.ts";
import type { FailedRow } from "../../src/contracts/dead-letter.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { lockFile } from "../../src/files/file-lock.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { readLines } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let files = 0;
const run = { runId: "run-1", pipeline: "visits" };

const attempts = [{ answer: '{"confidence":1.5}', issues: ["confidence: must be between 0 and 1, got 1.5"] }];
const row: FailedRow = {
  position: 1,
  pk: "enc_67890",
  step: "visit_classifier",
  error: new ValidationError(
    "visit_classifier",
    "no content",
    "confidence: must be between 0 and 1, got 1.5",
    attempts,
  ),
  raw: { id: "enc_67890" },
  partialState: { visit_type: null },
  retryCount: 3,
};

async function keep(rows: readonly FailedRow[], given?: string): Promise<{ path: string; text: string }> {
  files += 1;
  const path = given ?? join(folder, `output ${files}`, "failed_rows.jsonl");
  const file = await new DeadLetterFile({ path }).open({ runId: "run-1", pipeline: "visits" });
  try {
    for (const each of rows) await file.add(each);
  } finally {
    await file.close();
  }
  return { path, text: readFileSync(path, "utf8") };
}

test("a line has the keys of the design, in its order, byte for byte but for the time", async () => {
  const { text } = await keep([row]);
  const time = /"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"/.exec(text)?.[1] ?? "no time";
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 600_000, time);
  assert.equal(
    text.replace(time, "…"),
    '{"pk":"enc_67890","run_id":"run-1","pipeline":"visits","step_name":"visit_classifier","error_type":"ValidationError",' +
      '"error_code":"INVALID_OUTPUT","error_message":"confidence: must be between 0 and 1, got 1.5",' +
      '"raw_data":{"id":"enc_67890"},"partial_state":{"visit_type":null},"timestamp":"…","retry_attempts":3,' +
      '"attempts":[{"answer":"{\\"confidence\\":1.5}","issues":["confidence: must be between 0 and 1, got 1.5"]}]}\n',
  );
});

test("dates, bytes and bigints of a row are written so that a replay gets them back", async () => {
  const raw = {
    at: new Date("2025-02-02T10:30:00Z"),
    never: new Date(Number.NaN),
    photo: Buffer.from([1, 2, 255]),
    big: 2n ** 63n,
    list: [{ at: new Date(0) }],
    text: 'a "quote"\nand 😀',
    none: null,
  };
  const { path } = await keep([{ ...row, raw }]);
  assert.deepEqual(readLines(path)[0]?.["raw_data"], {
    at: { $date: "2025-02-02T10:30:00.000Z" },
    never: { $date: null },
    photo: { $bytes: "AQL/" },
    big: { $bigint: "9223372036854775808" },
    list: [{ at: { $date: "1970-01-01T00:00:00.000Z" } }],
    text: 'a "quote"\nand 😀',
    none: null,
  });
});

test("what the steps had added is written as GlobalState writes it", async () => {
  const { path } = await keep([{ ...row, partialState: { at: new Date(0), n: 5n, none: null } }]);
  assert.deepEqual(readLines(path)[0]?.["partial_state"], { at: "1970-01-01T00:00:00.000Z", n: "5", none: null });
});

test("a row without key, step and data, whose error has no attempts, is kept as well", async () => {
  const { path } = await keep([
    { ...row, pk: null, step: null, raw: undefined, error: new EmptyInputError("s"), retryCount: 0 },
  ]);
  const { timestamp: _, ...line } = readLines(path)[0] ?? {};
  assert.deepEqual(line, {
    ...{
      pk: null,
      run_id: "run-1",
      pipeline: "visits",
      step_name: null,
      error_type: "EmptyInputError",
      error_code: "EMPTY_INPUT",
    },
    error_message: new EmptyInputError("s").detail,
    ...{ raw_data: null, partial_state: { visit_type: null }, retry_attempts: 0, attempts: [] },
  });
});

test("the file has mode 0600 under any umask, and is appended to, after a line that a crash cut off", async () => {
  const before = process.umask(0);
  try {
    const path = join(folder, "torn", "failed.jsonl");
    const first = await keep([row], path);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    writeFileSync(path, `${first.text}{"pk":"torn`);
    const { text } = await keep([row, row], path);
    const lines = text.split("\n");
    assert.equal(lines.length, 5);
    assert.equal(lines[1], '{"pk":"torn');
    for (const index of [0, 2, 3]) assert.doesNotThrow(() => JSON.parse(lines[index] ?? ""));
  } finally {
    process.umask(before);
  }
});

test("rows leave the file only while nobody else appends to it, or writes it anew", async () => {
  const { path } = await keep([row]);
  const session = await new DeadLetterFile({ path }).open({ runId: "run-2", pipeline: "visits" });
  const lock = lockFile(`${path}.lock`);
  assert.ok(lock);
  const removing = session.remove?.(new Map([["enc_67890", Infinity]]));
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  appendFileSync(path, '{"appended":"meanwhile"}\n');
  assert.equal(readLines(path).length, 2);
  await lock.release();
  await removing;
  await session.close();
  assert.deepEqual(readLines(path), [{ appended: "meanwhile" }]);
});

test("a row is in the file when adding it resolves", async () => {
  const path = join(folder, "flushed", "failed.jsonl");
  const file = await new DeadLetterFile({ path }).open({ runId: "run-1", pipeline: "visits" });
  await file.add(row);
  assert.equal(readLines(path).length, 1);
  await Promise.all([file.add(row), file.add(row)]);
  assert.equal(readLines(path).length, 3);
  await file.close();
});

test("a row is on the disk when adding it resolves", async (context) => {
  const anyFile = await open(import.meta.filename);
  let told = 0;
  context.mock.method(Object.getPrototypeOf(anyFile), "datasync", async () => {
    told += 1;
  });
  await anyFile.close();
  const session = await new DeadLetterFile({ path: join(folder, "synced", "failed.jsonl") }).open(run);
  await session.add(row);
  assert.equal(told, 1);
  await session.close();
});

test(
  "a full disk is an error that ends the run",
  { skip: existsSync("/dev/full") ? false : "there is no /dev/full" },
  async () => {
    await assert.rejects(keep([row], "/dev/full"), (error) => {
      assert.ok(error instanceof DeadLetterError);
      assert.equal(error.code, "DEAD_LETTER_FAILED");
      assert.equal(error.scope, "run");
      assert.match(error.message, /\/dev\/full .*ENOSPC/);
      return true;
    });
  },
);

test("a path that can't be opened is refused", async () => {
  mkdirSync(join(folder, "a folder"));
  await assert.rejects(
    keep([row], join(folder, "a folder")),
    (error) => error instanceof DeadLetterError && /EISDIR/.test(error.message),
  );
});

test("what can't be encoded is marked, and the rest of the row is kept: it is not the file's fault", async () => {
  const deep: Record<string, unknown> = {};
  let inner = deep;
  for (let level = 0; level < 20_000; level += 1) inner = inner["in"] = {};
  const throwing = Object.defineProperty({ id: 5n }, "note", {
    enumerable: true,
    get: () => {
      throw new TypeError("Jane Roe");
    },
  });
  const proxy = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("Jane Roe");
      },
    },
  );
  const { path, text } = await keep([
    { ...row, raw: throwing },
    { ...row, raw: { id: "a", deep }, partialState: { out: deep, other: 1 } },
    { ...row, raw: proxy },
    { ...row, raw: [throwing] },
  ]);
  assert.deepEqual(
    readLines(path).map((line) => line["raw_data"]),
    [
      { id: { $bigint: "5" }, note: { $unencodable: "TypeError" } },
      { id: "a", deep: { $unencodable: "RangeError" } },
      { $unencodable: "Error" },
      { $unencodable: "TypeError" },
    ],
  );
  assert.deepEqual(readLines(path)[1]?.["partial_state"], { out: { $unencodable: "RangeError" }, other: 1 });
  assert.ok(!text.includes("Jane Roe"));
});

test("with keepDays, older lines of any pipeline leave the file and its copies as a run begins, and not as a replay does", async () => {
  const { path, text } = await keep([row]);
  const aged = (days: number, name: string): string =>
    text
      .replace(/"timestamp":"[^"]+"/, `"timestamp":"${new Date(Date.now() - days * 86_400_000).toISOString()}"`)
      .replace('"pipeline":"visits"', `"pipeline":"${name}"`);
  const young = aged(29, "visits");
  const all = aged(31, "visits") + aged(40, "bills") + young;
  const copy = path.replace(".jsonl", ".20260101T000000000Z.jsonl");
  writeFileSync(path, all);
  writeFileSync(copy, aged(31, "visits"));
  const letters = new DeadLetterFile({ path, keepDays: 30 });
  await (await letters.open({ ...run, kind: "replay" })).close();
  assert.equal(readFileSync(path, "utf8"), all);
  await (await letters.open({ ...run, kind: "run" })).close();
  assert.equal(readFileSync(path, "utf8"), young);
  assert.ok(!existsSync(copy));
  for (const keepDays of [0, -1, 1.5]) assert.throws(() => new DeadLetterFile({ path, keepDays }), /keepDays/);
});

test("a run hands its kind to the dead letters, and removes old lines of the payload log", async () => {
  const place = join(folder, "of a run");
  mkdirSync(place);
  const [path, payloadLogPath] = [join(place, "failed.jsonl"), join(place, "payloads.jsonl")];
  for (const file of [path, payloadLogPath]) writeFileSync(file, '{"timestamp":"2026-01-01T00:00:00.000Z"}\n');
  const pipeline = new Pipeline({
    name: "visits",
    source: new MemorySource<{ id: string }>({ rows: [{ id: "1" }], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLogPath,
    payloadLogKeepDays: 30,
    onRowError: "dead_letter",
    deadLetter: new DeadLetterFile({ path, keepDays: 30 }),
  }).to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }));
  assert.equal((await pipeline.run()).successCount, 1);
  assert.deepEqual([readFileSync(path, "utf8"), readFileSync(payloadLogPath, "utf8")], ["", ""]);
});
