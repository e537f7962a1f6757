/** The calls of one stretch of time, which are judged together. */
export interface Round {
  readonly startMs: number;
  /** Infinity until it has ended. */
  endMs: number;
  sentCount: number;
  sentCost: number;
  /** It still grows when the round has ended: rejections come back later. */
  rejectedCount: number;
  /** True if a call had to wait for the pace: otherwise the calls show what the rows asked for. */
  isPaced: boolean;
}

/** A round lasts at least so long and has at least so many calls, by one of these pairs. */
const sizes: readonly (readonly [durationMs: number, sentCount: number])[] = [
  [200, 20],
  [2000, 8],
  [8000, 3],
];

/** A round is judged once so many times as long has passed as a rejection takes. */
const rejectionPatience = 3;

/** Cuts the calls into rounds that are large enough to judge, and holds each back until its rejections have come. */
export class Rounds {
  #current: Round = newRound(0);
  #ended: Round[] = [];

  /** The round of the calls that go now. */
  get current(): Round {
    return this.#current;
  }

  /** Forgets what is not judged yet: rounds of another pace are no evidence. */
  restart(nowMs: number): void {
    this.#current = newRound(nowMs);
    this.#ended = [];
  }

  /** The oldest round that can be judged; undefined where there is none. */
  next(nowMs: number, rejectionMs: number): Round | undefined {
    const { startMs, sentCount } = this.#current;
    if (sizes.some(([durationMs, count]) => nowMs - startMs >= durationMs && sentCount >= count)) {
      this.#current.endMs = nowMs;
      this.#ended.push(this.#current);
      this.#current = newRound(nowMs);
    }
    const [oldest] = this.#ended;
    if (oldest === undefined || nowMs < oldest.endMs + rejectionPatience * rejectionMs) return undefined;
    return this.#ended.shift();
  }
}

function newRound(startMs: number): Round {
  return { startMs, endMs: Infinity, sentCount: 0, sentCost: 0, rejectedCount: 0, isPaced: false };
}
