import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { SimulatorFaults } from "../../src/testing/simulator/faults.ts";
import { type AzureOpenAISimulator, startAzureOpenAISimulator } from "../../src/testing/simulator/server.ts";
import { type CappedJob, type CappedOutcome, type CappedTask, runCapped, trialPrices } from "./capped-run.ts";
import { finishedBill } from "./finished-bill.ts";
import { randomNumbers } from "./random-numbers.ts";

export interface CapTrialOptions {
  readonly runs: number;
  /** A table is run without a cap first, then with so many caps. */
  readonly capsPerTable: number;
  /** Of each so many runs, one is killed, and run again with what is left of its cap. */
  readonly killEvery: number;
  readonly seed: number;
  /** The fewest and the most rows of a table. @default 300 to 1,000 */
  readonly rows?: readonly [number, number];
  readonly log?: (line: string) => void;
}

/** One run with a cap. Amounts are in the currency of the prices; the bill is the service's. */
export interface CappedRun {
  readonly tier: string;
  readonly cap: number;
  readonly bill: number;
  /** The whole bill of the table, without a cap. */
  readonly whole: number;
  /** The most that a call can cost, by the largest body and the longest answer of the table. */
  readonly worstCase: number;
  /** The cost that the report tells; undefined where the run was killed. */
  readonly told: number | undefined;
  /** What it had booked when it stopped at its cap; undefined for a run that did not. */
  readonly booked: number | undefined;
  readonly isKilled: boolean;
  readonly peakConcurrency: number;
}

/** A tenth of the calls costs more than it tells; others are cut, spoilt or turned away. */
const everything: SimulatorFaults = {
  resetAfterBilling: 0.04,
  missingUsage: 0.04,
  absurdUsage: 0.01,
  truncatedBody: 0.02,
  length: 0.02,
  loop: 0.02,
  prose: 0.01,
  invalidJSON: 0.04,
  outOfRange: 0.03,
  contentFilterPrompt: 0.02,
  contentFilterAnswer: 0.01,
  refusal: 0.01,
  connectionReset: 0.01,
  serverError: 0.01,
  unavailable: 0.01,
  rateLimit: 0.02,
  html: 0.005,
};

/**
 * The faults of the tables, in turn. One kind alone shows what another would hide: what is booked for calls whose cost is not known is several times
 * what they cost.
 */
const mixes: readonly SimulatorFaults[] = [
  everything,
  { resetAfterBilling: 0.25 },
  { ...everything, stalledBody: 0.005, hang: 0.003 }, // end when the client's time is up
  { missingUsage: 0.15, absurdUsage: 0.1 },
  { length: 0.1, loop: 0.1, prose: 0.05, invalidJSON: 0.1, outOfRange: 0.1 },
  { truncatedBody: 0.25 },
  { contentFilterPrompt: 0.3, contentFilterAnswer: 0.1, refusal: 0.1 },
];

/** Tables that are run at a time: calls wait for the service most of the time. */
const lanes = 6;

