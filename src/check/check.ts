import type { AnyState } from "../engine/state.ts";
import { acceptAlone, checkMaps } from "../pipeline/map-check.ts";
import type { MapProblem } from "../pipeline/trials.ts";
import { type ResolvedPipeline, resolvePipeline } from "../pipeline/resolve.ts";
import { rowFields } from "../table/row-fields.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { AnySource, Parameters, ReadContext, SourceRow } from "../contracts/source.ts";
import { checkChanges } from "./changes.ts";
import { checkEnvironment } from "./environment.ts";
import { checkFiles, checkSeparateFiles } from "./files.ts";
import { checkJournal } from "./journal.ts";
import { checkPrices } from "./prices.ts";
import { type CheckReport, Findings } from "./report.ts";
import { checkSinks, identitiesOf } from "./sinks.ts";
import { checkSteps } from "./steps.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { SourceError } from "../errors/source.ts";
import { listItems } from "../errors/name-list.ts";
import { checkOptions as requireOptions, isBoolean, optional } from "../errors/options.ts";
import { runChecks } from "../pipeline/options.ts";
import type { PipelineDefinition } from "../pipeline/definition.ts";
import { deprecationsOf } from "../pipeline/run-files.ts";
import { problemOf } from "../errors/thrown.ts";

