import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import type { RunOptions } from "../../src/index.ts";
import { ExcelSink } from "../../src/sinks/excel.ts";
import { ExcelSource } from "../../src/sources/excel.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { sinkContract } from "../../src/testing/sink-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { idsInto, listedColumns } from "../support/ids-to-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const newPath = (): string => join(mkdtempSync(join(folder, "sink ")), "rows.xlsx");

interface State {
  readonly pk: string;
}
const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.pk };

async function rowsIn(filePath: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const source = new ExcelSource({ filePath, primaryKeyColumn: "id" });
  const context = { signal: new AbortController().signal, parameters: {} };
  return await Array.fromAsync(source.read(context), (row) => {
    if ("error" in row) throw row.error;
    return row.raw;
  });
}

describe("ExcelSink keeps the contract of sinks", () => {
  const checks = sinkContract({
    keyed: false,
    rejectedRow: { id: "5", value: "x".repeat(32_768) },
    create: async () => {
      const path = newPath();
      return await Promise.resolve({
        sink: new ExcelSink({ filePath: path, columnMap }),
        twin: new ExcelSink({ filePath: pathToFileURL(path), columnMap }),
        rowsWritten: async () => (existsSync(path) ? await rowsIn(path) : []),
      });
    },
  });
  for (const { name, check } of checks) test(name, check);
});

async function written(batches: readonly (readonly Readonly<Record<string, unknown>>[])[]): Promise<string> {
  const filePath = newPath();
  const columns = Object.keys(batches[0]?.[0] ?? { id: 1 });
  const sink = new ExcelSink({ filePath, columnMap: Object.fromEntries(columns.map((name) => [name, () => 1])) });
  const session = await sink.open({ signal: new AbortController().signal });
  for (const batch of batches) await session.write(groupsOf(batch));
  await session.close("completed");
  return filePath;
}

test("each kind of value is a cell of its type", async () => {
  const row = {
    id: 1,
    formula: "=1+1",
    number: -0.5,
    large: 1e300,
    whole: 2 ** 53,
    yes: true,
    no: false,
    day: new Date("2026-11-30"),
    first: new Date("1900-01-01"),
    february: new Date("1900-02-28T23:59:59Z"),
    march: new Date("1900-03-01"),
    moment: new Date("2026-11-30T08:30:15.250Z"),
    last: new Date("9999-12-31T23:59:59Z"),
    text: "00123",
    empty: "",
    none: null,
    nothing: undefined,
    small: 15n,
    key: 1234567890123456n,
    list: [1, { deep: 2n }],
    bytes: Buffer.from("a"),
  };
  const [read] = await rowsIn(await written([[row]]));
  assert.deepEqual(read, {
    ...row,
    none: null,
    nothing: null,
    small: 15,
    key: "1234567890123456",
    list: '[1,{"deep":"2"}]',
    bytes: "YQ==",
  });
});

test("any texts, numbers, booleans and dates come back, in whatever batches they were written", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom("_", "x", "0", "D", "\r", "\0", " ", "\n", "<", "&", "]", "\uFFFE", "\u0085"),
      maxLength: 30,
    }),
  );
  const date = fc.date({ min: new Date("1900-01-01"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
  const value = fc.oneof(
    text,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    date,
    fc.constant(null),
  );
  const row = fc.record({ id: fc.integer(), one: value, other: value });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(row, { maxLength: 4 }), { minLength: 1, maxLength: 3 }), async (batches) => {
      const path = await written([[{ id: 0, one: 1, other: 1 }], ...batches]);
      const [, ...rows] = await rowsIn(path);
      assert.deepEqual(
        rows,
        batches.flat().map((each) => {
          const positive = (of: unknown) => (of === 0 ? 0 : of); // XML has -0, JSON and most programs have not
          return { id: each.id, one: positive(each.one), other: positive(each.other) };
        }),
      );
    }),
    { numRuns: 40 },
  );
});

