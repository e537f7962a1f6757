import { existsSync } from "node:fs";
import { join } from "node:path";
import type { AzureOpenAISimulatorOptions } from "llm-etl/testing";
import type { SuiteOptions } from "../suites/suite.ts";
import { toolNamed, type ToolName } from "../tools/list.ts";
import { writeNotes } from "../workload/notes.ts";
import { interleave } from "./interleave.ts";
import { type Measurement, measureTool } from "./measure-tool.ts";
import { startSimulator } from "./simulator.ts";

export interface Comparison {
  readonly tools: readonly ToolName[];
  readonly simulator: AzureOpenAISimulatorOptions;
  readonly rows: number;
  readonly concurrency: number;
  readonly repetitions: number;
  /** Whether a row may fail: only where faults are served on purpose. @default false */
  readonly mayFail?: boolean;
  /** Flags for Node. @default none */
  readonly flags?: readonly string[];
}

/** Measures tools against one simulator; throws where one of them lost a row that it had no reason to lose. */
export async function compareTools(comparison: Comparison, options: SuiteOptions): Promise<Measurement[]> {
  const { tools, rows, concurrency, repetitions, mayFail = false, flags = [] } = comparison;
  const { questions, log, profileFolder } = options;
  const input = await notesFile(options.folder, rows);
  const simulator = await startSimulator(comparison.simulator);
  const shared = { simulator, questions, concurrency, flags };
  try {
    const wanted = tools.filter(options.wants).map(toolNamed);
    const [warmUp] = wanted;
    // The simulator's own code is compiled before anybody is measured against it.
    if (warmUp !== undefined && !options.isQuick) {
      const few = Math.min(rows, 1000);
      await measureTool({
        ...shared,
        tool: warmUp,
        rows: few,
        input: await notesFile(options.folder, few),
        repetition: 0,
      });
    }
    const all = await interleave(wanted, repetitions, async (tool, repetition) => {
      const measured = await measureTool({ ...shared, tool, input, rows, repetition, profileFolder });
      log(lineOf(measured));
      if (!mayFail) requireAll(measured);
      return measured;
    });
    if (!mayFail) requireSamePrompts(all);
    return all;
  } finally {
    await simulator.close();
  }
}

/** Written once for all that measure with so many rows. */
async function notesFile(folder: string, rows: number): Promise<string> {
  const path = join(folder, `notes-${rows}.csv`);
  if (!existsSync(path)) await writeNotes(path, rows);
  return path;
}

/** Without faults there is one right result: every row, and two calls for each. */
function requireAll({ tool, rows, calls, written, lost, duplicated, wrong, errors }: Measurement): void {
  if (written === rows && lost === 0 && duplicated === 0 && wrong === 0 && calls === 2 * rows) return;
  const counts = JSON.stringify({ rows, calls, written, lost, duplicated, wrong, errors });
  throw new Error(`${tool} did not do all rows right: ${counts}`);
}

/** The simulator counts the characters of messages and schemas: equal sums over all rows are equal prompts. */
function requireSamePrompts(all: readonly Measurement[]): void {
  const sums = new Set(all.map(({ statistics }) => statistics.promptTokens));
  if (sums.size > 1) throw new Error(`the tools did not send the same prompts: ${[...sums].join(", ")} tokens`);
}

function lineOf({ tool, repetition, rows, wallSeconds, cpuSeconds, peakMiB, calls }: Measurement): string {
  const cpu = ((cpuSeconds * 1000) / rows).toFixed(3);
  return `${tool} (${repetition}): ${rows} rows in ${wallSeconds.toFixed(1)} s, ${cpu} ms of CPU a row, peak ${peakMiB.toFixed(0)} MiB, ${calls} calls`;
}
