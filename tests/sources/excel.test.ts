import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { deflateRawSync } from "node:zlib";
import { z } from "zod";
import { Pipeline, TransformStep } from "../../src/index.ts";
import type { SourceRow } from "../../src/contracts/source.ts";
import { SourceError } from "../../src/errors/source.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { ExcelSource, type ExcelSourceOptions, type ExcelValue } from "../../src/sources/excel.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { archiveOf, partsOf, workbookOf } from "../support/workbook.ts";

const folder = temporaryFolder();
const samples = fileURLToPath(new URL("../fixtures/excel/", import.meta.url));
let fileCount = 0;
function fileOf(content: string | Uint8Array, name = "rows.xlsx"): string {
  fileCount += 1;
  const path = join(folder, `${fileCount} ${name}`);
  writeFileSync(path, content);
  return path;
}

type Given = Partial<ExcelSourceOptions<Record<string, ExcelValue>>>;
const context = () => ({ signal: new AbortController().signal, parameters: {} });

async function readFile(filePath: string, options: Given = {}): Promise<readonly SourceRow[]> {
  const source = new ExcelSource({ filePath, primaryKeyColumn: "id", ...options });
  return await Array.fromAsync(source.read(context()));
}

/** The rows of a workbook whose sheet has this XML. */
async function readRows(rows: string, options: Given = {}): Promise<readonly SourceRow[]> {
  return await readFile(fileOf(workbookOf({ rows })), options);
}

/** The rows, or the columns of their errors. */
function seen(rows: readonly SourceRow[]): readonly unknown[] {
  return rows.map((row) => ("error" in row ? [row.error.code, row.error.facts["columns"]] : row.raw));
}

/** A row of texts, as XML. */
function texts(number: number, ...cells: readonly string[]): string {
  return `<row r="${number}">${cells.map((text) => `<c t="inlineStr"><is><t>${text}</t></is></c>`).join("")}</row>`;
}

describe("ExcelSource keeps the contract of sources", () => {
  const path = fileOf(
    workbookOf({
      rows: `${texts(1, "id", "text")}${texts(2, "1", "one")}${texts(5, "2", "a\nline")}<row r="6"><c r="A6"><v>3</v></c></row><row r="9"/>`,
    }),
  );
  const rows = [
    { id: "1", text: "one" },
    { id: "2", text: "a\nline" },
    { id: 3, text: null },
  ];
  const create = () => new ExcelSource({ filePath: pathToFileURL(path), primaryKeyColumn: "id" });
  for (const { name, check } of sourceContract({ create, rows })) test(name, check);
});

test("each kind of cell has its value, in a workbook that XlsxWriter made", async () => {
  const rows = await readFile(join(samples, "values.xlsx"));
  const values = rows.flatMap((row) => ("error" in row ? [] : [[row.raw["id"], row.raw["value"]]]));
  assert.deepEqual(Object.fromEntries(values), {
    date: new Date("2026-11-30"),
    "date and time": new Date("2026-11-30T12:34:56.789Z"),
    "date by number": new Date("2026-11-30"),
    "month in words": new Date("2026-11-30"),
    "in Japanese": new Date("2026-11-30"),
    "day 1": new Date("1900-01-01"),
    "day 59": new Date("1900-02-28"),
    "day 61": new Date("1900-03-01"),
    "last day": new Date("9999-12-31"),
    time: "08:30:00",
    "time with half days": "18:00:00",
    midnight: "00:00:00",
    "time with a day": new Date("2026-11-30T06:00:00Z"),
    duration: "26:30:00",
    percentage: 0.25,
    amount: 1234.5,
    red: -5,
    scientific: 1.5e20,
    fraction: 0.3, // XlsxWriter keeps 16 digits
    true: true,
    false: false,
    text: "00123",
    "text with blanks": "  a\nb & <c> \u{1F600} ",
    escaped: "a\u0001b_x0041_",
    "rich text": "one two three",
    formula: 2,
    "formula of text": "ab",
    "formula of a date": new Date("2026-11-30"),
    "formula of a boolean": true,
    "empty with a format": null,
  });
  const faults = rows.flatMap((row) => ("error" in row ? [row.error.facts["row"]] : []));
  assert.deepEqual(faults, [32, 33, 34], "an error, the 29 February 1900 and day 0");
});

