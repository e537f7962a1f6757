import type { PriceListing } from "../../contracts/prices.ts";
import { isLoopback } from "./url.ts";

/** The place in a price list of a service's model, by the address of the service; none for one on this machine. */
export function listingAt(seller: string, names: Pick<PriceListing, "model" | "deployment">): PriceListing | undefined {
  return isLoopback(new URL(seller)) ? undefined : { seller, ...names };
}
