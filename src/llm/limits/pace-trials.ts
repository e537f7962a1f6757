import type { SentCalls } from "./sent-calls.ts";

/** So many slower paces in a row that did not help show that the rejections have nothing to do with the pace. */
const failuresToGiveUp = 3;

/** A pace is judged once so many rejections would have come if it had not helped. */
const fewestExpected = 3;

/** A slower pace has helped if at most this share of the rejections is left; the first one, if at most this share of calls is rejected. */
const helpfulShare = 0.6;
const smallShare = 0.02;

interface Trial {
  /** The share of rejections since the trial before. */
  readonly share: number;
  /** The pace before the first of the trials that did not help. */
  readonly paceBefore: number;
  readonly failedCount: number;
  readonly settledCount: number;
  readonly rejectedCount: number;
}

/** Takes each slower pace for a trial of whether rejections have to do with the pace. */
export class PaceTrials {
  #latest: Trial | undefined;

  /**
   * Notes that the pace is about to be lowered, and judges the one before. Returns the share of calls that is rejected whatever the
   * pace, and the pace before the trials, where they have not helped; otherwise undefined.
   */
  add(calls: SentCalls, pace: number): { readonly share: number; readonly paceBefore: number } | undefined {
    const trial = this.#next(calls, pace);
    this.#latest = trial.failedCount < failuresToGiveUp ? trial : undefined;
    return this.#latest === undefined ? trial : undefined;
  }

  /** The quota is another one from now on. */
  forget(): void {
    this.#latest = undefined;
  }

  #next({ settledCount, rejectedCount }: SentCalls, pace: number): Trial {
    const last = this.#latest;
    if (last === undefined) return { share: 0, paceBefore: pace, failedCount: 0, settledCount, rejectedCount };
    const count = Math.max(1, settledCount - last.settledCount);
    if (last.share > 0 && last.share * count < fewestExpected) return last; // judged with the calls that follow
    const share = (rejectedCount - last.rejectedCount) / count;
    const hasHelped = share < (last.share === 0 ? smallShare : helpfulShare * last.share);
    const failedCount = hasHelped ? 0 : last.failedCount + 1;
    return { share, paceBefore: hasHelped ? pace : last.paceBefore, failedCount, settledCount, rejectedCount };
  }
}
