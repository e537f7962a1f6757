import { setTimeout } from "node:timers/promises";

/** The server's numbers for what is over in a while, as Microsoft's drivers retry them. */
const transientNumbers: ReadonlySet<number> = new Set(
  [
    [1204, 1205, 1222, 3960], // locks, deadlock, lock timeout, snapshot conflict
    [41301, 41302, 41305, 41325, 41839], // conflicts of memory-optimized tables
    [4060, 4221, 40143, 40197, 40501, 40540, 40613, 42108, 42109, 49918, 49919, 49920], // failover, busy, waking up
    [10928, 10929, 10936], // limits on resources
    [20, 64, 121, 233, 997, 10053, 10054, 10060], // of Windows: the connection
  ].flat(),
);

/** These are wrong settings more often than a passing trouble, and a login may be locked out for them. */
const doubtfulNumbers: ReadonlySet<number> = new Set([4060, 18456]);
const mostDoubtfulRetries = 2;

const transientCodes: ReadonlySet<string> = new Set(
  [
    ["ECLOSE", "ECONNCLOSED", "EINVALIDSTATE", "ENOTOPEN", "ESOCKET", "ETIMEOUT"], // of the driver
    ["EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "EPIPE", "ETIMEDOUT"],
  ].flat(),
);

/** What the server asks for before the next attempt, in milliseconds. */
const leastWaitsMs: ReadonlyMap<number, number> = new Map([[40501, 10_000]]);

const certificateCode = /^(CERT_|DEPTH_ZERO_|ERR_TLS_|ERR_SSL_|EPROTO$|HOSTNAME_MISMATCH|SELF_SIGNED_|UNABLE_TO_)/;

/** What the driver says, without a code, where the connection ends in the middle of an answer. */
const cutOff = /^unexpected end of (?:message stream|data)$/;

/** What an error of the driver's says of itself, with those that it was made from. The outermost comes first. */
export interface DriverFacts {
  /** Of the server's errors: 1205 is a deadlock. */
  readonly numbers: readonly number[];
  /** Of the driver and of Node: `ESOCKET`, `ECONNREFUSED`. */
  readonly codes: readonly string[];
  /** The certificate of the server was not accepted. */
  readonly untrusted: boolean;
}

export function driverFacts(error: unknown): DriverFacts {
  const numbers: number[] = [];
  const codes: string[] = [];
  const seen = new Set<unknown>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if ("number" in value && typeof value.number === "number") numbers.push(value.number);
    if ("code" in value && typeof value.code === "string") codes.push(value.code);
    if (value instanceof Error && cutOff.test(value.message)) codes.push("ECONNRESET");
    for (const name of ["originalError", "cause", "errors", "precedingErrors"] as const) {
      const inner: unknown = Reflect.get(value, name);
      for (const each of Array.isArray(inner) ? inner : [inner]) visit(each);
    }
  };
  visit(error);
  return { numbers, codes, untrusted: codes.some((code) => certificateCode.test(code)) };
}

/**
 * Whether the same statement, batch or login may well succeed a little later. What the server says by number counts
 * before what the driver says by code. True also for the refused logins of {@link retryTransient}, which has the limit.
 */
export function isTransient(error: unknown): boolean {
  const { numbers, codes, untrusted } = driverFacts(error);
  if (numbers.length > 0) return numbers.some((number) => transientNumbers.has(number) || doubtfulNumbers.has(number));
  return !untrusted && codes.some((code) => transientCodes.has(code));
}

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Counted from the first failure, in milliseconds: the last attempt begins no later. */
  readonly maxWaitMs: number;
  /** @default {@link isTransient} */
  readonly isRetryable?: ((error: unknown) => boolean) | undefined;
  /** Told before each wait, so that it can be reported. */
  readonly onRetry?: ((error: unknown, delayMs: number) => void) | undefined;
  /** @default 100 */
  readonly shortestDelayMs?: number | undefined;
  /** @default 30,000 */
  readonly longestDelayMs?: number | undefined;
  /** @default performance.now */
  readonly now?: (() => number) | undefined;
  /** From 0 to 1. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default a timer that the signal ends */
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/**
 * Tries again after a passing failure, with full jitter and a wait that doubles, and waits as long as the server asked to.
 * An attempt must be safe to repeat: its predecessor may have been carried out, and its answer lost. A refused login
 * (18456, 4060) is tried twice more, whatever time is left.
 *
 * @throws what the last attempt threw; the signal's reason if that is aborted while it would wait
 */
export async function retryTransient<Result>(attempt: () => Promise<Result>, options: RetryOptions): Promise<Result> {
  const {
    signal,
    maxWaitMs,
    isRetryable = isTransient,
    onRetry,
    shortestDelayMs = 100,
    longestDelayMs = 30_000,
  } = options;
  const { now = () => performance.now(), random = Math.random, sleep = sleepUntilAborted } = options;
  let firstFailureAt: number | undefined;
  let doubtfulRetries = 0;
  for (let retryCount = 0; ; retryCount += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      signal.throwIfAborted();
      const { numbers } = driverFacts(error);
      if (numbers.some((number) => doubtfulNumbers.has(number))) doubtfulRetries += 1;
      firstFailureAt ??= now();
      const leftMs = firstFailureAt + maxWaitMs - now();
      const leastMs = Math.max(0, ...numbers.map((number) => leastWaitsMs.get(number) ?? 0));
      if (leftMs <= 0 || leastMs > leftMs || doubtfulRetries > mostDoubtfulRetries) throw error;
      const backoffMs = random() * Math.min(longestDelayMs, shortestDelayMs * 2 ** retryCount);
      const delayMs = Math.min(leastMs + backoffMs, leftMs);
      onRetry?.(error, delayMs);
      await sleep(delayMs, signal);
    }
  }
}

async function sleepUntilAborted(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(delayMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // its own reason, not the timer's wrapping of it
    throw error;
  }
}
