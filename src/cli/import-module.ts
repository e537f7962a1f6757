import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import type { ErrorFacts } from "../errors/facts.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { absolutePath } from "../files/paths.ts";
import type { RunnablePipeline } from "../builder/runnable.ts";
import { codeOf, messageOf, withoutSecrets } from "../errors/error-text.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import { describeThrown, placeOf, stackOf, thrownDetail } from "../errors/thrown.ts";

/**
 * Imports a module and returns its default export, a pipeline.
 *
 * @throws {RunError} PIPELINE_MODULE_INVALID if there is no such file, the module can't be imported, or its default export is
 * not a pipeline with a sink
 */
export async function importPipeline(path: string): Promise<RunnablePipeline> {
  const pipeline = await importDefault(path);
  if (hasFunctions<RunnablePipeline>(pipeline, "run", "replay")) return pipeline;
  const isWithoutSink = typeof pipeline === "object" && pipeline !== null && "to" in pipeline;
  throw wrongExport(path, {
    expected: "`export default new Pipeline({…}).step(…).to(sink)`",
    got: isWithoutSink ? "a pipeline without a sink" : otherExport(pipeline, "a pipeline"),
    hint: isWithoutSink ? "end it with .to(…)" : undefined,
  });
}

/**
 * Imports a module and returns its default export, a provider.
 *
 * @throws {RunError} PIPELINE_MODULE_INVALID if there is no such file, the module can't be imported, or its default export is
 * not a provider
 */
export async function importProvider(path: string): Promise<LLMProvider> {
  const provider = await importDefault(path);
  if (hasFunctions<LLMProvider>(provider, "complete", "fingerprint")) return provider;
  throw wrongExport(path, {
    expected: "`export default new AzureOpenAIProvider({…})` or another provider",
    got: otherExport(provider, "a provider"),
  });
}

function wrongExport(path: string, facts: ErrorFacts): RunError {
  return new RunError("PIPELINE_MODULE_INVALID", path, { facts: { where: path, ...facts } });
}

function otherExport(value: unknown, wanted: string): string {
  return value === undefined ? "no default export" : `a default export that is not ${wanted}`;
}

async function importDefault(path: string): Promise<unknown> {
  const absolute = absolutePath(path);
  if (!existsSync(absolute)) {
    throw new RunError("PIPELINE_MODULE_INVALID", `there is no file ${absolute}`, { facts: { where: absolute } });
  }
  try {
    const module: Readonly<Record<string, unknown>> = await import(pathToFileURL(absolute).href);
    return module["default"];
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    const place = error instanceof Error ? placeOf(error) : undefined;
    const shown = isOfLoader(error)
      ? `${withoutSecrets(messageOf(error))}${place === undefined ? "" : ` (${place})`}`
      : `it threw ${describeThrown(error)}; its message is left out, for it may hold content`;
    throw new RunError("PIPELINE_MODULE_INVALID", `${path} can't be imported: ${shown}`, {
      cause: error,
      detail: `${path} can't be imported: it threw ${thrownDetail(error)}`,
      facts: { where: path, place },
    });
  }
}

const codesOfLoader =
  /^ERR_(?:MODULE_NOT_FOUND|PACKAGE_|IMPORT_|REQUIRE_|UNKNOWN_FILE_EXTENSION|UNSUPPORTED_(?:DIR|ESM|NODE_MODULES|TYPESCRIPT)|INVALID_(?:PACKAGE|MODULE|TYPESCRIPT))/;

/** True if Node could not find or read a module; false for what code threw while it was imported, which may quote a row. */
function isOfLoader(error: unknown): boolean {
  if (error instanceof SyntaxError && stackOf(error).location !== undefined) return true;
  return codesOfLoader.test(codeOf(error) ?? "");
}

function hasFunctions<Expected extends object>(value: unknown, ...names: (keyof Expected)[]): value is Expected {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}
