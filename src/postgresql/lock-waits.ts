import { timingWaits } from "../table/known-errors.ts";
import { driverFacts } from "./error-meaning.ts";

/** The longest time that another transaction's lock is waited for at once, in milliseconds. */
export const lockWaitMs = 30_000;

/** The SQL that bounds a transaction's waits for locks. They end before the server's statement_timeout: an error of that does not pass. */
export function boundLockWaits(leftMs: number): string {
  const mostMs = Math.max(1_000, Math.min(lockWaitMs, Math.ceil(leftMs)));
  const ofStatement = "extract(epoch FROM current_setting('statement_timeout')::interval)";
  return `SELECT set_config('lock_timeout', least(${mostMs}, nullif(ceil(${ofStatement} * 800), 0))::text, true)`;
}

/** Does `work`; the error of a lock that it did not get says how long that took. */
export async function timingLocks<Result>(work: () => Promise<Result>): Promise<Result> {
  return await timingWaits(work, (error) => driverFacts(error).states.includes("55P03"));
}
