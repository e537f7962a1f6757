import type { EventHandler } from "../../contracts/events.ts";
import type { LLMResponse } from "../../contracts/provider.ts";
import type { Time } from "../../contracts/time.ts";
import { LLMEtlError, RunError } from "../../errors/llm-etl-error.ts";
import { messageOf } from "../../errors/error-text.ts";
import { isOfRow, ProviderError } from "../provider-error.ts";
import { Alarm } from "./alarm.ts";
import type { FirstContact } from "./first-contact.ts";
import { type PauseReason, PauseReport, worthReportingMs } from "./pause-report.ts";
import { type CallOutcome, type CallSize, type LimitEvent, type Limiter, noEvents } from "./limiter.ts";

/** The end of one call: its answer, or the error that was thrown instead. */
export type CallEnd =
  | { readonly answer: LLMResponse }
  /** `isRefuted`: it failed before, and calls that started after that were answered. */
  | { readonly error: unknown; readonly isRefuted?: boolean | undefined };

/** The decision on a call that has ended. */
export type Verdict =
  | { readonly type: "done" }
  /** It goes again, this much later at the earliest; `isCounted`: that uses up one of its retries. */
  | { readonly type: "again"; readonly isCounted: boolean; readonly afterMs: number; readonly error: unknown }
  | { readonly type: "fail"; readonly error: unknown };

/** The place of a call in flight. */
export interface Pass {
  /** Frees the place, once. Nobody else decides what becomes of the call. */
  readonly end: (end: CallEnd) => Verdict;
}

interface Waiter {
  readonly call: CallSize;
  readonly start: () => void;
  readonly turnAway: (reason: unknown) => void;
}

export interface AdmissionSetup {
  readonly provider: string;
  /** The most calls in flight. */
  readonly concurrency: number;
  readonly limits: readonly Limiter[];
  /** Tells a wrong address from an outage. @default every failure of the network is an outage */
  readonly firstContact?: FirstContact | undefined;
  readonly time: Time;
  readonly emit: EventHandler;
}

/** The queue of the calls to one provider, for all rows together: first come, first served, as soon as every limiter agrees. */
export class Admission {
  readonly #options: AdmissionSetup;
  readonly #waiting: Waiter[] = [];
  readonly #halt = new AbortController();
  /** The most calls in flight, by each limiter. */
  readonly #limitOf = new Map<Limiter, number>();
  #reportedLimit: number;
  readonly #pauses: PauseReport;
  /** When the queue looks again at whoever is first. */
  readonly #wakeUp: Alarm;
  /** When whoever waits or sleeps has done so for too long. */
  readonly #stall: Alarm;
  #sleeperCount = 0;
  #startCount = 0;
  #answerCount = 0;
  #newestAnswered = 0;
  #lastFailure: unknown;
  #stopped: LLMEtlError | undefined;

  constructor(options: AdmissionSetup) {
    this.#options = options;
    this.#reportedLimit = options.concurrency;
    this.#pauses = new PauseReport(options.provider, options.emit);
    this.#wakeUp = new Alarm(options.time, () => this.#serve());
    this.#stall = new Alarm(options.time, () => this.#watchStall());
  }

  /** Calls that have started so far. */
  get startCount(): number {
    return this.#startCount;
  }

  /** Calls that were answered so far. */
  get answerCount(): number {
    return this.#answerCount;
  }

  /** Of the calls that were answered, the number of the one that started last; 0 before the first answer. */
  get newestAnswered(): number {
    return this.#newestAnswered;
  }