test("errors and days that there are not can be empty cells", async () => {
  const rows = await readFile(join(samples, "values.xlsx"), { errorCells: "null" });
  assert.deepEqual(seen(rows.slice(-3)), [
    { id: "error", value: null },
    { id: "day 60", value: null },
    { id: "day 0", value: null },
  ]);
});

test("days of a workbook that counts from 1904 are those that it shows", async () => {
  const rows = await readFile(join(samples, "from-1904.xlsx"));
  assert.deepEqual(seen(rows), [
    { id: 1, day: new Date("1904-01-01") },
    { id: 2, day: new Date("1904-02-29") },
    { id: 3, day: new Date("2026-11-30") },
  ]);
});

test("the first of merged cells has the value, hidden rows are read, a hidden sheet and a chart are passed over", async () => {
  const filePath = join(samples, "merged.xlsx");
  const empty: number[] = [];
  const source = new ExcelSource({ filePath, primaryKeyColumn: "id" });
  const rows = await Array.fromAsync(source.read({ ...context(), onEmptyRows: (count) => void empty.push(count) }));
  assert.deepEqual(seen(rows), [
    { id: 1, ward: "north", note: "note 1" },
    { id: 2, ward: null, note: "note 2" },
    { id: 3, ward: null, note: "note 3" },
    { id: 6, ward: null, note: "note 6" },
  ]);
  assert.deepEqual(empty, [2], "those between rows, not those at the end");
  assert.equal(await source.count({ ...context(), limit: Infinity }), 4);
  assert.deepEqual(seen(await readFile(filePath, { sheet: 3 })), seen(rows));
  assert.deepEqual(seen(await readFile(filePath, { sheet: "Visits" })), seen(rows));
});

test("texts in the cells themselves are read, blanks and an empty one too", async () => {
  assert.deepEqual(seen(await readFile(join(samples, "inline.xlsx"))), [
    { id: 1, text: "one" },
    { id: 2, text: " two " },
    { id: 3, text: "" },
    { id: 4, text: "line\nbreak" },
  ]);
});

test("a formula without its result is the error of its row, in a workbook that openpyxl made", async () => {
  const rows = await readFile(join(samples, "openpyxl.xlsx"));
  assert.deepEqual(seen(rows), [
    { id: 1, day: new Date("2026-11-30T08:15:00Z"), text: "shared", sum: 10 },
    ["EXCEL_ROW_INVALID", [4]],
    { id: 3, day: "08:30:00", text: "other", sum: 0.1 },
    { id: 4, day: "30:00:00", text: null, sum: null },
  ]);
});

test("cells come through a workbook that ExcelSink wrote and LibreOffice saved under another name", async () => {
  assert.deepEqual(seen(await readFile(join(samples, "libreoffice.xlsx"))), [
    {
      id: 1,
      formula: "=1+1",
      number: -0.5,
      large: 1e300,
      yes: true,
      day: new Date("2026-11-30"),
      first: new Date("1900-01-01"),
      march: new Date("1900-03-01"),
      moment: new Date("2026-11-30T08:30:15.250Z"),
      text: "00123",
      blanks: "  two \n lines ",
      cr: "a\nb", // LibreOffice keeps no CR
      ctrl: "a\u0001b",
      esc: "a_x0041_b",
      empty: null,
      none: null,
      key: "1234567890123456",
      list: "[1,2]",
      emoji: '\u{1F600} <&">',
    },
  ]);
});

