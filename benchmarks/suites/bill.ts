/** The report's cost beside the service's bill, and limits on costs tried against that bill. */
import { brokenPromises, type CappedRun, capTrial } from "../../tests/support/cap-trial.ts";
import { billCases, type ComparedBill, compareBill } from "../../tests/support/compared-bills.ts";
import { median } from "../measure/statistics.ts";
import { atLeast, atMost, type Budget, type Suite, type SuiteOptions, type SuiteResult } from "./suite.ts";

export const bill: Suite = {
  name: "bill",
  minutes: 4,
  tools: [],
  run: async (options) => {
    const compared = await compare(options);
    const tried = await tryCaps(options);
    const budgets = [...compared.budgets, ...tried.budgets];
    if (!options.isQuick && budgets.some(({ isMet }) => !isMet)) process.exitCode = 1;
    return {
      about:
        "Notes of 20 to 1,100 characters are summarized, each by one call, over the same instructions of 4,000 characters; 256 in flight at most. The bill is the simulator's own: of each request that it worked on, also where the reply got lost. " +
        "Caps are drawn evenly by their logarithm, from half of a call to four times the whole bill. Each fifth run is killed (`kill -9`) at a random moment and goes on with what is left of its cap. " +
        "Tables take turns with all faults (a tenth of the calls costs more than it tells, a tenth is invalid or cut, a twentieth is turned away), with time-outs too, and with one kind alone in a quarter of the calls: resets after billing, missing and absurd usage, cut answers and re-asks, cut bodies, content filters. " +
        "Booked: what the run itself counts against its cap, unknown costs at the most that they can be. Left: the rest of the cap of a run that stopped there, by the most that one call can cost.",
      tables: [...compared.tables, ...tried.tables],
      budgets,
      measurements: [...compared.measurements, ...tried.measurements],
    };
  },
};

type Part = Pick<SuiteResult, "tables" | "budgets"> & { readonly measurements: readonly object[] };

async function compare({ rows = 1000, isQuick, log }: SuiteOptions): Promise<Part> {
  const all: ComparedBill[] = [];
  for (const one of billCases) {
    const found = await compareBill(one, isQuick ? 40 : rows);
    all.push(found);
    log(`${found.name}: the report tells ${found.ratio.toFixed(4)} of the bill`);
  }
  return {
    tables: [
      {
        title: "the report's cost by the bill",
        columns: ["run", "report / bill", "calls", "billed", "re-asks", "cached", "written to the cache"],
        rows: all.map(({ name, ratio, calls, billedRequests, reAsks, cachedShare, writtenShare }) => [
          name,
          ratio.toFixed(6),
          calls,
          billedRequests,
          reAsks,
          `${(100 * cachedShare).toFixed(0)} %`,
          `${(100 * writtenShare).toFixed(0)} %`,
        ]),
      },
    ],
    budgets: all.map(budgetOf),
    measurements: all,
  };
}

const words: { readonly [Name in ComparedBill["expected"]]: string } = {
  equal: "1 ± 0.000000001",
  "at most": "≤ 1",
  about: "1 ± 0.25, estimated",
};

function budgetOf({ name, expected, ratio, isAsExpected }: ComparedBill): Budget {
  const what = `the report's cost by the bill, ${name}`;
  return { what, budget: words[expected], measured: ratio.toFixed(9), isMet: isAsExpected };
}

async function tryCaps({ isQuick, log }: SuiteOptions): Promise<Part> {
  const options = isQuick ? { runs: 6, capsPerTable: 3, rows: [30, 60] as const } : { runs: 200, capsPerTable: 8 };
  const runs = await capTrial({ killEvery: 5, seed: 1, log, ...options });
  for (const run of runs) for (const broken of brokenPromises(run)) log(`BROKEN: ${broken}: ${JSON.stringify(run)}`);
  const stopped = runs.filter(({ booked }) => booked !== undefined);
  const left = stopped.map(leftOf);
  const zero = (what: string, isBroken: (run: CappedRun) => boolean): Budget[] =>
    atMost({ what, limit: 0, measured: runs.filter(isBroken).length, digits: 0 });
  const enough = (what: string, limit: number, measured: number): Budget[] =>
    isQuick ? [] : atLeast({ what, limit, measured, digits: 0 });
  return {
    tables: [
      {
        title: `${runs.length} runs with a cap`,
        columns: [
          "tier",
          "runs",
          "killed",
          "stopped at the cap",
          "bill / cap",
          "at most",
          "bill / booked",
          "left",
          "at most",
          "in flight",
        ],
        rows: ["default", "flex", "priority"].map((tier) => rowOf(tier, runs)),
      },
    ],
    budgets: [
      ...zero("runs whose bill is above their cap", ({ bill: billed, cap }) => billed > cap * (1 + rounding)),
      ...zero("runs that break another promise of the cap", (run) => brokenPromises(run).length > 0),
      ...atMost({
        what: "left at the cap, by the most that a call costs",
        limit: 1,
        measured: Math.max(...left),
        digits: 3,
      }),
      ...enough("runs with a cap", 200, runs.length),
      ...enough("runs that stopped at their cap", 100, stopped.length),
      ...enough("killed runs", 25, runs.filter(({ isKilled }) => isKilled).length),
      ...enough("most calls in flight", 200, Math.max(...runs.map(({ peakConcurrency }) => peakConcurrency))),
    ],
    measurements: runs,
  };
}

const rounding = 1e-9;

function leftOf({ cap, booked = cap, worstCase }: CappedRun): number {
  return (cap - booked) / worstCase;
}

function rowOf(tier: string, all: readonly CappedRun[]): readonly (string | number)[] {
  const runs = all.filter((run) => run.tier === tier);
  const stopped = runs.filter(({ booked }) => booked !== undefined);
  const byCap = runs.map(({ bill: billed, cap }) => billed / cap);
  const byBooked = stopped.flatMap(({ bill: billed, booked = 0 }) => (booked === 0 ? [] : [billed / booked]));
  const left = stopped.map(leftOf);
  return [
    tier,
    runs.length,
    runs.filter(({ isKilled }) => isKilled).length,
    stopped.length,
    median(byCap).toFixed(3),
    Math.max(...byCap).toFixed(3),
    median(byBooked).toFixed(3),
    median(left).toFixed(3),
    Math.max(...left).toFixed(3),
    Math.max(...runs.map(({ peakConcurrency }) => peakConcurrency)),
  ];
}
