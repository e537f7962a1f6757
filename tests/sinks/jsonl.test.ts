import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { RunOptions } from "../../src/index.ts";
import { JSONLSink } from "../../src/sinks/jsonl.ts";
import { JSONLSource } from "../../src/sources/jsonl.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { sinkContract } from "../../src/testing/sink-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { idsInto, listedColumns } from "../support/ids-to-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const newPath = (): string => join(mkdtempSync(join(folder, "sink ")), "rows.jsonl");

interface State {
  readonly pk: string;
}
const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.pk };

async function rowsIn(filePath: string): Promise<readonly unknown[]> {
  const source = new JSONLSource({ filePath, primaryKeyColumn: "id" });
  const context = { signal: new AbortController().signal, parameters: {} };
  return await Array.fromAsync(source.read(context), (row) => row.raw);
}

describe("JSONLSink keeps the contract of sinks", () => {
  const checks = sinkContract({
    keyed: false,
    rejectedRow: { id: "5", value: "half a pair: \uD83D" },
    create: async () => {
      const path = newPath();
      return await Promise.resolve({
        sink: new JSONLSink({ filePath: path, columnMap }),
        twin: new JSONLSink({ filePath: pathToFileURL(path), columnMap }),
        rowsWritten: async () => (existsSync(path) ? ((await rowsIn(path)) as Record<string, unknown>[]) : []), // objects of JSON
      });
    },
  });
  for (const { name, check } of checks) test(name, check);
});

async function written(values: readonly Readonly<Record<string, unknown>>[]): Promise<string> {
  const filePath = newPath();
  const columns = Object.keys(values[0] ?? {});
  const sink = new JSONLSink({ filePath, columnMap: Object.fromEntries(columns.map((name) => [name, () => 1])) });
  const session = await sink.open({ signal: new AbortController().signal });
  await session.write(groupsOf(values));
  await session.close("completed");
  return filePath;
}

test("each kind of value is as JSON has it, a bigint with all its digits", async () => {
  const path = await written([
    {
      id: 1,
      big: 12345678901234567890n,
      at: new Date(Date.UTC(2026, 0, 2)),
      bytes: Buffer.from("a"),
      list: [1, { deep: 2n }],
      no: undefined,
      none: null,
      text: 'a "quote"\nand a line',
    },
  ]);
  assert.equal(
    readFileSync(path, "utf8"),
    '{"id":1,"big":12345678901234567890,"at":"2026-01-02T00:00:00.000Z","bytes":"YQ==","list":[1,{"deep":2}],' +
      '"no":null,"none":null,"text":"a \\"quote\\"\\nand a line"}\n',
  );
});

test("any rows of JSON that are read and written again give the same file", async () => {
  const rows = fc.array(fc.record({ id: fc.string(), value: fc.jsonValue({ maxDepth: 3 }) }), {
    minLength: 1,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(rows, async (given) => {
      const lines = given.map((row) => `${JSON.stringify(row)}\n`).join("");
      const first = await written(JSON.parse(JSON.stringify(given)));
      assert.equal(readFileSync(first, "utf8"), lines);
      const again = await written((await rowsIn(first)) as Record<string, unknown>[]); // objects of JSON
      assert.equal(readFileSync(again, "utf8"), lines);
    }),
    { numRuns: 40 },
  );
});

test("what has no text is a violation with its column, and nothing is written", async () => {
  const sink = new JSONLSink({ filePath: newPath(), columnMap });
  const session = await sink.open({ signal: new AbortController().signal });
  for (const value of [Number.NaN, new Map(), () => 1, Symbol("x"), new Date(Number.NaN), "\uD83D"]) {
    assert.deepEqual(
      session.check?.({ id: "1", value }).map(({ column }) => column),
      ["value"],
    );
    await assert.rejects(
      session.write(groupsOf([{ id: "1", value }])),
      failsWith("SINK_DATA_REFUSED", { where: "value" }),
    );
  }
  await session.close("stopped");
});

test("a run writes the file anew, keeps an earlier one if it is stopped, and puts a part aside", async () => {
  const filePath = newPath();
  const sink = new JSONLSink({ filePath, columnMap: listedColumns, preserveOrder: true });
  const run = async (ids: readonly string[], options?: RunOptions) => await idsInto(sink, ids, options);
  await run(["a", "b"]);
  assert.equal(readFileSync(filePath, "utf8"), '{"id":"a","list":["a"]}\n{"id":"b","list":["b"]}\n');
  const { rowsAside } = await run(["c", "d"], { limit: 1 });
  assert.deepEqual(rowsAside, { path: `${filePath}.limit-1.jsonl`, reason: "limit" });
  assert.equal((await rowsIn(filePath)).length, 2);
  await run(["c"]);
  assert.deepEqual(await rowsIn(filePath), [{ id: "c", list: ["c"] }]);
});

for (const [what, options, where] of [
  ["no file", { columnMap }, "filePath"],
  ["no columns", { filePath: "x.jsonl", columnMap: {} }, "columnMap"],
  ["another option", { filePath: "x.jsonl", columnMap, bom: true }, "bom"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    assert.throws(() => new JSONLSink(options as never), failsWith("INVALID_OPTION", { where })); // as in JavaScript
  });
}
