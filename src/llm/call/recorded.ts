import { NotSentError } from "../not-sent.ts";
import type { AttemptKind, EventHandler } from "../../contracts/events.ts";
import type { LLMResponse, TokenUsage } from "../../contracts/provider.ts";
import type { Time } from "../../contracts/time.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { type CallPrices, ownPrices } from "../price-book.ts";
import { costOf } from "../pricing.ts";
import { ProviderError } from "../provider-error.ts";
import { readUsage } from "../token-usage.ts";
import { asProviderError } from "./provider-call.ts";
import type { Attempt, RowCall, RowLayer } from "./row-call.ts";

/** Shows an attempt to the payload log and the run's events; rejects where it can't be logged. */
export type Report = (attempt: Attempt) => Promise<void>;

export interface RecordedOptions {
  readonly report: Report;
  readonly emit: EventHandler;
  readonly time: Pick<Time, "now">;
  /** @default the providers' own */
  readonly prices?: CallPrices | undefined;
}

/**
 * Notes each attempt. One that failed is reported at once, and nobody waits for that here: a payload log that is slow or fails does
 * not stand between the next attempt's answer and the journal. One with an answer is noted only in memory, for the answer has to be safe
 * before anything else can fail. {@link reported} reports it, and waits for all.
 */
export function recorded({ report, emit, time, prices: callPrices = ownPrices }: RecordedOptions): RowLayer {
  return (next) => async (call) => {
    const { step, pk, provider, request, promptHash, row } = call;
    if (call.signal.aborted) throw aborted(call.signal.reason); // it never goes
    const retryCount = row.callCount;
    row.callCount += 1;
    const kind = kindOf(call);
    const issueCodes = kind === "re-ask" ? (call.issueCodes ?? []) : [];
    if (call.issueCount > 0) emit({ type: "re-ask", step, pk, issueCount: call.issueCount });
    call.isRepeated = true;
    call.issueCount = 0; // another attempt is no other re-ask
    emit({ type: "call-start", step, pk });
    const startedAt = new Date();
    const startedMs = time.now();
    const waitMs = Math.round(startedMs - (call.waitsSinceMs ?? startedMs));
    let response: LLMResponse | null = null;
    let error: LLMEtlError | null = null;
    try {
      response = await next(call);
    } catch (thrown) {
      if (thrown instanceof NotSentError && call.signal.aborted) {
        row.callCount -= 1;
        emit({ type: "call-end", step, pk, ...notSent, promptHash, retryCount });
        throw aborted(thrown.cause);
      }
      error = call.signal.aborted ? aborted(thrown) : asProviderError(provider, thrown);
    }
    call.waitsSinceMs = time.now();
    const latencyMs = Math.round(call.waitsSinceMs - startedMs);
    const usage = response?.usage ?? usageOf(error);
    const prices = callPrices.of(provider, response?.model);
    const cost = costOf(usage, prices);
    row.ended = [...row.ended, { model: response?.model, promptHash, usage }];
    const attempt: Attempt = {
      step,
      pk,
      provider,
      request,
      promptHash,
      response,
      error,
      retryCount,
      kind,
      issueCodes,
      startedAt,
      waitMs,
      latencyMs,
      usage,
      cost,
      currency: prices?.currency ?? null,
    };
    if (response === null) {
      const reporting = report(attempt);
      reporting.catch(() => {}); // whoever waits for it hears of it
      call.reports.push(reporting);
      throw error;
    }
    call.answered = attempt;
    return response;
  };
}

/** Reports the attempt that brought the answer, and waits for the reports of all. It is outside of the journal's layer: the answer is saved by now. */
export function reported(report: Report, time: Pick<Time, "now">): RowLayer {
  const reportAll = async (call: RowCall): Promise<void> => {
    const { answered } = call;
    call.answered = undefined;
    const reports = call.reports.splice(0);
    if (answered !== undefined) reports.push(report(answered));
    await Promise.all(reports);
  };
  return (next) => (call) => {
    call.waitsSinceMs = time.now();
    return next(call).then(
      // Of an answer that the journal had there is nothing to report.
      (answer) =>
        call.answered === undefined && call.reports.length === 0 ? answer : reportAll(call).then(() => answer),
      async (error: unknown) => {
        await reportAll(call);
        throw error;
      },
    );
  };
}

function kindOf({ issueCount, isRepeated = false, request }: RowCall): AttemptKind {
  if (issueCount > 0) return "re-ask";
  if (isRepeated) return "retry";
  return request.lengthFactor === undefined ? "first" : "longer";
}

/** The end of a call that never went. */
const notSent = {
  model: null,
  latencyMs: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  isEstimated: false,
  cost: null,
  errorCode: "ABORTED",
  wasSent: false,
} as const;

const noUsage: TokenUsage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };

/** The tokens of an attempt that failed, where the service said so; none in place of a count that is absurd. */
export function usageOf(error: unknown): TokenUsage {
  const usage = error instanceof ProviderError ? error.usage : undefined;
  if (usage === undefined) return noUsage;
  const { inputTokens: input, cachedTokens: cached, outputTokens: output, reasoningTokens: reasoning } = usage;
  const { cacheWriteTokens: cacheWrite, tier } = usage;
  return readUsage({ input, cached, cacheWrite, output, reasoning, tier }, { input: 0, output: 0 });
}

function aborted(thrown: unknown): ProviderError {
  return new ProviderError("transient", "ABORTED", "the run stopped before the answer came", { cause: thrown });
}
