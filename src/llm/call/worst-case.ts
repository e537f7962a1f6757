import type { LLMProvider, LLMRequest, TokenUsage } from "../../contracts/provider.ts";
import { NotSentError } from "../not-sent.ts";
import type { Prices } from "../../contracts/prices.ts";
import { ownPrices } from "../price-book.ts";
import { costOf, reachedPrices, tierFactor } from "../pricing.ts";
import { ProviderError } from "../provider-error.ts";

/** The bytes around what a request says, where the provider does not tell how many they are. */
const bytesAround = 1000;

/**
 * The most that an attempt can cost by any of the prices, in their currency; 0 without prices. No token is shorter than a byte, so that the bytes of the
 * request are the most tokens that it can have, each at the dearest price of input; the answer is as long as it may be.
 */
export function worstCaseOf(
  provider: LLMProvider,
  request: LLMRequest,
  possible: readonly Prices[] = ownPrices.possible(provider),
): number {
  const { maxReasoningTokens = 0, maxAnswerTokens } = provider;
  const inputTokens = provider.requestBytes?.(request) ?? bytesOf(request);
  const ownTokens = request.maxOutputTokens + maxReasoningTokens * (request.lengthFactor ?? 1);
  const outputTokens = maxAnswerTokens ?? ownTokens;
  const costs = possible.flatMap((prices) => {
    const factor = dearestTierFactor(provider, prices);
    return reachedPrices(prices, inputTokens).map((reached) => {
      const { inputPerMillion, cachedInputPerMillion, cacheWritePerMillion = 0, outputPerMillion } = reached;
      const dearest = Math.max(inputPerMillion, cachedInputPerMillion, cacheWritePerMillion);
      return ((inputTokens * dearest + outputTokens * outputPerMillion) / 1_000_000) * factor;
    });
  });
  return Math.max(0, ...costs);
}

/** How many times as dear the tier that answered is as the worst case counts with: more than 1 where a service answers in a dearer tier than it was asked for. */
export function tierRise(provider: LLMProvider, { tier }: TokenUsage, prices: Prices | undefined): number {
  return prices === undefined ? 1 : tierFactor(prices, tier) / dearestTierFactor(provider, prices);
}

/** A call may end in the standard tier, whichever it asked for. */
function dearestTierFactor({ tier }: LLMProvider, prices: Prices): number {
  return Math.max(1, tierFactor(prices, tier));
}

function bytesOf({ messages, schema }: LLMRequest): number {
  const texts = [...messages.map(({ content }) => content), JSON.stringify(schema.json)];
  return texts.reduce((sum, text) => sum + 2 * Buffer.byteLength(text), bytesAround);
}

/**
 * The cost of an attempt that brought no answer. Where it is not known if the service charges for it, it counts as the worst case: Azure OpenAI charges for
 * what it has processed, also where the status is 400 or 408, and not for 401 and 429 (Microsoft Learn, "Plan to manage costs for Azure OpenAI").
 */
export function costOfFailure(error: unknown, prices: Prices | undefined, worstCase: number): number {
  if (error instanceof NotSentError) return 0;
  const usage = error instanceof ProviderError ? error.usage : undefined;
  if (usage !== undefined && usage.isEstimated !== true) return costOf(usage, prices) ?? worstCase;
  return mayBeCharged(error) ? worstCase : 0;
}

const unchargedKinds: ReadonlySet<string> = new Set([
  "rate-limit",
  "overload",
  "capacity",
  "access",
  "quota",
  "setting",
  "request",
]);

function mayBeCharged(error: unknown): boolean {
  if (!(error instanceof ProviderError)) return true;
  const { kind, status, unreachable } = error;
  const isNeverSent = unreachable === "host" || unreachable === "port"; // what speaks another protocol may have passed the request on
  return !isNeverSent && status !== 500 && !unchargedKinds.has(kind);
}
