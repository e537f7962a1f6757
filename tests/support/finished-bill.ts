import { setTimeout } from "node:timers/promises";
import type { SimulatorBill } from "../../src/testing/simulator/ledger.ts";
import type { AzureOpenAISimulator } from "../../src/testing/simulator/server.ts";

/** The bill when nothing is worked on any more. */
export async function finishedBill(simulator: AzureOpenAISimulator): Promise<SimulatorBill> {
  while (simulator.bill().inWork > 0) await setTimeout(2);
  return simulator.bill();
}
