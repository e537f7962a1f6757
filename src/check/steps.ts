import type { AnyStep, Asking, FieldLimit, ResolvedStep, StepContext } from "../contracts/step.ts";
import type { AnyState } from "../engine/state.ts";
import { runStep, withProviderFor } from "../engine/run-step.ts";
import type { Prompt } from "../contracts/conversation.ts";
import { consequenceOf, Ping } from "./ping.ts";
import { worstCaseOf } from "../llm/call/worst-case.ts";
import type { CallPrices } from "../llm/price-book.ts";
import { roundAmount } from "../llm/pricing.ts";
import { estimatedInputTokens, estimatedTokens } from "../llm/token-usage.ts";
import type { ChatMessage } from "../contracts/provider.ts";
import { DryRun } from "./dry-run.ts";
import type { Findings, PingFacts, StepPrompt } from "./report.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import type { ColumnLimits } from "../engine/column-limits.ts";
import { anyItem } from "../json/schema-fields.ts";
import { listItems } from "../errors/name-list.ts";
import { describeThrown } from "../errors/thrown.ts";

export interface StepsCheckOptions {
  readonly pipeline: string;
  readonly steps: readonly ResolvedStep[];
  readonly limits: ColumnLimits;
  /** The first row, before its first step; undefined where there is none. */
  readonly state: AnyState | undefined;
  readonly ping: boolean;
  /** The prices of its calls. */
  readonly prices: CallPrices;
  /** In the currency of the prices. @default Infinity */
  readonly maxCost?: number | undefined;
  /** Makes the text that is shown of a message; undefined to show none. */
  readonly show: ((text: string) => string) | undefined;
  readonly signal: AbortSignal;
}

interface StepsCheck {
  readonly prompts: readonly StepPrompt[];
  /** By output key what steps without a schema made of the first row. */
  readonly results: Readonly<Record<string, unknown>>;
}

/**
 * Has each step say what it would ask about the first row: a step without a model runs, one with a model is given a
 * made-up answer. With `ping` its prompt is asked for real, too, and what comes is only judged.
 */
export async function checkSteps(findings: Findings, options: StepsCheckOptions): Promise<StepsCheck> {
  const prompts: StepPrompt[] = [];
  const results: Record<string, unknown> = {};
  const { pipeline, signal } = options;
  let { state } = options;
  let lack = "there is no first row to show it for";
  for (const resolved of options.steps) {
    const { step } = resolved;
    describe(findings, resolved, options);
    if (state === undefined) {
      findings.add("steps", subjectOf(step), "not checked", lack);
      continue;
    }
    const provider = providerFor(resolved, state);
    const dryRun = new DryRun({ pipeline, step: step.name, pk: state.pk, provider, signal });
    const result = await tryStep(step, state, dryRun, options);
    const { prompt } = dryRun;
    const isMadeUp = prompts.length > 0;
    if (prompt !== undefined) prompts.push(await check(findings, { step, provider, prompt, state }, options));
    if ("error" in result) {
      addFailure(findings, { step, prompt, isMadeUp, error: result.error });
      state = undefined;
      lack = `step "${step.name}" gave nothing for the first row`;
      continue;
    }
    ({ state } = result);
    const isApplied = step.when === undefined || state.processed[step.outputKey] !== null;
    if (!isApplied) findings.add("steps", subjectOf(step), "not checked", "it does not apply to the first row");
    else if (prompt === undefined)
      findings.add("steps", subjectOf(step), "ok", "ran on the first row; it asks no model");
    if (step.outputSchema === undefined) results[step.outputKey] = state.processed[step.outputKey];
  }
  return { prompts, results };
}

/** The provider for the first row; the first of those that there are where the step's function can't say, of which `checkMaps` tells. */
function providerFor(resolved: ResolvedStep, state: AnyState): ResolvedStep["provider"] {
  try {
    return withProviderFor(resolved, state).provider;
  } catch {
    return resolved.provider;
  }
}

/** The subject of a step's findings on the first row. */
function subjectOf({ name, outputSchema }: AnyStep): string {
  return outputSchema === undefined ? `step ${name}` : `prompt of ${name}`;
}

/** Adds a finding for the provider and the fields that a step asks for, and one for the limits of the target's columns. */
function describe(findings: Findings, { step, provider, choices }: ResolvedStep, { limits }: StepsCheckOptions): void {
  if (step.outputSchema === undefined) return;
  const asking = step.asking?.();
  const fields = asking?.fields ?? Object.keys(step.outputSchema.properties ?? {});
  const named = Object.entries(choices ?? {}).map(([choice, { name }]) => `${choice} (${name})`);
  const asked = named.length === 0 ? provider.name : `one of ${listItems(named)}, by the row,`;
  findings.add("steps", `step ${step.name}`, "ok", `asks ${asked} for ${listItems(fields)}`);
  if (asking !== undefined) findings.add("steps", `calls of ${step.name}`, "ok", callsInWords(asking));
  const learned = (limits.get(step.outputKey) ?? []).flatMap(inWords);
  if (learned.length > 0) findings.add("steps", `limits of ${step.name}`, "ok", learned.join("; "));
}

function callsInWords({ calls: { least, most }, prompts: { count, shortest, longest } }: Asking): string {
  const calls = least === most ? (most === 1 ? "1 call" : `${most} calls`) : `${least} to ${most} calls`;
  const [from, to] = [shortest, longest].map(estimatedTokens);
  const prompts = count === 1 ? "1 prompt" : `${count} prompts`;
  const size = from === to ? `${to}` : `${from} to ${to}`;
  return `${calls} a row, re-asks aside; ${prompts} of about ${size} input tokens, the row and the schema aside`;
}

