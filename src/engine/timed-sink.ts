import type { Sink, SinkSession } from "../contracts/sink.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { SinkError } from "../errors/sink.ts";
import { problemOf } from "../errors/thrown.ts";
import type { Ending } from "./ending.ts";
import { withinLimit } from "./time-limit.ts";

export interface TimedSinkOptions {
  readonly sink: Sink<never>;
  /** The most rows of the run; Infinity for all. */
  readonly limit: number;
  /** True if what an earlier run wrote may be replaced by a part of the rows. */
  readonly replace: boolean;
  /** In milliseconds. */
  readonly openTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly ending: Ending;
}

/** Opens and closes a sink, each within its time, and within what is left of a run that was stopped. */
export class TimedSink {
  readonly #options: TimedSinkOptions;
  readonly #signal: AbortSignal;

  /** `signal` is aborted when the run gives up. */
  constructor(options: TimedSinkOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** @throws {LLMEtlError} as the sink threw it; anything else that it throws becomes a {@link SinkError} */
  async open(): Promise<SinkSession> {
    const { sink, limit, replace } = this.#options;
    const run = { limit: limit === Infinity ? undefined : limit, replace };
    try {
      const open = async (signal: AbortSignal): Promise<SinkSession> => await sink.open({ signal, ...run });
      return await this.within("open", open, async (late) => await late.close("stopped"));
    } catch (error) {
      if (error instanceof LLMEtlError || this.#signal.aborted) throw error;
      const { problem, options } = problemOf(error);
      throw new SinkError(sink.name, `open: ${problem}`, options);
    }
  }

  async close(...[session, ...end]: [SinkSession, ...Parameters<SinkSession["close"]>]): Promise<void> {
    await this.within("close", async () => await session.close(...end));
  }

  /** Does work of the sink within the time for its `open` or `close`; `discard` is given what comes too late. */
  async within<Result>(
    what: "open" | "close",
    work: (signal: AbortSignal) => Promise<Result>,
    discard?: (late: Result) => Promise<void>,
  ): Promise<Result> {
    const option = `${what}TimeoutMs` as const;
    const { [option]: limitMs, ending } = this.#options;
    const limit = { code: "SINK_FAILED", option, limitMs, ending, signal: this.#signal } as const;
    return await withinLimit({ ...limit, what: `${this.#options.sink.name}: ${what}` }, work, discard);
  }
}
