import { type Random } from "./random.ts";

/**
 * How a rejection tells its wait: from the milliseconds until the call would be accepted to those that the service says, or
 * undefined where it says nothing.
 */
export type Tell = (waitMs: number, random: Random) => number | undefined;

/** Forms that have been seen. */
export const tells = {
  exact: (waitMs) => Math.ceil(waitMs),
  atLeastSecond: (waitMs) => Math.max(1000, Math.ceil(waitMs)),
  wholeSeconds: (waitMs) => 1000 * Math.ceil(waitMs / 1000),
  /** Too short by up to a second, and 0 for less than that: what is left of a date or a number that was cut off. */
  cutSeconds: (waitMs) => 1000 * Math.floor(waitMs / 1000),
  nothing: () => undefined,
  zero: () => 0,
  minute: () => 60_000,
} satisfies Record<string, Tell>;

export type TellName = keyof typeof tells;

/** Tells by one of several forms, by chance: a gateway and what is behind it answer for each other. */
export function mixed(forms: readonly Tell[]): Tell {
  return (waitMs, random) => forms[Math.floor(random() * forms.length)]?.(waitMs, random);
}