function inWords({ path, column, schema: { maxLength, minimum, maximum, enum: choices } }: FieldLimit): string[] {
  const rules = [
    ...(maxLength === undefined ? [] : [`at most ${maxLength} characters`]),
    ...(minimum === undefined ? [] : [`from ${minimum}`]),
    ...(maximum === undefined ? [] : [`up to ${maximum}`]),
    ...(choices === undefined ? [] : [`one of ${listItems(choices.map((choice) => JSON.stringify(choice)))}`]),
  ];
  return rules.length === 0
    ? []
    : [`${path.join(".").replaceAll(`.${anyItem}`, "[]")} ${rules.join(" ")} (column ${column})`];
}

/** Runs a step as a run does, and gives its error instead of throwing it. */
async function tryStep(
  step: AnyStep,
  state: AnyState,
  llm: StepContext["llm"],
  { limits, signal }: StepsCheckOptions,
): Promise<{ readonly state: AnyState } | { readonly error: LLMEtlError }> {
  try {
    return { state: await runStep(step, state, { signal, llm, limits: limits.get(step.outputKey) }) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LLMEtlError) return { error };
    throw error;
  }
}

interface Failure {
  readonly step: AnyStep;
  /** Undefined where the step failed before it asked. */
  readonly prompt: Prompt | undefined;
  /** True if the step was given made-up outputs, which may be the reason for its failure. */
  readonly isMadeUp: boolean;
  readonly error: LLMEtlError;
}

function addFailure(findings: Findings, { step, prompt, isMadeUp, error }: Failure): void {
  if (error.scope === "run") return findings.addError("steps", subjectOf(step), error);
  if (prompt === undefined) return findings.addError("steps", subjectOf(step), error, isMadeUp ? "warning" : undefined);
  const reason = `a made-up answer breaks a rule of its schema (${error.code}), which an answer of a model may not`;
  findings.add("steps", `output of ${step.name}`, "not checked", reason);
}

interface Question extends ResolvedStep {
  readonly prompt: Prompt;
  readonly state: AnyState;
}

/** Adds the findings on a step's prompt, and on its real call if there is to be one. */
async function check(findings: Findings, question: Question, options: StepsCheckOptions): Promise<StepPrompt> {
  const { step, provider, prompt } = question;
  const { messages, maxOutputTokens } = prompt;
  const estimated = estimatedInputTokens(messages);
  const size = `about ${estimated} input tokens, at most ${maxOutputTokens} output tokens`;
  findings.add("steps", `prompt of ${step.name}`, "ok", size);
  checkCost(findings, question, options);
  return {
    step: step.name,
    provider: provider.name,
    messages: showMessages(findings, messages, options),
    estimatedInputTokens: estimated,
    maxOutputTokens,
    calls: step.asking?.().calls,
    ping: options.ping ? await ping(findings, question, options) : undefined,
  };
}

/** A run with less than one call may cost stops before it. */
function checkCost(
  findings: Findings,
  { step, provider, prompt }: Question,
  { prices, maxCost = Infinity }: StepsCheckOptions,
): void {
  const { limitedSchema, schema } = prompt;
  const sent = limitedSchema === undefined ? schema : { ...schema, json: limitedSchema };
  const possible = maxCost === Infinity ? [] : prices.possible(provider);
  const worstCase = roundAmount(worstCaseOf(provider, { ...prompt, schema: sent, cacheKey: "" }, possible));
  if (worstCase <= maxCost) return;
  const consequence = `more than maxCost (${maxCost}): a run would stop before it`;
  findings.add("steps", `cost of ${step.name}`, "problem", `a call may cost ${worstCase}, ${consequence}`);
}

function showMessages(
  findings: Findings,
  messages: readonly ChatMessage[],
  { show }: StepsCheckOptions,
): readonly ChatMessage[] | undefined {
  if (show === undefined) return undefined;
  try {
    return messages.map(({ role, content }) => ({ role, content: show(content) }));
  } catch (error) {
    // What it threw may quote the text.
    const consequence = "no prompt is shown, and a run with a payload log would stop at its first call";
    findings.add("steps", "redact", "problem", `it threw ${describeThrown(error)}: ${consequence}`);
    return undefined;
  }
}

async function ping(
  findings: Findings,
  { step, provider, state }: Question,
  options: StepsCheckOptions,
): Promise<PingFacts | undefined> {
  const { pipeline, prices, signal } = options;
  const subject = `step ${step.name}`;
  const call = new Ping({ pipeline, step: step.name, pk: state.pk, provider, signal }, prices);
  const result = await tryStep(step, state, call, options);
  const { facts } = call;
  const isValid = !("error" in result);
  if (facts !== undefined) findings.add("ping", subject, "ok", inShort(facts, isValid));
  if (isValid) return facts;
  const statuses = { retry: "warning", row: undefined, run: "problem" } as const;
  findings.addError("ping", subject, result.error, statuses[consequenceOf(result.error)]);
  return facts;
}

function inShort({ model, latencyMs, inputTokens, outputTokens, cost }: PingFacts, isValid: boolean): string {
  const answer = `${model} ${isValid ? "gave a valid answer" : "answered"} in ${latencyMs} ms`;
  const tokens = `${inputTokens} input tokens, ${outputTokens} output tokens`;
  if (cost === null) return `${answer}: ${tokens}; its cost is not known, for the provider has no prices`;
  return `${answer}: ${tokens}, ${Number(cost.amount.toPrecision(3))} ${cost.currency}`;
}
