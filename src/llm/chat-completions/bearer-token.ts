import type { Requirements } from "../../contracts/requirements.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { messageOf, nameOf } from "../../errors/thrown.ts";
import { ProviderError } from "../provider-error.ts";

/**
 * Gives a bearer token, for example of Entra ID: `getBearerTokenProvider(…)` of `@azure/identity` is one, and
 * `entraTokenProvider()`. Asked at most once a minute, and once more, with `forceRefresh`, after a 401.
 */
export interface TokenProvider {
  (options: { readonly forceRefresh: boolean }): Promise<string>;
  /** What `check` is to look for. */
  readonly requirements?: Requirements | undefined;
}

/** How long a token is used before the provider, which knows when it expires, is asked again. In milliseconds. */
const tokenAgeMs = 60_000;

/** The token in force. However many calls need one, there is one question under way. */
export class BearerToken {
  readonly #provider: TokenProvider;
  readonly #now: () => number;
  #token: { readonly text: string; readonly askedAt: number } | undefined;
  #asking: Promise<string> | undefined;

  constructor(provider: TokenProvider, now: () => number = Date.now) {
    this.#provider = provider;
    this.#now = now;
  }

  /** The token to send, or a promise of one. @throws {ProviderError} if there is none */
  get(): string | Promise<string> {
    if (this.#token !== undefined && this.#now() - this.#token.askedAt < tokenAgeMs) return this.#token.text;
    return this.#ask(false);
  }

  /** A token newer than one that the service refused. @throws {ProviderError} if there is none */
  async renew(refused: string): Promise<string> {
    if (this.#token !== undefined && this.#token.text !== refused) return this.#token.text;
    return await this.#ask(true);
  }

  async #ask(forceRefresh: boolean): Promise<string> {
    this.#asking ??= this.#askAnew(forceRefresh).finally(() => {
      this.#asking = undefined;
    });
    return await this.#asking;
  }

  async #askAnew(forceRefresh: boolean): Promise<string> {
    const askedAt = this.#now();
    const text = await this.#answer(forceRefresh);
    this.#token = { text, askedAt };
    return text;
  }

  async #answer(forceRefresh: boolean): Promise<string> {
    let text: unknown;
    try {
      text = await this.#provider({ forceRefresh });
    } catch (error) {
      if (error instanceof LLMEtlError) throw error;
      throw this.#failure(forceRefresh, `threw ${nameOf(error)}: ${withoutSecrets(messageOf(error))}`);
    }
    if (typeof text === "string" && /^[\x21-\x7E]+$/.test(text)) return text;
    throw this.#failure(forceRefresh, `gave no token (${typeof text === "string" ? "a text" : `a ${typeof text}`})`);
  }

  /** The first token fails for a setting; once there was one, a failure to fetch the next may be a mood. */
  #failure(forceRefresh: boolean, problem: string): ProviderError {
    const errorClass = this.#token === undefined || forceRefresh ? "run" : "transient";
    return new ProviderError(errorClass, "AUTHENTICATION_FAILED", `tokenProvider ${problem}`);
  }
}

/** A message of someone else's code, cut, without what looks like a token or a key. */
function withoutSecrets(text: string): string {
  return text.replaceAll(/[\w+/=.~-]{32,}/g, "…").slice(0, 500);
}
