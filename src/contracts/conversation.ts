import type { JSONSchema } from "../json/json-schema.ts";
import type { ChatMessage, LLMRequest, LLMResponse } from "./provider.ts";
import type { Lineage } from "./state.ts";

/** A request as a step renders it for a row: only the run's own part is missing. */
export interface Prompt extends Omit<LLMRequest, "cacheKey"> {
  /**
   * The schema with what the target can hold, which is sent instead of the other. It is no part of the fingerprint: a
   * stored answer that fits is as good.
   */
  readonly limitedSchema?: JSONSchema | undefined;
  /** The messages as version 0.1 had them, where they differ: its answers are found by them. They are not sent. */
  readonly olderMessages?: readonly ChatMessage[] | undefined;
  /**
   * True for an answer that was cut off and is no beginning of a right one: a longer one would be wrong, too. It is not asked for
   * again; `ask` returns it, with the finish reason `length`. @default each answer that was cut off is asked for once more
   */
  readonly isHopeless?: ((cutAnswer: string) => boolean) | undefined;
  /** The first 16 hexadecimal digits of the SHA-256 of all that is equal for every row. */
  readonly promptHash: string;
}

/** An answer in a conversation. */
export interface ConversationAnswer extends LLMResponse {
  /** True for one that version 0.1 had stored. @default false */
  readonly isFormer?: boolean | undefined;
}

/** One step asking about one row. */
export interface Conversation {
  /**
   * The answer to one prompt. An answer that was cut off for its length is asked for once more, with twice the tokens; re-asks
   * about that answer have as many.
   * `issueCount` says how many issues the answer had that this prompt is a re-ask about; 0 for a first one. `issueCodes` names the rules
   * that it broke, without content.
   *
   * @throws {ProviderError} if no answer came, or none that can be read (declined, filtered, cut off twice)
   */
  readonly ask: (prompt: Prompt, issueCount: number, issueCodes?: readonly string[]) => Promise<ConversationAnswer>;
  /** Answers had so far after the first to each question, also those that failed, and those that the journal had. */
  readonly retryCount: number;
  /** The calls so far, and their cost in tokens; null before the first answer. */
  readonly lineage: Lineage | null;
}

/** A conversation as the engine sees it. */
export interface RowConversation extends Conversation {
  /** Lets the journal forget the answers had so far: they led to no output, and the next run is to ask anew. */
  readonly forget: () => Promise<void>;
  /** Gives answers of earlier runs that these have replaced their place again: the conversation was cut off. */
  readonly putBack: () => Promise<void>;
  /** The fingerprints of the answers in the journal that it is based on, in their order. */
  readonly usedAnswers: readonly string[];
}
