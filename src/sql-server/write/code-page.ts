/** The code page of a VARCHAR, as far as it is known here. */
export interface CodePage {
  readonly number: number;
  /** Bytes that the text takes; undefined if the code page lacks a character of it. */
  readonly bytesOf: (text: string) => number | undefined;
}

/** Code pages of one byte a character, by the names that the decoder knows them by. */
const names: ReadonlyMap<number, string> = new Map([
  [874, "windows-874"],
  ...Array.from({ length: 9 }, (_, index) => [1250 + index, `windows-${1250 + index}`] as const),
]);

const known = new Map<number, CodePage>([
  [65_001, { number: 65_001, bytesOf: (text) => Buffer.byteLength(text, "utf8") }],
]);

/**
 * The code page of that number: UTF-8, or one of Windows of one byte a character. Undefined for others (850, 932, 936, …): of those the
 * server tells what they can't hold.
 */
export function codePage(number: number): CodePage | undefined {
  const name = names.get(number);
  let page = known.get(number);
  if (page === undefined && name !== undefined) {
    page = { number, bytesOf: singleByte(name) };
    known.set(number, page);
  }
  return page;
}

function singleByte(name: string): CodePage["bytesOf"] {
  const decoder = new TextDecoder(name);
  const characters = new Set(Array.from({ length: 256 }, (_, code) => decoder.decode(Uint8Array.of(code))));
  characters.delete("\u{FFFD}"); // stands for a byte that has no character
  return (text) => {
    for (let index = 0; index < text.length; index += 1) {
      if (!characters.has(text.charAt(index))) return undefined;
    }
    return text.length;
  };
}
