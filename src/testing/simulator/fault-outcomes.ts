import type { ChatRequest } from "./chat-request.ts";
import { faultWaitMs, type SimulatorFaultName, type SimulatorFaultWaits } from "./faults.ts";
import * as replies from "./replies.ts";
import type { Draws } from "./request-hash.ts";
import { retryAfterHeaders, type SimulatorRetryAfterForm } from "./retry-after.ts";
import type { AnswerTokens } from "./statistics.ts";

export interface ReplyOutcome {
  readonly kind: "reply";
  readonly reply: replies.Reply;
  readonly delivery: "whole" | "stalled" | "truncated";
  /** Set for an answer of the model. */
  readonly answered?: { readonly systemMessage: string; readonly tokens: AnswerTokens } | undefined;
}

/** The end of a request, as its client sees it. */
export type Outcome = ReplyOutcome | { readonly kind: "reset" } | { readonly kind: "hang" };

/** The waits that faults name, and the headers that name them. */
export interface FaultWaits {
  readonly faultRetryAfterMs?: SimulatorFaultWaits | undefined;
  readonly retryAfterForm?: SimulatorRetryAfterForm | undefined;
}

/** The outcome of a fault that comes instead of a model's answer; undefined where the model answers, rightly or wrongly. */
export function outcomeInstead(
  fault: SimulatorFaultName | undefined,
  request: Pick<ChatRequest, "messageCharacters">,
  draws: Draws,
  waits: FaultWaits,
): Outcome | undefined {
  const { faultRetryAfterMs, retryAfterForm } = waits;
  switch (fault) {
    case "rateLimit":
      return whole(
        replies.rateLimitReply("requests", faultWaitMs(fault, faultRetryAfterMs, draws), "", retryAfterForm),
      );
    case "serverError":
      return whole(replies.serverErrorReply(waitHeaders("serverError", waits)));
    case "unavailable":
      return unavailable(waits);
    case "connectionReset":
      return { kind: "reset" };
    case "hang":
      return { kind: "hang" };
    case "html":
      return whole(replies.pageReply());
    case "contentFilterPrompt":
      return whole(replies.promptFilteredReply());
    case "unauthorized":
      return whole(replies.unauthorizedReply());
    case "deploymentNotFound":
      return whole(replies.deploymentNotFoundReply());
    case "quotaExhausted":
      return whole(replies.quotaExhaustedReply(waitHeaders("quotaExhausted", waits)));
    case "contextLength":
      return whole(replies.contextLengthReply(Math.ceil(request.messageCharacters / 4)));
    case "badSchema":
      return whole(replies.badSchemaReply("the simulator's options reject it"));
    case "stalledBody":
    case "truncatedBody":
    case "invalidJSON":
    case "outOfRange":
    case "wrongEnum":
    case "refusal":
    case "contentFilterAnswer":
    case "length":
    case "loop":
    case "schemaEcho":
    case "prose":
    case "resetAfterBilling":
    case "missingUsage":
    case "absurdUsage":
    case undefined:
      return undefined;
    default:
      return fault satisfies never;
  }
}

/** The 503 of a fault, or of an outage. */
export function unavailable(waits: FaultWaits): Outcome {
  return whole(replies.unavailableReply(waitHeaders("unavailable", waits)));
}

/** A reply that is delivered as a whole. */
export function whole(reply: replies.Reply): ReplyOutcome {
  return { kind: "reply", reply, delivery: "whole" };
}

/** The headers that name the wait of a fault. */
function waitHeaders(
  fault: keyof SimulatorFaultWaits,
  { faultRetryAfterMs, retryAfterForm = "both" }: FaultWaits,
): readonly string[] {
  return retryAfterHeaders(retryAfterForm, faultWaitMs(fault, faultRetryAfterMs));
}
