import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { OptionError } from "../../src/errors/option.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { SourceError } from "../../src/errors/source.ts";
import { assertSourceError, fileOf, rawsOf, readAll, readContent } from "../support/csv-reading.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";

const folder = mkdtempSync(join(tmpdir(), "llm-etl csv source "));
after(() => rmSync(folder, { recursive: true, force: true }));

const data = join(import.meta.dirname, "../../../shared/data");
const needsData = { skip: existsSync(data) ? false : `the real data is not at ${data}` };

/** Counts the descriptors of this process that are open to the file. */
function openDescriptors(path: string): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === path;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return false; // the one that lists them
      throw error;
    }
  }).length;
}

describe("CSVSource keeps the contract of sources", () => {
  const path = fileOf('\uFEFFid,text\r\n1,one\r\n2,"two, with ""quotes""\r\nand a line break"\r\n3,\r\n');
  const rows = [
    { id: "1", text: "one" },
    { id: "2", text: 'two, with "quotes"\r\nand a line break' },
    { id: "3", text: "" },
  ];
  const checks = sourceContract({
    create: () => new CSVSource({ filePath: path, primaryKeyColumn: "id" }),
    rows,
    ...(existsSync("/proc/self/fd") && { openCount: () => openDescriptors(path) }),
  });
  for (const { name, check } of checks) test(name, check);
});

describe("real files", () => {
  const spectrum = join(data, "csv-spectrum");
  const names = existsSync(spectrum)
    ? readdirSync(join(spectrum, "csvs")).map((name) => name.replace(/\.csv$/, ""))
    : [];
  test("all of csv-spectrum is parsed to the JSON beside it", needsData, async () => {
    assert.equal(names.length, 11);
    for (const name of names) {
      const path = join(spectrum, "csvs", `${name}.csv`);
      const expected: unknown = JSON.parse(readFileSync(join(spectrum, "json", `${name}.json`), "utf8"));
      const source = new CSVSource({ filePath: path, primaryKeyColumn: "row", rowNumberColumn: "row" });
      const raws = rawsOf(await readAll(source)).map((raw) => z.record(z.string(), z.string()).parse(raw));
      assert.deepEqual(
        raws.map(({ row: _row, ...columns }) => columns),
        expected,
        name,
      );
    }
  });

  test("the truncated CFPB export is read up to its broken row, whose line is named", needsData, async () => {
    const path = join(data, "cfpb-complaints/complaints-first-1MiB-truncated.csv");
    const { rows, error } = await readAll(new CSVSource({ filePath: path, primaryKeyColumn: "Complaint ID" }));
    const brokenLine = readFileSync(path, "utf8").split("\n").length; // the last one, and it has no line break in it
    assert.equal(rows.length, 2067);
    assert.ok(rows.every((row) => "raw" in row && !("error" in row)));
    assert.equal(brokenLine, 3302);
    assertSourceError(error, path, { line: brokenLine });
  });

  test("banking77 and the medical abstracts, which have no key, are read with a row number", needsData, async () => {
    for (const [file, count] of [
      ["banking77/test.csv", 3080],
      ["medical-abstracts/medical_tc_test.csv", 2888],
    ] as const) {
      const source = new CSVSource({
        filePath: join(data, file),
        primaryKeyColumn: "row_number",
        rowNumberColumn: "row_number",
      });
      const raws = rawsOf(await readAll(source)).map((raw) => z.record(z.string(), z.string()).parse(raw));
      assert.equal(raws.length, count);
      assert.ok(raws.every((raw, index) => raw.row_number === String(index + 1) && Object.keys(raw).length === 3));
    }
  });
});

test("a header without rows gives no rows, with and without a line break after it", async () => {
  assert.deepEqual(rawsOf(await readContent("id,text")), []);
  assert.deepEqual(rawsOf(await readContent("\uFEFFid,text\r\n\r\n")), []);
});

test("an empty file, one with only a byte order mark and one with only blank lines end the source", async () => {
  for (const content of ["", "\uFEFF", "\n\r\n\n"]) {
    const { error, path } = await readContent(content);
    assertSourceError(error, path, { expected: "a header line that names the columns" });
  }
});

test("rows are counted with blank lines left out and bad rows in, and none where there is no row", async () => {
  const count = async (content: string): Promise<number | undefined> => {
    const source = new CSVSource<Record<string, string>>({ filePath: fileOf(content), primaryKeyColumn: "id" });
    return await source.count({ signal: new AbortController().signal, parameters: {}, limit: Infinity });
  };
  assert.equal(await count('id,note\n1,"a\nb"\n\n2\n3,c\n'), 3);
  assert.equal(await count("id,note\n"), 0);
});

test("a missing file is named with its path from the root", async () => {
  const { error } = await readAll(new CSVSource({ filePath: "no/such file.csv", primaryKeyColumn: "id" }));
  const path = join(process.cwd(), "no/such file.csv");
  assertSourceError(error, path, { where: path, code: "ENOENT" });
  assert.ok(error instanceof SourceError && error.cause instanceof Error);
});

