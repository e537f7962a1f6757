import type { Quota } from "../../contracts/provider.ts";
import { adaptivePace } from "./adaptive-pace.ts";
import { capacity } from "./capacity.ts";
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
  /** How long a call waits for room in its service tier, in milliseconds. @default for ever */
  readonly tierFallbackMs?: number | undefined;
  readonly options: ResolvedAdmissionOptions;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

/** The limiters of one provider. */
export function defaultLimits(settings: DefaultLimitsOptions): readonly Limiter[] {
  const { concurrency: most, quota, timeoutMs, tierFallbackMs: fallbackMs, options, random } = settings;
  const isPaced = quota.rpm !== undefined || quota.tpm !== undefined;
  return [
    adaptivePace({ random }),
    outage(options),
    capacity({ ...options, fallbackMs, random }),
    concurrency({ most, timeoutMs, random }),
    ...(isPaced ? [pacer(quota)] : []),
  ];
}
