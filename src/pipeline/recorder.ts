import type { JournalSession, RunFacts, RunRecord } from "../contracts/journal.ts";
import type { RunFigures, RunReport } from "../contracts/report.ts";
import type { StepFigures } from "../contracts/run-detail.ts";
import { asLLMEtlError } from "../errors/thrown.ts";

/** How often the figures of a run that goes on are saved, in milliseconds. */
const progressEveryMs = 1000;

export interface RunRecorderOptions {
  /** Undefined where the journal is off: then nothing is saved. */
  readonly runs: Pick<JournalSession["runs"], "save"> | undefined;
  readonly run: RunFacts;
  readonly figures: () => RunFigures;
  readonly steps: () => readonly StepFigures[];
  /** Other things of the run that are saved whenever the figures are. @default none */
  readonly detail?: { readonly save: (isLast: boolean) => Promise<void> } | undefined;
  /** Called once where the figures can't be saved. */
  readonly onFailure: (error: unknown) => void;
}

/** The part of a run that changes; without figures, those of the moment. */
type RunState = Pick<RunRecord, "status" | "endedAt" | "error" | "exitCode"> & { readonly figures?: RunFigures };

const running: RunState = { status: "running", endedAt: null, error: null, exitCode: null };

/** Saves a run's history: that it began, how far it is, how it ended. */
export class RunRecorder {
  readonly #options: RunRecorderOptions;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(options: RunRecorderOptions) {
    this.#options = options;
  }

  readonly begin = async (): Promise<void> => {
    await this.#save(running);
    if (this.#hasEnded) return; // it took so long that nobody waits for it any more
    this.#timer = setInterval(() => {
      this.#save(running).catch((error: unknown) => {
        clearInterval(this.#timer);
        this.#options.onFailure(error);
      });
    }, progressEveryMs);
    this.#timer.unref();
  };

  /** Saves the report's own figures: `show` later says the same as the run did. */
  async end({ runId: _runId, changes: _changes, status, error, exitCode, ...figures }: RunReport): Promise<void> {
    this.#stop();
    const cause = error === null ? null : { code: error.code, message: error.message };
    await this.#save({ status, endedAt: new Date(), error: cause, exitCode, figures });
  }

  /** Saves that the run was aborted before its first row. */
  async abort(error: unknown): Promise<void> {
    this.#stop();
    const { code, message } = asLLMEtlError(error);
    const ended =
      code === "ABORTED"
        ? ({ status: "aborted", exitCode: 3 } as const)
        : ({ status: "refused", exitCode: 2 } as const);
    await this.#save({ ...ended, endedAt: new Date(), error: { code, message } });
  }

  #stop(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
  }

  async #save({ figures = this.#options.figures(), ...state }: RunState): Promise<void> {
    const { runs, run, steps, detail } = this.#options;
    if (detail !== undefined) await detail.save(state.endedAt !== null);
    await runs?.save({ ...run, ...state, figures, steps: steps() });
  }
}

/** The options that are plain values: of others, and of endless ones, there is nothing to show. */
export function plainOptions(options: object): RunFacts["options"] {
  const plain: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries<unknown>({ ...options })) {
    if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) {
      plain[name] = value as string | number | boolean; // one of the three
    }
  }
  return plain;
}
