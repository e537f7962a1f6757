import type { Layer } from "../contracts/call.ts";
import type { LLMProvider } from "../contracts/provider.ts";

export interface WrapOptions {
  /**
   * Names what the layer changes of answers, as text; no secret. It becomes part of the fingerprint, so that answers had
   * without the layer are not taken for its own. Leave it out for a layer that changes none.
   */
  readonly fingerprint?: string | undefined;
}

/** The provider with a layer around each of its attempts. What the layer throws fails the row, as what a provider throws. */
export function wrapProvider(provider: LLMProvider, layer: Layer, { fingerprint }: WrapOptions = {}): LLMProvider {
  const {
    name,
    quota,
    timeoutMs,
    prices,
    requirements,
    maxReasoningTokens,
    maxAnswerTokens,
    tier,
    tierFallbackMs,
    requestBytes,
  } = provider;
  const wrapped = (inner: string): string => (fingerprint === undefined ? inner : JSON.stringify([inner, fingerprint]));
  const ask = layer(async ({ request, signal, step, pk }) => await provider.complete(request, signal, { step, pk }));
  return {
    name,
    quota,
    prices,
    requirements,
    maxReasoningTokens,
    maxAnswerTokens,
    timeoutMs,
    tier,
    tierFallbackMs,
    requestBytes,
    get omits() {
      return provider.omits; // settings may be read at their first use
    },
    get batch() {
      return provider.batch;
    },
    get listing() {
      return provider.listing;
    },
    fingerprint: () => wrapped(provider.fingerprint()),
    former: () => {
      const former = provider.former?.();
      return former && { ...former, fingerprint: wrapped(former.fingerprint) };
    },
    complete: async (request, signal, { step, pk } = { step: "", pk: "" }) =>
      await ask({ step, pk, provider, request, signal }),
  };
}
