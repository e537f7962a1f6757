import { combined } from "./request-hash.ts";
import { Tally } from "./tally.ts";

export interface PromptPrefix {
  /** The keys of the conversation's beginnings, see `keysOfBeginnings`. */
  readonly keys: readonly number[];
  readonly schemaKey: number;
  /** Characters of the prompt up to and with each message; the schema, which comes first, is included. */
  readonly characters: readonly number[];
}

/** The tokens of a prompt's beginning that the cache had, and those behind them that it has now. */
export interface CacheUse {
  readonly cachedTokens: number;
  readonly cacheWriteTokens: number;
}

const shortestCached = 1024;
const step = 128;

/** Remembers the beginnings of prompts. A service bills tokens that it has seen for less, from 1,024 on, in steps of 128. */
export class PrefixCache {
  readonly #seen = new Tally(200_000);

  /** Tells what the cache had of this prompt, and remembers the prompt. */
  use({ keys, schemaKey, characters }: PromptPrefix): CacheUse {
    let cachedTokens = 0;
    let keptTokens = 0;
    for (const [index, key] of keys.entries()) {
      const tokens = Math.floor((characters[index] ?? 0) / 4);
      if (tokens < shortestCached) continue; // too short for a service's cache
      keptTokens = Math.floor(tokens / step) * step;
      if (this.#seen.meet(combined(key, schemaKey)) > 0) cachedTokens = keptTokens;
    }
    return { cachedTokens, cacheWriteTokens: keptTokens - cachedTokens };
  }
}
