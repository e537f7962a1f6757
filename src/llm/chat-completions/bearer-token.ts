import type { Requirements } from "../../contracts/requirements.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { messageOf, withoutSecrets } from "../../errors/error-text.ts";
import { describeThrown, kindOf, thrownDetail } from "../../errors/thrown.ts";
import { ProviderError } from "../provider-error.ts";

/**
 * Returns a bearer token, for example of Entra ID. `entraTokenProvider()` makes such a function, and so does
 * `getBearerTokenProvider(…)` of `@azure/identity`. It is called at most once a minute, and again, with `forceRefresh`, after
 * a 401.
 */
export interface TokenProvider {
  (options: { readonly forceRefresh: boolean }): Promise<string>;
  /** The packages and environment variables that `check` looks for. */
  readonly requirements?: Requirements | undefined;
}

/** A token is used for this long (in milliseconds) before the provider, which knows when it expires, is asked again. */
const tokenAgeMs = 60_000;

/** The current token. Calls that need a new one at the same time share one request for it. */
export class BearerToken {
  readonly #provider: TokenProvider;
  readonly #now: () => number;
  #token: { readonly text: string; readonly askedAt: number } | undefined;
  #asking: Promise<string> | undefined;
  /** Tokens that the service did not accept although they were new. */
  readonly #discarded = new Set<string>();

  constructor(provider: TokenProvider, now: () => number = Date.now) {
    this.#provider = provider;
    this.#now = now;
  }

  /** The token to send, or a promise of one. @throws {ProviderError} AUTHENTICATION_FAILED if there is none */
  get(): string | Promise<string> {
    if (this.#token !== undefined && this.#now() - this.#token.askedAt < tokenAgeMs) return this.#token.text;
    return this.#ask(this.#discarded.size > 0 && this.#token === undefined);
  }

  /** A token newer than `rejected`, which the service did not accept. @throws {ProviderError} AUTHENTICATION_FAILED */
  async renew(rejected: string): Promise<string> {
    if (this.#token !== undefined && this.#token.text !== rejected) return this.#token.text;
    return await this.#ask(true);
  }

  /** A renewed token was not accepted either: it is not given again. */
  discard(token: string): void {
    this.#discarded.add(token);
    if (this.#token?.text === token) this.#token = undefined;
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
      const detail = `threw ${thrownDetail(error)}`;
      // A failed login says what to do. Other code may quote what it was given: a secret, the body of a reply.
      const words = loginErrors.has(kindOf(error)) ? `: ${withoutTokens(messageOf(error))}` : "";
      throw this.#failure(forceRefresh, `threw ${describeThrown(error)}${words}`, detail);
    }
    if (typeof text === "string" && this.#discarded.has(text)) {
      throw this.#failure(forceRefresh, "returned a token once more that the service has rejected");
    }
    if (typeof text === "string" && /^[\x21-\x7E]+$/.test(text)) return text;
    throw this.#failure(
      forceRefresh,
      `returned ${typeof text === "string" ? "text that is no token" : `a ${typeof text}`}`,
    );
  }

  /** A first token that fails points to a setting. Once a token was fetched, the next failure may pass by itself. */
  #failure(forceRefresh: boolean, problem: string, detail?: string): ProviderError {
    const errorClass = this.#token === undefined || forceRefresh ? "run" : "transient";
    return new ProviderError(errorClass, "AUTHENTICATION_FAILED", `tokenProvider ${problem}`, {
      where: "tokenProvider",
      ...(detail !== undefined && { detail: `tokenProvider ${detail}` }),
    });
  }
}

/** The errors of `@azure/identity`. */
const loginErrors: ReadonlySet<string> = new Set([
  "AggregateAuthenticationError",
  "AuthenticationError",
  "AuthenticationRequiredError",
  "CredentialUnavailableError",
]);

/** A message of other code, cut at 500 characters, without anything that looks like a token or a key. */
function withoutTokens(text: string): string {
  return withoutSecrets(text)
    .replaceAll(/[\w+/=.~-]{32,}/g, "…")
    .slice(0, 500);
}
