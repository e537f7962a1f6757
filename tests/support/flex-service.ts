import type { RunEvent } from "../../src/contracts/events.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../../src/contracts/provider.ts";
import { resolveAdmission } from "../../src/llm/limits/options.ts";
import { ProviderError } from "../../src/llm/provider-error.ts";
import { clientWith } from "./llm-client.ts";
import { seededRandom } from "./limited-service.ts";
import { answer } from "./row-call.ts";
import { VirtualTime } from "./virtual-time.ts";

export const secondMs = 1000;
export const minuteMs = 60 * secondMs;

const noRoom = (retryAfterMs?: number): ProviderError =>
  new ProviderError("transient", "NO_CAPACITY", "no room", { status: 429, tier: "flex", retryAfterMs });
const quotaUsedUp = (retryAfterMs?: number): ProviderError =>
  new ProviderError("transient", "RATE_LIMITED", "429", { status: 429, retryAfterMs });

export interface Attempt {
  readonly row: string;
  readonly atMs: number;
  readonly tier: LLMRequest["tier"];
  readonly outcome: "answer" | "NO_CAPACITY" | "RATE_LIMITED";
}

export interface FlexServiceOptions {
  /** True while the tier flex has room; the standard one always has. */
  readonly hasRoom: (nowMs: number, inFlight: number) => boolean;
  readonly tierFallbackMs?: number;
  /** Requests a second, in a bucket of one second. @default no quota */
  readonly perSecond?: number;
  readonly concurrency?: number;
  readonly capacityTimeoutMs?: number;
  readonly retryAfterMs?: number;
  readonly answerMs?: number;
  /** How long a rejection takes, in milliseconds. @default 20 */
  readonly rejectionMs?: (() => number) | undefined;
}

/** A client with the default limits, and a service in Flex, in a time of its own. */
export function flexService(options: FlexServiceOptions) {
  const { hasRoom, tierFallbackMs, perSecond = Infinity, concurrency = 256, retryAfterMs, answerMs = 2000 } = options;
  const { rejectionMs = () => 20 } = options;
  const { capacityTimeoutMs = 6 * 60 * minuteMs } = options;
  const time = new VirtualTime({ nowMs: 0, random: seededRandom(3) });
  const events: RunEvent[] = [];
  const client = clientWith({
    time,
    concurrency,
    admission: resolveAdmission({ capacityTimeoutMs }),
    emit: (event) => void events.push(event),
  });
  const attempts: Attempt[] = [];
  let level = perSecond;
  let filledAtMs = 0;
  let inFlight = 0;
  const takeQuota = (): boolean => {
    level = Math.min(perSecond, level + ((time.now() - filledAtMs) * perSecond) / 1000);
    filledAtMs = time.now();
    if (level < 1) return false;
    level -= 1;
    return true;
  };
  const outcomeFor = (tier: LLMRequest["tier"]): Attempt["outcome"] => {
    if (tier === undefined && !hasRoom(time.now(), inFlight)) return "NO_CAPACITY";
    return perSecond === Infinity || takeQuota() ? "answer" : "RATE_LIMITED";
  };
  const provider: LLMProvider = {
    name: "flex",
    tier: "flex",
    tierFallbackMs,
    timeoutMs: 15 * minuteMs,
    fingerprint: () => "flex",
    complete: async ({ messages: [first], tier }, signal) => {
      const outcome = outcomeFor(tier);
      attempts.push({ row: first?.content ?? "", atMs: time.now(), tier, outcome });
      inFlight += 1;
      await time.sleep(outcome === "answer" ? answerMs : rejectionMs(), signal).finally(() => (inFlight -= 1));
      if (outcome === "NO_CAPACITY") throw noRoom(retryAfterMs);
      if (outcome === "RATE_LIMITED") throw quotaUsedUp();
      return { ...answer, usage: { ...answer.usage, ...(tier === undefined && { tier: "flex" }) } };
    },
  };
  const { signal } = new AbortController();
  const ask = async (row: number): Promise<LLMResponse> => {
    const messages = [{ role: "user", content: `${row}` }] as const;
    const schema = { name: "out", json: { type: "object" } } as const;
    const prompt = { messages, schema, temperature: 0, maxOutputTokens: 100, promptHash: "abc" };
    return await client.conversation({ step: "s", pk: `${row}`, provider, signal }).ask(prompt, 0);
  };
  /** So many rows, `concurrency` at a time. */
  const run = (rows: number) => {
    const state = { answered: 0, failed: new Array<unknown>(), doneAtMs: Infinity };
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let row = next++; row < rows; row = next++) {
        await ask(row).then(
          () => (state.answered += 1),
          (error: unknown) => state.failed.push(error),
        );
      }
      state.doneAtMs = time.now();
    };
    for (let count = 0; count < concurrency; count += 1) void worker();
    return state;
  };
  const between = (fromMs: number, toMs: number, outcome?: Attempt["outcome"]): readonly Attempt[] =>
    attempts.filter((one) => one.atMs >= fromMs && one.atMs < toMs && (outcome ?? one.outcome) === one.outcome);
  return { time, attempts, events, run, between };
}

/** Room but for these minutes. */
export const except =
  (fromMinute: number, toMinute: number) =>
  (nowMs: number): boolean =>
    nowMs < fromMinute * minuteMs || nowMs >= toMinute * minuteMs;
