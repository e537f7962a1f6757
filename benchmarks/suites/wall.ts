/** How near each tool comes to the shortest possible time, when the model is slow and the rows in flight are many. */
import { byTool, ofTool } from "../measure/by-tool.ts";
import { compareTools } from "../measure/compare-tools.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import type { ToolName } from "../tools/list.ts";
import { atMost, type Suite, type SuiteOptions, type SuiteResult } from "./suite.ts";

const callsPerRow = 2;
const tools: readonly ToolName[] = ["llm-etl", "llm-etl-bare", "loop", "openai-sdk", "ai-sdk"];

export const wall: Suite = {
  name: "wall",
  minutes: 22,
  tools,
  run: async (options) => {
    const latencyMs = options.isQuick ? 5 : 200;
    const parts: Omit<SuiteResult, "about">[] = [];
    for (const concurrency of options.isQuick ? [64] : [64, 256]) {
      parts.push(await compareAt(concurrency, latencyMs, options));
    }
    return {
      about:
        `Each answer takes ${latencyMs} ms. Ideal is ceil(rows / in flight) × ${callsPerRow} calls × ${latencyMs} ms; the rest is ` +
        "what the tool adds. Ratios to the loop are within a repetition.",
      tables: parts.flatMap(({ tables }) => tables),
      budgets: parts.flatMap(({ budgets }) => budgets),
      measurements: parts.flatMap(({ measurements }) => measurements),
    };
  },
};

async function compareAt(
  concurrency: number,
  latencyMs: number,
  options: SuiteOptions,
): Promise<Omit<SuiteResult, "about">> {
  const rows = options.rows ?? (options.isQuick ? concurrency : 10_000);
  const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
  const all = await compareTools({ tools, simulator: { latencyMs }, rows, concurrency, repetitions }, options);
  const idealSeconds = (Math.ceil(rows / concurrency) * callsPerRow * latencyMs) / 1000;
  const seconds = ({ wallSeconds }: Measurement): number => wallSeconds;
  const table = {
    title: `${rows} rows, ${concurrency} in flight: ideal ${idealSeconds.toFixed(1)} s`,
    columns: ["tool", "seconds", "/ ideal", "/ loop"],
    rows: byTool(all, tools).map(({ title, median, ratioTo }) => {
      const overIdeal = median(seconds) / idealSeconds;
      return [title, median(seconds).toFixed(2), overIdeal.toFixed(3), ratioTo("loop", seconds).toFixed(3)];
    }),
  };
  const ratio = ofTool(all, "llm-etl")?.ratioTo("loop", seconds);
  const what = `wall time at ${latencyMs} ms, ${concurrency} in flight, by that of the loop`;
  return {
    tables: [table],
    budgets: atMost({ what, limit: 1.03, measured: ratio, digits: 3 }),
    measurements: all.map((one) => ({ concurrency, idealSeconds, ...one })),
  };
}
