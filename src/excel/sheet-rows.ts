import { type CellContext, type CellFault, valueOfCell } from "./cell-value.ts";
import { damaged, maxColumns, maxRows, notReadable } from "./faults.ts";
import type { Sax } from "./packages.ts";
import { RichText } from "./shared-texts.ts";
import type { ExcelValue } from "./value.ts";
import { readXML, type XMLElement } from "./xml.ts";

/** A row of a sheet. */
export interface SheetRow {
  /** From 1, as Excel shows it. Rows without a cell may be left out in the file. */
  readonly number: number;
  /** By their columns, from 0; empty cells are null, or left out. */
  readonly cells: readonly (ExcelValue | CellFault | undefined)[];
}

/** The most text of one row, in UTF-16 units. */
const maxRowCharacters = 16 * 1024 * 1024;

/** Reads the rows of a sheet out of the bytes of its part, some at a time. */
export class SheetRows {
  readonly #owner: string;
  readonly #context: CellContext;
  readonly #inline = new RichText();
  #rows: SheetRow[] = [];
  #isInRows = false;
  #hasEnded = false;
  #number = 0;
  #cells: (ExcelValue | CellFault | undefined)[] = [];
  #column = 0;
  #cell: XMLElement | undefined;
  #hasFormula = false;
  #isInValue = false;
  #value: string | undefined;
  #hasInlineText = false;
  #characters = 0;

  constructor(owner: string, context: CellContext) {
    this.#owner = owner;
    this.#context = context;
  }

  /** The rows that end within the chunks, as many at a time as a chunk has. @throws {SourceError} for what is no sheet */
  async *of(chunks: AsyncIterable<Uint8Array>, sax: Sax): AsyncGenerator<readonly SheetRow[], void, undefined> {
    const reader = readXML(this.#owner, sax, {
      open: (element) => this.#open(element),
      text: (text) => this.#text(text),
      close: (name) => this.#close(name),
    });
    for await (const chunk of chunks) {
      if (this.#hasEnded) continue; // behind the rows stands how they look
      let problem: unknown;
      try {
        reader.write(chunk);
      } catch (error) {
        problem = error;
      }
      const rows = this.#rows;
      this.#rows = [];
      if (rows.length > 0) yield rows;
      if (problem !== undefined) throw problem;
    }
    if (!this.#hasEnded) reader.end();
  }

  #open(element: XMLElement): void {
    const { name, attributes } = element;
    if (!this.#isInRows) {
      if (name === "sheetData" && !this.#hasEnded) this.#isInRows = true;
      return;
    }
    if (name === "c") this.#openCell(element);
    else if (name === "v") this.#isInValue = true;
    else if (name === "f") this.#hasFormula = true;
    else if (name === "row") this.#openRow(attributes["r"]);
    else if (name === "is") {
      this.#inline.begin();
      this.#hasInlineText = true;
    } else if (this.#hasInlineText) this.#inline.open(name);
    if (this.#isInValue) this.#value ??= "";
  }

  #openRow(number: string | undefined): void {
    const next = number === undefined ? this.#number + 1 : Number(number);
    if (!(Number.isInteger(next) && next > this.#number && next <= maxRows))
      throw damaged(this.#owner, "the numbers of its rows do not go up");
    this.#number = next;
    this.#cells = [];
    this.#column = 0;
    this.#characters = 0;
  }

  #openCell(element: XMLElement): void {
    const reference = element.attributes["r"];
    this.#column = reference === undefined ? this.#column + 1 : columnOf(reference);
    if (!(this.#column >= 1 && this.#column <= maxColumns))
      throw damaged(this.#owner, "a cell has no place in the sheet");
    this.#cell = element;
    this.#hasFormula = false;
    this.#value = undefined;
    this.#hasInlineText = false;
  }

  #text(text: string): void {
    if (this.#isInValue) this.#value = (this.#value ?? "") + text;
    else if (this.#hasInlineText) this.#inline.text(text);
    else return;
    this.#count(text.length);
  }

  #count(characters: number): void {
    this.#characters += characters;
    if (this.#characters > maxRowCharacters) {
      throw notReadable(this.#owner, "a workbook with more text in a row than is held in memory", {
        row: this.#number,
        characters: maxRowCharacters,
      });
    }
  }

  #close(name: string): void {
    if (!this.#isInRows) return;
    if (name === "v") this.#isInValue = false;
    else if (name === "c") this.#closeCell();
    else if (name === "row") this.#rows.push({ number: this.#number, cells: this.#cells });
    else if (name === "sheetData") {
      this.#isInRows = false;
      this.#hasEnded = true;
    } else if (this.#hasInlineText) this.#inline.close(name);
  }

  #closeCell(): void {
    const { t: type = "n", s: style } = this.#cell?.attributes ?? {};
    const value = valueOfCell(
      {
        type,
        style: style === undefined ? 0 : Number(style),
        value: this.#value,
        inlineText: this.#hasInlineText ? this.#inline.take() : undefined,
        hasFormula: this.#hasFormula,
      },
      this.#context,
    );
    if (value !== null) this.#cells[this.#column - 1] = value;
    if (type === "s" && typeof value === "string") this.#count(value.length);
    this.#hasInlineText = false;
  }
}

/** The number of a column, from 1, by the letters of a cell's place: `AB12`. NaN for what is none. */
export function columnOf(reference: string): number {
  let column = 0;
  for (let at = 0; at < reference.length; at += 1) {
    const code = reference.charCodeAt(at);
    if (code < 65 || code > 90) return at > 0 && code >= 48 && code <= 57 ? column : Number.NaN;
    column = column * 26 + code - 64;
  }
  return Number.NaN;
}

/** The letters of a column, by its number from 1. */
export function columnLetters(column: number): string {
  const before = Math.floor((column - 1) / 26);
  return (before > 0 ? columnLetters(before) : "") + String.fromCharCode(65 + ((column - 1) % 26));
}
