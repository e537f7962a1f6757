import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { AzureOpenAISimulatorOptions, SimulatorStatistics } from "llm-etl/testing";

/** The simulator that all tools of a suite call, one after the other. */
export interface Simulator {
  readonly url: string;
  readonly statistics: () => Promise<SimulatorStatistics>;
  /** Forgets every request, and so which faults were met. */
  readonly reset: () => Promise<void>;
  readonly close: () => Promise<void>;
}

export async function startSimulator(options: AzureOpenAISimulatorOptions): Promise<Simulator> {
  const script = fileURLToPath(new URL("simulator-process.ts", import.meta.url));
  const child = fork(script, [JSON.stringify(options)], { execArgv: [] });
  const [url] = await Promise.race([
    once(child, "message"),
    once(child, "exit").then(() => Promise.reject(new Error("the simulator did not start"))),
  ]);
  const address = String(url);
  return {
    url: address,
    statistics: async () => await statisticsAt(`${address}/stats`),
    reset: async () => {
      await fetch(`${address}/stats/reset`, { method: "POST" });
    },
    close: async () => {
      if (child.exitCode !== null) return;
      child.disconnect();
      await once(child, "exit");
    },
  };
}

async function statisticsAt(address: string): Promise<SimulatorStatistics> {
  const response = await fetch(address);
  return (await response.json()) as SimulatorStatistics; // the simulator's own words
}
