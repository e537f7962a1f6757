// Full lane: files of 17 to 20 MB take three seconds of CPU, and a named pipe needs a command.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline } from "../../src/builder/pipeline.ts";
import { parseRows } from "../../src/csv/parse.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { queryText } from "../../src/table/query-text.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { assertSourceError, rawsOf, readContent } from "../support/csv-reading.ts";
import { sourceFail } from "../support/sql-server-errors.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A named pipe; undefined where there are none. */
function newPipe(): string | undefined {
  const path = join(temporaryFolder(), "pipe");
  return spawnSync("mkfifo", [path]).status === 0 ? path : undefined;
}

test("a pipe is read once: the count of rows takes none of them from the run", { timeout: 60_000 }, async (context) => {
  const path = newPipe();
  if (path === undefined) return context.skip("no named pipe can be made here");
  const ids = Array.from({ length: 20_000 }, (_, index) => `row ${index + 1}`);
  const sink = new MemorySink({ columnMap: { id: (state: { pk: string }) => state.pk } });
  const pipeline = new Pipeline<Record<string, string>>({
    name: "p",
    source: new CSVSource({ filePath: path, header: ["id", "text"], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
  }).to(sink);
  const writing = writeFile(path, ids.map((id) => `${id},text\n`).join(""));
  const { readCount, exitCode } = await pipeline.run({ countRows: true });
  await writing;
  assert.deepEqual({ readCount, exitCode }, { readCount: ids.length, exitCode: 0 });
});

test(
  "a query that comes through a pipe is read once, and is there for each who asks",
  { timeout: 60_000 },
  async (context) => {
    const path = newPipe();
    if (path === undefined) return context.skip("no named pipe can be made here");
    const query = queryText("TestSource", { sqlFile: path }, sourceFail);
    const writing = writeFile(path, "SELECT 1");
    assert.deepEqual(await Promise.all([query.read(), query.read()]), ["SELECT 1", "SELECT 1"]);
    assert.equal(await query.read(), "SELECT 1");
    await writing;
  },
);

test("a quote that is never closed does not take the rest of a huge file into memory", async () => {
  const { rows, error, path } = await readContent(`id,text\n1,a\n\n2,"${"x,y\n".repeat(5 * 1024 * 1024)}`);
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { line: 4, expected: "at most 16777216 bytes" });
});

test("a line of nothing but delimiters does not fill the memory either", async () => {
  const { rows, error, path } = await readContent(`id,text\n1,a\n${",".repeat(20 * 1024 * 1024)}`);
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { line: 3, expected: "at most 16777216 bytes" });
});

test("a file has as many blank lines as it likes", async () => {
  const raws = rawsOf(await readContent(`id,text\n${"\n".repeat(17 * 1024 * 1024)}1,a\n`));
  assert.deepEqual(raws, [{ id: "1", text: "a" }]);
});

const header = "id,text,n\n";
const wide = `1,"c${",x".repeat(3999)}\n${`b"${",x".repeat(3998)},"c\n`.repeat(2000)}`;

/** Of about 16 MB each: where the time grew with the square of the size, each would take hours. */
const attacks: Readonly<Record<string, readonly [text: () => string, rowCount: number]>> = {
  "a quote opens in each row": [() => header + '1,"abc,x\n'.repeat(1_700_000), 1_700_001],
  "a quote opens in every other row": [() => header + '1,"abc,x\n2,y,z\n'.repeat(1_000_000), 2_000_001],
  "a quote opens in each row, and text stands behind another": [
    () => header + '1,"abc,x\n2,y"y,z\n'.repeat(900_000),
    1_800_001,
  ],
  "one quote opens, and none closes": [() => `${header}1,"abc,x\n${"1,abc,x\n".repeat(1_900_000)}`, 1_900_002],
  "wide rows go on within quotes, and end short": [
    () => `${Array.from({ length: 4001 }, (_, at) => `a${at}`).join(",")}\n${wide}`,
    0,
  ],
};

for (const [name, [text, rowCount]] of Object.entries(attacks)) {
  test(`a file is read in a time that grows with its size, though ${name}`, { timeout: 300_000 }, async () => {
    const bytes = Buffer.from(text());
    async function* chunks(): AsyncGenerator<Buffer> {
      for (let start = 0; start < bytes.length; start += 65_536) yield bytes.subarray(start, start + 65_536);
    }
    let count = 0;
    let mostAtOnce = 0;
    const format = { owner: "CSVSource", delimiter: ",", quote: '"', skipLines: 0, maxRowBytes: 16 * 1024 * 1024 };
    for await (const rows of parseRows(chunks(), format)) {
      count += rows.length;
      mostAtOnce = Math.max(mostAtOnce, rows.length);
    }
    if (rowCount > 0) assert.equal(count, rowCount);
    assert.ok(mostAtOnce <= 1000, "more rows in memory than are needed");
  });
}
