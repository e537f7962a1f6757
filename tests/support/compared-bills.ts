import type { AzureOpenAISimulatorOptions } from "../../src/testing/simulator/options.ts";
import { startAzureOpenAISimulator } from "../../src/testing/simulator/server.ts";
import { type CappedTask, runCapped, trialPrices } from "./capped-run.ts";
import { finishedBill } from "./finished-bill.ts";

/** A run whose report is held against the service's bill. */
export interface BillCase extends Omit<CappedTask, "rows"> {
  readonly name: string;
  readonly simulator?: AzureOpenAISimulatorOptions;
  /** The report's cost by the bill: where every reply tells its tokens, where some got lost, and where some do not tell them. */
  readonly expected: "equal" | "at most" | "about";
}

export const billCases: readonly BillCase[] = [
  { name: "nothing goes wrong", seed: 1, expected: "equal" },
  {
    name: "Flex, a fiftieth without capacity",
    seed: 2,
    tier: "flex",
    simulator: { flexShortage: 0.02 },
    expected: "equal",
  },
  {
    name: "priority, a third answered by the standard tier",
    seed: 3,
    tier: "priority",
    simulator: { priorityDowngrades: 0.33 },
    expected: "equal",
  },
  { name: "a reasoning model", seed: 4, reasoning: true, expected: "equal" },
  {
    name: "re-asks, refusals and cut answers",
    seed: 5,
    simulator: { faults: { invalidJSON: 0.1, outOfRange: 0.05, length: 0.03, loop: 0.02, prose: 0.02, refusal: 0.02 } },
    expected: "equal",
  },
  {
    name: "429s, 500s and 503s",
    seed: 6,
    simulator: { faults: { rateLimit: 0.03, serverError: 0.03, unavailable: 0.02 } },
    expected: "equal",
  },
  {
    name: "lost replies and filtered prompts",
    seed: 7,
    simulator: { faults: { resetAfterBilling: 0.08, truncatedBody: 0.04, contentFilterPrompt: 0.02 } },
    expected: "at most",
  },
  {
    name: "replies that do not tell their tokens",
    seed: 8,
    simulator: { faults: { missingUsage: 0.1, absurdUsage: 0.05 } },
    expected: "about",
  },
];

export interface ComparedBill {
  readonly name: string;
  readonly expected: BillCase["expected"];
  /** In the currency of {@link trialPrices}. */
  readonly bill: number;
  /** The report's cost, by the bill. */
  readonly ratio: number;
  readonly isAsExpected: boolean;
  readonly calls: number;
  readonly reAsks: number;
  readonly billedRequests: number;
  /** Parts of all tokens of the prompts. */
  readonly cachedShare: number;
  readonly writtenShare: number;
}

export async function compareBill(
  { name, simulator: given, expected, ...task }: BillCase,
  rows: number,
): Promise<ComparedBill> {
  const { seed, reasoning } = task;
  const simulator = await startAzureOpenAISimulator({ seed, reasoning, prices: trialPrices, latencyMs: 5, ...given });
  try {
    const { cost, calls, reAsks } = await runCapped({ ...task, rows, url: simulator.url });
    const bill = await finishedBill(simulator);
    const ratio = cost / (bill.cost ?? 0);
    return {
      name,
      expected,
      bill: bill.cost ?? 0,
      ratio,
      isAsExpected: fits[expected](ratio),
      calls,
      reAsks,
      billedRequests: bill.requests,
      cachedShare: bill.cachedTokens / bill.promptTokens,
      writtenShare: bill.cacheWriteTokens / bill.promptTokens,
    };
  } finally {
    await simulator.close();
  }
}

const rounding = 1e-9;

const fits: { readonly [Name in BillCase["expected"]]: (ratio: number) => boolean } = {
  equal: (ratio) => Math.abs(ratio - 1) <= rounding,
  "at most": (ratio) => ratio <= 1 + rounding,
  about: (ratio) => Math.abs(ratio - 1) <= 0.25,
};
