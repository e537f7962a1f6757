import type { Ask, Call, Layer } from "../../contracts/call.ts";
import type { StoredAnswer } from "../../contracts/journal.ts";
import type { LLMRequest, LLMResponse, TokenUsage } from "../../contracts/provider.ts";
import type { AttemptKind } from "../../contracts/events.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import type { TierWait } from "../limits/tier-wait.ts";

/** A call on its way through the layers of a run: what they leave for each other. */
export interface RowCall extends Call {
  readonly promptHash: string;
  /** Its key in the journal, once it was looked for there. */
  fingerprint?: string | undefined;
  /** Sent instead of the request's own schema, which is the one in the fingerprint. */
  readonly limitedSchema: JSONSchema | undefined;
  /** The request as version 0.1 had it, where that differs: its answers are found by it. The likeliest is the first. */
  readonly olderRequests?: readonly OlderRequest[] | undefined;
  readonly isHopeless?: ((cutAnswer: string) => boolean) | undefined;
  /** Issues of the answer that this is a re-ask about: 0 for a first one, and once the re-ask was counted. */
  issueCount: number;
  /** The rules that the answer broke that this is a re-ask about. */
  readonly issueCodes?: readonly string[] | undefined;
  /** Since when the row waits for the next attempt: from the beginning of the call, then from the end of the attempt before. */
  waitsSinceMs?: number | undefined;
  /** True once an attempt was made. */
  isRepeated?: boolean | undefined;
  /** Set for the last attempt of a call that timed out again and again: see {@link LLMRequest.timeoutFactor}. */
  timeoutFactor?: number | undefined;
  /** How it waits for room in its service tier, where it may fall back to the standard one. */
  tierWait?: TierWait | undefined;
  /** The attempt that brought the answer, until it is reported. */
  answered: Attempt | undefined;
  /** The lines on attempts that failed, on their way into the payload log. */
  readonly reports: Promise<void>[];
  /** Called whenever an attempt has failed and the call may go again. */
  onAgain?: (() => void) | undefined;
  /** True if an attempt of it failed, and a call that started after that was answered. */
  isRefuted?: (() => boolean) | undefined;
  readonly row: RowCalls;
}

/** The parts of a request that version 0.1 may have had otherwise. */
export type OlderRequest = Pick<LLMRequest, "messages" | "maxOutputTokens" | "lengthFactor">;

/** The calls of one step about one row. Its lists are replaced, not added to: most have one entry, and a list that grows has room for many. */
export interface RowCalls {
  /** True if the newest answer was found under a key of version 0.1. */
  isFormer: boolean;
  /** Answers that were cut off, and asked for again with twice the tokens. */
  cutAnswers: readonly string[];
  /** Attempts that began, and answers that were had without one. */
  callCount: number;
  /** The same, once they have ended, with what they were and cost. */
  ended: readonly EndedCall[];
  /** Of all requests so far. */
  fingerprints: readonly string[];
  /** Of the answers that were found or saved under one of them. */
  used: readonly string[];
  /**
   * In a run that asks anew: by fingerprint, the answer of an earlier run whose place this run's answer has taken, or null where there
   * was none.
   */
  replaced: ReadonlyMap<string, StoredAnswer | null>;
}

/** The calls of a row before the first. */
export function noCalls(): RowCalls {
  const lists = { ended: none, fingerprints: none, used: none, cutAnswers: none };
  return { callCount: 0, isFormer: false, replaced: noneReplaced, ...lists };
}

const none: readonly never[] = [];
const noneReplaced: RowCalls["replaced"] = new Map();

export interface EndedCall {
  /** Undefined where no answer came. */
  readonly model: string | undefined;
  readonly promptHash: string;
  readonly usage: TokenUsage;
}

/** One attempt that was made. One of response and error is null. */
export interface Attempt extends Pick<Call, "step" | "pk" | "provider"> {
  readonly request: LLMRequest;
  readonly response: LLMResponse | null;
  readonly error: LLMEtlError | null;
  readonly promptHash: string;
  /** The number of calls of this step for this row before this one. */
  readonly retryCount: number;
  readonly kind: AttemptKind;
  /** Of a re-ask: the rules that the answer before broke. */
  readonly issueCodes: readonly string[];
  readonly startedAt: Date;
  /** The time that it had to wait before it could start. */
  readonly waitMs: number;
  readonly latencyMs: number;
  readonly usage: TokenUsage;
  /** In `currency`; null where no price is known. */
  readonly cost: number | null;
  readonly currency: string | null;
}

export type RowAsk = Ask<RowCall>;
export type RowLayer = Layer<RowCall>;