test("a value that no cell holds is a violation with its column, and nothing is written", async () => {
  const sink = new ExcelSink({ filePath: newPath(), columnMap });
  const session = await sink.open({ signal: new AbortController().signal });
  const values = [
    Number.NaN,
    new Map(),
    () => 1,
    new Date(Number.NaN),
    new Date("1899-12-31T23:59:59Z"),
    new Date("+010000-01-01"),
    "\uD83D",
    "x".repeat(32_768),
    ["x".repeat(32_768)],
    Buffer.alloc(30_000),
  ];
  for (const value of values) {
    assert.deepEqual(
      session.check?.({ id: "1", value }).map(({ column }) => column),
      ["value"],
    );
    await assert.rejects(
      session.write(groupsOf([{ id: "1", value }])),
      failsWith("SINK_DATA_REFUSED", { where: "value" }),
    );
  }
  assert.deepEqual(session.check?.({ id: "1", value: "x".repeat(32_767) }), []);
  await session.close("stopped");
});

test("a sheet that is full stops the run, and what was written before stays", async () => {
  const filePath = newPath();
  const sink = new ExcelSink({ filePath, columnMap });
  const session = await sink.open({ signal: new AbortController().signal });
  await session.write(groupsOf([{ id: "1", value: "one" }]));
  const many = { pk: "2", rows: Array.from({ length: 1_048_575 }, () => ({ id: "2", value: null })) };
  await assert.rejects(session.write([many]), failsWith("SINK_FAILED", { expected: "at most 1048575 rows" }));
  await session.close("stopped");
  assert.deepEqual(session.rowsAside?.(), { path: `${filePath}.partial`, reason: "stopped" });
  assert.deepEqual(await rowsIn(`${filePath}.partial`), [{ id: "1", value: "one" }]);
});

test("a run writes the file anew, keeps an earlier one if it is stopped, and puts a part aside", async () => {
  const filePath = newPath();
  const sink = new ExcelSink({ filePath, columnMap: listedColumns, preserveOrder: true });
  const run = async (ids: readonly string[], options?: RunOptions) => await idsInto(sink, ids, options);
  await run(["a", "bb"]);
  assert.deepEqual(await rowsIn(filePath), [
    { id: "a", list: '["a"]' },
    { id: "bb", list: '["bb"]' },
  ]);
  const before = readFileSync(filePath);
  const { rowsAside } = await run(["c", "d"], { limit: 1 });
  assert.deepEqual(rowsAside, { path: `${filePath}.limit-1.xlsx`, reason: "limit" });
  assert.equal((await rowsIn(`${filePath}.limit-1.xlsx`)).length, 1);
  assert.deepEqual(readFileSync(filePath), before);
  await run(["a", "bb"]);
  assert.deepEqual(readFileSync(filePath), before, "the same rows give the same bytes");
});

for (const [what, options, where] of [
  ["no file", { columnMap }, "filePath"],
  ["no columns", { filePath: "x.xlsx", columnMap: {} }, "columnMap"],
  ["a name that no cell holds", { filePath: "x.xlsx", columnMap: { ["x".repeat(32_768)]: () => 1 } }, "columnMap"],
  [
    "more columns than a sheet has",
    { filePath: "x.xlsx", columnMap: Object.fromEntries(Array.from({ length: 16_385 }, (_, n) => [`c${n}`, () => 1])) },
    "columnMap",
  ],
  ["a sheet with a long name", { filePath: "x.xlsx", columnMap, sheet: "x".repeat(32) }, "sheet"],
  ["a sheet with a sign that Excel keeps for itself", { filePath: "x.xlsx", columnMap, sheet: "a/b" }, "sheet"],
  ["another option", { filePath: "x.xlsx", columnMap, delimiter: ";" }, "delimiter"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    assert.throws(() => new ExcelSink(options as never), failsWith("INVALID_OPTION", { where })); // as in JavaScript
  });
}
