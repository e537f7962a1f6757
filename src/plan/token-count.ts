import type { ChatMessage } from "../contracts/provider.ts";

/** Counts the tokens of a text. */
export type CountTokens = (text: string) => number;

/** The way in which tokens are counted before a service has counted any. */
export interface TokenCounter {
  /** `tokenizer`: the encoding o200k_base, of GPT-4o and later models. `characters`: by script, see {@link tokensByScript}. */
  readonly method: "tokenizer" | "characters";
  readonly count: CountTokens;
}

/** The part of `gpt-tokenizer` that is used. */
interface Tokenizer {
  readonly countTokens: (text: string, options: { readonly disallowedSpecial: Set<string> }) => number;
}

/** The tokenizer takes time by the square of a word's length, and a word without a blank may be the whole of a text: so many characters at a time. */
const countedAtOnce = 2000;

/** The tokenizer, where the package `gpt-tokenizer` is installed; else characters a token. */
export async function tokenCounter(
  load: () => Promise<Tokenizer> = () => import("gpt-tokenizer/encoding/o200k_base"),
): Promise<TokenCounter> {
  try {
    const { countTokens } = await load();
    const disallowedSpecial = new Set<string>(); // a row may have the text of a special token in it
    const count: CountTokens = (text) => {
      let tokens = 0;
      for (let from = 0; from < text.length; from += countedAtOnce) {
        tokens += countTokens(text.slice(from, from + countedAtOnce), { disallowedSpecial });
      }
      return tokens;
    };
    return { method: "tokenizer", count };
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    return { method: "characters", count: tokensByScript };
  }
}

/** The tokens that a chat completion has for each message, beside its text: its role and the marks around it (OpenAI's cookbook, "How to count tokens"). */
const tokensAround = 4;

/** Counts requests. Of messages that come again and again, as a step's instructions do, the count is kept. */
export class RequestSize {
  readonly #count: CountTokens;
  readonly #known = new Map<string, number>();

  constructor(count: CountTokens) {
    this.#count = count;
  }

  of(messages: readonly ChatMessage[]): number {
    return messages.reduce((sum, { role, content }) => {
      return sum + tokensAround + (role === "system" ? this.#ofInstructions(content) : this.#count(content));
    }, 0);
  }

  #ofInstructions(content: string): number {
    const known = this.#known.get(content);
    if (known !== undefined) return known;
    const count = this.#count(content);
    if (this.#known.size < 1000) this.#known.set(content, count);
    return count;
  }
}

/** Characters a token of the encoding o200k_base, by kind of character: measured over prose, notes, numbers and JSON. */
const charactersByKind: readonly (readonly [RegExp, number])[] = [
  [/[a-z\s]/, 5.2],
  [/[A-Z]/, 2.4],
  [/[\d]/, 2],
  [/\p{Script=Latin}/u, 1.4],
  [/\p{Script=Cyrillic}/u, 3.5],
  [/\p{Script=Arabic}|\p{Script=Devanagari}|\p{Script=Bengali}|\p{Script=Tamil}/u, 3],
  [/\p{Script=Greek}|\p{Script=Hebrew}|\p{Script=Thai}/u, 2.2],
  [/\p{Script=Hangul}/u, 1.5],
  [/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}/u, 1.1],
];
const charactersOfOthers = 1.9;

/**
 * The tokens of a text, estimated from its characters by their scripts: within some 15 % of the encoding o200k_base for prose
 * (`tests/plan/token-count.test.ts` compares them).
 */
export function tokensByScript(text: string): number {
  let tokens = 0;
  for (const character of text) tokens += tokensOf(character.codePointAt(0) ?? 0);
  return Math.ceil(tokens);
}

const known = new Map<number, number>();

/** The part of a token that a character is. */
function tokensOf(codePoint: number): number {
  const before = known.get(codePoint);
  if (before !== undefined) return before;
  const character = String.fromCodePoint(codePoint);
  const characters = charactersByKind.find(([kind]) => kind.test(character))?.[1] ?? charactersOfOthers;
  if (known.size < 100_000) known.set(codePoint, 1 / characters);
  return 1 / characters;
}
