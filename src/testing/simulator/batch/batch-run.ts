import { open, type FileHandle } from "node:fs/promises";
import { setImmediate, setTimeout } from "node:timers/promises";
import { longestTimerMs } from "../../../errors/options.ts";
import { messageOf } from "../../../errors/error-text.ts";
import { drawsFor, keyOf } from "../request-hash.ts";
import type { BatchRecord } from "./batch-record.ts";
import { readLine, validateInput, type InputLine, type ValidationError, type ValidationRules } from "./input-lines.ts";
import { LineFile } from "./line-file.ts";
import type { LineWorker } from "./line-worker.ts";
import type { SimulatorBatchOptions } from "./options.ts";
import type { StoredFiles } from "./stored-files.ts";
import type { SimulatorBatchStep } from "./words.ts";

export interface RunParts {
  readonly seed: number;
  readonly files: StoredFiles;
  readonly worker: LineWorker;
  readonly options: () => SimulatorBatchOptions;
  readonly problemOfModel: ValidationRules["problemOfModel"];
  /** The error of the whole batch that its validation finds; undefined for none. @default none */
  readonly rejection?: ValidationError | undefined;
}

const linesAtOnce = 50;

/** Takes one batch from its creation to its end. */
export class BatchRun {
  readonly record: BatchRecord;
  readonly #parts: RunParts;
  readonly #output: LineFile;
  readonly #errors: LineFile;
  readonly #cancelled = new AbortController();
  readonly #closed = new AbortController();
  #input: FileHandle | undefined;

  constructor(record: BatchRecord, parts: RunParts) {
    this.record = record;
    this.#parts = parts;
    this.#output = new LineFile(parts.files, `${record.id}_output`);
    this.#errors = new LineFile(parts.files, `${record.id}_error`);
  }

  /** Runs the batch to its end; it never throws. An error of the simulator, or of a function in its options, is one of the batch. */
  async run(): Promise<void> {
    try {
      await this.#steps();
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#fail([wholeError("simulator_failed", messageOf(error))]);
    } finally {
      await this.#input?.close();
      await this.#output.drop();
      await this.#errors.drop();
    }
  }

  /** Asks for the end of the batch. False for one that has ended. */
  cancel(): boolean {
    if (this.record.hasEnded) return false;
    if (this.record.status !== "cancelling") this.record.become("cancelling");
    this.#cancelled.abort();
    return true;
  }

  /** Leaves the batch as it is. */
  close(): void {
    this.#closed.abort();
  }

  async #steps(): Promise<void> {
    const { rejection } = this.#parts;
    await this.#pause("validating");
    if (rejection !== undefined && !this.#isCancelled) return this.#fail([rejection]);
    const lines = await this.#validate();
    if (lines === undefined) return;
    const half = Math.ceil(lines.length / 2);
    let done = 0;
    if (!this.#isCancelled) {
      this.record.become("in_progress");
      done = await this.#work(lines, 0, half);
      await this.#pause("in_progress");
    }
    if (!this.#isCancelled && this.#expires()) return await this.#end("expired", lines.slice(done));
    done = await this.#work(lines, done, lines.length);
    if (!this.#isCancelled) {
      this.record.become("finalizing");
      await this.#pause("finalizing");
    }
    if (this.#isCancelled) await this.#pause("cancelling");
    await this.#end(this.#isCancelled ? "cancelled" : "completed", lines.slice(done));
  }

  get #isCancelled(): boolean {
    return this.#cancelled.signal.aborted;
  }

  /** The lines in the order of their work, which is not that of the file; undefined for a batch that failed. */
  async #validate(): Promise<readonly InputLine[] | undefined> {
    const { files, worker, options, problemOfModel, seed } = this.#parts;
    const file = files.get(this.record.order.inputFileId);
    if (file === undefined) {
      this.#fail([wholeError("invalid_request", "The input file is deleted.")]);
      return undefined;
    }
    this.#input = await open(file.path, "r");
    const { maxLines = 100_000 } = options();
    const { endpoint } = this.record.order;
    const { lines, errors } = await validateInput(this.#input, { endpoint, maxLines, problemOfModel });
    if (errors.length > 0) {
      this.#fail(errors);
      return undefined;
    }
    this.record.lines = lines.length;
    for (const { customId } of lines) worker.submitted(customId);
    return shuffled(lines, seed);
  }

  /** Works on the lines from `from` up to `to`, and returns the number of the first that is left: a cancellation may come between. */
  async #work(lines: readonly InputLine[], from: number, to: number): Promise<number> {
    for (let index = from; index < to; index += 1) {
      if (index % linesAtOnce === 0) await setImmediate(); // requests come in between
      this.#closed.signal.throwIfAborted();
      const line = lines[index];
      if (this.#isCancelled || line === undefined || this.#input === undefined) return index;
      const { isCompleted, output, errors } = this.#parts.worker.work(line.customId, await readLine(this.#input, line));
      if (isCompleted) this.record.completed += 1;
      else this.record.failed += 1;
      for (const text of output) await this.#output.add(text);
      for (const text of errors) await this.#errors.add(text);
    }
    return to;
  }

  #expires(): boolean {
    const { seed, options } = this.#parts;
    const { expires = 0 } = options();
    if (typeof expires === "function") return expires(this.record.read());
    return drawsFor(seed, keyOf(this.record.id), "expires").share(0) < expires;
  }

  async #end(status: "completed" | "expired" | "cancelled", left: readonly InputLine[]): Promise<void> {
    const { worker, files, options } = this.#parts;
    const { errorFile = "if-needed", unfinishedLines = "error-file" } = options();
    if (status !== "completed" && unfinishedLines === "error-file") {
      for (const { customId } of left) await this.#errors.add(worker.unfinished(customId, status));
      this.record.failed += left.length;
    }
    const output = await this.#output.end(false);
    const errors = await this.#errors.end(errorFile === "always");
    this.#closed.signal.throwIfAborted();
    for (const file of [output, errors]) if (file !== undefined) files.add(file);
    this.record.outputFileId = output?.id;
    this.record.errorFileId = errors?.id;
    this.record.become(status);
  }

  #fail(errors: readonly ValidationError[]): void {
    this.record.errors = errors;
    this.record.become("failed");
  }

  /** Waits for the time of the step; a cancellation ends the wait, but that of the cancellation itself. */
  async #pause(step: SimulatorBatchStep): Promise<void> {
    const { stepMs = 5 } = this.#parts.options();
    const closed = this.#closed.signal;
    const signal = step === "cancelling" ? closed : AbortSignal.any([closed, this.#cancelled.signal]);
    const interrupted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    const pause = async (): Promise<void> => {
      const waitMs = typeof stepMs === "function" ? await stepMs(step, this.record.read()) : stepMs;
      if (waitMs === Infinity) return await interrupted;
      await setTimeout(Math.min(waitMs, longestTimerMs), undefined, { ref: false, signal }).catch(() => {});
    };
    if (!signal.aborted) await Promise.race([pause(), interrupted]);
    closed.throwIfAborted();
  }
}

/** An error of the whole batch. */
export function wholeError(code: string, message: string): ValidationError {
  return { code, message, param: null, line: null };
}

function shuffled(lines: readonly InputLine[], seed: number): readonly InputLine[] {
  const draws = new Map(lines.map((line) => [line, keyOf(`${seed}/${line.customId}`)]));
  return lines.toSorted((one, other) => (draws.get(one) ?? 0) - (draws.get(other) ?? 0));
}
