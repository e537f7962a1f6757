import { TransientMap } from "../../engine/transient-map.ts";

/**
 * Calls functions when a signal aborts, with one listener per signal. An EventTarget searches its listeners each time that
 * one is added, which is slow with hundreds of calls in flight.
 */
export class AbortListeners {
  readonly #groups = new WeakMap<AbortSignal, Group>();

  add(signal: AbortSignal, onAbort: () => void): void {
    const group = this.#groups.get(signal) ?? this.#begin(signal);
    group.functions.set(onAbort, signal);
  }

  remove(signal: AbortSignal, onAbort: () => void): void {
    const group = this.#groups.get(signal);
    if (group === undefined || !group.functions.delete(onAbort) || group.functions.size > 0) return;
    signal.removeEventListener("abort", group.listener);
    this.#groups.delete(signal);
  }

  #begin(signal: AbortSignal): Group {
    const functions = new TransientMap<() => void, AbortSignal>();
    const listener = (): void => {
      for (const [onAbort] of functions.entries()) if (functions.has(onAbort)) onAbort(); // each may remove itself, and others
    };
    const group = { functions, listener };
    signal.addEventListener("abort", listener);
    this.#groups.set(signal, group);
    return group;
  }
}

interface Group {
  readonly functions: TransientMap<() => void, AbortSignal>;
  readonly listener: () => void;
}