test("a number keeps the digits that the workbook has", async () => {
  const numbers = ["9007199254740993", "-12345678901234567890", "1.5E-7", "1E21", "0.30000000000000004", "00"];
  const cells = numbers.map((text) => `<c><v>${text}</v></c>`).join("");
  const [row] = await readRows(`${texts(1, "id", "b", "c", "d", "e", "f")}<row>${cells}</row>`);
  assert.deepEqual(seen(row === undefined ? [] : [row]), [
    { id: 9007199254740993n, b: -12345678901234567890n, c: 1.5e-7, d: 1e21, e: 0.1 + 0.2, f: 0 },
  ]);
});

test("a header further down, its blanks, a column without a name and two with one name", async () => {
  const rows = `${texts(1, "A title")}${texts(3, " id ", "", "note", "note")}${texts(4, "1", "a", "b", "c")}`;
  const found: string[] = [];
  const source = new ExcelSource({
    filePath: fileOf(workbookOf({ rows })),
    primaryKeyColumn: "id",
    headerRow: 3,
    uniqueNames: true,
    rowNumberColumn: "number",
  });
  const read = source.read({ ...context(), onFound: (finding) => void found.push(finding) });
  assert.deepEqual(seen(await Array.fromAsync(read)), [{ id: "1", column2: "a", note: "b", note_2: "c", number: "1" }]);
  assert.equal(found.length, 2);
});

test("a header that can't be used ends the source, and its names stand in the detail only", async () => {
  const cases: readonly (readonly [rows: string, options: Given, facts: object])[] = [
    [texts(1, "id", "Jane Doe", "Jane Doe"), {}, { where: [2, 3] }],
    [texts(1, "key", "Jane Doe"), {}, { where: "id" }],
    [texts(1, "ID", "Jane Doe"), {}, { nearest: "ID" }],
    [texts(1, "id", "__proto__"), {}, { where: "__proto__" }],
    [texts(1, "id"), { rowNumberColumn: "id" }, { where: "id" }],
    [texts(2, "id"), {}, { row: 1 }],
    [texts(1, "id"), { headerRow: 2 }, { row: 2 }],
    [texts(1, " ", ""), {}, { row: 1 }],
    ["", {}, { row: 1 }],
    [`<row r="1"><c t="inlineStr"><is><t>id</t></is></c><c t="e"><v>#REF!</v></c></row>`, {}, { where: [2] }],
  ];
  for (const [rows, options, facts] of cases) {
    const error: unknown = await readRows(rows, options).catch((thrown: unknown) => thrown);
    failsWith("SOURCE_FAILED", facts as Record<string, never>)(error);
    assert.ok(error instanceof SourceError && !error.message.includes("Jane"), String(error));
  }
});

test("a row with a cell that can't be used is an error with its row in the sheet, and the cells stand in the detail only", async () => {
  const rows = `${texts(1, "id", "name", "age")}${texts(3, "1", "Jane Doe", "5", "", "beyond")}${texts(4, "2")}`;
  const [bad, good] = await readRows(rows);
  assert.ok(bad !== undefined && "error" in bad);
  failsWith("EXCEL_ROW_INVALID", { where: 1, row: 3, columns: [5] })(bad.error);
  assert.ok(!bad.error.message.includes("Jane") && bad.error.detail.includes("Jane"));
  assert.deepEqual(bad.raw, ["1", "Jane Doe", "5", "", "beyond"]);
  assert.deepEqual(good, { position: 2, raw: { id: "2", name: null, age: null } });
});

test("cells that no program writes are errors of their rows", async () => {
  const cell = (xml: string, number: number) => `<row r="${number}"><c><v>${number}</v></c>${xml}</row>`;
  const rows = [
    `<c t="s"><v>5</v></c>`,
    `<c t="s"><v>x</v></c>`,
    `<c><v>1,5</v></c>`,
    `<c><v>1e999</v></c>`,
    `<c t="d"><v>yesterday</v></c>`,
  ];
  const read = await readRows(texts(1, "id", "x") + rows.map((xml, index) => cell(xml, index + 2)).join(""));
  assert.deepEqual(
    seen(read),
    rows.map(() => ["EXCEL_ROW_INVALID", [2]]),
  );
});

