import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { OptionError } from "../../src/errors/option.ts";
import { ClassifierStep, Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import {
  assertSourceError,
  fileOf,
  rawsOf,
  readAll,
  readContent,
  type Reading,
  type TextOptions,
} from "../support/csv-reading.ts";

/** Rows as they were read; of a bad row its line and what was expected. */
function outlineOf({ rows, error }: Reading): unknown[] {
  assert.equal(error, undefined);
  return rows.map((row) => ("error" in row ? [row.error.facts["line"], row.error.facts["lastLine"]] : row.raw));
}

const two = [
  { id: "1", text: "hello" },
  { id: "2", text: "world" },
];

const wellKnown: readonly (readonly [name: string, content: string, rows: unknown, options?: TextOptions])[] = [
  ["several byte order marks", "\uFEFF\uFEFFid,text\n1,hello\n2,world\n", two],
  ["a name with a no-break space behind it", "id\u00a0,text\n1,hello\n2,world\n", two],
  ["a space behind each delimiter, quotes too", 'id, "text"\n1, "hello"\n2, "world"\n', two],
  ["the delimiter in a first line for Excel", "sep=;\r\nid;text\r\n1;hello\r\n2;world\r\n", two],
  [
    "the same where another delimiter is asked for",
    "sep=;\r\nid;text\r\n1;hello\r\n2;world\r\n",
    two,
    { delimiter: "," },
  ],
  ["an index of pandas", ",id,text\n0,1,hello\n", [{ column1: "0", id: "1", text: "hello" }]],
  ["an index of R", '"","id","text"\n"1","1","hello"\n', [{ column1: "1", id: "1", text: "hello" }]],
  ["an index as the key", ",text\n0,hello\n", [{ column1: "0", text: "hello" }], { primaryKeyColumn: "column1" }],
  ["a delimiter at the end of each line", "id,text,\n1,hello,\n", [{ id: "1", text: "hello", column3: "" }]],
  ["lines before the header", "A report: tickets\nof today\n\nid,text\n1,hello\n2,world\n", two, { skipLines: 3 }],
  ["no more skipped lines than there are", "A report\n\n\nid,text\n1,hello\n2,world\n", two, { skipLines: 1 }],
  ["comments", "# a, b\nid,text\n1,hello\n#2,no\n2,world\n", two, { comment: "#" }],
  ["rows that hold nothing", ",,\nid,text\n1,hello\n,\n , \n2,world\n,\n,,,,\n", two],
  ["no header", "1,hello\n2,world\n", two, { header: ["id", "text"] }],
  [
    "no names at all",
    "1,hello\n",
    [{ column1: "1", column2: "hello" }],
    { header: false, primaryKeyColumn: "column1" },
  ],
  ["names again", "id,a,a\n1,b,c\n", [{ id: "1", a: "b", a_2: "c" }], { uniqueNames: true }],
  [
    "inches",
    'id;size\n1;7\'5"\n2;"9\'1""\n',
    [
      { id: "1", size: "7'5\"" },
      { id: "2", size: '"9\'1""' },
    ],
    { delimiter: ";", quote: null },
  ],
  ["single quotes", "id,text\n1,'a, \"b\", ''c'''\n", [{ id: "1", text: "a, \"b\", 'c'" }], { quote: "'" }],
];

for (const [name, content, rows, options] of wellKnown) {
  test(`a file is read that has ${name}`, async () => {
    assert.deepEqual(rawsOf(await readContent(content, options)), rows);
  });
}

test("backslashes escape quotes where that is asked for, and one at the end of a cell is the error of its row alone", async () => {
  const content = String.raw`id,text,n
1,"say \"hi\" now",x
2,"a \"quoted, comma\" here",y
3,"ends with backslash\",z
4,"plain",w
`;
  assert.deepEqual(outlineOf(await readContent(content, { escape: "\\" })), [
    { id: "1", text: 'say "hi" now', n: "x" },
    { id: "2", text: 'a "quoted, comma" here', n: "y" },
    [4, 4],
    { id: "4", text: "plain", n: "w" },
  ]);
});

test("well-formed text is never rejected, though a quote may not be meant so", async () => {
  const content = 'id;size;price\n3;"9\'1"";2\n4;8\'11";9.35\n';
  assert.deepEqual(rawsOf(await readContent(content, { delimiter: ";" })), [
    { id: "3", size: "9'1\";2\n4;8'11", price: "9.35" },
  ]);
});

test("an opening quote that takes rows into its cell is the error of its row, and those rows are read", async () => {
  const stray = 'id,text,n\n1,"hello,x\n2,world,y\n3,"and, you",z\n4,"a\nb",w\n';
  assert.deepEqual(outlineOf(await readContent(stray)), [
    [2, 2],
    { id: "2", text: "world", n: "y" },
    { id: "3", text: "and, you", n: "z" },
    { id: "4", text: "a\nb", n: "w" },
  ]);
});

function pipelineOver(content: string, options: TextOptions = {}) {
  return new Pipeline({
    name: "tickets",
    source: new CSVSource<Record<string, string | null>>({
      filePath: fileOf(content),
      primaryKeyColumn: "id",
      ...options,
    }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: ["a", "b"].map((name) => ({ name, definition: name })),
        inputMap: { text: (s) => s.raw["text"] ?? "" },
        outputKey: "kind",
      }),
    )
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }));
}