  /** Resolves when the call may start. Its caller calls `end` of the pass when it ends. */
  async enter(call: CallSize, signal: AbortSignal): Promise<Pass> {
    signal.throwIfAborted();
    if (this.#stopped !== undefined) throw this.#stopped;
    if (this.#waiting.length === 0 && this.#waitMs(call) === 0) this.#start(call);
    else await this.#turn(call, signal);
    this.#startCount += 1;
    const number = this.#startCount;
    return {
      end: (end) => {
        if ("answer" in end) {
          this.#answerCount += 1;
          this.#newestAnswered = Math.max(this.#newestAnswered, number);
        }
        return this.#end(call, end, signal);
      },
    };
  }

  /** Stops the queue: every call that waits or sleeps, and every later one, is rejected with `reason`. */
  stop(reason: LLMEtlError): void {
    this.#stopped ??= reason;
    this.#halt.abort(this.#stopped);
    this.#wakeUp.set(Infinity);
    this.#stall.set(Infinity);
    for (const waiter of this.#waiting.splice(0)) waiter.turnAway(this.#stopped);
  }

  /** @throws what stopped the run, if that comes first */
  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    this.#sleeperCount += 1;
    this.#watchStall();
    try {
      await this.#options.time.sleep(delayMs, AbortSignal.any([signal, this.#halt.signal]));
    } catch {
      throw this.#stopped ?? signal.reason; // one of the two signals: a timer fails for nothing else
    } finally {
      this.#sleeperCount -= 1;
      this.#watchStall();
    }
  }

  async #turn(call: CallSize, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        this.#serve(); // the timer may have been for this one
        this.#watchStall();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        call,
        start: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
        turnAway: (reason) => {
          signal.removeEventListener("abort", leave);
          reject(reason);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      // A call that found no room in its tier came before those that were not sent yet, and falls back before them.
      if (call.tierWait?.sinceMs === undefined) this.#waiting.push(waiter);
      else this.#waiting.unshift(waiter);
      this.#serve();
      this.#watchStall();
    });
  }

  #waitMs(call: CallSize): number {
    const nowMs = this.#options.time.now();
    let longestMs = 0;
    for (const limiter of this.#options.limits) longestMs = Math.max(longestMs, limiter.waitMs(call, nowMs));
    return longestMs;
  }

  #start(call: CallSize): void {
    const nowMs = this.#options.time.now();
    for (const limiter of this.#options.limits) limiter.started(call, nowMs);
  }

