/** Rows and time when one call in ten goes wrong, whichever way the service tells the wait of its 429s. */
import type { AzureOpenAISimulatorOptions } from "llm-etl/testing";
import { byTool, ofTool } from "../measure/by-tool.ts";
import { compareTools } from "../measure/compare-tools.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import type { ToolName } from "../tools/list.ts";
import { atMost, type Suite, type SuiteOptions, type SuiteResult } from "./suite.ts";

const faults = { serverError: 0.02, rateLimit: 0.03, connectionReset: 0.01, invalidJSON: 0.03, outOfRange: 0.01 };
const tools: readonly ToolName[] = ["llm-etl", "loop", "openai-sdk", "ai-sdk"];
const concurrency = 64;
const latencyMs = 20;

/** All tools meet the same faults, and a row that is answered wrongly twice makes the same mistake, as models do. */
const byRow = { faultsBy: "row", mistakes: "same" } as const;

/** One way to tell the wait of a 429 that has nothing to do with the load. */
interface Form {
  readonly name: string;
  readonly tools: readonly ToolName[];
  readonly tells: Pick<AzureOpenAISimulatorOptions, "faultRetryAfterMs" | "retryAfterForm">;
}

const forms: readonly Form[] = [
  { name: "429s tell 200 ms", tools, tells: { faultRetryAfterMs: { rateLimit: 200 }, retryAfterForm: "milliseconds" } },
  {
    name: "429s tell 1 s",
    tools: ["llm-etl", "loop"],
    tells: { faultRetryAfterMs: { rateLimit: 1000 }, retryAfterForm: "seconds" },
  },
  { name: "429s tell no wait", tools: ["llm-etl", "loop"], tells: { faultRetryAfterMs: { rateLimit: "none" } } },
];

export const withFaults: Suite = {
  name: "faults",
  minutes: 10,
  tools,
  run: async (options) => {
    const parts: Omit<SuiteResult, "about">[] = [];
    for (const form of options.isQuick ? forms.slice(0, 1) : forms) parts.push(await compareWith(form, options));
    return {
      about:
        "2 % of the calls get a 500, 3 % a 429 that has nothing to do with the load, 1 % a reset connection, 3 % an answer that is not JSON, 1 % one out of range. A row and the number of its try " +
        "decide, so that all tools meet the same faults; a row that is answered wrongly twice makes the same mistake in another text. The loop and the SDKs try a 500 or a reset again up to 5 times (the SDKs a 429, too; the loop waits for a 429 as it is told, as often as it comes) " +
        "and all ask up to 3 times more for an answer that does not fit. Least: two calls a row, and one for each fault that was served. Paid twice: answers to the same bytes.",
      tables: parts.flatMap((part) => part.tables),
      budgets: parts.flatMap(({ budgets }) => budgets),
      measurements: parts.flatMap(({ measurements }) => measurements),
    };
  },
};

async function compareWith(form: Form, options: SuiteOptions): Promise<Omit<SuiteResult, "about">> {
  const rows = options.rows ?? (options.isQuick ? 200 : 10_000);
  const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
  const simulator = { latencyMs, seed: 7, faults, ...byRow, ...form.tells };
  const comparison = { tools: form.tools, simulator, rows, concurrency, repetitions, mayFail: true };
  const all = await compareTools(comparison, options);
  const own = ofTool(all, "llm-etl");
  if (own !== undefined) requireAccountedFor(own.measurements);
  const zero = (what: string, figure: (one: Measurement) => number) =>
    atMost({ what: `${what}, ${form.name}`, limit: 0, measured: own?.most(figure), digits: 0 });
  return {
    tables: [
      {
        title: `${rows} rows, ${latencyMs} ms, ${concurrency} in flight, ${form.name}`,
        columns: [
          "tool",
          "lost",
          "said to have failed",
          "wrong",
          "calls a row",
          "least",
          "paid twice",
          "seconds",
          "/ loop",
        ],
        rows: byTool(all, form.tools).map(({ title, median, ratioTo }) => [
          title,
          median(({ lost }) => lost).toFixed(0),
          median(({ failed }) => failed).toFixed(0),
          median(({ wrong }) => wrong).toFixed(0),
          median(callsPerRow).toFixed(3),
          median(least).toFixed(3),
          median(paidTwice).toFixed(0),
          median(seconds).toFixed(1),
          ratioTo("loop", seconds).toFixed(3),
        ]),
      },
    ],
    budgets: [
      ...zero("rows lost or failed among faults", ({ lost, failed }) => Math.max(lost, failed)),
      ...zero("rows wrong among faults", ({ wrong }) => wrong),
      ...zero("answers paid for twice among faults", paidTwice),
      ...atMost({
        what: `calls among faults, by those that rows and faults make necessary, ${form.name}`,
        limit: 1.005,
        measured: own?.median((one) => callsPerRow(one) / least(one)),
        digits: 4,
      }),
      ...atMost({
        what: `wall time among faults, by that of the loop, ${form.name}`,
        limit: 1.2,
        measured: own?.ratioTo("loop", seconds),
        digits: 3,
      }),
    ],
    measurements: all.map((one) => ({ form: form.name, ...one })),
  };
}

function seconds({ wallSeconds }: Measurement): number {
  return wallSeconds;
}

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
