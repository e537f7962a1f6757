import { TransientMap } from "../../engine/transient-map.ts";
import { Chance, noChance, smallChance } from "./chance.ts";
import { Cliff } from "./cliff.ts";
import { Gate, longestWaitMs } from "./gate.ts";
import {
  type CallOutcome,
  type CallSize,
  type Failure,
  isRejection,
  type LimitEvent,
  type Limiter,
  noEvents,
} from "./limiter.ts";
import { openedAnew, type Opening, sentRateSince } from "./opening.ts";
import { ownWaitMs, windowWaitMs } from "./own-wait.ts";
import { grownPace, unknownGrowth } from "./pace-growth.ts";
import { PaceTrials } from "./pace-trials.ts";
import { believed, type QuotaBelief, unmeasured, wellKnownBy } from "./quota-belief.ts";
import { QuotaUnit } from "./quota-unit.ts";
import { type Round, Rounds } from "./rounds.ts";
import { type MeasuredQuota, Saturation } from "./saturation.ts";
import { type Accepted, rateBetween, type SentCall, SentCalls } from "./sent-calls.ts";
import { fewestAccepted, SlowStart } from "./slow-start.ts";
import { toldCount, ToldQuota } from "./told-quota.ts";

/** Of a quota that was found, the share that is used: calls may arrive closer together than they left. */
const usedShare = 0.98;

export interface AdaptivePaceOptions {
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

/**
 * Finds the quota of a service from its 429s, or from 503s where it rejects with these what is too much, and keeps calls below it. It knows neither the quota nor its kind (requests or
 * tokens, a bucket or a window), and rejections that have nothing to do with the pace cost none. A rejected call waits for itself
 * ({@link ownWaitMs}); all wait only where most calls are rejected.
 */
export function adaptivePace({ random }: AdaptivePaceOptions): Limiter {
  const pace = new AdaptivePace(random);
  return {
    waitMs: (_, nowMs) => pace.waitMs(nowMs),
    started: (call, nowMs) => pace.started(call, nowMs),
    ended: (outcome, call, nowMs) => {
      if (!isRejection(outcome)) {
        pace.accepted(call, outcome, nowMs);
        return noEvents;
      }
      const events = pace.rejected(call, outcome, nowMs);
      if (outcome.kind === "overload" && !pace.isLimiting(nowMs)) return events; // it may be the row's
      const afterMs = ownWaitMs({ askedMs: outcome.retryAfterMs, isNearKnownQuota: pace.isNearKnownQuota, random });
      return [...events, { type: "again", afterMs }];
    },
  };
}

/** Paces and quotas are in tokens a second. */
class AdaptivePace {
  readonly #calls = new SentCalls();
  readonly #unit = new QuotaUnit();
  readonly #rounds = new Rounds();
  readonly #saturation = new Saturation();
  readonly #cliff = new Cliff();
  readonly #gate: Gate;
  readonly #told = new ToldQuota();
  readonly #inFlight = new TransientMap<CallSize, { readonly call: SentCall; readonly round: Round }>();
  #pace = Infinity;
  #nextAtMs = 0;
  #quota: QuotaBelief = unmeasured(Infinity);
  readonly #chance = new Chance();
  readonly #slowStart = new SlowStart();
  readonly #trials = new PaceTrials();
  /** When the gate opened last after a long time, or the first call went. */
  #opening: Opening | undefined;
  #latestFall: { readonly accepted: Accepted; readonly wasShort: boolean } | undefined;
  #isWindow = false;
  /** True while the service may be down instead of used up: then what was accepted says nothing of the quota. */
  #isOutage = false;

  constructor(random: () => number) {
    this.#gate = new Gate(this.#calls, random);
  }

