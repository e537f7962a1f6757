/** What becomes of rows when one call in ten goes wrong. */
import { byTool, ofTool } from "../measure/by-tool.ts";
import { compareTools } from "../measure/compare-tools.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import type { ToolName } from "../tools/list.ts";
import { atMost, type Suite } from "./suite.ts";

const faults = { serverError: 0.02, rateLimit: 0.03, connectionReset: 0.01, invalidJSON: 0.03, outOfRange: 0.01 };
const tools: readonly ToolName[] = ["llm-etl", "loop", "openai-sdk", "ai-sdk"];

export const withFaults: Suite = {
  name: "faults",
  minutes: 6,
  tools,
  run: async (options) => {
    const rows = options.rows ?? (options.isQuick ? 200 : 10_000);
    const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
    const simulator = { latencyMs: 20, seed: 7, faults };
    const all = await compareTools({ tools, simulator, rows, concurrency: 64, repetitions, mayFail: true }, options);
    const own = ofTool(all, "llm-etl");
    if (own !== undefined) requireAccountedFor(own.measurements);
    const zero = (what: string, figure: (one: Measurement) => number) =>
      atMost({ what, limit: 0, measured: own?.median(figure), digits: 0 });
    return {
      about:
        "2 % of the calls get a 500, 3 % a 429, 1 % a reset connection, 3 % an answer that is not JSON, 1 % one out of range; every tool tries calls again up to " +
        "5 times and asks up to 3 times more for an answer that does not fit. Least: two calls a row, and one for each fault that was served. Paid twice: answers to the same bytes.",
      tables: [
        {
          title: `${rows} rows, 20 ms, 64 in flight`,
          columns: ["tool", "lost", "said to have failed", "wrong", "calls a row", "least", "paid twice", "seconds"],
          rows: byTool(all, tools).map(({ title, median }) => [
            title,
            median(({ lost }) => lost).toFixed(0),
            median(({ failed }) => failed).toFixed(0),
            median(({ wrong }) => wrong).toFixed(0),
            median(callsPerRow).toFixed(3),
            median(least).toFixed(3),
            median(paidTwice).toFixed(0),
            median(({ wallSeconds }) => wallSeconds).toFixed(1),
          ]),
        },
      ],
      budgets: [
        ...zero("rows lost or failed among faults", ({ lost, failed }) => lost + failed),
        ...zero("rows wrong among faults", ({ wrong }) => wrong),
        ...zero("answers paid for twice among faults", paidTwice),
        ...atMost({
          what: "calls among faults, by those that rows and faults make necessary",
          limit: 1.005,
          measured: own?.median((one) => callsPerRow(one) / least(one)),
          digits: 4,
        }),
      ],
      measurements: all,
    };
  },
};

function callsPerRow({ calls, rows }: Measurement): number {
  return calls / rows;
}

function paidTwice({ statistics }: Measurement): number {
  return statistics.repeatedRequests;
}

function least({ statistics, rows }: Measurement): number {
  return 2 + Object.values(statistics.byFault).reduce((sum, count) => sum + count, 0) / rows;
}

/** What llm-etl promises in any case: a row is written, right and once, or counted as failed. */
function requireAccountedFor(measurements: readonly Measurement[]): void {
  for (const { rows, written, failed, duplicated, wrong } of measurements) {
    if (written + failed === rows && duplicated === 0 && wrong === 0) continue;
    throw new Error(`llm-etl lost rows: ${JSON.stringify({ rows, written, failed, duplicated, wrong })}`);
  }
}
