import type { Time } from "../../contracts/time.ts";

/** One moment at which something is to be done: a timer that can be set anew. */
export class Alarm {
  readonly #time: Pick<Time, "now" | "sleep">;
  readonly #ring: () => void;
  #set: { readonly atMs: number; readonly timer: AbortController } | undefined;

  constructor(time: Pick<Time, "now" | "sleep">, ring: () => void) {
    this.#time = time;
    this.#ring = ring;
  }

  /** When it rings; Infinity where it is not set. */
  get atMs(): number {
    return this.#set?.atMs ?? Infinity;
  }

  /** Sets it to ring then, and only then; Infinity for never. */
  set(atMs: number): void {
    if (atMs === this.atMs) return;
    this.#set?.timer.abort();
    this.#set = undefined;
    if (atMs === Infinity) return;
    const set = { atMs, timer: new AbortController() };
    this.#set = set;
    const ring = (): void => {
      if (this.#set !== set) return;
      this.#set = undefined;
      this.#ring();
    };
    const delayMs = Math.ceil(Math.max(0, atMs - this.#time.now()));
    this.#time.sleep(Math.min(longestSleepMs, delayMs), set.timer.signal).then(ring, () => {}); // it fails only where it was cancelled
  }
}

/** Node takes a longer one for 1 ms. Whoever is woken too early looks again. */
const longestSleepMs = 2 ** 31 - 1;