test("rows that hold nothing are no rows of the run: they are counted apart, and the exit code is that of the others", async () => {
  const content = "id,text\n,\n1,hello\n,\n,\n2,world\n,\n,\n,\n,\n";
  const events: number[] = [];
  const report = await pipelineOver(content).run({
    onEvent: (event) => {
      if (event.type === "empty-rows") events.push(event.rowCount);
    },
  });
  assert.deepEqual([report.readCount, report.successCount, report.exitCode, report.emptyRowCount], [2, 2, 0, 7]);
  assert.deepEqual(events, [1, 2, 4]);
  assert.equal((await pipelineOver(content).run({ limit: 1 })).emptyRowCount, 1);
  assert.equal((await pipelineOver("id,text\n1,hello\n").run()).emptyRowCount, undefined);
});

test("check tells what was found on the way to the first row, and no content", async () => {
  const { findings, wouldRun } = await pipelineOver("sep=;\n;id;secret;secret;text\n;;;;\n;;;;\n0;1;a;b;hello\n", {
    uniqueNames: true,
  }).check();
  assert.equal(wouldRun, true);
  const found = findings
    .filter(({ area, status }) => area === "source" && status === "ok")
    .map(({ message }) => message);
  assert.deepEqual(
    found.map((message) => message.match(/sep=|column \d|\d empty rows|row \d/)?.[0]),
    ["sep=", "column 1", "column 4", "2 empty rows", "row 1"],
  );
  assert.ok(!JSON.stringify(findings).includes("secret"));
});

test("what old systems end a file by, or fill its last block with, is no row", async () => {
  for (const end of ["\u001A", "\u001A\n", "\0\0\0\0", "\u001A\0\0", "\0,\0\n"]) {
    const { readCount, exitCode, emptyRowCount } = await pipelineOver(`id,text\n1,hello\n${end}`).run();
    assert.deepEqual([readCount, exitCode, emptyRowCount], [1, 0, 1], JSON.stringify(end));
  }
  assert.deepEqual(rawsOf(await readContent('id,text\n"\u001A","\0"\n')), [{ id: "\u001A", text: "\0" }]);
});

test("a row of quoted empty cells is a row, for somebody wrote it", async () => {
  assert.deepEqual(rawsOf(await readContent('id,text\n"",""\n')), [{ id: "", text: "" }]);
});

test("positions, row numbers and the count leave out rows that hold nothing", async () => {
  const source = new CSVSource({
    filePath: fileOf("text\n\n  \na\n\t\nb\n"),
    primaryKeyColumn: "row",
    rowNumberColumn: "row",
  });
  assert.deepEqual((await readAll(source)).rows, [
    { position: 1, raw: { text: "a", row: "1" } },
    { position: 2, raw: { text: "b", row: "2" } },
  ]);
  const context = { signal: new AbortController().signal, parameters: {}, limit: Infinity };
  assert.equal(await source.count(context), 2);
});

test("without a header the first row is a row, of the count too, and an empty file has none", async () => {
  for (const header of [false, ["column1", "b"]] as const) {
    const filePath = fileOf(",\n1,2\n3,4\n5\n");
    const source = new CSVSource({ filePath, primaryKeyColumn: "column1", header });
    assert.equal((await readAll(source)).rows.length, 3);
    const context = { signal: new AbortController().signal, parameters: {}, limit: Infinity };
    assert.equal(await source.count(context), 3);
    assert.deepEqual((await readContent("", { header, primaryKeyColumn: "column1" })).rows, []);
  }
});

