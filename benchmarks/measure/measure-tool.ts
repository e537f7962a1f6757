import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SimulatorStatistics } from "llm-etl/testing";
import type { ToolEntry } from "../tools/list.ts";
import type { Job, Outcome, ToolModule } from "../tools/tool.ts";
import { checkResult, type Correctness } from "../workload/check.ts";
import type { Questions } from "../workload/task.ts";
import { inOwnProcess, type ProcessFigures } from "./own-process.ts";
import type { Simulator } from "./simulator.ts";

export interface Measurement extends ProcessFigures, Outcome, Correctness {
  readonly tool: string;
  readonly rows: number;
  readonly repetition: number;
  readonly calls: number;
  readonly statistics: SimulatorStatistics;
}

export interface Measuring {
  readonly tool: ToolEntry;
  readonly simulator: Simulator;
  readonly questions: Questions;
  /** A CSV file of so many rows. */
  readonly input: string;
  readonly rows: number;
  readonly concurrency: number;
  readonly repetition: number;
  /** Flags for Node. */
  readonly flags: readonly string[];
  /** Where its process is to leave profiles. @default none are made */
  readonly profileFolder?: string | undefined;
}

/** Runs a tool over all rows in a process of its own, and checks every row that it wrote. */
export async function measureTool(measuring: Measuring): Promise<Measurement> {
  const { tool, simulator, questions, input, rows, concurrency, repetition, flags, profileFolder } = measuring;
  const folder = await mkdtemp(join(tmpdir(), "llm-etl-bench-"));
  const output = join(folder, "result.csv");
  const { url: endpoint } = simulator;
  const { pipeline } = tool;
  try {
    await simulator.reset();
    const profile = profileFolder === undefined ? undefined : { folder: profileFolder, name: tool.name };
    const job: Job = { endpoint, deployment: "simulated", input, output, folder, concurrency, questions, pipeline };
    const { result: outcome, figures } = await inOwnProcess<ToolModule>(tool.module, job, { flags, profile });
    const statistics = await simulator.statistics();
    const correctness = await checkResult(output, rows, questions);
    const calls = statistics.requests;
    return { tool: tool.name, rows, repetition, calls, ...figures, ...outcome, ...correctness, statistics };
  } finally {
    await rm(folder, { recursive: true });
  }
}