  #end(call: CallSize, end: CallEnd, signal: AbortSignal): Verdict {
    if (!("answer" in end) && isTransient(end.error)) this.#lastFailure = end.error;
    const events = this.#record(outcomeOf(end), call);
    const verdict = this.#verdict(end, events);
    if (verdict.type === "fail" && endsRun(verdict.error) && !signal.aborted) this.stop(verdict.error);
    this.#serve(); // after the stop: nobody gets in any more
    this.#watchStall();
    return verdict;
  }

  /** Lets every limiter know, and reports what changed. */
  #record(outcome: CallOutcome, call: CallSize): readonly LimitEvent[] {
    const { limits, time, concurrency, provider, emit } = this.#options;
    const nowMs = time.now();
    let all: LimitEvent[] | undefined;
    for (const limiter of limits) {
      for (const event of limiter.ended(outcome, call, nowMs)) {
        (all ??= []).push(event);
        if (event.type === "pause") this.#pauses.add(event.durationMs, event.reason, nowMs);
        if (event.type === "limit") this.#limitOf.set(limiter, event.limit);
      }
    }
    if (all === undefined) return noEvents; // the usual case: a call that changes nothing
    const limit = Math.min(concurrency, ...this.#limitOf.values());
    if (limit !== this.#reportedLimit) emit({ type: "concurrency-change", provider, limit });
    this.#reportedLimit = limit;
    return all;
  }

  #verdict(end: CallEnd, events: readonly LimitEvent[]): Verdict {
    const { firstContact, time } = this.#options;
    const hasReplied = "answer" in end || (end.error instanceof ProviderError && end.error.status !== undefined);
    if (hasReplied) firstContact?.made();
    if ("answer" in end) return done;
    const { error } = end;
    if (!isTransient(error)) return { type: "fail", error };
    const contact = firstContact?.judge(error, time.now());
    if (contact !== undefined && "error" in contact) return { type: "fail", error: contact.error };
    let isCounted = contact === undefined;
    let afterMs = contact?.afterMs ?? 0;
    for (const event of events) {
      if (event.type === "stalled") return { type: "fail", error: this.#stalled(error, event.durationMs) };
      if (event.type === "again") isCounted = false;
      if (event.type === "again" || event.type === "delay") afterMs = Math.max(afterMs, event.afterMs);
    }
    return { type: "again", isCounted, afterMs, error };
  }

  /** Starts whoever may go, and comes back when the next one may. */
  #serve(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const waitMs = this.#waitMs(next.call);
      if (waitMs > 0) return this.#serveLater(next.call, waitMs);
      this.#waiting.shift();
      this.#start(next.call);
      next.start();
    }
    this.#wakeUp.set(Infinity);
  }

  #serveLater(call: CallSize, waitMs: number): void {
    if (waitMs === Infinity) return this.#wakeUp.set(Infinity);
    const nowMs = this.#options.time.now();
    if (waitMs >= worthReportingMs) this.#pauses.add(waitMs, this.#reasonOf(call, nowMs), nowMs); // where a gate is closed, that is reported already
    if (this.#wakeUp.atMs <= nowMs + waitMs) return; // it comes early enough, and looks again
    this.#wakeUp.set(nowMs + waitMs);
  }

  /** Stops the run once whoever waits or sleeps has done so for too long, whatever they wait for. */
  #watchStall(): void {
    if (this.#stopped !== undefined || this.#waiting.length + this.#sleeperCount === 0)
      return this.#stall.set(Infinity);
    for (const limiter of this.#options.limits) {
      const stall = limiter.stall?.();
      if (stall === undefined) continue;
      if (stall.atMs > this.#options.time.now()) return this.#stall.set(stall.atMs);
      return this.stop(this.#stalled(this.#lastFailure, stall.durationMs));
    }
    this.#stall.set(Infinity);
  }

  /** The reason of the limiter that the call has to wait longest for. */
  #reasonOf(call: CallSize, nowMs: number): PauseReason {
    const waits = this.#options.limits.map(({ reason, waitMs }) => ({ reason, waitMs: waitMs(call, nowMs) }));
    return waits.reduce((longest, one) => (one.waitMs > longest.waitMs ? one : longest)).reason ?? "quota";
  }

  #stalled(cause: unknown, durationMs: number): RunError {
    const { provider } = this.#options;
    const time = durationMs < 120_000 ? `${durationMs / 1000} seconds` : `${Math.round(durationMs / 60_000)} minutes`;
    const problem = `no call to ${provider} has succeeded for ${time}; the last failure: ${messageOf(cause)}`;
    const hint = "run again when the service is well: what is done is not done again";
    return new RunError("STALLED", problem, { cause, facts: { where: provider, durationMs, hint } });
  }
}

const done: Verdict = { type: "done" };

function isTransient(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.class === "transient";
}

function endsRun(error: unknown): error is LLMEtlError {
  return error instanceof LLMEtlError && error.scope === "run";
}

function outcomeOf(end: CallEnd): CallOutcome {
  if ("answer" in end) return { type: "answer", rateLimit: end.answer.rateLimit };
  if (!isTransient(end.error)) return { type: "other", isOfRow: isOfRow(end.error) };
  const { kind, retryAfterMs } = end.error;
  return { type: "failure", kind, retryAfterMs: bounded(retryAfterMs), isRefuted: end.isRefuted };
}

/** No service is believed that asks for a longer wait, in milliseconds. */
const longestRetryAfterMs = 600_000;

function bounded(retryAfterMs: number | undefined): number | undefined {
  if (retryAfterMs === undefined || Number.isNaN(retryAfterMs)) return undefined;
  return Math.min(longestRetryAfterMs, Math.max(0, retryAfterMs));
}
