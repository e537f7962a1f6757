import { messageOf, SQLError } from "./sql-error.ts";
import type { Table } from "./table.ts";

export type LockMode = "shared" | "exclusive";

/** Whoever holds locks: a session. */
export interface LockOwner {
  waitsFor: readonly LockOwner[];
}

/** One lock per table. A real server locks rows, and the table once they are 5,000: who is safe with this is safe there. */
export class Locks {
  readonly #holders = new Map<Table, Map<LockOwner, LockMode>>();
  #waiters: (() => void)[] = [];

  /** Waits until the lock is free. Milliseconds to wait: -1 is for ever, and 1222 is thrown after them; 1205 where waiting would never end. */
  readonly take = async (
    owner: LockOwner,
    table: Table,
    mode: LockMode,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> => {
    const deadline = timeoutMs < 0 ? Infinity : performance.now() + timeoutMs;
    for (;;) {
      signal.throwIfAborted();
      const others = this.#conflicting(owner, table, mode);
      if (others.length === 0) break;
      owner.waitsFor = others;
      try {
        if (reaches(others, owner, new Set())) throw new SQLError(1205, messageOf(1205));
        const left = deadline - performance.now();
        if (left <= 0) throw new SQLError(1222, messageOf(1222), { state: 51 });
        await this.#change(left, signal);
      } finally {
        owner.waitsFor = [];
      }
    }
    const holders = this.#holders.get(table) ?? new Map<LockOwner, LockMode>();
    if (holders.get(owner) !== "exclusive") holders.set(owner, mode);
    this.#holders.set(table, holders);
  };

  readonly release = (owner: LockOwner, only?: Table): void => {
    for (const [table, holders] of this.#holders) {
      if (only === undefined || only === table) holders.delete(owner);
      if (holders.size === 0) this.#holders.delete(table);
    }
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  };

  readonly holds = (owner: LockOwner, table: Table): boolean => this.#holders.get(table)?.has(owner) === true;

  #conflicting(owner: LockOwner, table: Table, mode: LockMode): LockOwner[] {
    const holders = this.#holders.get(table) ?? new Map<LockOwner, LockMode>();
    const others = [...holders].filter(
      ([other, held]) => other !== owner && (mode === "exclusive" || held === "exclusive"),
    );
    return others.map(([other]) => other);
  }

  #change(maximumMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const wake = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      if (maximumMs !== Infinity) timer = setTimeout(wake, maximumMs);
      signal.addEventListener("abort", wake);
      this.#waiters.push(wake);
    });
  }
}

function reaches(from: readonly LockOwner[], target: LockOwner, seen: Set<LockOwner>): boolean {
  return from.some((owner) => {
    if (owner === target) return true;
    if (seen.has(owner)) return false;
    seen.add(owner);
    return reaches(owner.waitsFor, target, seen);
  });
}
