import type { IncomingHttpHeaders } from "node:http";

export interface AccessRules {
  /** The accepted keys: undefined for any key, empty for no key at all. */
  readonly apiKeys: readonly string[] | undefined;
  /** The accepted tokens, or a function that accepts them. */
  readonly tokens: readonly string[] | ((token: string) => boolean) | undefined;
}

/** True if the headers hold an accepted key, in `api-key` or as Bearer, or an accepted Bearer token. */
export function isAccepted(headers: IncomingHttpHeaders, { apiKeys, tokens }: AccessRules): boolean {
  if (apiKeys?.length === 0 && tokens === undefined) return true;
  const given = headers["api-key"];
  const key = typeof given === "string" ? given.trim() : "";
  if (key !== "" && (apiKeys === undefined || apiKeys.includes(key))) return true;
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer === undefined) return false;
  if (apiKeys === undefined && tokens === undefined) return true;
  if (apiKeys?.includes(bearer) === true) return true;
  return typeof tokens === "function" ? tokens(bearer) : (tokens?.includes(bearer) ?? false);
}
