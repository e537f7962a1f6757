/** What a collation says, read from its name. */
export interface Collation {
  readonly name: string;
  readonly ignoresCase: boolean;
  readonly ignoresAccents: boolean;
  readonly binary: boolean;
  readonly utf8: boolean;
}

/** For text that comes from no column. */
export const defaultCollation = "SQL_Latin1_General_CP1_CI_AS";

const known = new Map<string, Collation>();

export function collationOf(name: string): Collation {
  let collation = known.get(name);
  if (collation === undefined) {
    const parts = name.toUpperCase().split("_");
    const binary = parts.includes("BIN") || parts.includes("BIN2");
    const utf8 = parts.includes("UTF8");
    collation = {
      name,
      binary,
      utf8,
      ignoresCase: !binary && parts.includes("CI"),
      ignoresAccents: !binary && parts.includes("AI"),
    };
    known.set(name, collation);
  }
  return collation;
}

/** Equal for two texts that the collation takes as equal: blanks at the end never count. */
export function fold(text: string, collation: Collation): string {
  let folded = text.replace(/ +$/u, "");
  if (collation.ignoresAccents) folded = folded.normalize("NFD").replaceAll(/\p{Mn}/gu, "");
  // Upper case first: it takes ß and SS together, as the collations do.
  return collation.ignoresCase ? folded.toUpperCase().toLowerCase() : folded;
}

const linguistic = new Intl.Collator("en");

export function compareText(left: string, right: string, collation: Collation): number {
  const [a, b] = [fold(left, collation), fold(right, collation)];
  if (a === b) return 0;
  const order = collation.binary ? 0 : linguistic.compare(a, b);
  return order === 0 ? (a < b ? -1 : 1) : order;
}

/** The five bytes of TYPE_INFO (MS-TDS 2.2.5.1.2): Latin1_General, code page 1252 or UTF-8. */
export function collationBytes(collation: Collation): Buffer {
  const flags =
    (collation.ignoresCase ? 1 : 0) |
    (collation.ignoresAccents ? 2 : 0) |
    (collation.binary ? 0x20 : 0x0c) |
    (collation.utf8 ? 0x40 : 0);
  const sortId = collation.name.toUpperCase() === "SQL_LATIN1_GENERAL_CP1_CI_AS" ? 52 : 0;
  return Buffer.from([0x09, 0x04, (flags & 0x0f) << 4, flags >> 4, sortId]);
}

/** Reads UTF-8 where the five bytes say so, code page 1252 else. */
export function decodeCodePage(bytes: Buffer, collation: Buffer | undefined): string {
  return ((collation?.[3] ?? 0) & 0x04) !== 0 ? bytes.toString("utf8") : windows1252.decode(bytes);
}

const windows1252 = new TextDecoder("windows-1252");
const codeOf = new Map(
  Array.from({ length: 256 }, (_, code) => [windows1252.decode(Uint8Array.of(code)), code] as const),
);

/** What the code page cannot hold becomes a question mark, silently: as on the real server. */
export function encodeCodePage(text: string, collation: Collation): Buffer {
  if (collation.utf8) return Buffer.from(text, "utf8");
  if (isPlain(text)) return Buffer.from(text, "latin1");
  return Buffer.from(Array.from(text.split(""), (character) => codeOf.get(character) ?? 0x3f));
}

export function throughCodePage(text: string, collation: Collation): string {
  if (collation.utf8) return text.toWellFormed();
  if (isPlain(text)) return text;
  // Control characters 0x81, 0x8d … map to themselves both ways.
  return windows1252.decode(encodeCodePage(text, collation));
}

/** Most text is: not worth the way through the table. */
function isPlain(text: string): boolean {
  return !/[^\0-~]/u.test(text);
}
