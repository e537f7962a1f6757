import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type CSVRow, parseRows, type ParseOptions } from "../../src/csv/parse.ts";
import { SourceError } from "../../src/errors/source.ts";

interface Parsed {
  readonly rows: CSVRow[];
  readonly error: unknown;
}

interface Options extends Partial<ParseOptions> {
  readonly chunkSize?: number;
  /** Thrown by the chunks after the text. */
  readonly fault?: Error;
}

async function parse(text: string, options: Options = {}): Promise<Parsed> {
  const { chunkSize = 3, fault, ...format } = options;
  const rows: CSVRow[] = [];
  const chunks = chunksOf(text, chunkSize, fault);
  try {
    for await (const some of parseRows(chunks, {
      owner: "CSVSource /data/rows.csv",
      delimiter: ",",
      quote: '"',
      skipLines: 0,
      maxRowBytes: 1000,
      ...format,
    })) {
      rows.push(...some);
    }
  } catch (error) {
    return { rows, error };
  }
  return { rows, error: undefined };
}

/** One buffer that every chunk overwrites, as the source's. */
async function* chunksOf(text: string, size: number, fault: Error | undefined): AsyncGenerator<Buffer> {
  const characters = Array.from(text);
  const buffer = Buffer.alloc(4 * size);
  for (let start = 0; start < characters.length; start += size) {
    const length = buffer.fill(0x21).write(characters.slice(start, start + size).join(""));
    yield buffer.subarray(0, length);
  }
  if (fault !== undefined) throw fault;
}

async function cellsOf(text: string, options?: Options): Promise<(readonly string[])[]> {
  const { rows, error } = await parse(text, options);
  assert.equal(error, undefined);
  return rows.map((row) => row.cells);
}

const chunkSizes = Array.from({ length: 60 }, (_, index) => index + 1);

/** Line, last line and number of cells of each row: the same at every chunk size. */
async function assertOutline(text: string, expected: readonly (readonly number[])[]): Promise<void> {
  for (const chunkSize of chunkSizes) {
    const { rows, error } = await parse(text, { chunkSize });
    assert.equal(error, undefined);
    assert.deepEqual(
      rows.map((row) => [row.line, row.lastLine, row.cells.length]),
      expected,
      `chunks of ${chunkSize}`,
    );
  }
}

