/** Whether memory grows with the table. */
import { compareTools } from "../measure/compare-tools.ts";
import { ofTool } from "../measure/by-tool.ts";
import type { Measurement } from "../measure/measure-tool.ts";
import { toolNamed, type ToolName } from "../tools/list.ts";
import { atMost, type Suite, type SuiteOptions } from "./suite.ts";

/** With a small heap, lazy collection does not read as growth. */
const flags = ["--max-old-space-size=64", "--max-semi-space-size=8"];
const tools: readonly ToolName[] = ["llm-etl", "loop"];

export const memory: Suite = {
  name: "memory",
  minutes: 25,
  tools,
  run: async (options) => {
    const sizes = sizesOf(options);
    const all: Measurement[] = [];
    for (const rows of sizes) {
      const repetitions = options.repetitions ?? 1;
      all.push(
        ...(await compareTools(
          { tools, simulator: { latencyMs: 5 }, rows, concurrency: 64, repetitions, flags },
          options,
        )),
      );
    }
    const peaks = (name: ToolName): (number | undefined)[] =>
      sizes.map((size) => {
        const ofSize = all.filter(({ rows }) => rows === size);
        return ofTool(ofSize, name)?.median(({ peakMiB }) => peakMiB);
      });
    const [smallest, largest] = [peaks("llm-etl")[0], peaks("llm-etl").at(-1)];
    return {
      about: `Peak RSS of the whole process (${flags.join(" ")}), 64 rows in flight, journal and payload log on for llm-etl. Node itself, with the types of these files stripped, has about 70 MiB of it.`,
      tables: [
        {
          title: "peak RSS in MiB",
          columns: ["tool", ...sizes.map((rows) => `${rows} rows`), "last / first"],
          rows: tools.filter(options.wants).map((name) => {
            const all = peaks(name);
            const growth = (all.at(-1) ?? Number.NaN) / (all[0] ?? Number.NaN);
            return [toolNamed(name).title, ...all.map((peak) => (peak ?? Number.NaN).toFixed(0)), growth.toFixed(2)];
          }),
        },
      ],
      budgets: [
        ...atMost({
          what: `peak RSS at ${sizes.at(-1)} rows, by that at ${sizes[0]}`,
          limit: 1.1,
          measured: smallest === undefined || largest === undefined ? undefined : largest / smallest,
          digits: 2,
        }),
        ...atMost({ what: `peak RSS at ${sizes.at(-1)} rows`, limit: 200, measured: largest, digits: 0, unit: " MiB" }),
      ],
      measurements: all,
    };
  },
};

function sizesOf({ rows, isQuick }: SuiteOptions): readonly number[] {
  if (isQuick) return [100];
  if (rows === undefined) return [10_000, 100_000, 1_000_000];
  return [10_000, 100_000, 1_000_000].filter((size) => size < rows).concat(rows);
}
