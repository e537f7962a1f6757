/**
 * The slots of a server that works on so many requests at once: the others wait, first come first served. A request keeps its
 * place and its slot until its work is done, also where its client has left: such servers do not notice.
 */
export class WorkQueue {
  readonly #slots: () => number;
  readonly #waiting: Work[] = [];
  #busy = 0;

  /** `slots` gives the number of slots, from 1 up. It is asked each time that work may start. */
  constructor(slots: () => number) {
    this.#slots = slots;
  }

  /** Calls `onDone` after work of `durationMs` milliseconds, which begins when a slot is free. */
  add(durationMs: number, onDone: () => void): void {
    this.#waiting.push({ durationMs, onDone });
    this.#start();
  }

  #start(): void {
    while (this.#busy < this.#slots()) {
      const work = this.#waiting.shift();
      if (work === undefined) return;
      this.#busy += 1;
      const timer = setTimeout(() => {
        this.#busy -= 1;
        this.#start();
        work.onDone();
      }, work.durationMs);
      timer.unref();
    }
  }
}

interface Work {
  readonly durationMs: number;
  readonly onDone: () => void;
}
