import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type CSVRow, parseRows } from "../../src/csv/parse.ts";
import { SourceError } from "../../src/errors/source.ts";

interface Parsed {
  readonly rows: CSVRow[];
  readonly error: unknown;
}

interface Options {
  readonly delimiter?: string;
  readonly chunkSize?: number;
  readonly maxRowBytes?: number;
  /** Thrown by the chunks after the text. */
  readonly fault?: Error;
}

async function parse(text: string, options: Options = {}): Promise<Parsed> {
  const { delimiter = ",", chunkSize = 3, maxRowBytes = 1000, fault } = options;
  const rows: CSVRow[] = [];
  const chunks = chunksOf(text, chunkSize, fault);
  try {
    for await (const some of parseRows(chunks, { owner: "CSVSource /data/rows.csv", delimiter, maxRowBytes })) {
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
        text += cells
          .map((cell) => {
            const needed =
              cell.quoted || cells.length === 1 || /["\r\n]/.test(cell.text) || cell.text.includes(delimiter);
            return needed ? `"${cell.text.replaceAll('"', '""')}"` : cell.text;
          })
          .join(delimiter);
        expected.push({ line, lastLine: linesOf(text), cells: cells.map((cell) => cell.text) });
        if (index < table.length - 1 || endsWithLineEnding) text += ending + blankLines.join("");
      }
      assert.deepEqual(await parse(text, { delimiter, chunkSize }), { rows: expected, error: undefined });
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
      ['"10" ', ""],
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

test("a quote that is never closed ends the rows, and the line where its row begins is named", async () => {
  for (const chunkSize of chunkSizes) {
    const { rows, error } = await parse('a,b\n1,"x\r\ny"\r\n\r\n\n2,"x\ny","z\n3,4\n', { chunkSize });
    assert.deepEqual(
      rows.map((row) => row.line),
      [1, 2],
    );
    assert.ok(error instanceof SourceError);
    assert.equal(error.facts["line"], 6);
    assert.ok(!Object.hasOwn(error.facts, "expected"));
  }
});

test("a row larger than a row may be ends the rows, and the line where it begins is named", async () => {
  for (const text of [`3,"${"x\n".repeat(200)}`, "x".repeat(200), ",".repeat(200), `"x"y${'"'.repeat(200)}`]) {
    const { rows, error } = await parse(`a,b\n1,"2\r\n"\n\n${text}`, { maxRowBytes: 100 });
    assert.deepEqual(
      rows.map((row) => row.line),
      [1, 2],
    );
    assert.ok(error instanceof SourceError);
    assert.partialDeepStrictEqual(error.facts, { line: 5, expected: "at most 100 bytes" });
  }
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
