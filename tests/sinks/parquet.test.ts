import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { z } from "zod";
import type { ColumnValues, SinkSession } from "../../src/contracts/sink.ts";
import type { RunOptions } from "../../src/index.ts";
import { Pipeline, TransformStep } from "../../src/index.ts";
import { writeExactly } from "../../src/json/json.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { ParquetSink, type ParquetSinkOptions, type ParquetType } from "../../src/sinks/parquet.ts";
import { DuckDBSource } from "../../src/sources/duckdb.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { sinkContract } from "../../src/testing/sink-contract.ts";
import { quoted, rowsOf } from "../support/duckdb.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const newPath = (): string => join(mkdtempSync(join(folder, "it's [a] sink ")), "rows.parquet");

interface State {
  readonly pk: string;
}
const texts = { id: "VARCHAR", value: "VARCHAR" } as const;
const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.pk };
const noAbort = () => ({ signal: new AbortController().signal });

/** Of any path: DuckDB takes one with `[` in it for a pattern. */
async function rowsIn(path: string, key = "id"): Promise<readonly Record<string, unknown>[]> {
  const plain = join(mkdtempSync(join(folder, "plain ")), "rows.parquet");
  writeFileSync(plain, readFileSync(path));
  return await rowsOf(`FROM ${quoted(plain)}`, key);
}

describe("ParquetSink keeps the contract of sinks", () => {
  const checks = sinkContract({
    keyed: false,
    rejectedRow: { id: "5", value: "half a pair: \uD83D" },
    create: async () => {
      const path = newPath();
      return await Promise.resolve({
        sink: new ParquetSink({ filePath: path, columnMap, columnTypes: texts }),
        twin: new ParquetSink({ filePath: pathToFileURL(path), columnMap, columnTypes: texts }),
        rowsWritten: async () => (existsSync(path) ? await rowsIn(path) : []),
      });
    },
  });
  for (const { name, check } of checks) test(name, check);
});

function sinkOf(
  filePath: string,
  columnTypes: Readonly<Record<string, ParquetType>>,
  options: Partial<ParquetSinkOptions<State>> = {},
): ParquetSink<State> {
  const map = Object.fromEntries(Object.keys(columnTypes).map((name) => [name, (state: State) => state.pk]));
  return new ParquetSink<State>({ filePath, columnMap: map, columnTypes, ...options });
}

async function open(columnTypes: Readonly<Record<string, ParquetType>>, path = newPath()): Promise<SinkSession> {
  return await sinkOf(path, columnTypes).open(noAbort());
}

async function written(
  columnTypes: Readonly<Record<string, ParquetType>>,
  batches: readonly (readonly ColumnValues[])[],
  options: Partial<ParquetSinkOptions<State>> = {},
): Promise<string> {
  const path = newPath();
  const session = await sinkOf(path, columnTypes, options).open(noAbort());
  for (const batch of batches) await session.write(groupsOf(batch));
  await session.close("completed");
  return path;
}

const everyType = {
  id: "BIGINT",
  text: "VARCHAR",
  yes: "BOOLEAN",
  small: "INTEGER",
  double: "DOUBLE",
  money: "DECIMAL(38,10)",
  day: "DATE",
  time: "TIME",
  moment: "TIMESTAMP",
  zoned: "TIMESTAMPTZ",
  uuid: "UUID",
  bytes: "BLOB",
  json: "JSON",
  texts: "VARCHAR[]",
  numbers: "DECIMAL(5,2)[]",
} as const;

test("each type is written as it is read back, NULL in each too", async () => {
  const none = Object.fromEntries(Object.keys(everyType).map((name) => [name, null]));
  const path = await written(everyType, [
    [
      {
        id: 9007199254740993n,
        text: 5,
        yes: "false",
        small: -2147483648,
        double: "1e3",
        money: "1234567890123456789012345678.0123456789",
        day: new Date("2026-01-02T03:04:05Z"),
        time: "09:30:00.000001",
        moment: "2026-01-02T09:30:00.123456+02:00",
        zoned: new Date("2026-01-02T09:30:00.123Z"),
        uuid: "12345678-1234-1234-1234-1234567890AB",
        bytes: Buffer.from([0, 255]),
        json: { n: 12345678901234567890n, list: ["a", null], text: 'a "quote"\u0001' },
        texts: ["", "a,b", 'a "quote" \\ [x]', null, "NULL", "😀\n"],
        numbers: [1, "2.50", null],
      },
      { ...none, id: 2, texts: [], json: "[1]" },
      { id: 3 },
    ],
  ]);
  assert.deepEqual(await rowsIn(path), [
    {
      id: 9007199254740993n,
      text: "5",
      yes: false,
      small: -2147483648,
      double: 1000,
      money: "1234567890123456789012345678.0123456789",
      day: "2026-01-02",
      time: "09:30:00.000001",
      moment: "2026-01-02T07:30:00.123456",
      zoned: "2026-01-02T09:30:00.123Z",
      uuid: "12345678-1234-1234-1234-1234567890ab",
      bytes: Buffer.from([0, 255]),
      json: { n: 12345678901234567890n, list: ["a", null], text: 'a "quote"\u0001' },
      texts: ["", "a,b", 'a "quote" \\ [x]', null, "NULL", "😀\n"],
      numbers: ["1.00", "2.50", null],
    },
    { ...none, id: 2, texts: [], json: [1] },
    { ...none, id: 3 },
  ]);
});

