import { ProviderError } from "../provider-error.ts";
import { loadPackage } from "../../errors/load-package.ts";
import { checkOptions, hasFunctions, isName, optional } from "../../errors/options.ts";
import type { TokenProvider } from "./bearer-token.ts";

/** The part of a credential of `@azure/identity` that is used. */
export interface EntraCredential {
  readonly getToken: (scope: string) => Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

export interface EntraTokenProviderOptions {
  /** The scope of the tokens. Older resources need `https://cognitiveservices.azure.com/.default`. @default "https://ai.azure.com/.default" */
  readonly scope?: string | undefined;
  /** Any credential of `@azure/identity`. @default its `DefaultAzureCredential` */
  readonly credential?: EntraCredential | undefined;
}

/** A token is renewed this long before it expires, in milliseconds. */
const renewBeforeMs = 300_000;

/**
 * Makes a provider of Microsoft Entra ID tokens. Each token is used until five minutes before it expires.
 * `@azure/identity` is loaded when the first token is needed: if it is not installed, the token provider rejects with a
 * `RunError`, SETTING_MISSING.
 *
 * @example new AzureOpenAIProvider({ tokenProvider: entraTokenProvider() })
 * @throws {OptionError} for an option that is unknown or has a wrong value
 */
export function entraTokenProvider(options: EntraTokenProviderOptions = {}): TokenProvider {
  checkOptions("entraTokenProvider", options, {
    scope: optional(isName),
    credential: optional(hasFunctions("a credential of @azure/identity", "getToken")),
  });
  const { scope = "https://ai.azure.com/.default" } = options;
  let { credential } = options;
  const requirements = credential === undefined ? { packages: ["@azure/identity"] } : {};
  let current: { readonly token: string; readonly expiresOnTimestamp: number } | null = null;
  const tokenOf: TokenProvider = async ({ forceRefresh }) => {
    if (current === null || forceRefresh || Date.now() > current.expiresOnTimestamp - renewBeforeMs) {
      credential ??= await defaultCredential();
      current = await credential.getToken(scope);
    }
    if (current === null) {
      const problem = `entraTokenProvider: the credential has no token for ${scope}`;
      throw new ProviderError("run", "AUTHENTICATION_FAILED", problem, { where: "credential" });
    }
    return current.token;
  };
  return Object.assign(tokenOf, { requirements });
}

async function defaultCredential(): Promise<EntraCredential> {
  const hint = 'npm install @azure/identity, or give the option "credential"';
  const load = loadPackage("entraTokenProvider", "@azure/identity", hint, () => import("@azure/identity"));
  const { DefaultAzureCredential } = await load;
  return new DefaultAzureCredential();
}
