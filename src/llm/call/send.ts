import type { LLMRequest } from "../../contracts/provider.ts";
import { validResponse } from "./provider-call.ts";
import type { RowAsk, RowCall } from "./row-call.ts";

/** Sends a call to its provider. */
export const send: RowAsk = async (call) => {
  const { step, pk, provider, signal } = call;
  const sent = sentRequest(call);
  return validResponse(provider, sent, await provider.complete(sent, signal, { step, pk }));
};

/** The request of a call as it is sent. */
export function sentRequest({ request, limitedSchema, timeoutFactor, tierWait }: RowCall): LLMRequest {
  const timed = timeoutFactor === undefined ? request : { ...request, timeoutFactor };
  const tiered = tierWait?.isOver === true ? { ...timed, tier: "default" as const } : timed;
  return limitedSchema === undefined ? tiered : { ...tiered, schema: { ...request.schema, json: limitedSchema } };
}
