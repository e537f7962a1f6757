import type { EventHandler } from "../../contracts/events.ts";
import type { PayloadLog } from "./payload-log.ts";
import type { Report } from "./recorded.ts";

/** Counts an attempt in the run's events, and logs it where there is a log. */
export function reportTo(emit: EventHandler, payloadLog: Pick<PayloadLog, "add"> | undefined): Report {
  return async (attempt) => {
    const { step, pk, response, error, promptHash, retryCount, kind, issueCodes, startedAt, waitMs } = attempt;
    const { latencyMs, usage, cost } = attempt;
    const model = response?.model ?? null;
    const errorCode = error?.code ?? null;
    const { isEstimated = false, ...counts } = usage;
    const figures = { latencyMs, ...counts, isEstimated, cost, errorCode };
    const told = { kind, startedAt, waitMs, issueCodes };
    emit({ type: "call-end", step, pk, model, promptHash, retryCount, ...told, ...figures });
    if (payloadLog !== undefined) await payloadLog.add(attempt);
  };
}
