import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Job } from "./tool.ts";

export interface ToolEntry {
  readonly name: string;
  readonly title: string;
  /** The module that has its `run`. */
  readonly module: URL;
  /** Whether `npm ci --prefix benchmarks/peers` has to come first. */
  readonly isPeer: boolean;
  readonly pipeline: Job["pipeline"];
}

const ours = { module: new URL("llm-etl.ts", import.meta.url), isPeer: false };
const none = { records: false };

export const tools = [
  { name: "llm-etl", title: "llm-etl", pipeline: { records: true }, ...ours },
  { name: "llm-etl-bare", title: "llm-etl, journal and payload log off", pipeline: none, ...ours },
  { name: "llm-etl-paced", title: "llm-etl, told the quota", pipeline: { records: true, rpm: 12_000 }, ...ours },
  {
    name: "loop",
    title: "hand-written undici loop",
    module: new URL("loop.ts", import.meta.url),
    isPeer: false,
    pipeline: none,
  },
  {
    name: "openai-sdk",
    title: "official openai SDK, p-limit",
    module: new URL("../peers/openai-sdk.ts", import.meta.url),
    isPeer: true,
    pipeline: none,
  },
  {
    name: "ai-sdk",
    title: "Vercel AI SDK, p-limit",
    module: new URL("../peers/ai-sdk.ts", import.meta.url),
    isPeer: true,
    pipeline: none,
  },
] as const satisfies readonly ToolEntry[];

export type ToolName = (typeof tools)[number]["name"];

export function toolNamed(name: ToolName): ToolEntry {
  const tool = tools.find((entry) => entry.name === name);
  if (tool === undefined) throw new Error(`there is no tool ${name}`);
  return tool;
}

export function arePeersInstalled(): boolean {
  return existsSync(fileURLToPath(new URL("../peers/node_modules/openai", import.meta.url)));
}
