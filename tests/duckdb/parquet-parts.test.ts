import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { JoinedFooter, magic, partsOf } from "../../src/duckdb/write/parquet-parts.ts";
import { readStruct, type Struct, type Thrift, writeStruct } from "../../src/duckdb/write/thrift.ts";
import { quoted, rowsOf, writeParquet } from "../support/duckdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

/** One file of the row groups of others. */
function joined(files: readonly Buffer[]): Buffer {
  const footer = new JoinedFooter();
  const pieces = [magic];
  let length = magic.length;
  for (const file of files) {
    const { data, footer: own } = partsOf(file);
    footer.add(own, length);
    pieces.push(data);
    length += data.length;
  }
  return Buffer.concat([...pieces, footer.bytes()]);
}

test("files that are joined are one, with the rows of all in order, whatever their types, sizes and compression", async () => {
  const data = mkdtempSync(join(folder, "joined "));
  const queryOf = (from: number, count: number): string =>
    `SELECT range AS id, CASE WHEN range % 3 = 0 THEN NULL ELSE 'text ' || (range % 40) END AS text, range / 7 AS double,
     CAST(range AS DECIMAL(18,4)) AS exact, [range, NULL] AS list, {'a': range, 'b': ['x']} AS struct, range % 2 = 0 AS even,
     TIMESTAMP '2026-01-01' + INTERVAL (range) SECOND AS moment, encode(range::VARCHAR) AS bytes FROM range(${from}, ${from + count})`;
  const sizes = [0, 1, 5000, 0, 3000, 2048, 17];
  const paths: string[] = [];
  let from = 0;
  for (const [index, size] of sizes.entries()) {
    const path = join(data, `part ${index}.parquet`);
    await writeParquet(path, queryOf(from, size));
    paths.push(path);
    from += size;
  }
  const whole = join(data, "whole.parquet");
  writeFileSync(whole, joined(paths.map((path) => readFileSync(path))));
  assert.deepEqual(await rowsOf(`FROM ${quoted(whole)}`), await rowsOf(queryOf(0, from)));
  // by statistics, dictionaries and Bloom filters
  assert.equal((await rowsOf(`FROM ${quoted(whole)} WHERE id = 5001`)).length, 1);
  assert.equal(
    (await rowsOf(`FROM ${quoted(whole)} WHERE text = 'text 7'`)).length,
    (await rowsOf(`FROM (${queryOf(0, from)}) WHERE text = 'text 7'`)).length,
  );
  const [facts] = await rowsOf(
    `SELECT count(DISTINCT row_group_id) AS id, sum(row_group_num_rows) // count(DISTINCT column_id) AS rows FROM parquet_metadata(${quoted(whole)})`,
  );
  assert.ok(Number(facts?.["id"]) >= sizes.filter((size) => size > 0).length);
});

test("a joined file without rows has its columns", async () => {
  const path = join(folder, "none.parquet");
  await writeParquet(path, "SELECT 1 AS id, 'x' AS text WHERE FALSE");
  writeFileSync(path, joined([readFileSync(path)]));
  assert.deepEqual(await rowsOf(`FROM ${quoted(path)}`), []);
  assert.deepEqual(await rowsOf(`SELECT name AS id FROM parquet_schema(${quoted(path)}) WHERE type IS NOT NULL`), [
    { id: "id" },
    { id: "text" },
  ]);
});

test("a footer that is read and written again is the same, byte for byte", async () => {
  const path = join(folder, "same.parquet");
  await writeParquet(path, "SELECT range AS id, range % 5 AS few, 'x' AS text, [{'a': 1.5}] AS deep FROM range(3000)");
  const bytes = readFileSync(path);
  const end = bytes.length - 8;
  const footer = bytes.subarray(end - bytes.readUInt32LE(end), end);
  assert.deepEqual(writeStruct(readStruct(footer)), footer);
});

test("a footer does not keep the data of its file in memory", async () => {
  const path = join(folder, "kept.parquet");
  await writeParquet(path, "SELECT range AS id, md5(range::VARCHAR) AS text FROM range(3000)");
  const bytes = readFileSync(path);
  const seen: Buffer[] = [];
  const look = (value: Thrift): void => {
    if (value.kind === "bytes") seen.push(value.value);
    for (const item of value.kind === "list" ? value.items : []) look(item);
    for (const field of value.kind === "struct" ? value.fields.values() : []) look(field);
  };
  look(partsOf(bytes).footer);
  assert.ok(seen.length > 5 && seen.every(({ buffer }) => buffer !== bytes.buffer));
});

test("any struct is read back as it was written", () => {
  const whole = fc.record(
    {
      kind: fc.constant("whole" as const),
      type: fc.constantFrom(4, 5, 6),
      value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    },
    { noNullPrototype: true },
  );
  const bytes = fc
    .uint8Array({ maxLength: 200 })
    .map((value): Thrift => ({ kind: "bytes", type: 8, value: Buffer.from(value) }));
  const truth = fc.boolean().map((value): Thrift => ({ kind: "boolean", value }));
  const { struct } = fc.letrec<{ struct: Struct; value: Thrift }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      whole,
      bytes,
      truth,
      fc.array(bytes, { maxLength: 20 }).map((items): Thrift => ({ kind: "list", type: 9, element: 8, items })),
      fc.array(tie("struct"), { maxLength: 3 }).map((items): Thrift => ({ kind: "list", type: 9, element: 12, items })),
      tie("struct"),
    ),
    struct: fc
      .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 32_767 }), tie("value")), {
        selector: ([id]) => id,
        maxLength: 5,
      })
      .map((entries): Struct => ({
        kind: "struct",
        fields: new Map(entries.toSorted(([one], [other]) => one - other)),
      })),
  }));
  fc.assert(fc.property(struct, (value) => assert.deepEqual(readStruct(writeStruct(value)), value)));
});

test("bytes that are no Parquet file are rejected", () => {
  for (const bytes of ["", "PAR1", "PAR1PAR1", "PAR1\xff\xff\xff\x7fPAR1", "id,name\n1,x\n"]) {
    assert.throws(() => partsOf(Buffer.from(bytes, "latin1")), RangeError, bytes);
  }
});
