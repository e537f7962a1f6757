// Full lane: files of 17 to 20 MB take three seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRows } from "../../src/csv/parse.ts";
import { assertSourceError, rawsOf, readContent } from "../support/csv-reading.ts";

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