test("any table is read back equal and with its lines, however it is quoted, whatever ends its lines, at any chunk boundary", async () => {
  const character = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom('"', ",", "\n", "\r", ";", "§") },
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
  );
  const lineEnding = fc.constantFrom("\n", "\r\n", "\r");
  const cases = fc.record({
    table: fc.array(
      fc.record({
        cells: fc.array(fc.record({ text: fc.string({ unit: character, maxLength: 8 }), quoted: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
        ending: lineEnding,
        blankLines: fc.array(lineEnding, { maxLength: 2 }),
      }),
      { maxLength: 5 },
    ),
    delimiter: fc.constantFrom(",", ";", "\t", "§", "😀"),
    endsWithLineEnding: fc.boolean(),
    chunkSize: fc.integer({ min: 1, max: 12 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ table, delimiter, endsWithLineEnding, chunkSize }) => {
      let text = "";
      const expected: CSVRow[] = [];
      for (const [index, { cells, ending, blankLines }] of table.entries()) {
        const line = linesOf(text);
        const quoted: number[] = [];
        text += cells
          .map((cell, at) => {
            const needed =
              cell.quoted || cells.length === 1 || /^\uFEFF|["\r\n]/.test(cell.text) || cell.text.includes(delimiter);
            if (needed) quoted.push(at);
            return needed ? `"${cell.text.replaceAll('"', '""')}"` : cell.text;
          })
          .join(delimiter);
        expected.push({ line, lastLine: linesOf(text), cells: cells.map((cell) => cell.text), quoted });
        if (index < table.length - 1 || endsWithLineEnding) text += ending + blankLines.join("");
      }
      assert.deepEqual(await parse(text, { delimiter, chunkSize, columnCount: 1 }), {
        rows: expected,
        error: undefined,
      });
    }),
    { seed: 11, numRuns: 500 },
  );
});

/** On which line the text ends, counted a character at a time. */
function linesOf(text: string): number {
  let line = 1;
  let previous = "";
  for (const character of text) {
    if (character === "\r" || (character === "\n" && previous !== "\r")) line += 1;
    previous = character;
  }
  return line;
}

test("LF, CRLF and CR end a row, also mixed, and blank lines are no rows", async () => {
  const expected = [
    ["a", "b"],
    ["1", "2"],
    ["3", ""],
    ["", ""],
  ];
  for (const chunkSize of chunkSizes) {
    assert.deepEqual(await cellsOf("\n\r\n\ra,b\r1,2\r\n\r\n\n3,\n,", { chunkSize }), expected);
  }
});

test("text without a row gives none", async () => {
  for (const text of ["", "\n", "\r\n\n\r"]) assert.deepEqual(await cellsOf(text), []);
});

test("a quoted empty cell is a row, an empty line is none", async () => {
  assert.deepEqual(await cellsOf('a\n""\n\n""', { chunkSize: 1 }), [["a"], [""], [""]]);
});

test("a row's line is the one on which it begins; a CRLF within quotes is one line break", async () => {
  await assertOutline('a,b\r\n1,"x\r\ny\r\nz"\r\n1\r\n\r\n2,"\n\r\r\n"\r3,4', [
    [1, 1, 2],
    [2, 4, 2],
    [5, 5, 1],
    [7, 10, 2],
    [11, 11, 2],
  ]);
});

test("blank lines are counted, whatever ends them", async () => {
  await assertOutline('\r\n\na,b\n\r\n\n\r\r\n"\r",\r\r\n\r1,2\r\n\n3,4\n\r\n', [
    [3, 3, 2],
    [8, 9, 2],
    [12, 12, 2],
    [14, 14, 2],
  ]);
});

test("a misplaced quote is text, and no row after it is lost", async () => {
  const text = 'a,b\n"x"y,1\n2,3\nx"y"z,4\n"q",5\nx"y,"6\n7"\n8,9\n"10" ,\n"1\r\n1"" "" ""12"1",""x\n"",""""\n13,14';
  for (const chunkSize of chunkSizes) {
    assert.deepEqual(await cellsOf(text, { chunkSize }), [
      ["a", "b"],
      ['"x"y', "1"],
      ["2", "3"],
      ['x"y"z', "4"],
      ["q", "5"],
      ['x"y', "6\n7"],
      ["8", "9"],
      ["10", ""],
      ['"1\r\n1" " "12"1"', '""x'],
      ["", '"'],
      ["13", "14"],
    ]);
  }
  const outline = [
    [1, 1, 2],
    [2, 2, 2],
    [3, 3, 2],
    [4, 4, 2],
    [5, 5, 2],
    [6, 7, 2],
    [8, 8, 2],
    [9, 9, 2],
    [10, 11, 2],
    [12, 12, 2],
    [13, 13, 2],
  ];
  await assertOutline(text, outline);
});

/** The rows' lines and cells; an unclosed quote is marked. */
async function outlineOf(text: string, options: Options = {}): Promise<unknown[]> {
  const { rows, error } = await parse(text, options);
  assert.equal(error, undefined);
  return rows.map(({ line, lastLine, cells, isUnclosed }) =>
    isUnclosed === true ? `unclosed ${line}-${lastLine}: ${cells.join("|")}` : cells.join("|"),
  );
}

test("a quote that is never closed is one row's, and the rows behind its line are read", async () => {
  for (const chunkSize of chunkSizes) {
    assert.deepEqual(await outlineOf('a,b\n1,"x\r\ny"\r\n\r\n\n2,"x\ny","z\n3,4\n5,6', { chunkSize }), [
      "a|b",
      "1|x\r\ny",
      'unclosed 6-7: 2,"x\ny","z',
      "3|4",
      "5|6",
    ]);
  }
});

test("a file that ends within a quote of its last line was cut off: that ends the rows, and names the line", async () => {
  for (const chunkSize of chunkSizes) {
    const { rows, error } = await parse('a,b\n1,"x\r\ny"\r\n\r\n\n2,"x\ny","z and 3,4', { chunkSize });
    assert.deepEqual(
      rows.map((row) => row.line),
      [1, 2],
    );
    assert.ok(error instanceof SourceError);
    assert.equal(error.facts["line"], 6);
    assert.ok(!Object.hasOwn(error.facts, "expected"));
  }
});

test("a quote that takes lines into its cell is a mistake where text follows it or its row ends short, if its line is whole without it", async () => {
  const texts: readonly (readonly [string, readonly string[]])[] = [
    ['a,b\n1,"x\n2,y\n3,"z"\n4,w', ["a|b", 'unclosed 2-2: 1,"x', "2|y", "3|z", "4|w"]],
    ['a,b\n1,"x\n2,7" y\n3,z', ["a|b", 'unclosed 2-2: 1,"x', '2|7" y', "3|z"]],
    ['a,b,c\n1,"x,y\n2,z"\n3,4,5', ["a|b|c", 'unclosed 2-2: 1,"x,y', '2|z"', "3|4|5"]],
    ['a,b,c\n1,"x\ny"\n3,4,5', ["a|b|c", "1|x\ny", "3|4|5"]],
    ['a,b,c\n1,"x,y\n2,z",w\n3,4,5', ["a|b|c", "1|x,y\n2,z|w", "3|4|5"]],
  ];
  for (const [text, expected] of texts) {
    for (const chunkSize of [1, 2, 3, 7, 100]) assert.deepEqual(await outlineOf(text, { chunkSize }), expected, text);
  }
});

test("where each line is a whole row, as in a file of one column, text behind a quote is no mistake", async () => {
  assert.deepEqual(await outlineOf('a\n"x\n7" y\nz'), ["a", '"x\n7" y', "z"]);
});

test("no table that keeps to RFC 4180 is taken for a mistake, whatever stands in its cells", async () => {
  const cell = fc.string({ unit: fc.constantFrom('"', ",", "\n", "a"), maxLength: 6 });
  const tables = fc.array(fc.tuple(cell, cell, cell), { minLength: 2, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(tables, fc.integer({ min: 1, max: 9 }), async (table, chunkSize) => {
      const lines = table.map((cells) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(","));
      assert.deepEqual(await cellsOf(lines.join("\n"), { chunkSize }), table);
    }),
    { seed: 3, numRuns: 500 },
  );
});

test("a row larger than a row may be ends the rows, and the line where it begins is named", async () => {
  for (const text of [`3,"${"x,x\n".repeat(100)}`, "x".repeat(200), ",".repeat(200), `"x"y${'"'.repeat(200)}`]) {
    const { rows, error } = await parse(`a,b\n1,"2\r\n"\n\n${text}`, { maxRowBytes: 100 });
    assert.deepEqual(
      rows.map((row) => row.line),
      [1, 2],
    );
    assert.ok(error instanceof SourceError);
    assert.partialDeepStrictEqual(error.facts, { line: 5, expected: "at most 100 bytes" });
  }
});

test("a quote that would make a row too large is a mistake if its line is whole without it", async () => {
  const outline = await outlineOf(`a,b\n1,"x\n${"2,y\n".repeat(200)}`, { maxRowBytes: 100 });
  assert.deepEqual([outline[1], outline[2], outline.length], ['unclosed 2-2: 1,"x', "2|y", 202]);
});

test("lines of the preamble, comments and a line that names the delimiter are no rows, and are counted as lines", async () => {
  for (const chunkSize of chunkSizes) {
    const texts: readonly (readonly [string, Options])[] = [
      ['#"x\r\n\na,b\n#\n1,"#2\n#3"\n#', { comment: "#" }],
      ['"a title\r\rof two lines\na,b\n\n1,"#2\n#3"', { skipLines: 3 }],
      ['sep=;\r\n"x\na;b\n\n1;"#2\n#3"', { skipLines: 2 }],
      ['\uFEFF\uFEFFSEP=;\r\n\n\na;b\n1;"#2\n#3"\n', {}],
      ['\n\nsep=§\na§b\n1§"#2\n#3"\n', {}],
    ];
    for (const [text, options] of texts) {
      const { rows, error } = await parse(text, { chunkSize, ...options });
      assert.equal(error, undefined);
      assert.deepEqual(
        rows.map(({ cells }) => cells),
        [
          ["a", "b"],
          ["1", "#2\n#3"],
        ],
        JSON.stringify(text),
      );
      const line = text.slice(0, text.search(/1[,;§]/)).split(/\r\n|\r|\n/).length;
      assert.deepEqual([rows[1]?.line, rows[1]?.lastLine], [line, line + 1], JSON.stringify(text));
    }
  }
});

test("what begins like a line that names the delimiter is a row", async () => {
  for (const text of ["sep,a", "se", "sep=;;,a", "sep=,a", "separator,a", 'sep=",a']) {
    assert.deepEqual((await cellsOf(`${text}\n1,2`, { chunkSize: 1 })).at(1), ["1", "2"], text);
  }
});

test("quotes are those of the option, or text", async () => {
  assert.deepEqual(await cellsOf('a;b\n1;7\'5"\n2;"9\'1""', { quote: null, delimiter: ";" }), [
    ["a", "b"],
    ["1", "7'5\""],
    ["2", '"9\'1""'],
  ]);
  assert.deepEqual(await cellsOf("a,b\n'1,''x''','\n\"'", { quote: "'" }), [
    ["a", "b"],
    ["1,'x'", '\n"'],
  ]);
});

test("an escape makes text of the quote behind it and of itself, within quotes only", async () => {
  const text = String.raw`a,b
"x \"y\", z","\\"
"\n \",","q""r"
\,\"
`;
  for (const chunkSize of chunkSizes) {
    assert.deepEqual(await cellsOf(text, { escape: "\\", chunkSize }), [
      ["a", "b"],
      ['x "y", z', "\\"],
      [String.raw`\n ",`, 'q"r'],
      ["\\", '\\"'],
    ]);
  }
});

test("blanks around quotes are nothing, and blanks elsewhere are text", async () => {
  assert.deepEqual(await cellsOf('a, "b"\n1 ,  "x, y" \n 2,\t"z"\t\n'), [
    ["a", "b"],
    ["1 ", "x, y"],
    [" 2", "z"],
  ]);
  assert.deepEqual(await cellsOf('a\t"b"\n1\t "x\ty"', { delimiter: "\t" }), [
    ["a", "b"],
    ["1", "x\ty"],
  ]);
});

test("many rows, and many blank lines, that are larger together than one row may be are read", async () => {
  assert.equal((await cellsOf("a,b\n".repeat(500), { maxRowBytes: 20 })).length, 500);
  assert.equal((await cellsOf(`a,b${"\r\n".repeat(500)}1,2`, { maxRowBytes: 20 })).length, 2);
});

test("a fault of the chunks is thrown after every row that had ended before it, and after no other", async () => {
  const fault = new Error("no text");
  for (const chunkSize of chunkSizes) {
    for (const [text, count] of [
      ["a,b\n1,2\n", 2],
      ["a,b\r\n1,2\r\n3", 2],
      ['a,b\n1,"2\n"\n"3', 2],
      ['a,b\n1,"2"', 1],
      ["", 0],
    ] as const) {
      const parsed = await parse(text, { chunkSize, fault });
      assert.equal(parsed.rows.length, count);
      assert.equal(parsed.error, fault);
    }
  }
});