test("without a header the columns are those of the first row that is whole", async () => {
  const read = await readContent('1,"a\n2,b\n3,"c"\n', { header: false, primaryKeyColumn: "column1" });
  assert.deepEqual(outlineOf(read), [[1, 1], { column1: "2", column2: "b" }, { column1: "3", column2: "c" }]);
});

test("a header of one name fewer than its rows is told with the remedy for files of R", async () => {
  const { rows } = await readContent('"id","text"\n"1","7","hello"\n');
  const [row] = rows;
  assert.ok(row !== undefined && "error" in row);
  assert.partialDeepStrictEqual(row.error.facts, { expected: 2, got: 3 });
  assert.match(row.error.facts.hint ?? "", /skipLines: 1/);
});

test("a header that stands further down is looked for with skipLines, and one with an open quote is rejected by its line", async () => {
  const report = await readContent("Report: tickets\n\nid,text\n1,a\n");
  assertSourceError(report.error, report.path, { line: 1, where: "id" });
  const open = await readContent('"id,text\n1,a\n');
  assertSourceError(open.error, open.path, { line: 1 });
});

test("names of the option header are no content, those of the file are", () => {
  const of = (header: boolean | readonly string[]): boolean =>
    new CSVSource({ filePath: "rows.csv", primaryKeyColumn: "column1", header }).namesAreData;
  assert.deepEqual([of(true), of(false), of(["column1"])], [true, false, false]);
});

test("options that are wrong, or don't fit together, are rejected at construction", () => {
  const right = { filePath: "rows.csv", primaryKeyColumn: "id" };
  const wrong: readonly (readonly [string, object])[] = [
    ["header", { header: "id" }],
    ["header", { header: [] }],
    ["header", { header: ["id", "id"] }],
    ["header", { header: ["id", " "] }],
    ["primaryKeyColumn", { header: ["a"] }],
    ["primaryKeyColumn", { header: false }],
    ["rowNumberColumn", { header: ["id", "n"], rowNumberColumn: "n" }],
    ["skipLines", { skipLines: -1 }],
    ["skipLines", { skipLines: 1.5 }],
    ["quote", { quote: "" }],
    ["quote", { quote: "|" }],
    ["escape", { escape: "/" }],
    ["escape", { escape: "'" }],
    ["escape", { escape: "\\", quote: null }],
    ["delimiter", { delimiter: "\\", escape: "\\" }],
    ["delimiter", { delimiter: "'", quote: "'" }],
    ["comment", { comment: "" }],
    ["comment", { comment: "#\n" }],
    ["comment", { comment: ",x" }],
    ["comment", { comment: "'", quote: "'" }],
    ["uniqueNames", { uniqueNames: "yes" }],
    ["encoding", { encoding: "utf9" }],
    ["encoding", { encoding: "base64" }],
    ["encoding", { encoding: "constructor" }],
    ["encoding", { encoding: "__proto__" }],
    ["encoding", { encoding: "_sbcs" }],
    ["encoding", { encoding: "UTF-16" }],
  ];
  for (const [where, options] of wrong) {
    const construct = (): unknown => new CSVSource({ ...right, ...options });
    assert.throws(
      construct,
      (error) => error instanceof OptionError && error.facts.where === where,
      JSON.stringify(options),
    );
  }
});

const cases = join(import.meta.dirname, "../../../shared/cases/csv");
const options: Readonly<Record<string, TextOptions>> = {
  "bs.csv": { escape: "\\" },
  "m112.csv": { delimiter: ";", quote: null },
  "pre.csv": { skipLines: 3 },
};

test(
  "every file that people had is read without an error but that of a backslash before a closing quote",
  { skip: existsSync(cases) ? false : `the cases are not at ${cases}` },
  async () => {
    for (const name of readdirSync(cases)) {
      const filePath = join(cases, name);
      const source = new CSVSource<Record<string, string | null>>({
        filePath,
        primaryKeyColumn: "id",
        ...options[name],
      });
      const { rows, error } = await readAll(source);
      assert.equal(error, undefined, name);
      const badCount = rows.filter((row) => "error" in row).length;
      assert.ok(rows.length > 0 && badCount === (name === "bs.csv" ? 1 : 0), name);
    }
  },
);
