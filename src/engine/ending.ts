/** The time that rows in flight have by default to finish once a run is stopped, in milliseconds. */
export const defaultGracePeriodMs = 20_000;

/** The time after it, in milliseconds, to abandon what does not end, to write what is complete, and to close. */
export const endingMs = 8000;

/** However late it is, work that is about to end may do so, in milliseconds. */
const leastMs = 100;

/**
 * When a run that a signal stopped has ended at the latest, whatever hangs: {@link endingMs} after its grace period. With the
 * defaults the process has gone within 30 s, after which container platforms kill it.
 */
export class Ending {
  #atMs = Infinity;
  readonly #limits = new Set<() => void>();
  readonly #signals: { readonly signal: AbortSignal; readonly onAbort: () => void }[] = [];

  /** The ending of a run that these signals stop. */
  static of(
    {
      signal,
      stopNowSignal,
    }: { readonly signal?: AbortSignal | undefined; readonly stopNowSignal?: AbortSignal | undefined },
    gracePeriodMs: number,
  ): Ending {
    const ending = new Ending();
    ending.listen(signal, gracePeriodMs);
    ending.listen(stopNowSignal, 0);
    return ending;
  }

  /** Takes the abort of `signal` for a stop that leaves rows in flight so long. Of several, the earliest end counts. */
  listen(signal: AbortSignal | undefined, gracePeriodMs: number): void {
    const onAbort = (): void => {
      this.#atMs = Math.min(this.#atMs, performance.now() + gracePeriodMs + endingMs);
      for (const shorten of this.#limits) shorten();
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal !== undefined) this.#signals.push({ signal, onAbort });
    if (signal?.aborted === true) onAbort();
  }

  /**
   * Calls `onOver` once, after so many milliseconds, or sooner if the run has to have ended by then. Returns a function that
   * forgets it.
   */
  after(limitMs: number, onOver: () => void): () => void {
    const startMs = performance.now();
    let timer: NodeJS.Timeout | undefined;
    const setTo = (leftMs: number): void => {
      clearTimeout(timer);
      // Node takes a longer time than 2^31 - 1 for 1 ms.
      timer = setTimeout(onOver, Math.min(2 ** 31 - 1, leftMs, Math.max(leastMs, this.#atMs - performance.now())));
    };
    const shorten = (): void => setTo(Math.max(0, limitMs - (performance.now() - startMs)));
    setTo(limitMs);
    this.#limits.add(shorten);
    return () => {
      clearTimeout(timer);
      this.#limits.delete(shorten);
    };
  }

  /** Listens to no signal any more. */
  end(): void {
    for (const { signal, onAbort } of this.#signals) signal.removeEventListener("abort", onAbort);
  }
}

/** Waits for work to end, for `limitMs` at most, and no longer than a run that was stopped has. */
export async function within(
  limitMs: number,
  work: Promise<unknown> | undefined,
  ending: Ending = new Ending(),
): Promise<void> {
  let forget: (() => void) | undefined;
  const limit = new Promise<void>((resolve) => {
    forget = ending.after(limitMs, resolve);
  });
  await Promise.race([work, limit]).finally(forget);
}
