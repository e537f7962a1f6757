import type { LLMRequest, LLMResponse } from "../../contracts/provider.ts";
import type { RowAsk, RowCall, RowLayer } from "./row-call.ts";

/**
 * Asks once more, with twice the tokens and without the text, where an answer was cut off for its length. Not where a longer one would
 * be wrong, too, nor where it had twice the tokens already.
 */
export const longerOnce: RowLayer = (next) => (call) =>
  next(call).then((answer) => (answer.finishReason === "length" ? askLonger(call, answer, next) : answer));

async function askLonger(call: RowCall, answer: LLMResponse, next: RowAsk): Promise<LLMResponse> {
  const { request, olderRequests, isHopeless, row } = call;
  if (request.lengthFactor !== undefined) return answer;
  if (isHopeless?.(answer.text) === true) return answer;
  row.cutAnswers = [...row.cutAnswers, answer.text];
  return await next({
    ...call,
    issueCount: 0,
    isRepeated: false,
    request: longer(request),
    olderRequests: olderRequests?.map(longer),
  });
}

/** The request with twice the tokens. */
export function longer<Request extends Pick<LLMRequest, "maxOutputTokens" | "lengthFactor">>(
  request: Request,
): Request {
  return { ...request, maxOutputTokens: 2 * request.maxOutputTokens, lengthFactor: 2 };
}
