import { OptionError } from "../errors/option.ts";
import { hasFunctions, type OptionCheck, optional } from "../errors/options.ts";

const expected = "a credential of @azure/identity";

/** The check of an option in whose place a user may write a secret: a message about a wrong value shows it, so text goes on. */
export function textLater(check: OptionCheck): OptionCheck {
  return { ...optional(check), fits: (value) => typeof value === "string" || check.fits(value) };
}

/** Lets text pass: {@link requireCredential} rejects it. */
export const isCredential: OptionCheck = textLater(hasFunctions(expected, "getToken"));

/** @throws {OptionError} for a token in place of what gets one */
export function requireCredential(owner: string, tokenCredential: unknown, hint: string): void {
  if (typeof tokenCredential !== "string") return;
  throw new OptionError(owner, "tokenCredential", "", { expected, got: "text", hint });
}

/** Gets a token for each login. @throws {Error} with the code ENOTOKEN */
export function tokensOf(
  credential: { readonly getToken: (scope: string) => Promise<{ readonly token: string } | null> },
  scope: string,
): () => Promise<string> {
  return async () => {
    const found = await credential.getToken(scope);
    if (found === null) throw Object.assign(new Error("the credential gave no token"), { code: "ENOTOKEN" });
    return found.token;
  };
}