test("dates by ISO 8601, prefixes, CDATA, rich text with its pronunciation, and cells without a place are read", async () => {
  const cells = [
    `<c t="d"><v>2026-11-30</v></c>`,
    `<c t="d"><v>2026-11-30T08:30:00</v></c>`,
    `<c t="d"><v>08:30:00</v></c>`,
    `<c t="str"><v><![CDATA[a & b]]></v></c>`,
    `<c t="s"><v>0</v></c>`,
    `<c t="str"><f>""</f><v/></c>`,
  ];
  const sheet = `<x:worksheet><x:sheetData>${`${texts(1, "id", "b", "c", "d", "e", "f")}<row>${cells.join("")}</row>`.replaceAll(/<(\/?)(?=[a-z])/g, "<$1x:")}</x:sheetData></x:worksheet>`;
  const rich = "<si><r><t>東</t></r><r><t>京</t></r><rPh><t>トウキョウ</t></rPh></si>";
  const path = fileOf(workbookOf({ rows: "", texts: rich, parts: { "xl/worksheets/sheet1.xml": sheet } }));
  assert.deepEqual(seen(await readFile(path)), [
    {
      id: new Date("2026-11-30"),
      b: new Date("2026-11-30T08:30:00Z"),
      c: "08:30:00",
      d: "a & b",
      e: "東京",
      f: "",
    },
  ]);
});

test("a sheet that is not there is named as the pipeline named it; the names of the workbook stand in the detail only", async () => {
  const filePath = join(samples, "merged.xlsx");
  for (const [sheet, facts] of [
    ["Orders", { where: "Orders", sheets: 3 }],
    ["visit", { where: "visit", nearest: "Visits" }],
    [4, { where: 4 }],
    ["Chart", { where: "Chart" }],
  ] as const) {
    const error: unknown = await readFile(filePath, { sheet }).catch((thrown: unknown) => thrown);
    failsWith("SOURCE_FAILED", facts)(error);
    assert.ok(
      error instanceof SourceError && !error.message.includes("Secret") && error.detail.includes("Secret list"),
    );
  }
});

const compound = Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]);
const good = workbookOf({ rows: texts(1, "id") + texts(2, "1") });
const openDocument = archiveOf({ mimetype: "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<a/>" });
const document = partsOf({ rows: "", parts: { "word/document.xml": "<a/>" } });
const binary = partsOf({ rows: "", parts: { "xl/workbook.bin": "x" } });
const elsewhere = (parts: Readonly<Record<string, string>>, target: string): Buffer =>
  archiveOf({ ...parts, "_rels/.rels": parts["_rels/.rels"]?.replace("xl/workbook.xml", target) ?? "" });

for (const [what, content, got] of [
  ["a CSV file with another name", "id,text\n1,one\n", /text/],
  ["a CSV file in UTF-16", Buffer.from("\uFEFFid\ttext\n", "utf16le"), /text/],
  ["a web page", "\uFEFF<html><table></table></html>", /HTML/],
  ["a workbook of 2003 in XML", '<?xml version="1.0"?><Workbook/>', /XML/],
  ["an .xls", Buffer.concat([compound, Buffer.alloc(4096), Buffer.from("Workbook", "utf16le")]), /xls/],
  [
    "a workbook with a password",
    Buffer.concat([compound, Buffer.alloc(2 ** 20), Buffer.from("EncryptedPackage", "utf16le")]),
    /password/,
  ],
  ["an .xlsb", elsewhere(binary, "xl/workbook.bin"), /xlsb/],
  ["an OpenDocument file", openDocument, /OpenDocument/],
  ["a document of Word", elsewhere(document, "word/document.xml"), /Office/],
  ["an archive of other files", archiveOf({ "a.txt": "a" }), /archive/],
  ["a PDF", "%PDF-1.7", /PDF/],
  ["another file", Buffer.from([1, 0, 2, 0, 3]), /kind/],
  ["an empty file", "", /empty/],
] as const) {
  test(`${what} is no workbook, and the error says what it is`, async () => {
    const error: unknown = await readFile(fileOf(content)).catch((thrown: unknown) => thrown);
    failsWith("SOURCE_FAILED", { expected: "an Excel workbook (.xlsx)" })(error);
    assert.match(String(error instanceof SourceError && error.facts["got"]), got);
  });
}

