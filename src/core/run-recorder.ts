import { hostname } from "node:os";
import type { Journal } from "../journal/base.ts";
import { LLMEtlError } from "./exceptions.ts";
import type { RunFigures, RunReport } from "./report.ts";
import { messageOf } from "./thrown.ts";

/** What the journal keeps of a run. */
export interface RunRecord {
  readonly runId: string;
  readonly pipeline: string;
  /** A replay takes the rows of a dead letter file only. */
  readonly kind: "run" | "replay";
  /** Where the rows went: the sink's identity. */
  readonly sink: string;
  readonly startedAt: Date;
  /** null while it runs, and for one that was killed. */
  readonly endedAt: Date | null;
  /** `running`: it has not ended, or was killed. `refused`: before the first row. */
  readonly status: RunReport["status"] | "running" | "refused";
  /** What ended the run; its message holds no content. */
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly exitCode: RunReport["exitCode"] | null;
  /** Of a run that has not ended, as they stood at most a second or so before. */
  readonly figures: RunFigures;
  readonly processId: number;
  readonly host: string;
}

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