export interface CheckOptions {
  /** Values for the names in the source's statement, as for a run. */
  readonly parameters?: Parameters | undefined;
  /** One real call for each step that asks a model, with the first row's prompt. It costs what it costs. @default false */
  readonly ping?: boolean | undefined;
  /** True to report the prompts' messages, which hold the first row's content. @default false */
  readonly prompts?: boolean | undefined;
  /** Aborting it ends the check: it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Looks at all that a run looks at before its first call: see `RunnablePipeline.check`. */
export async function checkPipeline(
  definition: PipelineDefinition,
  checkOptions: CheckOptions = {},
): Promise<CheckReport> {
  requireOptions("check", checkOptions, {
    parameters: runChecks.parameters,
    ping: optional(isBoolean),
    prompts: optional(isBoolean),
    signal: runChecks.signal,
  });
  const { ping = false, prompts: areShown = false, parameters } = checkOptions;
  const { signal = new AbortController().signal } = checkOptions;
  signal.throwIfAborted();
  const pipeline = resolvePipeline(definition, { parameters });
  const { name, source, steps, providers, destinations, settings, stores } = pipeline;
  const rowErrorStatus = settings.onRowError === "fail" ? "problem" : "warning";
  const findings = new Findings({ rowErrorStatus, signal });
  const parts = [source, ...providers, ...destinations.map(({ sink }) => sink), stores.journal, stores.deadLetter];
  checkEnvironment(
    findings,
    parts.filter((part) => part !== null),
  );
  for (const { option, message } of deprecationsOf(definition.options)) {
    findings.add("files", `option ${option}`, "warning", message);
  }
  await checkProviders(findings, providers);
  const prices = await checkPrices(findings, providers, settings);
  const maps = { source, steps, destinations };
  const reading: ReadContext = { parameters: settings.parameters, signal };
  const state = await checkSource(findings, maps, reading);
  await checkChanges(findings, pipeline, reading);
  const identities = await identitiesOf(findings, destinations);
  const { openTimeoutMs: limitMs, closeTimeoutMs } = settings;
  const journal = await checkJournal(findings, stores.journal, [...identities.values()], { limitMs, signal });
  const limits = await checkSinks(findings, destinations, {
    identities,
    steps,
    writtenCounts: journal?.writtenCounts ?? new Map(),
    limitMs,
    closeTimeoutMs,
    signal,
  });
  await checkSeparateFiles(findings, pipeline);
  await checkFiles(findings, stores, { limitMs, signal });
  const { prompts, results } = await checkSteps(findings, {
    pipeline: name,
    steps,
    limits: limits.ofSteps,
    state,
    ping,
    prices,
    maxCost: settings.maxCost,
    show: areShown ? settings.redact : undefined,
    signal,
  });
  addMapProblems(findings, checkMaps(maps, state, limits.ofColumns, results).problems, {
    hasRow: state !== undefined,
    rowErrorStatus,
  });
  const wouldRun = findings.list.every(({ status }) => status !== "problem");
  return { pipeline: name, wouldRun, findings: findings.list, prompts };
}

async function checkProviders(findings: Findings, providers: readonly LLMProvider[]): Promise<void> {
  for (const { name, fingerprint, former } of providers) {
    const subject = `provider ${name}`;
    const found = await findings.tryCheck("providers", subject, () => ({ now: fingerprint(), former: former?.() }));
    if (found === undefined) continue;
    findings.add("providers", subject, "ok", "its settings are complete");
    if (found.former === undefined) continue;
    const { difference } = found.former;
    findings.add(
      "providers",
      subject,
      "ok",
      `${difference}: version 0.1 asked otherwise, and its stored answers are found`,
    );
  }
}

/** Reads one row, and accepts it as a run does. Undefined where that can't be done. */
async function checkSource(
  findings: Findings,
  maps: Pick<ResolvedPipeline, "source" | "steps" | "destinations">,
  context: ReadContext,
): Promise<AnyState | undefined> {
  const { source } = maps;
  const subject = `source ${source.name}`;
  let emptyCount = 0;
  const found: string[] = [];
  const looking: ReadContext = {
    ...context,
    onEmptyRows: (count) => (emptyCount += count),
    onFound: (finding) => found.push(finding),
  };
  const rows = await findings.tryCheck("source", subject, async () => await firstRows(source, looking));
  for (const finding of found) findings.add("source", subject, "ok", finding);
  if (emptyCount > 0)
    findings.add("source", subject, "ok", `${emptyCount} empty rows before the first are passed over`);
  if (rows === undefined) return undefined;
  const [first] = rows;
  if (first === undefined) {
    findings.add("source", subject, "warning", "it gives no row, so a run has nothing to do");
    return undefined;
  }
  let row = first;
  let state = await findings.tryCheck("source", "first row", async () => await acceptAlone(row, source));
  for (const other of rows.slice(1)) {
    if (state !== undefined) break;
    row = other;
    state = await acceptAlone(row, source).catch(() => undefined); // one that is wrong was found
  }
  if (state === undefined) return undefined;
  const instead = row === first ? "" : ", and is the first one that is right";
  findings.add(
    "source",
    subject,
    "ok",
    `row ${row.position} is there${instead}: ${listItems(namedColumns(maps, state))}`,
  );
  return state;
}

/** So many rows are looked at for one that is right. */
const mostRowsLookedAt = 20;

/** The columns; where their names are content those that someone wrote down in the pipeline, and how many others there are. */
function namedColumns(
  maps: Pick<ResolvedPipeline, "source" | "steps" | "destinations">,
  state: AnyState,
): readonly string[] {
  const { primaryKeyColumn, schema, namesAreData = false } = maps.source;
  const fields = Object.keys((schema === undefined ? undefined : rowFields(schema)?.properties) ?? {});
  const named = new Set([primaryKeyColumn, ...fields, ...checkMaps(maps, state, []).rowNames]);
  const columns = Object.entries(state.raw);
  const shown = columns
    .filter(([column]) => !namesAreData || named.has(column))
    .map(([column, value]) => `${column} (${typeOf(value)})`);
  const otherCount = columns.length - shown.length;
  return otherCount === 0 ? shown : [...shown, `${otherCount} that the pipeline does not name`];
}

/** A function that throws over the first row is found again by its step; only of the column map it is told here. */
function addMapProblems(
  findings: Findings,
  problems: readonly MapProblem[],
  { hasRow, rowErrorStatus }: { readonly hasRow: boolean; readonly rowErrorStatus: "problem" | "warning" },
): void {
  for (const { status, isThrow, error } of problems) {
    const subject = String(error.facts.where);
    const isOfColumns = subject.startsWith("columnMap.") || subject.startsWith("each.");
    if (isThrow && hasRow && !isOfColumns) continue;
    findings.addError(isOfColumns ? "sink" : "steps", subject, error, status === "row" ? rowErrorStatus : status);
  }
}

/** The first row; where that is wrong, as far as its source or its key tell, those after it, too. */
async function firstRows(source: AnySource, context: ReadContext): Promise<readonly SourceRow[]> {
  const rows: SourceRow[] = [];
  try {
    for await (const row of source.changes?.read(undefined, context) ?? source.read(context)) {
      rows.push(row);
      if (rows.length >= mostRowsLookedAt || (await isRight(row, source))) break;
    }
    return rows;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof LLMEtlError) throw error;
    const { problem, options } = problemOf(error);
    throw new SourceError(source.name, problem, options);
  }
}

async function isRight(row: SourceRow, source: AnySource): Promise<boolean> {
  return await acceptAlone(row, source).then(
    () => true,
    () => false,
  );
}

function typeOf(value: unknown): string {
  if (value === null) return "NULL";
  if (typeof value === "string") return "text";
  if (value instanceof Date) return "date";
  if (value instanceof Uint8Array) return "bytes";
  return Array.isArray(value) ? "array" : typeof value;
}