test("a workbook that was cut off, or in which bytes were changed, is damaged", async () => {
  const cut = good.subarray(0, good.length - 30);
  const at = good.indexOf("<sheetData>");
  const changed = Buffer.from(good);
  changed.write("<SheetData>", at);
  const other = Buffer.from(good);
  other.write("2", good.lastIndexOf("<t>1</t>") + 3);
  const { "xl/worksheets/sheet1.xml": _, ...withoutSheet } = partsOf({ rows: "" });
  const { "xl/workbook.xml": __, ...withoutWorkbook } = partsOf({ rows: "" });
  const open = { "xl/worksheets/sheet1.xml": `<worksheet><sheetData>${texts(1, "id")}<row>` };
  const doctype = { "xl/workbook.xml": '<!DOCTYPE a [<!ENTITY b "c">]><workbook/>' };
  for (const content of [
    cut,
    changed,
    other,
    archiveOf(withoutSheet),
    archiveOf(withoutWorkbook),
    workbookOf({ rows: "", parts: open }),
    workbookOf({ rows: "", parts: doctype }),
    workbookOf({ rows: texts(1, "id") + texts(1, "1") }),
    workbookOf({ rows: texts(1, "id") + texts(1_048_577, "1") }),
    workbookOf({ rows: `${texts(1, "id")}<row r="2"><c r="XFE2"><v>1</v></c></row>` }),
    workbookOf({ rows: `${texts(1, "id")}<row r="2"><c r="2"><v>1</v></c></row>` }),
    workbookOf({ rows: `${texts(1, "id")}${"<a>".repeat(300)}${"</a>".repeat(300)}` }),
  ]) {
    const error: unknown = await readFile(fileOf(content)).catch((thrown: unknown) => thrown);
    failsWith("SOURCE_FAILED")(error);
    assert.match(String(error), /damaged/);
  }
});

test("rows before the place where a workbook is damaged are read", async () => {
  const filePath = fileOf(workbookOf({ rows: `${texts(1, "id")}${texts(2, "1")}${texts(3, "2")}<row r="3"/>` }));
  const rows = new ExcelSource({ filePath, primaryKeyColumn: "id" }).read(context());
  assert.deepEqual(seen([await rows.next(), await rows.next()].flatMap(({ value }) => value ?? [])), [
    { id: "1" },
    { id: "2" },
  ]);
  await assert.rejects(rows.next(), failsWith("SOURCE_FAILED"));
});

test("a text that is far too long is an error of its row, also where a thousand cells share it", async () => {
  const long = "x".repeat(1_000_000);
  const rows = Array.from({ length: 1000 }, (_, index) => `<row><c><v>${index}</v></c><c t="s"><v>0</v></c></row>`);
  const written = { rows: texts(1, "id", "text") + rows.join(""), texts: `<si><t>${long}</t></si>` };
  const read = await readFile(fileOf(workbookOf(written)));
  assert.deepEqual(new Set(seen(read).map(String)), new Set(["EXCEL_ROW_INVALID,2"]));
  assert.deepEqual(seen(await readRows(texts(1, "id", "b") + texts(2, "1", long))), [["EXCEL_ROW_INVALID", [2]]]);
});

test("a row of more text than is held in memory, and a tag without an end, end the source", async () => {
  const shared = `<si><t>${"x".repeat(100_000)}</t></si>`;
  const wide = `<row>${'<c t="s"><v>0</v></c>'.repeat(200)}</row>`;
  const path = fileOf(workbookOf({ rows: texts(1, "id") + wide, texts: shared }));
  await assert.rejects(readFile(path), failsWith("SOURCE_FAILED", { row: 2 }));
  const names = Array.from({ length: 200_000 }, (_, index) => ` a${index}=""`).join("");
  await assert.rejects(readRows(`${texts(1, "id")}<row${names}></row>`), failsWith("SOURCE_FAILED"));
});

