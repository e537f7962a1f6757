import type { Journal, RunRecord } from "../contracts/journal.ts";
import { hostname } from "node:os";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import type { RunFigures, RunReport } from "../contracts/report.ts";
import { messageOf } from "../errors/thrown.ts";

/** How often the figures of a run that goes on are kept, in milliseconds. */
const progressEveryMs = 1000;

export interface RunRecorderOptions {
  /** Undefined where it is off: then nothing is kept. */
  readonly journal: Journal | undefined;
  readonly run: Pick<RunRecord, "runId" | "pipeline" | "kind" | "sink" | "startedAt">;
  readonly figures: () => RunFigures;
  /** Called once where the figures can't be kept. */
  readonly onFailure: (error: unknown) => void;
}

/** What changes of a run; without figures, those of the moment. */
type RunState = Pick<RunRecord, "status" | "endedAt" | "error" | "exitCode"> & { readonly figures?: RunFigures };

/** Keeps a run's history: that it began, how far it is, how it ended. */
export class RunRecorder {
  readonly #options: RunRecorderOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RunRecorderOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    await this.#keep({ status: "running", endedAt: null, error: null, exitCode: null });
    this.#timer = setInterval(() => {
      this.#keep({ status: "running", endedAt: null, error: null, exitCode: null }).catch((error: unknown) => {
        clearInterval(this.#timer);
        this.#options.onFailure(error);
      });
    }, progressEveryMs);
    this.#timer.unref();
  }

  /** Keeps the report's own figures: what `show` says later is what the run said. */
  async end({ runId: _runId, status, error, exitCode, ...figures }: RunReport): Promise<void> {
    clearInterval(this.#timer);
    const cause = error === null ? null : { code: error.code, message: error.message };
    await this.#keep({ status, endedAt: new Date(), error: cause, exitCode, figures });
  }

  /** Says that the run was refused before its first row. */
  async refuse(error: unknown): Promise<void> {
    clearInterval(this.#timer);
    const code = error instanceof LLMEtlError ? error.code : "INTERNAL_ERROR";
    const cause = { code, message: messageOf(error) };
    await this.#keep({ status: "refused", endedAt: new Date(), error: cause, exitCode: 2 });
  }

  async #keep({ figures = this.#options.figures(), ...state }: RunState): Promise<void> {
    const { journal, run } = this.#options;
    await journal?.keepRun({ ...run, ...state, figures, processId: process.pid, host: hostname() });
  }
}
