import { maxReadCharacters, notReadable } from "./faults.ts";
import { decodeText } from "./text-escapes.ts";
import { type Opened, readPart } from "./workbook.ts";

const chunkBytes = 1024 * 1024;
const maxTexts = 16_000_000;

/** The texts that the sheets of a workbook share, by their numbers. They are kept as bytes: as strings they would take twice as much. */
export class SharedTexts {
  readonly #chunks: Buffer[] = [];
  /** Of each text the chunk, its offset and its length. */
  #places = new Uint32Array(3 * 1024);
  #used = chunkBytes;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#used + length > chunkBytes) {
      this.#chunks.push(Buffer.allocUnsafeSlow(Math.max(chunkBytes, length)));
      this.#used = 0;
    }
    if (3 * this.#count === this.#places.length) {
      const longer = new Uint32Array(2 * this.#places.length);
      longer.set(this.#places);
      this.#places = longer;
    }
    const chunk = this.#chunks.length - 1;
    this.#chunks[chunk]?.write(text, this.#used);
    this.#places.set([chunk, this.#used, length], 3 * this.#count);
    this.#used += length;
    this.#count += 1;
  }

  /** Undefined where there is no text with this number. */
  at(index: number): string | undefined {
    if (!(index >= 0 && index < this.#count)) return undefined;
    const [chunk = 0, from = 0, length = 0] = this.#places.subarray(3 * index, 3 * index + 3);
    return this.#chunks[chunk]?.toString("utf8", from, from + length);
  }
}

/** Reads them: a text in several formats is put together, and how it is pronounced is left out. */
export async function readSharedTexts(opened: Opened, part: string | undefined): Promise<SharedTexts> {
  const texts = new SharedTexts();
  if (part === undefined || !opened.archive.has(part)) return texts;
  const rich = new RichText();
  await readPart(opened, part, {
    open: ({ name }) => {
      if (name === "si") rich.begin();
      else rich.open(name);
    },
    text: (text) => rich.text(text),
    close: (name) => {
      if (name !== "si") {
        rich.close(name);
        return;
      }
      texts.add(rich.take());
      if (texts.count > maxTexts) throw notReadable(opened.owner, "a workbook of too many texts", { texts: maxTexts });
    },
  });
  return texts;
}

/** Puts a text together out of its pieces. */
export class RichText {
  #text = "";
  #isInText = false;
  #isPronunciation = false;

  begin(): void {
    this.#text = "";
  }

  open(name: string): void {
    if (name === "rPh") this.#isPronunciation = true;
    else if (name === "t") this.#isInText = !this.#isPronunciation;
  }

  text(piece: string): void {
    if (this.#isInText && this.#text.length <= maxReadCharacters) this.#text += piece;
  }

  close(name: string): void {
    if (name === "rPh") this.#isPronunciation = false;
    else if (name === "t") this.#isInText = false;
  }

  take(): string {
    return decodeText(this.#text);
  }
}
