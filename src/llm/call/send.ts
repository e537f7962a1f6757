import { validResponse } from "./provider-call.ts";
import type { RowAsk } from "./row-call.ts";

/** Sends a call to its provider. */
export const send: RowAsk = async ({ step, pk, provider, signal, request, limitedSchema, timeoutFactor }) => {
  const timed = timeoutFactor === undefined ? request : { ...request, timeoutFactor };
  const sent = limitedSchema === undefined ? timed : { ...timed, schema: { ...request.schema, json: limitedSchema } };
  return validResponse(provider, sent, await provider.complete(sent, signal, { step, pk }));
};
