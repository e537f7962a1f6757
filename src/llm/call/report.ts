import type { EventHandler } from "../../contracts/events.ts";
import type { PayloadLog } from "./payload-log.ts";
import type { Report } from "./recorded.ts";

/** Counts an attempt in the run's events, and logs it where there is a log. */
export function reportTo(emit: EventHandler, payloadLog: Pick<PayloadLog, "add"> | undefined): Report {
  return async (attempt) => {
    const { step, pk, response, error, retryCount, latencyMs, usage, cost } = attempt;
    const { inputTokens, cachedTokens, outputTokens } = usage;
    const tokens = { inputTokens, cachedTokens, outputTokens, cost };
    const model = response?.model ?? null;
    const errorCode = error?.code ?? null;
    emit({ type: "call-end", step, pk, model, retryCount, latencyMs, ...tokens, errorCode });
    if (payloadLog !== undefined) await payloadLog.add(attempt);
  };
}
