import type { RowLayer } from "./row-call.ts";

/** Asks once more, with twice the tokens and without the text, where an answer was cut off for its length. */
export const longerOnce: RowLayer = (next) => async (call) => {
  const answer = await next(call);
  if (answer.finishReason !== "length") return answer;
  const maxOutputTokens = 2 * call.request.maxOutputTokens;
  return await next({ ...call, issueCount: 0, request: { ...call.request, maxOutputTokens, lengthFactor: 2 } });
};
