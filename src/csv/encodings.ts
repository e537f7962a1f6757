import { createRequire } from "node:module";
import { closest } from "../errors/closest.ts";
import { OptionError } from "../errors/option.ts";

/**
 * An encoding of text. Those that are spelled out are the usual ones; any other name that iconv-lite knows is taken, too
 * (`"iso-8859-2"`, `"koi8-r"`, `"cp850"`, `"maccenteuro"`).
 */
export type CSVEncoding = (typeof usualEncodings)[number] | (string & {});

const usualEncodings = [
  "utf-8",
  "utf-16le",
  "utf-16be",
  "windows-1250",
  "windows-1251",
  "windows-1252",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-1257",
  "windows-1258",
  "iso-8859-1",
  "iso-8859-15",
  "macintosh",
  "big5",
  "gbk",
  "gb18030",
  "shift_jis",
  "euc-jp",
  "euc-kr",
] as const;

const ownEncodings = new Set(["utf-8", "utf-16le", "utf-16be", "windows-1252"]);

/** Names that iconv-lite knows and that are another spelling of an encoding of our own, or no encoding of a file. */
const otherNames: Readonly<Record<string, string>> = {
  utf8: "utf-8",
  unicode11utf8: "utf-8",
  utf16: "utf-16le",
  ucs2: "utf-16le",
  utf16le: "utf-16le",
  utf16be: "utf-16be",
  cp1252: "windows-1252",
  win1252: "windows-1252",
  windows1252: "windows-1252",
};
const noEncodings = new Set([
  "cesu8",
  "utf7",
  "utf7imap",
  "binary",
  "base64",
  "hex",
  "utf32",
  "utf32le",
  "utf32be",
  "ucs4",
]);

/** The part of iconv-lite that is used. */
interface Iconv {
  readonly encodingExists: (encoding: string) => boolean;
  readonly getDecoder: (encoding: string, options: { readonly stripBOM: boolean }) => IconvDecoder;
}

interface IconvDecoder {
  readonly write: (bytes: Buffer) => string;
  readonly end: () => string | undefined;
}

let loaded: Iconv | undefined;

/** Loads iconv-lite, once an encoding is asked for that needs it. */
export function iconv(): Iconv {
  loaded ??= createRequire(import.meta.url)("iconv-lite") as Iconv; // a module of CommonJS, loaded late
  return loaded;
}

/**
 * The encoding by the name under which it is decoded.
 *
 * @throws {OptionError} for a name that is none
 */
export function requireEncoding(owner: string, encoding: string): string {
  if (ownEncodings.has(encoding)) return encoding;
  const plain = encoding.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  const own = otherNames[plain];
  if (own === "windows-1252" || own === "utf-16be") return own;
  if (own === undefined && plain !== "" && !noEncodings.has(plain) && iconv().encodingExists(encoding)) return encoding;
  const nearest = own ?? closest(encoding, usualEncodings, 1)[0];
  throw new OptionError(owner, "encoding", "", {
    expected: 'the name of an encoding, as "utf-8", "utf-16le", "windows-1252" or "gbk"',
    got: encoding.length > 40 ? `a text of ${encoding.length} characters` : JSON.stringify(encoding),
    ...(nearest !== undefined && { nearest, hint: `did you mean "${nearest}"?` }),
  });
}
