/** How much of a quota each tool uses, and how many 429s it gets, whichever way the service tells the wait. */
import type { AzureOpenAISimulatorOptions } from "llm-etl/testing";
import { byTool, ofTool } from "../measure/by-tool.ts";
import { compareTools } from "../measure/compare-tools.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import type { ToolName } from "../tools/list.ts";
import { atMost, type Suite, type SuiteOptions, type SuiteResult } from "./suite.ts";

const requestsPerMinute = 12_000;
const perSecond = requestsPerMinute / 60;
const callsPerRow = 2;
const concurrency = 64;
const latencyMs = 100;
const tools: readonly ToolName[] = ["llm-etl", "llm-etl-paced", "loop", "openai-sdk", "ai-sdk"];
const withoutPeers: readonly ToolName[] = ["llm-etl", "llm-etl-paced", "loop"];

/** One way to tell the wait of a 429. */
interface Form {
  readonly name: string;
  readonly tools: readonly ToolName[];
  readonly tells: Pick<AzureOpenAISimulatorOptions, "retryAfter" | "retryAfterForm" | "rateLimitHeaders">;
}

const forms: readonly Form[] = [
  { name: "exact waits", tools, tells: { retryAfter: "exact", rateLimitHeaders: false } },
  { name: "waits of 1 s", tools, tells: { retryAfter: "at-least-one-second", rateLimitHeaders: false } },
  {
    name: "waits in whole seconds",
    tools: withoutPeers,
    tells: { retryAfter: "whole-seconds", retryAfterForm: "seconds", rateLimitHeaders: false },
  },
  { name: "no wait told", tools: withoutPeers, tells: { retryAfter: "none", rateLimitHeaders: false } },
  { name: "waits of zero", tools: withoutPeers, tells: { retryAfter: "zero", rateLimitHeaders: false } },
  { name: "exact waits and x-ratelimit headers", tools: withoutPeers, tells: { retryAfter: "exact" } },
];

export const quota: Suite = {
  name: "quota",
  minutes: 24,
  tools,
  run: async (options) => {
    const parts: Omit<SuiteResult, "about">[] = [];
    for (const form of options.isQuick ? forms.slice(0, 1) : forms) parts.push(await compareWith(form, options));
    return {
      about:
        `${requestsPerMinute} requests a minute in a bucket that holds ${perSecond} and fills steadily; an answer takes ${latencyMs} ms, so that ${concurrency} rows in flight want three times the quota. ` +
        `Ideal is ${perSecond} calls at once, the others at ${perSecond} a second, and the last answer. Over one round: 429s beyond one for each row in flight, by answers. The SDKs try a call again up to 5 ` +
        "times; for llm-etl and the loop a 429 does not use up a try. Without x-ratelimit headers, but for the form that names them.",
      tables: parts.flatMap((part) => part.tables),
      budgets: parts.flatMap(({ budgets }) => budgets),
      measurements: parts.flatMap(({ measurements }) => measurements),
    };
  },
};

async function compareWith(form: Form, options: SuiteOptions): Promise<Omit<SuiteResult, "about">> {
  const rows = options.rows ?? (options.isQuick ? 150 : 2000);
  const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
  const simulator = { latencyMs, requestsPerMinute, limitKind: "bucket" as const, ...form.tells };
  const comparison = { tools: form.tools, simulator, rows, concurrency, repetitions, mayFail: true };
  const all = await compareTools(comparison, options);
  const idealSeconds = idealSecondsOf(rows * callsPerRow);
  const overIdeal = ({ wallSeconds }: Measurement): number => wallSeconds / idealSeconds;
  const own = ofTool(all, "llm-etl");
  const paced = ofTool(all, "llm-etl-paced");
  requireNoneLost([...(own?.measurements ?? []), ...(paced?.measurements ?? [])]);
  return {
    tables: [
      {
        title: `${rows} rows, ${form.name}: ideal ${idealSeconds.toFixed(1)} s`,
        columns: ["tool", "lost", "seconds", "/ ideal", "429s an answer", "over one round"],
        rows: byTool(all, form.tools).map(({ title, median }) => [
          title,
          median(({ lost }) => lost).toFixed(0),
          median(({ wallSeconds }) => wallSeconds).toFixed(1),
          median(overIdeal).toFixed(3),
          median(rateLimitsPerAnswer).toFixed(3),
          median(overOneRound).toFixed(3),
        ]),
      },
    ],
    budgets: [
      ...atMost({
        what: `rows lost to a quota, ${form.name}`,
        limit: 0,
        measured: own?.most(({ lost, failed }) => Math.max(lost, failed)),
        digits: 0,
      }),
      ...atMost({
        what: `wall time by ideal at a quota, ${form.name}`,
        limit: 1.05,
        measured: own?.median(overIdeal),
        digits: 3,
      }),
      ...atMost({
        what: `429s an answer at a quota, over one round, ${form.name}`,
        limit: 0.02,
        measured: own?.median(overOneRound),
        digits: 3,
      }),
      ...atMost({
        what: `429s an answer at a quota that it was told, over one round, ${form.name}`,
        limit: 0.02,
        measured: paced?.median(overOneRound),
        digits: 3,
      }),
    ],
    measurements: all.map((one) => ({ form: form.name, idealSeconds, ...one })),
  };
}

/** The time of a client that knows the quota: a full bucket, then the rate, and the last answer. */
export function idealSecondsOf(calls: number): number {
  return Math.max(0, calls - perSecond) / perSecond + latencyMs / 1000;
}

function rateLimitsPerAnswer({ statistics, rows }: Measurement): number {
  return statistics.rateLimitedRequests / (rows * callsPerRow);
}

/** One round of the calls in flight is out before the first 429 can come back. */
function overOneRound({ statistics, rows }: Measurement): number {
  return Math.max(0, statistics.rateLimitedRequests - concurrency) / (rows * callsPerRow);
}

/** A row that is neither written nor counted as failed, or written wrong, is no figure but a fault. */
function requireNoneLost(measurements: readonly Measurement[]): void {
  for (const { tool, rows, written, failed, duplicated, wrong } of measurements) {
    if (written + failed === rows && duplicated === 0 && wrong === 0) continue;
    throw new Error(`${tool} lost rows to a quota: ${JSON.stringify({ rows, written, failed, duplicated, wrong })}`);
  }
}
