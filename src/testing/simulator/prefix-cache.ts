import { combined } from "./request-hash.ts";
import { Tally } from "./tally.ts";

export interface PromptPrefix {
  /** The keys of the conversation's beginnings, see `keysOfBeginnings`. */
  readonly keys: readonly number[];
  readonly schemaKey: number;
  /** Characters of the prompt up to and with each message; the schema, which comes first, is included. */
  readonly characters: readonly number[];
}

const shortestCached = 1024;
const step = 128;

/** Remembers the beginnings of prompts. A service bills tokens that it has seen for less, from 1,024 on, in steps of 128. */
export class PrefixCache {
  readonly #seen = new Tally(200_000);

  /** The number of tokens at the beginning of this prompt that were seen before. Remembers the prompt. */
  cachedTokens({ keys, schemaKey, characters }: PromptPrefix): number {
    let cached = 0;
    for (const [index, key] of keys.entries()) {
      const tokens = Math.floor((characters[index] ?? 0) / 4);
      if (tokens < shortestCached) continue; // too short for a service's cache
      if (this.#seen.meet(combined(key, schemaKey)) > 0) cached = Math.floor(tokens / step) * step;
    }
    return cached;
  }
}
