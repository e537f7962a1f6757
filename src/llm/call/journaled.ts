import type { EventHandler } from "../../contracts/events.ts";
import type { StoredAnswer } from "../../contracts/journal.ts";
import type { Prices } from "../../contracts/prices.ts";
import type { LLMResponse } from "../../contracts/provider.ts";
import { TransientMap } from "../../engine/transient-map.ts";
import { type CallPrices, ownPrices } from "../price-book.ts";
import { costOf } from "../pricing.ts";
import { copyOf, ProviderError } from "../provider-error.ts";
import { type AnswerKeys, Fingerprints } from "./fingerprint.ts";
import type { RowAsk, RowCall, RowCalls, RowLayer } from "./row-call.ts";

/** The journal's answers, by the fingerprints of their requests. */
export interface StoredAnswers {
  readonly find: (fingerprint: string) => Promise<StoredAnswer | undefined>;
  readonly save: (fingerprint: string, answer: StoredAnswer) => Promise<void>;
  readonly forget: (fingerprints: readonly string[]) => Promise<void>;
}

export interface JournaledOptions {
  readonly answers: StoredAnswers;
  readonly runId: string;
  /** True to reuse answers of earlier runs as well. */
  readonly reuseEarlier: boolean;
  /** @default the providers' own */
  readonly prices?: CallPrices | undefined;
}

/**
 * Sees to it that no answer is paid for twice: looks in the journal before the model is asked, asks once for equal requests
 * in flight, and saves each answer before anybody has it. A failure that would come again is shared with the rows that
 * wait for it; after any other, each of them asks for itself.
 */
export function journaled(options: JournaledOptions, emit: EventHandler): RowLayer {
  const { answers, runId, reuseEarlier, prices = ownPrices } = options;
  const inFlight = new TransientMap<string, InFlight>();
  const fingerprints = new Fingerprints();

  const reuse = (call: RowCall, key: string, answer: LLMResponse, isOfThisRun: boolean): LLMResponse => {
    call.row.used = [...call.row.used, key];
    countReuse(call, { answer, prices: prices.of(call.provider, answer.model), isOfThisRun }, emit);
    return answer;
  };

  const askAndSave = async (key: string, call: RowCall, next: RowAsk, known?: StoredAnswer): Promise<LLMResponse> => {
    const answer = await next(call);
    const { text, finishReason, model, usage } = answer;
    if (finishReason === "stop" || finishReason === "length") {
      if (!reuseEarlier) replace(call.row, key, known ?? null);
      await answers.save(key, { text, finishReason, model, usage, runId });
      call.row.used = [...call.row.used, key];
    }
    return answer;
  };

  const reuseStored = (call: RowCall, key: string, known: StoredAnswer): LLMResponse => {
    if (!reuseEarlier) replace(call.row, key, null);
    return reuse(call, key, known, known.runId === runId);
  };

  const isUsable = (known: StoredAnswer | undefined): known is StoredAnswer =>
    known !== undefined && (reuseEarlier || known.runId === runId);

  const findOrAsk = async (keys: AnswerKeys, call: RowCall, next: RowAsk): Promise<LLMResponse> => {
    const [key] = keys;
    try {
      const known = await answers.find(key);
      return isUsable(known) ? reuseStored(call, key, known) : await findOlderOrAsk(keys, known, call, next);
    } finally {
      inFlight.delete(key);
    }
  };

  const findOlderOrAsk = async (
    [key, ...older]: AnswerKeys,
    earlier: StoredAnswer | undefined,
    call: RowCall,
    next: RowAsk,
  ): Promise<LLMResponse> => {
    for (const olderKey of older) {
      const known = await answers.find(olderKey);
      if (!isUsable(known)) continue;
      call.row.isFormer = true;
      return reuseStored(call, olderKey, known);
    }
    return await askAndSave(key, call, next, earlier);
  };

  const share = async (asked: InFlight, key: string, call: RowCall, next: RowAsk): Promise<LLMResponse> => {
    let answer: LLMResponse;
    try {
      answer = await asked.answer;
    } catch (error) {
      if (isPermanent(error)) throw copyOf(error);
      return await askAndSave(key, call, next, reuseEarlier ? undefined : await answers.find(key));
    }
    const earlier = asked.row.replaced.get(key);
    if (earlier !== undefined) replace(call.row, key, earlier);
    return reuse(call, key, answer, true);
  };

  return (next) => (call) => {
    const keys = fingerprints.keysOf(call.provider, call.request, call.olderRequests);
    const [key] = keys;
    call.fingerprint = key;
    call.row.fingerprints = call.row.fingerprints.concat(keys);
    const asked = inFlight.get(key);
    if (asked !== undefined) return share(asked, key, call, next);
    const answer = findOrAsk(keys, call, next);
    inFlight.set(key, { answer, row: call.row });
    return answer;
  };
}

/** A request on its way, with the calls of its row. */
interface InFlight {
  readonly answer: Promise<LLMResponse>;
  readonly row: RowCalls;
}

function replace(row: RowCalls, fingerprint: string, earlier: StoredAnswer | null): void {
  row.replaced = new Map(row.replaced).set(fingerprint, earlier);
}

/** Changes what the journal has of a row that led to no output. */
export interface RowAnswers {
  /** Lets it forget the row's answers: of a run that asks anew its own alone, and earlier ones have their place again. */
  readonly forget: (row: RowCalls) => Promise<void>;
  /** Gives answers of earlier runs that the row has replaced their place again, where it was cut off: they were good. */
  readonly putBack: (row: Pick<RowCalls, "replaced">) => Promise<void>;
}

export function rowAnswers({ answers, reuseEarlier }: JournaledOptions): RowAnswers {
  const putBack: RowAnswers["putBack"] = async ({ replaced }) => {
    for (const [fingerprint, earlier] of replaced) if (earlier !== null) await answers.save(fingerprint, earlier);
  };
  return {
    putBack,
    forget: async (row) => {
      row.used = row.used.filter((key) => !reuseEarlier && (row.replaced.get(key) ?? null) !== null);
      if (reuseEarlier) return await forgetAll(answers, row.fingerprints);
      const own = [...row.replaced].flatMap(([fingerprint, earlier]) => (earlier === null ? [fingerprint] : []));
      await forgetAll(answers, own);
      await putBack(row);
    },
  };
}

async function forgetAll(answers: StoredAnswers, fingerprints: readonly string[]): Promise<void> {
  if (fingerprints.length > 0) await answers.forget(fingerprints);
}

/** Counts an answer that was had without a call: its figures are those of the call that paid for it. */
function countReuse(
  { step, pk, promptHash, row }: RowCall,
  { answer, prices, isOfThisRun }: { answer: LLMResponse; prices: Prices | undefined; isOfThisRun: boolean },
  emit: EventHandler,
): void {
  const { model, usage } = answer;
  const { isEstimated: _, ...counts } = usage;
  const cost = costOf(usage, prices);
  row.callCount += 1;
  row.ended = [...row.ended, { model, promptHash, usage }];
  emit({ type: "answer-reuse", step, pk, model, promptHash, ...counts, cost, ...(isOfThisRun && { isOfThisRun }) });
}

/** True if the same request would fail again. */
function isPermanent(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.class === "row";
}
