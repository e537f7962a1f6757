import type { IncomingHttpHeaders } from "node:http";
import { invalidRequest, type Reply } from "./replies.ts";

/** The service tiers that answer. */
export const simulatorTiers = ["default", "flex", "priority"] as const;
export type SimulatorTier = (typeof simulatorTiers)[number];

/** The header of Azure OpenAI, for gateways: it wins over the body's `service_tier`. */
const header = "x-ms-service-tier";

export interface AskedTier {
  readonly headers: IncomingHttpHeaders;
  /** `service_tier` of the body. */
  readonly field: unknown;
  /** The tiers that the deployment has. */
  readonly tiers: readonly SimulatorTier[];
}

/** The tier that a request asks for, `auto` being the standard one; the reply is that to an unknown word, or to a tier that the deployment has not. */
export function readTier({ headers, field, tiers }: AskedTier): SimulatorTier | { readonly reply: Reply } {
  const asked = headers[header] ?? field ?? "auto";
  const tier = asked === "auto" ? "default" : simulatorTiers.find((word) => word === asked);
  if (tier === undefined) {
    const words = ["auto", ...simulatorTiers].map((word) => `'${word}'`).join(", ");
    return { reply: invalidRequest(`'service_tier' must be one of ${words}.`, "service_tier") };
  }
  if (tiers.includes(tier)) return tier;
  return { reply: invalidRequest(`The service tier '${tier}' is not available for this model.`, "service_tier") };
}
