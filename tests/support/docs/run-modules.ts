// Run as a process of its own, in the folder of a page: imports the modules that it is given, one after the other,
// and runs the pipelines that they export. It tells its parent of each what is wrong with it, or null.
import { pathToFileURL } from "node:url";
import type { RunReport } from "../../../src/contracts/report.ts";

for (const path of process.argv.slice(2)) {
  const problem = await problemWith(path);
  await new Promise((resolve) => process.send?.({ path, problem }, resolve));
}
process.exit();

async function problemWith(path: string): Promise<string | null> {
  try {
    const { default: pipeline }: { default?: unknown } = await import(pathToFileURL(path).href);
    return isPipeline(pipeline) ? problemWithReport(await pipeline.run()) : null;
  } catch (error) {
    return error instanceof Error ? String(error.stack) : `it threw ${String(error)}`;
  }
}

function isPipeline(value: unknown): value is { readonly run: () => Promise<RunReport> } {
  return typeof value === "object" && value !== null && "run" in value && "describeTarget" in value;
}

function problemWithReport({ status, successCount, failuresByCode, error }: RunReport): string | null {
  if (status === "completed" && successCount > 0) return null;
  return `its run is ${status}, with ${successCount} rows written: ${error?.message ?? JSON.stringify(failuresByCode)}`;
}
