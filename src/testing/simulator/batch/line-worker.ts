import type { ChatService } from "../chat-service.ts";
import { errorReply } from "../replies.ts";
import { drawsFor, keyOf } from "../request-hash.ts";
import { assertName, pick } from "../shares.ts";
import type { StatisticsCounter } from "../statistics.ts";
import type { SimulatorBatchOptions } from "./options.ts";
import { lineFaultNames, type SimulatedLine } from "./words.ts";

/** The end of a line. */
export interface WorkedLine {
  readonly isCompleted: boolean;
  /** Lines for the output file. */
  readonly output: readonly string[];
  /** Lines for the error file. */
  readonly errors: readonly string[];
}

type LineCounts = { -readonly [Count in keyof SimulatedLine]: number };

interface WorkerParts {
  readonly seed: number;
  readonly service: ChatService;
  readonly statistics: StatisticsCounter;
  readonly options: () => SimulatorBatchOptions;
}

/** Works on the lines of all batches, and counts them by their ids. */
export class LineWorker {
  readonly #parts: WorkerParts;
  #counts = new Map<string, LineCounts>();
  #number = 0;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
  }

  /** The lines of batches by `custom_id`. */
  read(): Readonly<Record<string, SimulatedLine>> {
    return Object.fromEntries([...this.#counts].map(([customId, counts]) => [customId, { ...counts }]));
  }

  reset(): void {
    this.#counts = new Map();
  }

  /** Counts a line that passed the validation of its batch. */
  submitted(customId: string): void {
    const counts = this.#counts.get(customId);
    if (counts === undefined) this.#counts.set(customId, { submitted: 1, workedOn: 0, billed: 0 });
    else counts.submitted += 1;
  }

  /** Works on a line, whose JSON is `text`. */
  work(customId: string, text: string): WorkedLine {
    const { seed, options } = this.#parts;
    const { failedLineStatus = 500, lineFault, ...shares } = options();
    const counts = this.#counts.get(customId) ?? { submitted: 0, workedOn: 0, billed: 0 };
    this.#number += 1;
    const id = `batch_req_simulator_${this.#number}`;
    const draw = drawsFor(seed, keyOf(customId), `line/${counts.submitted}`).share(0);
    const chosen = lineFault?.(customId, counts.submitted);
    if (chosen !== undefined) assertName("batch.lineFault", lineFaultNames, chosen);
    const fault = chosen ?? pick(shares, lineFaultNames, draw);
    if (fault === "failedLines") {
      const message = "The service failed to process this line.";
      const { body } = errorReply(failedLineStatus, { message, code: "server_error", type: "server_error" });
      return { isCompleted: false, output: [], errors: [lineWith(id, customId, failedLineStatus, body)] };
    }
    const { status, body } = this.#answer(text, counts);
    const isCompleted = status === 200;
    const line = lineWith(id, customId, status, body);
    const unknown = lineWith(`${id}_2`, `unknown-${this.#number}`, status, body);
    const lines = fault === "missingLines" ? [] : fault === "doubledLines" ? [line, line] : [line];
    if (fault === "unknownLines") lines.push(unknown);
    return { isCompleted, output: isCompleted ? lines : [], errors: isCompleted ? [] : lines };
  }

  /** The line of the error file for one that was not worked on. */
  unfinished(customId: string, end: "expired" | "cancelled"): string {
    this.#number += 1;
    const message = `The batch ${end === "expired" ? "expired" : "was cancelled"} before this request was processed.`;
    const error = { code: `batch_${end}`, message };
    return JSON.stringify({ id: `batch_req_simulator_${this.#number}`, custom_id: customId, response: null, error });
  }

  #answer(text: string, counts: LineCounts): { readonly status: number; readonly body: string } {
    const { service, statistics, options } = this.#parts;
    // The validation has read the line, and found a body with a model.
    const { body } = JSON.parse(text) as { readonly body: { readonly model: string } };
    const bytes = Buffer.from(JSON.stringify(body));
    const faultsOf = options().faultsOf?.[body.model];
    const { outcome, fault } = service.work({ number: this.#number, body: bytes, faultsOf });
    counts.workedOn += 1;
    if (fault !== undefined) statistics.faulted(fault);
    const { answered } = outcome;
    if (answered !== undefined) statistics.answered(bytes, answered.systemMessage, answered.tokens);
    if (answered !== undefined || fault === "contentFilterPrompt") counts.billed += 1;
    return outcome.reply;
  }
}

function lineWith(id: string, customId: string, status: number, body: string): string {
  const head = JSON.stringify({
    id,
    custom_id: customId,
    response: { status_code: status, request_id: `${id}_request` },
  });
  return `${head.slice(0, -2)},"body":${body}},"error":null}`;
}