test("an archive that unpacks to far more than a workbook has is not read", async () => {
  const size = 300 * 1024 * 1024;
  const packed = deflateRawSync(Buffer.alloc(1024 * 1024, " ")).length * (size / 1024 / 1024);
  const content = Buffer.from(good);
  // The list at the end says so; what it is made of does not matter.
  const at = content.lastIndexOf(Buffer.from("xl/worksheets/sheet1.xml")) - 46;
  content.writeUInt16LE(8, at + 10);
  content.writeUInt32LE(Math.min(packed, 400_000), at + 20);
  content.writeUInt32LE(size, at + 24);
  await assert.rejects(readFile(fileOf(content)), failsWith("SOURCE_FAILED", { bytes: size }));
});

test("a file that is missing, a folder and a parameter are named", async () => {
  await assert.rejects(readFile(join(folder, "none.xlsx")), failsWith("SOURCE_FAILED", { code: "ENOENT" }));
  mkdirSync(join(folder, "folder.xlsx"));
  await assert.rejects(readFile(join(folder, "folder.xlsx")), failsWith("SOURCE_FAILED", { code: "EISDIR" }));
  const source = new ExcelSource({ filePath: fileOf(good), primaryKeyColumn: "id" });
  const rows = source.read({ ...context(), parameters: { since: 1 } });
  await assert.rejects(Array.fromAsync(rows), failsWith("SOURCE_FAILED", { got: "since" }));
});

test("check finds a file that is no workbook, as run does, and looks for the packages", async () => {
  const pipelineOf = (filePath: string) =>
    new Pipeline({
      name: "from excel",
      source: new ExcelSource({ filePath, primaryKeyColumn: "id", schema: z.object({ id: z.string() }) }),
      llmProvider: new MockProvider(),
      payloadLog: "off",
      journal: "off",
    })
      .step(new TransformStep({ name: "x", outputKey: "x", transform: (s) => s.raw.id }))
      .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
  const csv = fileOf("id\n1\n");
  const { findings } = await pipelineOf(csv).check();
  assert.ok(findings.some(({ status, message }) => status === "problem" && message.includes("CSVSource")));
  const report = await pipelineOf(csv).run();
  assert.equal(report.error?.code, "SOURCE_FAILED");
  const workbook = join(folder, "good.xlsx");
  copyFileSync(fileOf(good), workbook);
  const checked = await pipelineOf(workbook).check();
  assert.ok(checked.findings.some(({ subject }) => subject === "package yauzl"));
  assert.equal((await pipelineOf(workbook).run()).successCount, 1);
  assert.ok(readFileSync(workbook).equals(good));
});

for (const [what, options, where] of [
  ["no file", { primaryKeyColumn: "id" }, "filePath"],
  ["a blank key", { filePath: "x.xlsx", primaryKeyColumn: " " }, "primaryKeyColumn"],
  ["sheet 0", { filePath: "x.xlsx", primaryKeyColumn: "id", sheet: 0 }, "sheet"],
  ["a sheet without a name", { filePath: "x.xlsx", primaryKeyColumn: "id", sheet: "" }, "sheet"],
  ["a header before the first row", { filePath: "x.xlsx", primaryKeyColumn: "id", headerRow: 0 }, "headerRow"],
  ["another way with errors", { filePath: "x.xlsx", primaryKeyColumn: "id", errorCells: "skip" }, "errorCells"],
  ["another option", { filePath: "x.xlsx", primaryKeyColumn: "id", delimiter: ";" }, "delimiter"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    assert.throws(() => new ExcelSource(options as never), failsWith("INVALID_OPTION", { where })); // as in JavaScript
  });
}
