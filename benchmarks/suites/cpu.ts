/** What a row costs in CPU, and how many rows a process can do, when the model is fast. */
import { byTool, ofTool } from "../measure/by-tool.ts";
import { compareTools } from "../measure/compare-tools.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import type { ToolName } from "../tools/list.ts";
import { atLeast, atMost, type Suite } from "./suite.ts";

const latencyMs = 5;
const concurrency = 64;
const tools: readonly ToolName[] = ["llm-etl", "llm-etl-bare", "loop", "openai-sdk", "ai-sdk"];

export const cpu: Suite = {
  name: "cpu",
  minutes: 5,
  tools,
  run: async (options) => {
    const rows = options.rows ?? (options.isQuick ? 100 : 20_000);
    const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
    const all = await compareTools({ tools, simulator: { latencyMs }, rows, concurrency, repetitions }, options);
    const cpuMs = ({ cpuSeconds }: Measurement): number => (cpuSeconds * 1000) / rows;
    const wholeCPUMs = ({ wholeCpuSeconds }: Measurement): number => (wholeCpuSeconds * 1000) / rows;
    const speed = ({ wallSeconds }: Measurement): number => rows / wallSeconds;
    const own = ofTool(all, "llm-etl");
    return {
      about:
        `Each answer takes ${latencyMs} ms, ${concurrency} rows are in flight, two calls a row. CPU is user and system time of the run; with start-up, of the ` +
        "whole process, whose modules are loaded once however many rows there are. The simulator has the other core: it bounds rows/s.",
      tables: [
        {
          title: `${rows} rows`,
          columns: ["tool", "ms of CPU a row", "with start-up", "/ loop", "rows/s", "rows/s / openai SDK", "peak MiB"],
          rows: byTool(all, tools).map(({ title, median, ratioTo }) => [
            title,
            median(cpuMs).toFixed(3),
            median(wholeCPUMs).toFixed(3),
            ratioTo("loop", cpuMs).toFixed(2),
            median(speed).toFixed(0),
            ratioTo("openai-sdk", speed).toFixed(2),
            median(({ peakMiB }) => peakMiB).toFixed(0),
          ]),
        },
      ],
      budgets: [
        ...atMost({
          what: "CPU per row, journal and payload log on, by that of the loop",
          limit: 2,
          measured: own?.ratioTo("loop", cpuMs),
          digits: 2,
        }),
        ...atLeast({
          what: `rows/s at ${latencyMs} ms, ${concurrency} in flight, by those of the official SDK`,
          limit: 2,
          measured: own?.ratioTo("openai-sdk", speed),
          digits: 2,
        }),
      ],
      measurements: all,
    };
  },
};
