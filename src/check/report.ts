import type { ChatMessage } from "../contracts/provider.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { messageOf, withoutSecrets } from "../errors/thrown.ts";

/** What a finding is about. `ping` is what came of a real call. */
export type CheckArea = "environment" | "providers" | "source" | "sink" | "files" | "steps" | "ping";

/**
 * `problem`: a run would be refused, or end at its first row. `warning`: a run would start, and this is to be known before.
 * `not checked`: it could not be looked at, for another finding's reason.
 */
export type FindingStatus = "ok" | "warning" | "problem" | "not checked";

/** One thing that was looked at. Holds no content of a row, no answer and no secret. */
export interface Finding {
  readonly area: CheckArea;
  /** What was looked at: `Node`, `package mssql`, `AZURE_OPENAI_API_KEY`, `step visit_classifier`. */
  readonly subject: string;
  readonly status: FindingStatus;
  readonly message: string;
  /** Of an error: its code, which `docs/errors.md` explains. */
  readonly code?: string | undefined;
}

/** The first question that a step asks about the source's first row. */
export interface StepPrompt {
  readonly step: string;
  /** The name of the provider that is asked. */
  readonly provider: string;
  /**
   * The messages as they would be sent, through the pipeline's `redact`. Outputs of the steps before were made up.
   * Undefined where prompts are left out. They hold the row's content.
   */
  readonly messages?: readonly ChatMessage[] | undefined;
  /** About four characters a token; the schema is not counted. */
  readonly estimatedInputTokens: number;
  readonly maxOutputTokens: number;
  /** Undefined where no call was made, or none that was answered. */
  readonly ping?: PingFacts | undefined;
}

/** What a real call was and cost. */
export interface PingFacts {
  readonly model: string;
  readonly latencyMs: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Null where the provider has no prices. */
  readonly cost: { readonly amount: number; readonly currency: string } | null;
}

/** What `check` found. `JSON.stringify` shows all of it. */
export interface CheckReport {
  /** The pipeline's name. */
  readonly pipeline: string;
  /** Whether a run would start, and get beyond its first row's schema and prompts: no finding is a problem. */
  readonly wouldRun: boolean;
  readonly findings: readonly Finding[];
  /** One for each step that asks a model, as far as the steps before it had an output for the first row. */
  readonly prompts: readonly StepPrompt[];
}

export interface FindingsOptions {
  /** What an error of a row means: a problem where the run would stop at it. */
  readonly rowErrorStatus: "problem" | "warning";
  /** Its abort is no finding: it is thrown. */
  readonly signal: AbortSignal;
}

/** Gathers what is found. */
export class Findings {
  readonly #options: FindingsOptions;
  readonly #list: Finding[] = [];

  constructor(options: FindingsOptions) {
    this.#options = options;
  }

  get list(): readonly Finding[] {
    return this.#list;
  }

  add(area: CheckArea, subject: string, status: FindingStatus, message: string): void {
    this.#list.push({ area, subject, status, message });
  }

  /** Adds an error, as what it means for a run unless `status` says otherwise. */
  addError(area: CheckArea, subject: string, error: LLMEtlError, status?: FindingStatus): void {
    const { code, message, scope } = error;
    const usual = scope === "row" ? this.#options.rowErrorStatus : "problem";
    this.#list.push({ area, subject, status: status ?? usual, message, code });
  }

  /** What the work gives; undefined where it throws, which is then added. @throws the signal's reason if it was aborted */
  async attempt<Result>(
    area: CheckArea,
    subject: string,
    work: () => Result | Promise<Result>,
  ): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (error instanceof LLMEtlError) this.addError(area, subject, error);
      // Somebody else's: of a setting, a source or a sink, so that its message has no row in it.
      else this.add(area, subject, "problem", withoutSecrets(messageOf(error)));
      return undefined;
    }
  }
}