  waitMs(nowMs: number): number {
    this.#openGate(nowMs);
    const slowPace = this.#slowStart.paceAt(nowMs, this.#calls);
    if (slowPace !== undefined && slowPace !== this.#pace) this.#setPace(slowPace, nowMs);
    this.#judgeRounds(nowMs);
    const paceMs = this.#pace === Infinity ? 0 : this.#nextAtMs - nowMs;
    const waitMs = Math.max(this.#gate.waitMs(nowMs), paceMs, 0);
    if (waitMs > 0) this.#rounds.current.isPaced = true;
    return waitMs;
  }

  /** True while calls wait for the quota. */
  isLimiting(nowMs: number): boolean {
    return this.#pace !== Infinity || this.#gate.isProbing || this.#gate.isClosed(nowMs);
  }

  get isNearKnownQuota(): boolean {
    return this.#quota.knownBy >= wellKnownBy && this.#pace < 1.05 * this.#quota.rate;
  }

  started(size: CallSize, nowMs: number): void {
    const cost = this.#unit.costOf(size.tokens);
    // A timer has whole milliseconds: two that were lost to it may be made good.
    if (this.#pace !== Infinity)
      this.#nextAtMs = Math.max(this.#nextAtMs, nowMs - 2) + Math.min(longestWaitMs, (1000 * cost) / this.#pace);
    this.#opening ??= this.#calls.acceptedAt(nowMs);
    const call = this.#calls.add(size.tokens, nowMs, cost);
    const round = this.#rounds.current;
    round.sentCount += 1;
    round.sentCost += cost;
    this.#inFlight.set(size, { call, round });
    this.#gate.started(call);
  }

  accepted(size: CallSize, outcome: CallOutcome, nowMs: number): void {
    const sent = this.#inFlight.get(size);
    this.#inFlight.delete(size);
    if (sent === undefined) return;
    sent.call.isAnswered = true;
    if (outcome.type === "failure" && outcome.kind === "capacity") this.#withoutRoom(sent.call, nowMs);
    this.#openGate(nowMs);
    if (outcome.type !== "answer" || outcome.rateLimit === undefined) return;
    const quota = this.#told.report(outcome.rateLimit, sent.call, this.#calls, nowMs);
    if (quota !== undefined && this.#pace > quota) this.#believe({ rate: quota, count: toldCount }, nowMs);
  }

  /** The quota is not looked at yet, perhaps; and where the call was alone, the time in which none could go is no evidence of a slow one. */
  #withoutRoom(call: SentCall, nowMs: number): void {
    this.#gate.dismiss(call);
    if (this.#inFlight.size > 0) return;
    this.#opening = openedAnew(this.#calls, nowMs);
  }

  rejected(size: CallSize, failure: Failure, nowMs: number): readonly LimitEvent[] {
    const { kind, retryAfterMs } = failure;
    const sent = this.#inFlight.get(size);
    this.#inFlight.delete(size);
    if (sent === undefined) return noEvents;
    const { call, round } = sent;
    this.#calls.reject(call, nowMs);
    if (this.#pace !== Infinity) this.#unit.rejected();
    if (kind === "rate-limit" || this.#hasQuota(nowMs)) round.rejectedCount += 1;
    if (this.#gate.isProbe(call)) {
      this.#isOutage = kind === "overload";
      return this.#close(retryAfterMs, nowMs);
    }
    if (this.#cliff.isJudged(call)) return noEvents;
    this.#saturation.rejected(this.#calls.acceptedAt(nowMs), this.#chance.share);
    const isCliff = this.#cliff.isReached(call, this.#calls.settledCount, this.#chance.share, nowMs);
    if (this.#gate.isClosed(nowMs)) return noEvents;
    this.#slowStart.end();
    if (isCliff) return this.#fall(failure, nowMs);
    this.#stepBack(nowMs);
    return noEvents;
  }

  /** True if 503s show a quota: here and there they do not, nor where no call has been accepted since most were rejected. */
  #hasQuota(nowMs: number): boolean {
    const fallen = this.#latestFall;
    return fallen !== undefined && this.#calls.acceptedAt(nowMs).count > fallen.accepted.count;
  }

  /** A quota that is known is exceeded a little: back to it at once. */
  #stepBack(nowMs: number): void {
    if (this.#pace === Infinity || this.#quota.knownBy === 0) return;
    const { measured, rejectedCount } = this.#saturation;
    if (measured !== undefined && rejectedCount >= 5 && measured.rate < 0.99 * this.#quota.rate)
      this.#lower(measured, nowMs);
    else if (this.#chance.share >= noChance || this.#pace < 0.985 * this.#quota.rate) return;
    else if (this.#pace > 1.05 * this.#quota.rate) this.#believe({ rate: 0.95 * this.#pace, count: 10 }, nowMs);
    else this.#setPace(usedShare * Math.min(this.#quota.rate, this.#pace), nowMs);
  }

  #judgeRounds(nowMs: number): void {
    while (!this.#gate.isProbing) {
      const round = this.#rounds.next(nowMs, this.#calls.rejectionMs);
      if (round === undefined) return;
      this.#judge(round, nowMs);
    }
  }

  #judge({ startMs, endMs, sentCount, sentCost, rejectedCount, isPaced }: Round, nowMs: number): void {
    const share = rejectedCount / sentCount;
    this.#chance.judged(share);
    const sentRate = (1000 * sentCost) / (endMs - startMs);
    const rate = isPaced && this.#pace !== Infinity ? this.#pace : Math.min(this.#pace, sentRate);
    const expected = Math.max(smallChance, this.#chance.share);
    const error = Math.sqrt((expected * (1 - expected)) / sentCount);
    if (rejectedCount >= 2 && share > expected + 2.5 * error) {
      const accepted = { rate: rate * (1 - Math.min(0.5, share - this.#chance.share)), count: sentCount };
      const { measured } = this.#saturation;
      this.#lower(measured !== undefined && measured.count >= Math.min(5, sentCount) ? measured : accepted, nowMs);
    } else if (this.#pace === Infinity) this.#chance.approach(share, 0.05);
    else {
      this.#chance.approach(Math.min(share, this.#chance.share), 0.02);
      this.#grow(isPaced, rate);
    }
  }

  #grow(isPaced: boolean, rate: number): void {
    const callsTooLate = (this.#pace * this.#calls.rejectionMs) / (1000 * this.#calls.meanCost);
    if (!isPaced) this.#pace = this.#pace > 2 * rate ? Infinity : 1.1 * this.#pace;
    else
      this.#pace = grownPace({ pace: this.#pace, quota: this.#quota.rate, growth: this.#quota.growth, callsTooLate });
  }

  /** Goes slower. Where that has not helped again and again, the rejections have nothing to do with the pace. */
  #lower(measured: MeasuredQuota, nowMs: number): void {
    const failed = this.#trials.add(this.#calls, this.#pace);
    this.#saturation.restart();
    this.#cliff.restart(this.#calls.sentCount);
    if (failed === undefined) return this.#believe(measured, nowMs);
    const { share, paceBefore } = failed;
    this.#chance.raise(share);
    this.#quota = unmeasured(paceBefore, 2 * unknownGrowth);
    this.#setPace(paceBefore, nowMs);
  }

  /** Most calls are rejected: none goes for a moment, and then fewer do. */
  #fall({ kind, retryAfterMs: askedMs }: Failure, nowMs: number): readonly LimitEvent[] {
    const accepted = this.#calls.acceptedAt(nowMs);
    const { measured } = this.#saturation;
    const latest = this.#latestFall;
    const opening = this.#opening ?? accepted;
    const isStuck = accepted.count - (latest?.accepted.count ?? 0) < fewestAccepted;
    const { sentCount, meanCost } = this.#calls;
    const latestRate = kind === "overload" ? meanCost * this.#cliff.sentRate(sentCount, nowMs) : 0;
    const sentRate = Math.max(latestRate, sentRateSince(opening, this.#calls, nowMs));
    const asksForWindow = (askedMs ?? 0) >= windowWaitMs;
    const isShort = !asksForWindow && !isStuck;
    this.#isWindow = asksForWindow && accepted.count - opening.count >= 40;
    this.#latestFall = { accepted, wasShort: isShort };
    this.#trials.forget();
    this.#cliff.restart(this.#calls.sentCount);
    if (isShort) this.#gate.pause(nowMs);
    const events = isShort ? noEvents : this.#close(askedMs, nowMs);

    const pace = Math.min(this.#pace, sentRate);
    if (this.#isWindow) this.#setPace(pace, nowMs); // the window will be there in full again
    else if (isStuck && latest?.wasShort === true) this.#setPace(this.#pace, nowMs); // it is no slower pace that is missing, but a longer wait
    else if (isStuck && latest !== undefined) {
      const cost = Math.max(meanCost, accepted.cost - latest.accepted.cost);
      const rate = Math.min(this.#pace, (1500 * cost) / (nowMs - latest.accepted.atMs));
      this.#quota = unmeasured(rate);
      this.#believe({ rate, count: Math.max(1, accepted.count - latest.accepted.count) }, nowMs);
    } else if (measured !== undefined) this.#believe(measured, nowMs);
    else {
      const isLarge = accepted.count >= 60;
      if (this.#pace === Infinity && isLarge) this.#saturation.restart(); // at half the pace it may not be used up
      this.#quota = unmeasured(this.#pace === Infinity ? sentRate : this.#pace);
      // The quota is at least what was accepted since it was empty last.
      const least = latest === undefined ? 0 : rateBetween(latest.accepted, accepted);
      this.#setPace(Math.max(0.5 * this.#quota.rate, Math.min(least, usedShare * this.#quota.rate)), nowMs);
    }
    return events;
  }

  #close(askedMs: number | undefined, nowMs: number): readonly LimitEvent[] {
    this.#cliff.restart(this.#calls.sentCount);
    // A short wait may be rounded to whole seconds: half of it is the wait in the mean.
    const isRounded = askedMs !== undefined && askedMs < windowWaitMs;
    const durationMs = this.#gate.close(isRounded ? askedMs / 2 : askedMs, nowMs);
    return [{ type: "pause", reason: "rate_limit", durationMs }];
  }

  #openGate(nowMs: number): void {
    const closedMs = this.#gate.openIfAccepted(nowMs);
    if (closedMs === undefined) return;
    this.#nextAtMs = 0;
    this.#rounds.restart(nowMs);
    const fall = this.#latestFall?.accepted;
    if (fall !== undefined && this.#quota.knownBy === 0 && !this.#isOutage)
      this.#slowStart.begin(fall.atMs, this.#calls, this.#pace, nowMs);
    if (closedMs < windowWaitMs || this.#opening === undefined) return;
    // From one opening to the next, what was accepted is the quota: also of a window that was used up at once.
    const accepted = this.#calls.acceptedAt(nowMs);
    const count = accepted.count - this.#opening.count;
    const rate = rateBetween(this.#opening, accepted);
    this.#opening = accepted;
    this.#saturation.restart();
    if (!this.#isWindow && !this.#isOutage && count >= 2) this.#believe({ rate, count }, nowMs);
    this.#isOutage = false;
  }

  /** Takes what was measured for the quota. */
  #believe(measured: MeasuredQuota, nowMs: number): void {
    this.#quota = believed(this.#quota, measured, this.#pace);
    this.#setPace(usedShare * this.#quota.rate, nowMs);
  }

  #setPace(pace: number, nowMs: number): void {
    this.#pace = pace;
    this.#rounds.restart(nowMs);
    this.#nextAtMs = Math.min(this.#nextAtMs, nowMs + (1000 * this.#calls.meanCost) / pace);
  }
}
