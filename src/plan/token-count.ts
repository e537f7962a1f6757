import type { ChatMessage } from "../contracts/provider.ts";

/** Counts the tokens of a text. */
export type CountTokens = (text: string) => number;

/** The way in which tokens are counted before a service has counted any. */
export interface TokenCounter {
  /** `tokenizer`: the encoding o200k_base, of GPT-4o and later models. `characters`: by script, see {@link tokensByScript}. */
  readonly method: "tokenizer" | "characters";
  readonly count: CountTokens;
}

/** The tokenizer, where the package `gpt-tokenizer` is installed; else characters a token. */
export async function tokenCounter(
  load: () => Promise<{ readonly countTokens: CountTokens }> = () => import("gpt-tokenizer/encoding/o200k_base"),
): Promise<TokenCounter> {
  try {
    const { countTokens } = await load();
    return { method: "tokenizer", count: (text) => countTokens(text) };
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

/** Characters a token by script, and for digits and for the rest: marks, symbols. */
const charactersByScript: readonly (readonly [RegExp, number])[] = [
  [/\p{Script=Latin}|\s/u, 4.6],
  [/\p{Script=Cyrillic}|\p{Script=Greek}/u, 3.4],
  [/\p{Script=Arabic}|\p{Script=Hebrew}/u, 2.9],
  [/\p{Script=Han}/u, 1.3],
  [/\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u, 1.6],
  [/\p{Script=Devanagari}|\p{Script=Bengali}|\p{Script=Tamil}|\p{Script=Thai}/u, 3],
  [/\p{N}/u, 2.4],
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
  const characters = charactersByScript.find(([script]) => script.test(character))?.[1] ?? charactersOfOthers;
  if (known.size < 100_000) known.set(codePoint, 1 / characters);
  return 1 / characters;
}