test("a folder is rejected by name", async () => {
  const { error } = await readAll(new CSVSource({ filePath: pathToFileURL(folder), primaryKeyColumn: "id" }));
  assertSourceError(error, folder, { where: folder, code: "EISDIR" });
});

test("a header that can't be used ends the source with the file's name", async () => {
  const { error, path } = await readContent("id,a,a\n1,2,3\n");
  assertSourceError(error, path, { line: 1, where: [2, 3] });
  const keyless = await readContent("key,text\n1,2\n");
  assertSourceError(keyless.error, keyless.path, { line: 1, where: "id" });
});

test("a ragged row is a row error with its line number, and reading goes on", async () => {
  const { rows, error, path } = await readContent('id,text\n1,"a\nb"\n2\n\n3,x,secret\n4,d\n');
  assert.equal(error, undefined);
  assert.deepEqual(
    rows.map((row) => row.position),
    [1, 2, 3, 4],
  );
  const [, short, long, last] = rows;
  assert.ok(short !== undefined && "error" in short && short.error instanceof RowError);
  assert.equal(short.error.code, "CSV_ROW_INVALID");
  assert.partialDeepStrictEqual(short.error.facts, { where: 2, line: 4, lastLine: 4, path, expected: 2, got: 1 });
  assert.ok(long !== undefined && "error" in long);
  assert.partialDeepStrictEqual(long.error.facts, { where: 3, line: 6, expected: 2, got: 3 });
  assert.ok(!long.error.message.includes("secret"));
  assert.ok(long.error.detail.includes("secret"));
  assert.deepEqual(long.raw, ["3", "x", "secret"]);
  assert.deepEqual(last, { position: 4, raw: { id: "4", text: "d" } });
});

test("a misplaced quote is text, and no row after it is lost", async () => {
  const raws = rawsOf(await readContent('id,a"b\n1,"x"y\n2,"a\nb" \n3,c\n"4",d\n'));
  assert.deepEqual(raws, [
    { id: "1", 'a"b': '"x"y' },
    { id: "2", 'a"b': "a\nb" },
    { id: "3", 'a"b': "c" },
    { id: "4", 'a"b': "d" },
  ]);
});

test("a row that a misplaced quote leaves with too many cells is a row error with its lines", async () => {
  const { rows, error } = await readContent('id,text\n1,"a\nb"secret, "c"\n2,d\n');
  assert.equal(error, undefined);
  const [ragged, last] = rows;
  assert.ok(ragged !== undefined && "error" in ragged);
  assert.partialDeepStrictEqual(ragged.error.facts, { where: 1, line: 2, lastLine: 3, expected: 2, got: 3 });
  assert.ok(!ragged.error.message.includes("secret"));
  assert.deepEqual(last, { position: 2, raw: { id: "2", text: "d" } });
});

test("a quote that is never closed is the error of its row, and the rows behind its line are read", async () => {
  const { rows, error } = await readContent('id,text\n1,a\n2,"secret\n3,c\n');
  assert.equal(error, undefined);
  const [first, unclosed, last] = rows;
  assert.deepEqual(first, { position: 1, raw: { id: "1", text: "a" } });
  assert.ok(unclosed !== undefined && "error" in unclosed);
  assert.equal(unclosed.error.code, "CSV_ROW_INVALID");
  assert.partialDeepStrictEqual(unclosed.error.facts, { where: 2, line: 3, lastLine: 3 });
  assert.ok(!unclosed.error.message.includes("secret") && unclosed.error.detail.includes("secret"));
  assert.deepEqual(last, { position: 3, raw: { id: "3", text: "c" } });
});

test("a file that was cut off within a quote ends the source after the rows before it", async () => {
  const { rows, error, path } = await readContent('id,text\n1,a\n2,"b and 3,c');
  assert.deepEqual(rows, [{ position: 1, raw: { id: "1", text: "a" } }]);
  assertSourceError(error, path, { line: 3 });
});

test("invalid UTF-8 ends the source after the rows before it, with the offset of the byte", async () => {
  const before = Buffer.from(`\uFEFFid,text\n1,${"é".repeat(40_000)}\n2,`);
  const { rows, error, path } = await readContent(
    Buffer.concat([before, Buffer.from([0xe9]), Buffer.from("t\xe9\n3,c\n")]),
  );
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { offset: before.length, expected: "utf-8" });
});

test("UTF-16 and Windows-1252 files are read with the encoding option", async () => {
  const text = "id,text\r\n1,“naïve” – 5 € œuvre\r\n";
  const utf16 = await readContent(Buffer.from(`\uFEFF${text}`, "utf16le"), { encoding: "utf-16le" });
  assert.deepEqual(rawsOf(utf16), [{ id: "1", text: "“naïve” – 5 € œuvre" }]);
  const ansi = Buffer.from("id;text\r\n1;\x93na\xefve\x94 \x96 5 \x80 \x9cuvre\r\n", "latin1");
  const windows = await readContent(ansi, { encoding: "windows-1252", delimiter: ";" });
  assert.deepEqual(rawsOf(windows), [{ id: "1", text: "“naïve” – 5 € œuvre" }]);
  const unsaid = await readContent(Buffer.from(`\uFEFF${text}`, "utf16le"));
  assertSourceError(unsaid.error, unsaid.path, { expected: "utf-8", got: "utf-16le" });
});

