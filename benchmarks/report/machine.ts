import { readFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem, type as system } from "node:os";

/** Where and when a suite ran. */
export interface Circumstances {
  readonly date: string;
  readonly machine: string;
  /** Processes that wanted a core in the minute before the suite began: of a quiet machine nearly 0. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
  readonly command: string;
}

export function circumstances(command: string): Circumstances {
  const all = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 16).replace("T", " "),
    machine: `${all.length} × ${all[0]?.model.trim() ?? "unknown processor"}, ${memory} GiB, ${system()} ${release()}`,
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
    versions: { node: process.versions.node, ...versions() },
    command,
  };
}

function versions(): Record<string, string> {
  const root = new URL("../../", import.meta.url);
  const places = {
    "llm-etl": new URL("package.json", root),
    undici: new URL("node_modules/undici/package.json", root),
    zod: new URL("node_modules/zod/package.json", root),
    openai: new URL("benchmarks/peers/node_modules/openai/package.json", root),
    ai: new URL("benchmarks/peers/node_modules/ai/package.json", root),
    "@ai-sdk/azure": new URL("benchmarks/peers/node_modules/@ai-sdk/azure/package.json", root),
    "p-limit": new URL("benchmarks/peers/node_modules/p-limit/package.json", root),
  };
  return Object.fromEntries(Object.entries(places).flatMap(([name, place]) => versionAt(name, place)));
}

/** Nothing for a package that is not installed. */
function versionAt(name: string, place: URL): [string, string][] {
  try {
    return [[name, String(JSON.parse(readFileSync(place, "utf8")).version)]];
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
