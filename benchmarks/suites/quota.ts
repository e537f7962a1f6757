/** How much of a quota each tool uses, and what it loses to 429s. */
import { byTool, ofTool } from "../measure/by-tool.ts";
import { compareTools } from "../measure/compare-tools.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import type { ToolName } from "../tools/list.ts";
import { atMost, type Suite, type SuiteOptions, type SuiteResult } from "./suite.ts";

const requestsPerMinute = 12_000;
const callsPerRow = 2;
const concurrency = 128;
const latencyMs = { median: 250, sigma: 0.4 };
const tools: readonly ToolName[] = ["llm-etl", "llm-etl-paced", "loop", "openai-sdk", "ai-sdk"];

export const quota: Suite = {
  name: "quota",
  minutes: 12,
  tools,
  run: async (options) => {
    const parts: Omit<SuiteResult, "about">[] = [];
    for (const retryAfter of options.isQuick ? (["exact"] as const) : (["exact", "one-second"] as const)) {
      parts.push(await compareWith(retryAfter, options));
    }
    return {
      about:
        `${requestsPerMinute} requests a minute, counted in slices of one second; an answer takes ${latencyMs.median} ms in the median (lognormal, sigma ${latencyMs.sigma}), so that ${concurrency} rows in flight want twice the quota. ` +
        "Ideal is all calls at 200 a second. Every tool tries a call again up to 5 times (llm-etl: a 429 does not use up a try).",
      tables: parts.flatMap(({ tables }) => tables),
      budgets: parts.flatMap(({ budgets }) => budgets),
      measurements: parts.flatMap(({ measurements }) => measurements),
    };
  },
};

async function compareWith(
  retryAfter: "exact" | "one-second",
  options: SuiteOptions,
): Promise<Omit<SuiteResult, "about">> {
  const rows = options.rows ?? (options.isQuick ? 150 : 2000);
  const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
  const simulator = { latencyMs: options.isQuick ? 20 : latencyMs, requestsPerMinute, retryAfter };
  const all = await compareTools({ tools, simulator, rows, concurrency, repetitions, mayFail: true }, options);
  const idealSeconds = (rows * callsPerRow) / (requestsPerMinute / 60);
  const overIdeal = ({ wallSeconds }: Measurement): number => wallSeconds / idealSeconds;
  const own = ofTool(all, "llm-etl");
  const paced = ofTool(all, "llm-etl-paced");
  for (const { lost, wrong } of [...(own?.measurements ?? []), ...(paced?.measurements ?? [])]) {
    if (lost > 0 || wrong > 0) throw new Error(`llm-etl lost ${lost} rows to a quota, ${wrong} are wrong`);
  }
  const named = retryAfter === "exact" ? "retry-after-ms exact" : "retry-after-ms 1 s";
  return {
    tables: [
      {
        title: `${rows} rows, ${named}: ideal ${idealSeconds.toFixed(1)} s`,
        columns: ["tool", "lost", "seconds", "/ ideal", "429s a row"],
        rows: byTool(all, tools).map(({ title, median }) => [
          title,
          median(({ lost }) => lost).toFixed(0),
          median(({ wallSeconds }) => wallSeconds).toFixed(1),
          median(overIdeal).toFixed(3),
          median(rateLimitsPerRow).toFixed(3),
        ]),
      },
    ],
    budgets: [
      ...atMost({
        what: `rows lost to a quota, ${named}`,
        limit: 0,
        measured: own?.median(({ lost }) => lost),
        digits: 0,
      }),
      ...atMost({
        what: `wall time by ideal at a quota, ${named}`,
        limit: 1.08,
        measured: own?.median(overIdeal),
        digits: 3,
      }),
      ...atMost({
        what: `429s a row at a quota, ${named}`,
        limit: 0.02,
        measured: own?.median(rateLimitsPerRow),
        digits: 3,
      }),
      ...atMost({
        what: `429s a row at a quota that it was told, ${named}`,
        limit: 0.02,
        measured: paced?.median(rateLimitsPerRow),
        digits: 3,
      }),
    ],
    measurements: all.map((one) => ({ retryAfter, idealSeconds, ...one })),
  };
}

function rateLimitsPerRow({ statistics, rows }: Measurement): number {
  return statistics.rateLimitedRequests / rows;
}
