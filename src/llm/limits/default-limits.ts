import type { Quota } from "../../contracts/provider.ts";
import { concurrency } from "./concurrency.ts";
import { gate } from "./gate.ts";
import { inferredQuota } from "./inferred-quota.ts";
import type { Limiter } from "./limiter.ts";
import type { ResolvedAdmissionOptions } from "./options.ts";
import { outage } from "./outage.ts";
import { pacer } from "./pacer.ts";

export interface DefaultLimitsOptions {
  readonly concurrency: number;
  readonly quota: Quota;
  readonly options: ResolvedAdmissionOptions;
}

/** The limiters of one provider. The inferred quota comes before the limit on calls in flight, which asks it. */
export function defaultLimits({ concurrency: most, quota, options }: DefaultLimitsOptions): readonly Limiter[] {
  const inferred = inferredQuota();
  const isPaced = quota.rpm !== undefined || quota.tpm !== undefined;
  return [
    gate(),
    outage(options),
    inferred,
    concurrency({ most, isExplained: inferred.isExplained }),
    ...(isPaced ? [pacer(quota)] : []),
  ];
}
