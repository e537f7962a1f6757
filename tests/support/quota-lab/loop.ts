import type { LabCall, MakePolicy } from "./policy.ts";

/** The loop that people write by hand: each call waits for itself, for as long as it is told. */
export const loop: MakePolicy = ({ concurrency, random }) => {
  const waits = new Map<LabCall, number>();
  let inFlight = 0;
  return {
    waitMs: () => (inFlight < concurrency ? 0 : Infinity),
    started: () => {
      inFlight += 1;
    },
    ended: (call, { ok, retryAfterMs }) => {
      inFlight -= 1;
      if (ok) {
        waits.delete(call);
        return {};
      }
      const count = (waits.get(call) ?? 0) + 1;
      waits.set(call, count);
      return { again: retryAfterMs ?? random() * Math.min(8000, 500 * 2 ** count) };
    },
  };
};
