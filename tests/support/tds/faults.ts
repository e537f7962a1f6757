import { messageOf, SQLError } from "./sql-error.ts";

/** What goes wrong, and when. */
export interface Fault {
  /**
   * Which statements: looked for in the text of each one. A request of the transaction manager has the text `BEGIN TRANSACTION`, `COMMIT TRANSACTION`,
   * `ROLLBACK TRANSACTION` or `SAVE TRANSACTION`, the rows of a bulk load have `BULK ROWS <table>`.
   */
  readonly on: RegExp;
  /** Only the nth of them, counted from 1. */
  readonly nth?: number;
  /** Each of them with this chance, drawn from `seed`. @default 1 */
  readonly probability?: number;
  readonly seed?: number;
  /** How often at most. @default 1, or any number where a probability is given */
  readonly times?: number;
  /** The statement fails with this error instead of being run. From class 20 on the connection is closed, too. */
  readonly error?: number | { readonly number: number; readonly class?: number; readonly message?: string };
  /** The connection breaks, before the statement is run, or after it but before its answer is sent; or it ends once the answer is sent. */
  readonly drop?: "before" | "after" | "answered";
  readonly delayMs?: number;
}

interface Armed {
  readonly fault: Fault;
  seen: number;
  hits: number;
  random: number;
}

export class Faults {
  #armed: Armed[] = [];
  #logins: { error: number; left: number }[] = [];

  /** How often it went wrong is counted in what this gives. */
  readonly add = (fault: Fault): { readonly hits: number } => {
    const armed: Armed = { fault, seen: 0, hits: 0, random: fault.seed ?? 1 };
    this.#armed.push(armed);
    return armed;
  };

  /** Logins are refused with that number. */
  readonly refuseLogin = (error: number, times = 1): void => {
    this.#logins.push({ error, left: times });
  };

  readonly clear = (): void => {
    this.#armed = [];
    this.#logins = [];
  };

  readonly onLogin = (): SQLError | undefined => {
    const next = this.#logins.find(({ left }) => left > 0);
    if (next === undefined) return undefined;
    next.left -= 1;
    return new SQLError(next.error, next.error === 18_456 ? "Login failed for user." : messageOf(next.error));
  };

  readonly onStatement = (text: string): Fault | undefined => {
    let chosen: Fault | undefined;
    for (const armed of this.#armed) {
      const { fault } = armed;
      if (!fault.on.test(text)) continue;
      armed.seen += 1;
      const { nth, probability, times = probability === undefined ? 1 : Infinity } = fault;
      if (armed.hits >= times || (nth !== undefined && armed.seen !== nth)) continue;
      if (probability !== undefined && this.#draw(armed) >= probability) continue;
      if (chosen !== undefined) continue;
      armed.hits += 1;
      chosen = fault;
    }
    return chosen;
  };

  /** mulberry32: the same seed gives the same faults. */
  #draw(armed: Armed): number {
    armed.random = (armed.random + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(armed.random ^ (armed.random >>> 15), 1 | armed.random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
}

export function errorOf({ error }: Fault): SQLError | undefined {
  if (error === undefined) return undefined;
  if (typeof error === "number") return new SQLError(error, messageOf(error));
  return new SQLError(
    error.number,
    error.message ?? messageOf(error.number),
    error.class === undefined ? {} : { class: error.class },
  );
}
