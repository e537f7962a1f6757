import type { LLMRequest, TokenUsage } from "../contracts/provider.ts";

/** The tokens of a call as a service counted them: anything may stand there, and nothing. */
export interface CountedTokens {
  readonly input?: unknown;
  readonly cached?: unknown;
  readonly output?: unknown;
  readonly reasoning?: unknown;
  readonly cacheWrite?: unknown;
  /** The service tier, in the service's word. */
  readonly tier?: unknown;
}

/** The characters of a call, from which its tokens are estimated. */
export interface CallCharacters {
  readonly input: number;
  readonly output: number;
}

/** More tokens than any model takes or gives: a count beyond is a fault of the service. */
const mostTokens = 10_000_000;

/**
 * Reads the tokens of a call. A count that is missing or absurd costs no answer: the tokens of prompt or answer are then
 * estimated from its characters, and marked so. The result has no negative part, and no part is more than its whole.
 */
export function readUsage(counted: CountedTokens, characters: CallCharacters): TokenUsage {
  const input = countOf(counted.input);
  const output = countOf(counted.output);
  const inputTokens = input ?? estimatedTokens(characters.input);
  const outputTokens = output ?? estimatedTokens(characters.output);
  const cachedTokens = Math.min(countOf(counted.cached) ?? 0, inputTokens);
  const cacheWriteTokens = Math.min(countOf(counted.cacheWrite) ?? 0, inputTokens - cachedTokens);
  const tier = tierOf(counted.tier);
  return {
    inputTokens,
    cachedTokens,
    ...(cacheWriteTokens > 0 && { cacheWriteTokens }),
    ...(tier !== undefined && { tier }),
    outputTokens,
    reasoningTokens: Math.min(countOf(counted.reasoning) ?? 0, outputTokens),
    ...(input === undefined || output === undefined ? { isEstimated: true } : {}),
  };
}

/** Undefined for anything but a whole number of tokens, as a number or a text, that a call may have. */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === "string" && /^\d{1,9}$/.test(value.trim()) ? Number(value) : value;
  if (typeof count !== "number" || !Number.isSafeInteger(count)) return undefined;
  return count >= 0 && count <= mostTokens ? count : undefined;
}

/** The words of services for the standard tier, or for that which the request asked for. */
const standardTiers: ReadonlySet<string> = new Set(["auto", "default", "standard", "standard_only", "on_demand"]);

/** Undefined for the standard tier, and for what is no word. */
function tierOf(value: unknown): string | undefined {
  const tier = typeof value === "string" && /^[a-z][\w-]{0,30}$/i.test(value) ? value.toLowerCase() : undefined;
  return tier === undefined || standardTiers.has(tier) ? undefined : tier;
}

/** About four characters a token. */
export function estimatedTokens(characters: number): number {
  return Math.ceil(characters / 4);
}

/** The characters of all messages; the schema is not counted. */
export function charactersOf(messages: LLMRequest["messages"]): number {
  return messages.reduce((sum, { content }) => sum + content.length, 0);
}

/** The tokens of a prompt, estimated. */
export function estimatedInputTokens(messages: LLMRequest["messages"]): number {
  return estimatedTokens(charactersOf(messages));
}
