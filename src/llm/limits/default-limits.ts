import type { Quota } from "../../contracts/provider.ts";
import { adaptivePace } from "./adaptive-pace.ts";
import { concurrency } from "./concurrency.ts";
import type { Limiter } from "./limiter.ts";
import type { ResolvedAdmissionOptions } from "./options.ts";
import { outage } from "./outage.ts";
import { pacer } from "./pacer.ts";

export interface DefaultLimitsOptions {
  readonly concurrency: number;
  readonly quota: Quota;
  /** The time that a call may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly options: ResolvedAdmissionOptions;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

/** The limiters of one provider. */
export function defaultLimits(settings: DefaultLimitsOptions): readonly Limiter[] {
  const { concurrency: most, quota, timeoutMs, options, random } = settings;
  const isPaced = quota.rpm !== undefined || quota.tpm !== undefined;
  return [
    adaptivePace({ random }),
    outage(options),
    concurrency({ most, timeoutMs, random }),
    ...(isPaced ? [pacer(quota)] : []),
  ];
}
