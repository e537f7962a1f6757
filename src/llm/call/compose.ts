import type { Ask, Call, Layer } from "../../contracts/call.ts";

/** The way of a call through the layers, from the first, which is the outermost, to what sends it. */
export function compose<Asked extends Call>(layers: readonly Layer<Asked>[], send: Ask<Asked>): Ask<Asked> {
  return layers.reduceRight<Ask<Asked>>((next, layer) => layer(next), send);
}