test("characters and line breaks are whole at every boundary between chunks", async () => {
  for (let padding = 65_490; padding < 65_540; padding += 1) {
    const { rows, error } = await readContent(`id,text\r\n1,${"x".repeat(padding - 16)}\r\n2,"é€😀""\r\n"\r\n3,z`);
    assert.equal(error, undefined);
    assert.deepEqual(rows.slice(1), [
      { position: 2, raw: { id: "2", text: 'é€😀"\r\n' } },
      { position: 3, raw: { id: "3", text: "z" } },
    ]);
  }
});

test("nullValues become null, in the key too, but not in the row number", async () => {
  const nullValues = ["NULL", "", "2"];
  const raws = rawsOf(await readContent("id,text\nNULL,\n1,null\n", { nullValues, rowNumberColumn: "number" }));
  assert.deepEqual(raws, [
    { id: null, text: null, number: "1" },
    { id: "1", text: "null", number: "2" },
  ]);
});

test("the schema is kept for the engine, and the cells are given as text", async () => {
  const schema = z.object({ id: z.coerce.number() });
  const source = new CSVSource({ filePath: fileOf("id\n1\n"), primaryKeyColumn: "id", schema, nullValues: ["NULL"] });
  assert.equal(source.schema, schema);
  assert.equal(source.primaryKeyColumn, "id");
  assert.deepEqual(rawsOf(await readAll(source)), [{ id: "1" }]);
});

test("column names that objects have already are columns as any", async () => {
  assert.deepEqual(rawsOf(await readContent("id,constructor,toString\n1,a,b\n")), [
    { id: "1", constructor: "a", toString: "b" },
  ]);
});

test("any parameter is rejected by name", async () => {
  const path = fileOf("id\n1\n");
  const source = new CSVSource({ filePath: path, primaryKeyColumn: "id" });
  const rows = source.read({ signal: new AbortController().signal, parameters: { since: 1, until: 2 } });
  await assert.rejects(rows.next(), (error) => {
    assertSourceError(error, path, { got: "since, until" });
    return true;
  });
});

test("an aborted read throws the signal's reason: a part is not taken for the whole", async () => {
  const source = new CSVSource({ filePath: fileOf("id\n1\n2\n3\n"), primaryKeyColumn: "id" });
  const controller = new AbortController();
  const rows = source.read({ signal: controller.signal, parameters: {} });
  await rows.next();
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(rows.next(), reason);
});

test("an unknown option, a missing one and a wrong value are rejected at construction", () => {
  const right = { filePath: "rows.csv", primaryKeyColumn: "id" };
  const wrong: readonly (readonly [string, object])[] = [
    ["filePath", { primaryKeyColumn: "id" }],
    ["primaryKeyColumn", { filePath: "rows.csv" }],
    ["filePath", { ...right, filePath: "" }],
    ["path", { ...right, path: "rows.csv" }],
    ["primaryKeyColumn", { ...right, primaryKeyColumn: " " }],
    ["delimiter", { ...right, delimiter: ";;" }],
    ["delimiter", { ...right, delimiter: '"' }],
    ["encoding", { ...right, encoding: "utf8" }],
    ["nullValues", { ...right, nullValues: "NULL" }],
    ["rowNumberColumn", { ...right, rowNumberColumn: "" }],
    ["seperator", { ...right, seperator: ";" }],
  ];
  for (const [where, options] of wrong) {
    // @ts-expect-error: the options are wrong, as those of a user of JavaScript may be
    const construct = (): unknown => new CSVSource(options);
    assert.throws(construct, (error) => error instanceof OptionError && error.facts.where === where, where);
  }
});

test("types: the key is a column, and no row type promises what the file can't hold", () => {
  const path = "rows.csv";
  const schema = z.object({ id: z.string(), age: z.coerce.number(), note: z.string().nullable() });
  const inferred = new CSVSource({ filePath: path, primaryKeyColumn: "id", schema, nullValues: [""] });
  const key: "id" | "age" | "note" = inferred.primaryKeyColumn;
  assert.equal(key, "id");
  // @ts-expect-error: the schema has no such column
  assert.ok(new CSVSource({ filePath: path, primaryKeyColumn: "ID", schema }));
  // @ts-expect-error: cells would be null where the row type says text
  assert.ok(new CSVSource({ filePath: path, primaryKeyColumn: "id", nullValues: [""] }));
  assert.ok(new CSVSource<Record<string, string | null>>({ filePath: path, primaryKeyColumn: "id", nullValues: [""] }));
  assert.ok(
    new CSVSource<{ id: string; note: string | null }>({ filePath: path, primaryKeyColumn: "id", nullValues: [""] }),
  );
  assert.ok(new CSVSource<{ id: string; note: string }>({ filePath: path, primaryKeyColumn: "note" }));
  // @ts-expect-error: without a schema no cell is a number
  assert.ok(new CSVSource<{ id: string; age: number }>({ filePath: path, primaryKeyColumn: "id" }));
});
