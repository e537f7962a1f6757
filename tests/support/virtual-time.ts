import { setImmediate } from "node:timers/promises";
import type { Time } from "../../src/contracts/time.ts";

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** A clock that stands still but for `pass`. */
export class VirtualTime implements Time {
  #nowMs: number;
  readonly #sleepers: Sleeper[] = [];
  readonly random: () => number;

  constructor({ nowMs = 1000, random = () => 0.5 }: { nowMs?: number; random?: () => number } = {}) {
    this.#nowMs = nowMs;
    this.random = random;
  }

  readonly now = (): number => this.#nowMs;

  readonly sleep = async (delayMs: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(signal.reason);
      };
      const sleeper: Sleeper = {
        dueMs: this.#nowMs + delayMs,
        wake: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#sleepers.push(sleeper);
    });
  };

  /** How many sleep. */
  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  /** Lets so much time pass: whoever is due wakes at its time, in order, and all that follows at once happens. */
  async pass(delayMs: number): Promise<void> {
    const endMs = this.#nowMs + delayMs;
    await setImmediate();
    for (;;) {
      const next = this.#sleepers.toSorted((one, other) => one.dueMs - other.dueMs)[0];
      if (next === undefined || next.dueMs > endMs) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      next.wake();
      await setImmediate();
    }
    this.#nowMs = endMs;
  }
}
