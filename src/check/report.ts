import type { ErrorFacts } from "../errors/facts.ts";
import type { ChatMessage } from "../contracts/provider.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { problemOf } from "../errors/thrown.ts";

/** The subject of a finding. `ping`: the result of a real call. */
export type CheckArea = "environment" | "providers" | "source" | "sink" | "files" | "steps" | "ping";

/**
 * `problem`: a run would abort before the start, or end at its first row. `warning`: a run would start, but read this first.
 * `not checked`: another finding prevented the check.
 */
export type FindingStatus = "ok" | "warning" | "problem" | "not checked";

/** One thing that was checked. Holds no content of a row, no answer and no secret. */
export interface Finding {
  readonly area: CheckArea;
  /** The thing that was checked: `Node`, `package mssql`, `AZURE_OPENAI_API_KEY`, `step visit_classifier`. */
  readonly subject: string;
  readonly status: FindingStatus;
  readonly message: string;
  /** Of an error: its code, which `docs/errors.md` explains. */
  readonly code?: string | undefined;
  /** Of an error: the plain values behind its message. */
  readonly facts?: ErrorFacts | undefined;
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
  /** The calls of a row, re-asks aside, of a step that may make several. @default one call */
  readonly calls?: { readonly least: number; readonly most: number } | undefined;
  /** Undefined where no call was made, or none that was answered. */
  readonly ping?: PingFacts | undefined;
}

/** The figures of a real call. */
export interface PingFacts {
  readonly model: string;
  readonly latencyMs: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Null where the provider has no prices. */
  readonly cost: { readonly amount: number; readonly currency: string } | null;
}

/** The findings of `check`. `JSON.stringify` shows all of them. */
export interface CheckReport {
  /** The pipeline's name. */
  readonly pipeline: string;
  /** True if no finding is a problem: a run would start, and get beyond its first row's schema and prompts. */
  readonly wouldRun: boolean;
  readonly findings: readonly Finding[];
  /** One for each step that asks a model, as far as the steps before it had an output for the first row. */
  readonly prompts: readonly StepPrompt[];
}

export interface FindingsOptions {
  /** The status of a row's error: a problem if the run would stop at it. */
  readonly rowErrorStatus: "problem" | "warning";
  /** Its abort is no finding: it is thrown. */
  readonly signal: AbortSignal;
}

/** Gathers findings. */
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
    const { code, message, scope, facts } = error;
    const usual = scope === "row" ? this.#options.rowErrorStatus : "problem";
    this.#list.push({ area, subject, status: status ?? usual, message, code, facts });
  }

  /**
   * Returns what `work` returns; adds a finding and returns undefined if it throws.
   *
   * @throws the signal's reason if it was aborted
   */
  async tryCheck<Result>(
    area: CheckArea,
    subject: string,
    work: () => Result | Promise<Result>,
  ): Promise<Result | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      if (error instanceof LLMEtlError) this.addError(area, subject, error);
      else this.add(area, subject, "problem", problemOf(error).problem);
      return undefined;
    }
  }
}
