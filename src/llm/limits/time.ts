import { setTimeout } from "node:timers/promises";
import type { Time } from "../../contracts/time.ts";

/** The time of this machine. */
export const realTime: Time = {
  now: () => performance.now(),
  sleep: async (delayMs, signal) => await setTimeout(delayMs, undefined, { signal }),
  random: () => Math.random(),
};
