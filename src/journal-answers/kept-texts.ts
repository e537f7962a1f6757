import type { KeyObject } from "node:crypto";
import { JournalError } from "../errors/journal.ts";
import { seal, unseal } from "./sealed-text.ts";

/** At both ends of a text that is not kept as it is, so that one that was cut is noticed (DLE, "data link escape"). */
const mark = "\u0010";
/** After the first mark: of an encrypted text, and of a plain one that has a mark by itself. */
const [encrypted, escaped] = ["a1:", "p:"];

/** Names a text: its kind in words, then its key. No other text can take its place. */
export type Place = readonly [kind: string, ...key: string[]];

/** A text, and a value beside it in its line: both have the mark, or none has, so that a text that is gone is noticed, too. */
export interface TextBeside {
  readonly text: string;
  readonly beside: string;
}

/** Texts as a journal keeps them: encrypted where there is a key. */
export class KeptTexts {
  readonly #identity: string;
  readonly #key: KeyObject | undefined;

  constructor(identity: string, key: KeyObject | undefined) {
    this.#identity = identity;
    this.#key = key;
  }

  toKept(text: string, place: Place): string {
    return this.#key === undefined && !isMarked(text) ? text : this.#marked(text, place);
  }

  /** @throws {JournalError} if the text is damaged or of another place, or is encrypted and there is no key for it */
  fromKept(kept: string, place: Place): string {
    return isMarked(kept) ? this.#plain(kept, place, place) : kept;
  }

  toKeptPair({ text, beside }: TextBeside, place: Place): TextBeside {
    if (this.#key === undefined && !isMarked(text) && !isMarked(beside)) return { text, beside };
    return { text: this.#marked(text, [...place, beside]), beside: `${mark}${beside}` };
  }

  /** @throws {JournalError} as `fromKept` */
  fromKeptPair({ text, beside }: TextBeside, place: Place): TextBeside {
    const hasMark = beside.startsWith(mark);
    if (hasMark !== isMarked(text)) throw this.#damaged(place);
    if (!hasMark) return { text, beside };
    const plain = beside.slice(mark.length);
    return { text: this.#plain(text, [...place, plain], place), beside: plain };
  }

  #marked(text: string, context: readonly string[]): string {
    const content =
      this.#key === undefined ? `${escaped}${text}` : `${encrypted}${seal(this.#key, text, JSON.stringify(context))}`;
    return `${mark}${content}${mark}`;
  }

  #plain(kept: string, context: readonly string[], place: Place): string {
    const isWhole = kept.length > 1 && kept.startsWith(mark) && kept.endsWith(mark);
    const content = isWhole ? kept.slice(1, -1) : "";
    if (content.startsWith(escaped)) return content.slice(escaped.length);
    if (!content.startsWith(encrypted)) throw this.#damaged(place);
    if (this.#key === undefined) throw encryptedError(this.#identity);
    const text = unseal(this.#key, content.slice(encrypted.length), JSON.stringify(context));
    if (text === undefined) throw this.#damaged(place);
    return text;
  }

  #damaged([what, ...key]: Place): JournalError {
    const hint = "restore a copy, or delete that line: an answer is then asked for and paid for again";
    const facts = { problem: "damaged", what, key, hint };
    return new JournalError(this.#identity, `has a damaged ${what}: it was changed, or encrypted with another key`, {
      facts,
    });
  }
}

/** The error of a journal that is opened plain, but was made encrypted. */
export function encryptedError(identity: string): JournalError {
  const hint = 'set the journal\'s option answers: "encrypted", and give its key';
  return new JournalError(identity, "keeps its answers encrypted, and can't be used without its key", {
    facts: { problem: "encrypted", hint },
  });
}

/** True for a text that is not kept as it is. */
export function isMarked(text: string): boolean {
  return text.startsWith(mark) || text.endsWith(mark);
}

/** A value beside a text, without the mark that it has where the text is not kept as it is. */
export function withoutMark(beside: string): string {
  return beside.startsWith(mark) ? beside.slice(mark.length) : beside;
}
