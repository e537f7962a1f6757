import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { absolutePath } from "../files/paths.ts";
import type { RunnablePipeline } from "../builder/pipeline.ts";
import { messageOf } from "../errors/thrown.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import { placeOf } from "./stack.ts";

/**
 * The pipeline that a module exports as its default.
 *
 * @throws {RunError} if there is no such module, it can't be imported, or its default export is no pipeline with a sink
 */
export async function importPipeline(path: string): Promise<RunnablePipeline> {
  const pipeline = await importDefault(path);
  if (hasFunctions<RunnablePipeline>(pipeline, "run", "replay")) return pipeline;
  const expected = "expected `export default new Pipeline({…}).step(…).to(sink)`";
  throw new RunError("PIPELINE_MODULE_INVALID", `${path}: ${whatIsWrong(pipeline)}; ${expected}`);
}

/**
 * The provider that a module exports as its default.
 *
 * @throws {RunError} if there is no such module, it can't be imported, or its default export is no provider
 */
export async function importProvider(path: string): Promise<LLMProvider> {
  const provider = await importDefault(path);
  if (hasFunctions<LLMProvider>(provider, "complete", "fingerprint")) return provider;
  const got = provider === undefined ? "it has no default export" : "its default export is not a provider";
  const expected = "expected `export default new AzureOpenAIProvider({…})` or another provider";
  throw new RunError("PIPELINE_MODULE_INVALID", `${path}: ${got}; ${expected}`);
}

async function importDefault(path: string): Promise<unknown> {
  const absolute = absolutePath(path);
  if (!existsSync(absolute)) throw new RunError("PIPELINE_MODULE_INVALID", `there is no file ${absolute}`);
  try {
    const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(absolute).href);
    return module["default"];
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    const place = error instanceof Error ? placeOf(error) : undefined;
    const problem = `${path} can't be imported: ${messageOf(error)}${place === undefined ? "" : ` (${place})`}`;
    throw new RunError("PIPELINE_MODULE_INVALID", problem, { cause: error });
  }
}

function hasFunctions<Expected extends object>(value: unknown, ...names: (keyof Expected)[]): value is Expected {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}

function whatIsWrong(pipeline: unknown): string {
  if (pipeline === undefined) return "it has no default export";
  const isWithoutSink = typeof pipeline === "object" && pipeline !== null && "to" in pipeline;
  return isWithoutSink ? "its pipeline has no sink: end it with .to(…)" : "its default export is not a pipeline";
}