test("any values that fit come back exactly, by whatever batches", async () => {
  const text = fc.string({ unit: "binary", maxLength: 12 }).map((value) => value.replace(/^\uFEFF+/, "")); // the driver takes a mark off
  const cents = fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n });
  const row = fc.record({
    id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    text: fc.option(text),
    double: fc.double({ noNaN: true }).map((value) => (value === 0 ? 0 : value)),
    money: cents.map((value) => {
      const digits = String(value < 0n ? -value : value).padStart(3, "0");
      return `${value < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
    }),
    moment: fc
      .date({ min: new Date("0001-01-02T00:00:00Z"), max: new Date("9999-12-30T00:00:00Z"), noInvalidDate: true })
      .map((date) => date.toISOString()),
    bytes: fc.uint8Array({ maxLength: 8 }).map((value) => Buffer.from(value)),
    texts: fc.array(fc.option(text.filter((value) => !value.includes("\0"))), { maxLength: 4 }),
    json: fc.jsonValue({ maxDepth: 2 }).map((value) => [value]),
  });
  const types = {
    id: "BIGINT",
    text: "VARCHAR",
    double: "DOUBLE",
    money: "DECIMAL(18,2)",
    moment: "TIMESTAMPTZ",
    bytes: "BLOB",
    texts: "VARCHAR[]",
    json: "JSON",
  } as const;
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 20 }), fc.integer({ min: 1, max: 8 }), async (rows, size) => {
      const batches = Array.from({ length: Math.ceil(rows.length / size) }, (_, index) =>
        rows.slice(index * size, (index + 1) * size),
      );
      const back = await rowsIn(await written(types, batches));
      assert.deepEqual(
        back.map((each) => ({ ...each, id: BigInt(String(each["id"])), json: writeExactly([each["json"]]) })),
        rows.map((each) => ({
          ...each,
          moment: each.moment.replace(/\.?0*Z$/, "Z"),
          json: JSON.stringify([each.json]),
        })),
      );
    }),
    { numRuns: 10 },
  );
});

test("a file without rows has its columns", async () => {
  const path = await written(everyType, []);
  assert.deepEqual(await rowsIn(path), []);
});

test("rows of many row groups stand in one file in their order, with each compression", async () => {
  const large = "x".repeat(120_000);
  for (const compression of ["zstd", "snappy", "gzip", "uncompressed"] as const) {
    const rows = Array.from({ length: compression === "zstd" ? 60 : 30 }, (_, id) => ({ id, text: `${id} ${large}` }));
    const path = await written({ id: "BIGINT", text: "VARCHAR" }, [rows.slice(0, 7), rows.slice(7)], { compression });
    assert.deepEqual(
      (await rowsIn(path)).map(({ id, text }) => [id, String(text).length]),
      rows.map(({ id, text }) => [id, text.length]),
      compression,
    );
    assert.deepEqual(readdirSync(dirname(path)).toSorted(), ["rows.parquet", "rows.parquet.partial.lock"]);
  }
});

test("hundreds of columns, and texts of many MiB, are written", async () => {
  const names = Array.from({ length: 300 }, (_, index) => `column ${index}`);
  const wide = await written(Object.fromEntries(names.map((name) => [name, "DOUBLE"])), [
    [1, 2, 3].map((factor) => Object.fromEntries(names.map((name, index) => [name, factor * index]))),
  ]);
  const [first] = await rowsIn(wide, "column 0");
  assert.equal(Object.keys(first ?? {}).length, 300);
  const long = "y".repeat(5_000_000);
  const path = await written({ id: "BIGINT", text: "VARCHAR" }, [[1, 2].map((id) => ({ id, text: long }))]);
  assert.deepEqual(
    (await rowsIn(path)).map(({ text }) => text === long),
    [true, true],
  );
});

test("columns have any names that differ by more than their letter case", async () => {
  const names = ['a "b"', "select", "😀", " x ", "c0", "a.b", "__proto__"];
  const types = Object.fromEntries(names.map((name) => [name, "VARCHAR" as const]));
  const row = Object.fromEntries(names.map((name) => [name, `of ${name}`]));
  const path = await written(types, [[row]]);
  assert.deepEqual(await rowsIn(path, "c0"), [row]);
});

test("a value that does not fit is a violation of its column, and nothing of its batch is written", async () => {
  const path = newPath();
  const session = await open(everyType, path);
  for (const [column, value] of [
    ["id", 2n ** 63n],
    ["id", 1.5],
    ["small", 2 ** 31],
    ["yes", "perhaps"],
    ["double", "many"],
    ["money", "1e40"],
    ["day", "yesterday"],
    ["time", "25:00"],
    ["moment", new Date(Number.NaN)],
    ["uuid", "x"],
    ["bytes", "text"],
    ["json", "{"],
    ["text", new Map()],
    ["text", "\uD83D"],
    ["texts", "not a list"],
    ["numbers", [1, "x"]],
  ] as const) {
    const row = { id: 1, [column]: value };
    assert.deepEqual(
      session.check?.(row).map((violation) => violation.column),
      [column],
      column,
    );
    assert.equal(session.limits?.[column]?.problemOf(value) === undefined, false);
    await assert.rejects(session.write(groupsOf([{ id: 0 }, row])), failsWith("SINK_DATA_REFUSED", { where: column }));
  }
  assert.deepEqual(session.limits?.["small"]?.schema, { minimum: -2147483648, maximum: 2147483647 });
  assert.deepEqual(session.check?.({ id: 1 }), []);
  await session.write(groupsOf([{ id: 7 }]));
  await session.close("completed");
  assert.deepEqual(
    (await rowsIn(path)).map(({ id }) => id),
    [7],
  );
});

async function run(filePath: string, ids: readonly string[], options: RunOptions & { failing?: boolean } = {}) {
  const { failing = false, ...runOptions } = options;
  return await new Pipeline({
    name: "to parquet",
    source: new MemorySource({
      rows: ids.map((id) => ({ id })),
      primaryKeyColumn: "id",
      schema: z.object({ id: z.string() }),
    }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
  })
    .step(
      new TransformStep({
        name: "x",
        outputKey: "x",
        transform: (s) => {
          if (failing) throw new Error("bad");
          return s.pk;
        },
      }),
    )
    .to(
      new ParquetSink({
        filePath,
        columnMap: { id: (s) => s.pk, x: (s) => s.processed.x, at: (s) => s.completedAt },
        columnTypes: { id: "VARCHAR", x: "VARCHAR", at: "TIMESTAMPTZ" },
        preserveOrder: true,
      }),
    )
    .run(runOptions);
}

const idsIn = async (path: string): Promise<unknown[]> => (await rowsIn(path)).map(({ id }) => id);

test("a run writes the file anew, keeps an earlier one if every row fails, and puts a part aside", async () => {
  const filePath = newPath();
  await run(filePath, ["a", "b"]);
  assert.deepEqual(await idsIn(filePath), ["a", "b"]);
  const { rowsAside } = await run(filePath, ["c", "d"], { limit: 1 });
  assert.deepEqual(rowsAside, { path: `${filePath}.limit-1.parquet`, reason: "limit" });
  assert.deepEqual(await idsIn(`${filePath}.limit-1.parquet`), ["c"]);
  assert.deepEqual(await idsIn(filePath), ["a", "b"]);
  const failed = await run(filePath, ["e"], { failing: true });
  assert.equal(failed.rowsAside?.reason, "no-row-succeeded");
  assert.deepEqual(await idsIn(filePath), ["a", "b"]);
  await run(filePath, ["f"], { limit: 1, replace: true });
  assert.deepEqual(await idsIn(filePath), ["f"]);
});

test("what a run wrote before it stopped is a whole file beside the earlier one", async () => {
  const path = newPath();
  await run(path, ["a"]);
  const session = await sinkOf(path, texts).open(noAbort());
  await session.write(groupsOf([{ id: "b", value: "1" }]));
  await session.close("stopped");
  assert.deepEqual(session.rowsAside?.(), { path: `${path}.partial`, reason: "stopped" });
  assert.deepEqual(await idsIn(`${path}.partial`), ["b"]);
  assert.deepEqual(await idsIn(path), ["a"]);
  const nothing = await sinkOf(path, texts).open(noAbort());
  await nothing.close("stopped");
  assert.equal(nothing.rowsAside?.(), undefined);
});

test("the files of a run are its owner's alone, and what a killed run left is in nobody's way", async () => {
  const path = newPath();
  writeFileSync(`${path}.partial`, "half");
  writeFileSync(`${path}.partial.group`, "half");
  const session = await sinkOf(path, texts).open(noAbort());
  assert.ok(!existsSync(`${path}.partial.group`));
  await session.write(groupsOf([{ id: "1", value: "2" }]));
  if (process.platform !== "win32") assert.equal(statSync(`${path}.partial`).mode & 0o777, 0o600);
  await assert.rejects(sinkOf(path, texts).open(noAbort()), failsWith("SINK_FAILED", { where: `${path}.partial` }));
  await session.close("completed");
  assert.deepEqual(await idsIn(path), ["1"]);
});

test("a row group that can't be written is an error with its path, and the earlier file stays", async () => {
  const path = newPath();
  await run(path, ["a"]);
  const session = await sinkOf(path, texts).open(noAbort());
  mkdirSync(`${path}.partial.group`);
  await session.write(groupsOf([{ id: "1", value: "2" }]));
  await assert.rejects(
    session.close("completed"),
    failsWith("SINK_FAILED", { where: `${path}.partial.group`, code: "EISDIR" }),
  );
  assert.deepEqual(await idsIn(path), ["a"]);
});

test("a path that can't be written is found by the preflight, which makes nothing", async () => {
  const place = mkdtempSync(join(folder, "preflight "));
  await assert.rejects(sinkOf(place, texts).preflight(noAbort()), failsWith("SINK_FAILED", { code: "EISDIR" }));
  await (await sinkOf(join(place, "new", "rows.parquet"), texts).preflight(noAbort())).close("stopped");
  assert.deepEqual(readdirSync(place), []);
});

test("a pipeline that would write to a file of its source does not start", async () => {
  const path = join(mkdtempSync(join(folder, "same ")), "rows.parquet");
  await run(path, ["a"]);
  const pipeline = new Pipeline({
    name: "onto itself",
    source: new DuckDBSource<{ id: string }>({
      sql: `FROM ${quoted(join(dirname(path), "*.parquet"))}`,
      primaryKeyColumn: "id",
    }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
  })
    .step(new TransformStep({ name: "x", outputKey: "x", transform: (s) => s.pk }))
    .to(new ParquetSink({ filePath: path, columnMap: { id: (s) => s.pk }, columnTypes: { id: "VARCHAR" } }));
  await assert.rejects(pipeline.run(), failsWith("INVALID_OPTION", { other: "source" }));
});

for (const [what, options, where] of [
  ["no file", { columnMap, columnTypes: texts }, "filePath"],
  ["no columns", { filePath: "x.parquet", columnMap: {}, columnTypes: {} }, "columnMap"],
  ["a column without a type", { filePath: "x.parquet", columnMap, columnTypes: { id: "VARCHAR" } }, "columnTypes"],
  [
    "a type without a column",
    { filePath: "x.parquet", columnMap, columnTypes: { ...texts, x: "DATE" } },
    "columnTypes",
  ],
  ["another type", { filePath: "x.parquet", columnMap, columnTypes: { ...texts, id: "TEXT" } }, "columnTypes"],
  [
    "too many digits",
    { filePath: "x.parquet", columnMap, columnTypes: { ...texts, id: "DECIMAL(39,0)" } },
    "columnTypes",
  ],
  ["bytes in a list", { filePath: "x.parquet", columnMap, columnTypes: { ...texts, id: "BLOB[]" } }, "columnTypes"],
  [
    "names of one letter in two cases",
    { filePath: "x.parquet", columnMap: { a: () => 1, A: () => 1 }, columnTypes: { a: "DATE", A: "DATE" } },
    "columnMap",
  ],
  ["another compression", { filePath: "x.parquet", columnMap, columnTypes: texts, compression: "zip" }, "compression"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    assert.throws(() => new ParquetSink(options as never), failsWith("INVALID_OPTION", { where })); // as in JavaScript
  });
}

test("columnTypes has the columns of the columnMap, and types that there are", () => {
  const make = (columnTypes: Record<"id" | "value", ParquetType>) =>
    new ParquetSink({ filePath: "x.parquet", columnMap, columnTypes });
  assert.equal(make({ id: "DECIMAL(18,2)[]", value: "JSON" }).name, "parquet");
  // @ts-expect-error a column has no type
  assert.throws(() => make({ id: "VARCHAR" }));
  // @ts-expect-error there is no such type
  assert.throws(() => make({ id: "VARCHAR", value: "TEXT" }));
});
