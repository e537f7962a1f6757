import type { Delivery } from "./delivery.ts";
import type { StopSignals } from "./signals.ts";

/** The least time for what a run has said at its end, in milliseconds. */
const leastMs = 1000;

/** Waits until a run's events are delivered; once a signal has come, until the time of a stopped run is over, or until the next one. */
export async function awaitDelivery(
  stdout: Pick<Delivery, "delivered" | "giveUp">,
  { signal, stopNowSignal, leftMs }: StopSignals["delivery"],
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stdout.giveUp(), Math.max(leastMs, stopNowSignal.aborted ? 0 : leftMs()));
  };
  if (signal.aborted || stopNowSignal.aborted) limit();
  signal.addEventListener("abort", limit);
  stopNowSignal.addEventListener("abort", limit);
  await stdout.delivered();
  clearTimeout(timer);
  signal.removeEventListener("abort", limit);
  stopNowSignal.removeEventListener("abort", limit);
}
