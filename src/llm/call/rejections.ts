import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { asRunError, ProviderError } from "../provider-error.ts";
import { billingPhrases } from "../billing-words.ts";
import type { RowCall, RowLayer } from "./row-call.ts";

/** The evidence of earlier runs. */
export interface EarlierRuns {
  /** True if a call of the step under this prompt was answered. */
  readonly hasAnswered: (step: string, promptHash: string) => Promise<boolean>;
  /** The code of the error with which the row ended in its last run, where it failed. */
  readonly lastFailure: (pk: string) => Promise<string | undefined>;
}

/** So many rows with the same rejection, and no answer in the step: it is not the rows. */
const rowsToStopAtFirst = 3;
/** So many rows in a row with the same rejection, after the step was answered. */
const rowsToStopMidway = 20;
/** So many rows in a row with words of an empty account. A single one may be the row's own text, quoted. */
const rowsToStopForBilling = 2;

/** True for a rejection that a setting or an account may cause, for all rows. */
export function isShareable({ kind }: ProviderError): boolean {
  return kind === "request" || kind === "access" || kind === "setting" || kind === "quota";
}

/** True if the service says that the account is empty, and does not only quote a row that speaks of such things. */
function saysBilling({ detail }: ProviderError, { request }: RowCall): boolean {
  const rows = request.messages.filter(({ role }) => role === "user").map(({ content }) => content.toLowerCase());
  return billingPhrases(detail).some((phrase) => !rows.some((content) => content.includes(phrase)));
}

/**
 * Tells a request that the service rejects for its row from one that it rejects for what all rows share: the run ends only when
 * different rows were rejected alike, and no row was answered in between. Until then each of those rows waits for its confirmation.
 */
export class Rejections {
  readonly #earlier: EarlierRuns | undefined;
  /** By the kind of the rejection, the rows that had it since the last answer. */
  readonly #rows = new Map<string, Set<string>>();
  #confirmations: (() => void)[] = [];
  #answerCount = 0;

  constructor(earlier?: EarlierRuns) {
    this.#earlier = earlier;
  }

  readonly layer: RowLayer = (next) => async (call) => {
    try {
      const answer = await next(call);
      this.#answered();
      return answer;
    } catch (error) {
      throw await this.#judged(call, error);
    }
  };

  /** The service accepts requests of this step: whoever was rejected since the last time was so for its own. */
  #answered(): void {
    this.#answerCount += 1;
    if (this.#rows.size === 0) return;
    this.#rows.clear();
    for (const confirm of this.#confirmations.splice(0)) confirm();
  }

  async #judged(call: RowCall, error: unknown): Promise<unknown> {
    if (!(error instanceof ProviderError) || error.class !== "row") return error;
    if (!isShareable(error)) return error;
    const answerCount = this.#answerCount;
    if ((await this.#earlier?.lastFailure(call.pk)) === error.code) return error; // the row's own, as it was before
    const isStepProven = answerCount > 0 || (await this.#earlier?.hasAnswered(call.step, call.promptHash)) === true;
    if (this.#answerCount > answerCount) return error; // others were answered meanwhile
    if (saysBilling(error, call)) return this.#counted(call.pk, error, "QUOTA_EXHAUSTED", rowsToStopForBilling);
    return this.#counted(call.pk, error, error.code, isStepProven ? rowsToStopMidway : rowsToStopAtFirst);
  }

  #counted(pk: string, error: ProviderError, code: string, rowsToStop: number): LLMEtlError {
    const alike = `${code} ${error.status ?? ""}`;
    const rows = this.#rows.get(alike) ?? new Set();
    this.#rows.set(alike, rows.add(pk));
    if (rows.size >= rowsToStop) {
      const cause = rowsToStop === rowsToStopForBilling ? "the account is empty" : "it is not the rows";
      const reason = `${rows.size} rows were rejected and none was accepted, so ${cause}`;
      return asRunError(error, reason, code);
    }
    return error.withConfirmation(new Promise((confirm) => this.#confirmations.push(confirm)));
  }
}
