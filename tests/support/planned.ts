import { rmSync } from "node:fs";
import type { LLMProvider, LLMRequest } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { randomFrom } from "../../src/plan/random.ts";
import { temporaryFolder } from "./temporary-folder.ts";

export interface Note {
  readonly id: string;
  readonly note: string;
}

export const prices = {
  inputPerMillion: 0.4,
  cachedInputPerMillion: 0.1,
  outputPerMillion: 1.6,
  currency: "USD",
} as const;

/** Notes of lengths from a few words to some hundred; of each hundred rows `duplicates` have a text that others have, too. */
export function notes(count: number, { seed = 1, duplicates = 0 } = {}): readonly Note[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, index) => {
    const isDuplicate = 100 * random() < duplicates;
    const words = Math.ceil(4 * Math.exp(4 * random()));
    return {
      id: `${index}`,
      note: isDuplicate ? `Seen ${index % 20}.` : `Note ${index}: ${"fever and cough ".repeat(words)}`,
    };
  });
}

/** A service with a bill of its own, over the mock's answers. */
export class BilledService {
  calls = 0;
  inputTokens = 0;
  outputTokens = 0;
  /** In the currency of the prices. */
  bill = 0;
  /** The last messages of the requests. */
  readonly asked: string[] = [];
  readonly #random: () => number;
  readonly #mock = new MockProvider();
  readonly #before: (request: LLMRequest, call: number) => void;

  /** @param before is called before a request is answered: it may throw. */
  constructor(seed = 1, before: (request: LLMRequest, call: number) => void = () => {}) {
    this.#random = randomFrom(seed);
    this.#before = before;
  }

  provider(changes: Partial<LLMProvider> = {}): LLMProvider {
    const { name, fingerprint } = this.#mock;
    return {
      name,
      fingerprint,
      prices,
      requestBytes: (request) => Buffer.byteLength(JSON.stringify(request)),
      complete: async (request, signal) => await this.#complete(request, signal),
      ...changes,
    };
  }

  async #complete(request: LLMRequest, signal: AbortSignal): ReturnType<LLMProvider["complete"]> {
    this.calls += 1;
    this.asked.push(request.messages.at(-1)?.content ?? "");
    this.#before(request, this.calls);
    const answer = await this.#mock.complete(request, signal);
    const characters = request.messages.reduce((sum, { content }) => sum + content.length, 400);
    const inputTokens = Math.ceil(characters / (4 + 0.4 * this.#random()));
    const outputTokens = Math.ceil(answer.text.length / (4 + this.#random()));
    this.inputTokens += inputTokens;
    this.outputTokens += outputTokens;
    this.bill += (inputTokens * prices.inputPerMillion + outputTokens * prices.outputPerMillion) / 1_000_000;
    return { ...answer, usage: { inputTokens, cachedTokens: 0, outputTokens, reasoningTokens: 0 } };
  }
}

/** A journal in a folder of the test's own. */
export function journalOf(t: { readonly after: (clean: () => void) => void }): SQLiteJournal {
  const folder = temporaryFolder();
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return new SQLiteJournal({ path: `${folder}/journal.db` });
}
