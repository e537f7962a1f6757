import { combined } from "./request-hash.ts";
import { Tally } from "./tally.ts";

export interface PromptPrefix {
  /** Of every beginning of the conversation, see `keysOfBeginnings`. */
  readonly keys: readonly number[];
  readonly schemaKey: number;
  /** Characters of the prompt up to and with each message, those of the schema before them included. */
  readonly characters: readonly number[];
}

const shortestCached = 1024;
const step = 128;

/** Which beginnings of prompts a service has seen: it bills those tokens for less, from 1,024 on, in steps of 128. */
export class PrefixCache {
  readonly #seen = new Tally(200_000);

  /** How many tokens at the beginning of this prompt were seen before. Remembers the prompt. */
  cachedTokens({ keys, schemaKey, characters }: PromptPrefix): number {
    let cached = 0;
    for (const [index, key] of keys.entries()) {
      const tokens = Math.floor((characters[index] ?? 0) / 4);
      if (tokens < shortestCached) continue; // too short to be kept by a service
      if (this.#seen.meet(combined(key, schemaKey)) > 0) cached = Math.floor(tokens / step) * step;
    }
    return cached;
  }
}
