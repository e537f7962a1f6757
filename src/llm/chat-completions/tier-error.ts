import { type ErrorBody, isCodeName } from "./error-body.ts";
import { ProviderError, type ProviderErrorFacts } from "../provider-error.ts";

/** The service tier that a request asks for by name, and the provider's class. */
export interface AskedTier {
  readonly tier: string;
  readonly owner: string;
}

/** The words for the standard tier in a request: it has no want of capacity of its own. */
const standardTiers: ReadonlySet<string> = new Set(["default", "auto"]);

/** Groq's own status for the tier `flex` without room (Groq, "Flex Processing"). */
const statusWithoutRoom = 498;

/**
 * The error that a request gets for the service tier that it asks for: the tier has no room for now, or the model has no such tier.
 * Undefined for any other error. A service bills neither (OpenAI and Microsoft Learn, "Flex processing").
 */
export function tierError(
  { tier, owner }: AskedTier,
  body: ErrorBody,
  facts: ProviderErrorFacts & { readonly status: number },
): ProviderError | undefined {
  const { status } = facts;
  if (!standardTiers.has(tier) && (status === statusWithoutRoom || (status === 429 && saysNoRoom(body)))) {
    const problem = `${status}: the service tier "${tier}" has no room for now`;
    const hint = 'tierFallback: "default" lets calls go in the standard tier after a while';
    return new ProviderError("transient", "NO_CAPACITY", problem, { ...facts, tier, hint });
  }
  if ((status !== 400 && status !== 422) || !saysNoSuchTier(body)) return undefined;
  const reason = isCodeName(body.code) ? ` (${body.code})` : "";
  const problem = `${status}: this model or deployment has no service tier "${tier}", or this account may not use it${reason}`;
  const hint = "leave out tier, or use another deployment or model";
  const detail = body.words === "" ? undefined : `${problem}: ${body.words}`;
  return new ProviderError("run", "TIER_UNAVAILABLE", problem, { ...facts, where: owner, tier, hint, detail });
}

/** The codes of OpenAI and Groq for a tier without room, without case and marks. */
const codesOfNoRoom: ReadonlySet<string> = new Set(["resourceunavailable", "capacityexceeded"]);

const wordsOfNoRoom =
  /^(?:\d{3}:? )?resources? (?:is |are )?(?:temporarily |currently )?unavailable\b|\bflex\b[^.]{0,60}\b(?:capacity|resources|unavailable)\b|\b(?:insufficient|not enough|out of|no) (?:sufficient |available )?(?:capacity|resources)\b|\bcapacity (?:is |was )?(?:exceeded|exhausted|unavailable)\b/i;

/** The quota's own 429s say so: Azure OpenAI in its words, OpenAI in its code, too. */
const wordsOfQuota =
  /rate.?limit|quota|too.?many.?requests|(?:tokens?|requests?) per (?:sec|min|hour|day)|\b[rt]p[md]\b/i;

function saysNoRoom({ code, type, words }: ErrorBody): boolean {
  if ([code, type].some((name) => codesOfNoRoom.has(name.toLowerCase().replaceAll(/[^a-z]/g, "")))) return true;
  return wordsOfNoRoom.test(words) && !wordsOfQuota.test(`${code} ${words}`);
}

/** The words begin so: a row's text that a service quotes stands behind its own. */
const wordsOfNoSuchTier =
  /^(?:(?:invalid|unsupported|unknown|unrecognized) (?:(?:value|argument|parameter)[^a-z]{0,3})?['"`]?service_tier\b|(?:service_tier )?['"`]?flex['"`]? (?:processing )?(?:is not|isn't) (?:available|supported|allowed)\b)/i;

function saysNoSuchTier({ where, words }: ErrorBody): boolean {
  return where.some((place) => /(?:^|\.)service_tier$/.test(place)) || wordsOfNoSuchTier.test(words);
}
