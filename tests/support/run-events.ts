import type { RunReport } from "../../src/contracts/report.ts";
import type { RunEvent } from "../../src/index.ts";
import { figures } from "./journal-file.ts";

type Fields<Type extends RunEvent["type"]> = Partial<Omit<Extract<RunEvent, { readonly type: Type }>, "type">>;

export function runStart(given: Fields<"run-start"> = {}): RunEvent {
  return {
    type: "run-start",
    runId: "0a1b2c3d-0000",
    pipeline: "visits",
    kind: "run",
    startedAt: new Date(2026, 0, 2, 3, 4, 5),
    source: "csv",
    sink: "/data/out.csv",
    steps: ["kind", "tone"],
    concurrency: 8,
    currency: null,
    journalPath: null,
    payloadLogPath: null,
    deadLetterPath: null,
    ...given,
  };
}

/** The rows at these positions, begun. */
export function rowStarts(...positions: readonly number[]): RunEvent[] {
  return positions.map((position) => ({ type: "row-start", position }));
}

/** Where no outcome is given, it was written. */
export function rowEnd(position: number, given: Fields<"row-end"> = {}): RunEvent {
  const fine = { outcome: "written", errorCode: null, errorMessage: null, step: null } as const;
  return { type: "row-end", position, pk: `r${position}`, ...fine, ...given };
}

export function rowFailure(position: number, errorCode: string, given: Fields<"row-end"> = {}): RunEvent {
  return rowEnd(position, { outcome: "failed", errorCode, errorMessage: `why ${position}`, step: "kind", ...given });
}

export const callStart: RunEvent = { type: "call-start", step: "kind", pk: "r1" };

export function callEnd(given: Fields<"call-end"> = {}): RunEvent {
  const call = {
    step: "kind",
    pk: "r1",
    model: "m",
    promptHash: "p",
    retryCount: 0,
    latencyMs: 5,
    errorCode: null,
  } as const;
  const tokens = { inputTokens: 100, cachedTokens: 40, outputTokens: 10, reasoningTokens: 0 };
  return { type: "call-end", ...call, ...tokens, isEstimated: false, cost: null, ...given };
}

/** Of a run that completed without a row, but for what is given. */
export function reportOf(given: Partial<RunReport> = {}): RunReport {
  return { ...figures(), runId: "0a1b2c3d-0000", status: "completed", error: null, exitCode: 0, ...given };
}
