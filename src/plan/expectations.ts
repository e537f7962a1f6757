import { hash } from "node:crypto";
import type { Journal, PastRun } from "../contracts/journal.ts";
import type { TokenUsage } from "../contracts/provider.ts";
import type { StepFigures } from "../contracts/run-detail.ts";
import type { RowAsk, RowCall } from "../llm/call/row-call.ts";
import type { CallPrices } from "../llm/price-book.ts";
import { AnswerSampler } from "../llm/mock/sample-answer.ts";
import type { AskedRows } from "./asked-rows.ts";
import type { CountTokens, RequestSize, TokenCounter } from "./token-count.ts";

/** The calls of a step in earlier runs: means, and shares. */
export interface StepHistory {
  readonly outputTokens: number;
  readonly reAskShare: number;
  /** Of the input tokens. */
  readonly cachedShare: number;
  readonly latencyMs: number;
}

/** Runs before the last ones are of no matter: prompts and models change. */
const runsLooked = 10;

/** By step, the history of a pipeline; without a step that no run has asked. */
export async function historyOf(journal: Journal, pipeline: string): Promise<ReadonlyMap<string, StepHistory>> {
  const reader = await journal.reader();
  if (reader === undefined) return new Map();
  try {
    const { items } = await reader.runs.list({ pipeline, limit: runsLooked });
    return new Map([...Map.groupBy(figuresOf(items), ({ step }) => step)].map(([step, all]) => [step, meanOf(all)]));
  } finally {
    await reader.close();
  }
}

function figuresOf(runs: readonly PastRun[]): readonly StepFigures[] {
  return runs.flatMap(({ steps }) => steps.filter(({ calls, outputTokens }) => calls > 0 && outputTokens > 0));
}

function meanOf(figures: readonly StepFigures[]): StepHistory {
  const sum = (valueOf: (step: StepFigures) => number): number =>
    figures.reduce((total, step) => total + valueOf(step), 0);
  const calls = sum(({ calls: ofRun }) => ofRun);
  const answered = Math.max(1, calls - sum(({ retries }) => retries));
  return {
    outputTokens: sum(({ outputTokens }) => outputTokens) / answered,
    reAskShare: sum(({ reAsks }) => reAsks) / Math.max(1, answered - sum(({ reAsks }) => reAsks)),
    cachedShare:
      sum(({ cachedTokens }) => cachedTokens) /
      Math.max(
        1,
        sum(({ inputTokens }) => inputTokens),
      ),
    latencyMs: sum(({ latency, calls: ofRun }) => (latency?.p50Ms ?? 0) * ofRun) / calls,
  };
}

/** A view of what is not known before a call: the likeliest, and the ends of what is plausible. */
export type View = "likeliest" | "low" | "high";

/** How far input tokens may be off that were counted, or estimated by characters. */
const inputOff = { tokenizer: { low: 0.9, high: 1.15 }, characters: { low: 0.75, high: 1.35 } } as const;
/** How far the mean of other runs may be off. */
const historyOff = { low: 0.75, high: 1.35 } as const;
/** An answer of a model may be shorter than one that is made up. */
const madeUpOff = { likeliest: 1, low: 0.4 } as const;
const reAskShares = { likeliest: 0.03, low: 0, high: 0.15 } as const;
/** The time of a call, in milliseconds, where no run tells. */
const latencies = { likeliest: 1500, low: 400, high: 8000 } as const;

export interface ExpectedAnswersOptions {
  readonly view: View;
  readonly counter: TokenCounter;
  readonly size: RequestSize;
  readonly history: ReadonlyMap<string, StepHistory>;
  readonly prices: Pick<CallPrices, "of">;
  /** Takes the calls as they are expected. */
  readonly rows: AskedRows;
  /** True where rows with one request are asked once. */
  readonly isShared: boolean;
}

/** Answers in place of a model, with what a mock would say, and notes what the call is expected to take. Nothing is asked. */
export function expectedAnswers(options: ExpectedAnswersOptions): RowAsk {
  const { counter, rows, prices, isShared } = options;
  const sampler = new AnswerSampler(1);
  const asked = new Set<string>();
  const isFirst = ({ provider, request }: RowCall): boolean => {
    const key = hash("sha256", JSON.stringify([provider.name, request.messages, request.schema.name]), "base64");
    return asked.size < asked.add(key).size;
  };
  const schemas = new Map<object, number>();
  return async (call) => {
    const { step, pk, provider, request, limitedSchema = request.schema.json } = call;
    const text = JSON.stringify(sampler.answer(request.messages, limitedSchema));
    const usage = expectedUsage(call, text, schemaTokens(request.schema.json, schemas, counter.count), options);
    if (call.issueCount === 0 && (!isShared || isFirst(call))) {
      const { reAskShare, latencyMs } = expectedOf(step, options);
      const { maxReasoningTokens = 0 } = provider;
      const maxOutputTokens = request.maxOutputTokens + maxReasoningTokens;
      const one = { provider, usage, prices: prices.of(provider), latencyMs, maxOutputTokens };
      rows.add(pk, step, { ...one, isReAsk: false });
      if (reAskShare > 0) rows.add(pk, step, { ...one, isReAsk: true, times: reAskShare });
    }
    return await Promise.resolve({ text, finishReason: "stop", model: "none", usage });
  };
}

function expectedOf(
  step: string,
  { view, history }: ExpectedAnswersOptions,
): Pick<StepHistory, "reAskShare" | "latencyMs"> {
  const known = history.get(step);
  if (known === undefined) return { reAskShare: reAskShares[view], latencyMs: latencies[view] };
  const off = view === "likeliest" ? 1 : historyOff[view];
  return { reAskShare: known.reAskShare * off, latencyMs: known.latencyMs * off };
}

function expectedUsage(
  { step, request }: RowCall,
  answer: string,
  schema: number,
  { view, counter, size, history }: ExpectedAnswersOptions,
): TokenUsage {
  const known = history.get(step);
  const isLikeliest = view === "likeliest";
  const counted = size.of(request.messages) + (view === "low" ? 0 : schema); // a service may show the model a shorter form of it
  const inputTokens = Math.round(counted * (isLikeliest ? 1 : inputOff[counter.method][view]));
  const cachedTokens = view === "high" ? 0 : Math.round(inputTokens * (known?.cachedShare ?? 0));
  const most = request.maxOutputTokens;
  const madeUp = counter.count(answer) * (view === "low" ? madeUpOff.low : madeUpOff.likeliest);
  const expected =
    known === undefined ? (view === "high" ? most : madeUp) : known.outputTokens * (isLikeliest ? 1 : historyOff[view]);
  return { inputTokens, cachedTokens, outputTokens: Math.min(most, Math.round(expected)), reasoningTokens: 0 };
}

function schemaTokens(schema: object, known: Map<object, number>, count: CountTokens): number {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const tokens = count(JSON.stringify(schema));
  if (known.size < 1000) known.set(schema, tokens);
  return tokens;
}