/** Runs tables with random caps, from half a call to four times the whole bill, against the simulator and its bill. */
export async function capTrial(options: CapTrialOptions): Promise<readonly CappedRun[]> {
  const tables = Array.from({ length: Math.ceil(options.runs / options.capsPerTable) }, (_, number) => number);
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-cap-"));
  const all: CappedRun[] = [];
  const work = async (): Promise<void> => {
    for (let number = tables.shift(); number !== undefined; number = tables.shift()) {
      all.push(...(await tableTrial(number, folder, options)));
    }
  };
  try {
    await Promise.all(Array.from({ length: lanes }, work));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return all;
}

/** All runs of one table. */
async function tableTrial(number: number, folder: string, options: CapTrialOptions): Promise<readonly CappedRun[]> {
  const { capsPerTable, killEvery, seed, rows: [fewest, most] = [300, 1000], log } = options;
  const random = randomNumbers(seed * 1000 + number);
  const tier = ([undefined, undefined, "flex", "priority"] as const)[number % 4];
  const task = {
    seed: number,
    rows: Math.floor(fewest + (most - fewest) * random()),
    tier,
    reasoning: number % 5 === 3,
  };
  const given = mixes[number % mixes.length] ?? everything;
  const { whole, worstCase } = await uncapped(task, given);
  const all: CappedRun[] = [];
  for (let index = 0; index < capsPerTable; index += 1) {
    const cap = Math.exp(Math.log(worstCase / 2) + random() * Math.log((8 * whole) / worstCase));
    const killAt = (number + index) % killEvery === killEvery - 1 ? random() : undefined;
    const journal = join(folder, `${number}-${index}.db`);
    all.push(...(await capped({ task, faults: given, cap, whole, worstCase, killAt, journal })));
  }
  log?.(`table ${number}: ${task.rows} rows, ${whole.toFixed(4)} in all, ${worstCase.toFixed(5)} a call at most`);
  return all;
}

interface Observed {
  readonly simulator: AzureOpenAISimulator;
  /** The most that any call so far can have cost. */
  readonly worstCase: () => number;
}

/** The service, and whoever looks at what it is sent: at each request's bytes and the longest answer that it allows. */
async function startService({ seed, tier, reasoning }: CappedTask, given: SimulatorFaults): Promise<Observed> {
  let worst = 0;
  const dearest = trialPrices.cacheWritePerMillion / 1e6;
  const factor = tier === "priority" ? 2.5 : 1; // Flex may end in the standard tier
  const simulator = await startAzureOpenAISimulator({
    seed,
    reasoning,
    prices: trialPrices,
    priorityDowngrades: 0.2,
    flexShortage: 0.005,
    latencyMs: { median: 80, sigma: 0.6 },
    faults: given,
    fault: ({ body }) => {
      const outputTokens = Number(body["max_completion_tokens"] ?? body["max_tokens"]);
      const inputTokens = Buffer.byteLength(JSON.stringify(body));
      worst = Math.max(worst, inputTokens * dearest + (outputTokens * trialPrices.outputPerMillion) / 1e6);
      return undefined;
    },
  });
  return { simulator, worstCase: () => worst * factor };
}

async function uncapped(task: CappedTask, given: SimulatorFaults): Promise<Pick<CappedRun, "whole" | "worstCase">> {
  const { simulator, worstCase } = await startService(task, given);
  try {
    await runCapped({ ...task, url: simulator.url });
    return { whole: await billOf(simulator), worstCase: worstCase() };
  } finally {
    await simulator.close();
  }
}

interface CappedOptions extends Pick<CappedRun, "cap" | "whole" | "worstCase"> {
  readonly task: CappedTask;
  readonly faults: SimulatorFaults;
  /** The share of what the cap will buy, about, after which the run is killed; undefined for a run that is not. */
  readonly killAt: number | undefined;
  readonly journal: string;
}

/** The part of a cap that is billed when it is booked up, as a rule. */
const usuallyBilled = 0.35;

/** A run, or one that is killed and the one that goes on with what is left of the cap. */
async function capped({ task, faults: given, cap, killAt, journal, ...known }: CappedOptions): Promise<CappedRun[]> {
  const { simulator, worstCase } = await startService(task, given);
  const { url } = simulator;
  const found = (bill: number, limit: number, outcome: CappedOutcome | undefined): CappedRun => ({
    tier: task.tier ?? "default",
    cap: limit,
    bill,
    whole: known.whole,
    worstCase: Math.max(known.worstCase, worstCase()),
    told: outcome?.cost,
    booked: outcome?.stopped?.spent,
    isKilled: outcome === undefined,
    peakConcurrency: simulator.statistics().peakConcurrency,
  });
  try {
    if (killAt === undefined) {
      const outcome = await runCapped({ ...task, url, maxCost: cap });
      return [found(await billOf(simulator), cap, outcome)];
    }
    const job = { ...task, url, journal, maxCost: cap };
    const bought = Math.min(cap * usuallyBilled, known.whole);
    const outcome = await killed(job, () => (simulator.bill().cost ?? 0) >= killAt * bought);
    const first = found(await billOf(simulator), cap, outcome);
    const left = cap - first.bill;
    if (outcome !== undefined || left <= 0) return [first];
    const second = await runCapped({ ...job, maxCost: left });
    return [first, found((await billOf(simulator)) - first.bill, left, second)];
  } finally {
    await simulator.close();
  }
}

/** Runs a job in a process of its own, and kills it when it is time; undefined if it was killed. */
async function killed(job: CappedJob, isTime: () => boolean): Promise<CappedOutcome | undefined> {
  const { NODE_V8_COVERAGE: _, ...env } = process.env; // a process that is killed leaves a half file
  const script = fileURLToPath(new URL("capped-process.ts", import.meta.url));
  const child = fork(script, [JSON.stringify(job)], { execArgv: [], env });
  let outcome: CappedOutcome | undefined;
  child.once("message", (message) => {
    outcome = message as CappedOutcome; // sent by capped-process.ts
  });
  const exited = once(child, "exit");
  while (child.exitCode === null && !isTime()) await setTimeout(2);
  child.kill("SIGKILL");
  await exited;
  if (outcome === undefined && child.exitCode !== null) {
    throw new Error(`the capped run ended with ${child.exitCode}`);
  }
  return outcome;
}

async function billOf(simulator: AzureOpenAISimulator): Promise<number> {
  return (await finishedBill(simulator)).cost ?? 0;
}

/** The promises of the cap that a run has broken, in words: none, as it should be. */
export function brokenPromises({ cap, bill, booked, told, worstCase }: CappedRun): readonly string[] {
  const most = cap * (1 + rounding);
  return [
    ...(bill > most ? [`${bill} was billed, and the cap was ${cap}`] : []),
    ...(booked !== undefined && bill > booked * (1 + rounding) ? [`${bill} was billed, and ${booked} booked`] : []),
    ...(booked !== undefined && cap - booked > worstCase
      ? [`it stopped at ${booked} of ${cap}, and a call costs ${worstCase}`]
      : []),
    ...(told !== undefined && told > most ? [`it tells ${told}, and the cap was ${cap}`] : []),
  ];
}

/** Of sums of fractions. */
const rounding = 1e-9;
