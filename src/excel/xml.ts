import { TextDecoder } from "node:util";
import { damaged } from "./faults.ts";
import type { Sax } from "./packages.ts";

/** An element as it begins, by its name without a prefix. */
export interface XMLElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface XMLHandlers {
  readonly open?: (element: XMLElement) => void;
  /** A text may come in several pieces. */
  readonly text?: (text: string) => void;
  readonly close?: (name: string) => void;
}

/** Takes a part of a workbook piece by piece, and calls the handlers as it reads. */
export interface XMLReader {
  readonly write: (bytes: Uint8Array) => void;
  /** @throws {SourceError} if the part has not ended as it should */
  readonly end: () => void;
}

const maxDepth = 200;
/** The most bytes of one tag: it is held in memory. */
const maxTagBytes = 1024 * 1024;

/** Its attributes are texts, for the option `xmlns` is not set. */
interface SaxTag {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** @throws {SourceError}, from `write` and `end`, for what is no well-formed XML in UTF-8 */
export function readXML(owner: string, sax: Sax, handlers: XMLHandlers): XMLReader {
  const parser = sax.parser(true, { trim: false, normalize: false, position: false });
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let depth = 0;
  let quietBytes = 0;
  const fail = (cause?: unknown): never => {
    throw damaged(owner, "a part of it is no well-formed XML", cause);
  };
  const onText = (text: string): void => {
    quietBytes = 0;
    handlers.text?.(text);
  };
  Object.assign(parser, {
    onerror: fail,
    ondoctype: () => fail(), // no workbook has one, and it could define texts that grow without end
    onopentag: ({ name, attributes }: SaxTag) => {
      depth += 1;
      quietBytes = 0;
      if (depth > maxDepth) fail();
      handlers.open?.({ name: localName(name), attributes });
    },
    onclosetag: (name: string) => {
      depth -= 1;
      handlers.close?.(localName(name));
    },
    ontext: onText,
    oncdata: onText,
  });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch (cause) {
      return fail(cause);
    }
  };
  return {
    write: (bytes) => {
      quietBytes += bytes.length;
      parser.write(decode(bytes));
      if (quietBytes > maxTagBytes) fail();
    },
    end: () => void parser.write(decode()).close(),
  };
}

function localName(name: string): string {
  const colon = name.indexOf(":");
  return colon === -1 ? name : name.slice(colon + 1);
}

/** The attribute with this name, whatever its prefix; one without a prefix where the prefix is not asked for. */
export function attributeOf({ attributes }: XMLElement, name: string, isPrefixed = false): string | undefined {
  if (!isPrefixed) return attributes[name];
  const found = Object.keys(attributes).find((key) => key.endsWith(`:${name}`));
  return found === undefined ? undefined : attributes[found];
}
