import type { RunEvent } from "../contracts/events.ts";

/** Calls follow one another within moments: after so many looks without one, none is on its way. */
const quietLooks = 4;
const lookEveryMs = 250;

/** Counts the calls of a run that have no answer yet. */
export class CallsInFlight {
  #count = 0;
  #quietLooks = 0;
  #timer: NodeJS.Timeout | undefined;

  observe(event: RunEvent): void {
    if (event.type !== "call-start" && event.type !== "call-end") return;
    this.#count += event.type === "call-start" ? 1 : -1;
    this.#quietLooks = 0;
  }

  /** Calls `listener` once, when there has been no call for a second. */
  onQuiet(listener: () => void): void {
    this.#timer = setInterval(() => {
      this.#quietLooks = this.#count > 0 ? 0 : this.#quietLooks + 1;
      if (this.#quietLooks < quietLooks) return;
      this.end();
      listener();
    }, lookEveryMs);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
