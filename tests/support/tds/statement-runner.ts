import type { Session, Variables } from "./database.ts";
import { execute, type Outcome } from "./execute.ts";
import { type Faults, errorOf } from "./faults.ts";
import type { ResponseWriter } from "./packets.ts";
import { SQLError } from "./sql-error.ts";
import type { Statement } from "./syntax.ts";
import {
  changes,
  type ResultSet,
  writeChange,
  writeColumns,
  writeDone,
  writeError,
  writeInformation,
  writeRow,
} from "./tokens.ts";

/** What becomes of the connection: "drop" breaks it at once, "close" once the answer is sent. */
export type Keeps = "keep" | "drop" | "close";

/** After these the client is told that the statement has been terminated, and the batch goes on. */
const terminated: ReadonlySet<number> = new Set([220, 515, 547, 2601, 2627, 2628, 8115, 8152]);

/** Runs statements and writes what they have for the client, faults and errors included. */
export class StatementRunner {
  readonly #session: Session;
  readonly #hooks: { readonly faults: Faults; readonly onRow: () => void };

  constructor(session: Session, hooks: { readonly faults: Faults; readonly onRow: () => void }) {
    this.#session = session;
    this.#hooks = hooks;
  }

  async statements(
    statements: readonly Statement[],
    variables: Variables,
    done: number,
    writer: ResponseWriter,
    signal: AbortSignal,
  ): Promise<Keeps> {
    for (const statement of statements) {
      let goesOn = true;
      const keeps = await this.guarded(
        statement.text,
        done,
        writer,
        signal,
        async () => {
          const execution = { session: this.#session, variables, signal };
          for await (const outcome of execute(statement, execution)) await this.#outcome(outcome, done, writer, signal);
        },
        () => {
          goesOn = false;
        },
      );
      if (keeps !== "keep" || !goesOn || signal.aborted) return keeps;
    }
    return "keep";
  }

  /** Runs one statement with the faults that are meant for it, and answers its error. */
  async guarded(
    text: string,
    done: number,
    writer: ResponseWriter,
    signal: AbortSignal,
    run: () => Promise<void> | void,
    onBatchEnd?: () => void,
  ): Promise<Keeps> {
    const fault = this.#hooks.faults.onStatement(text);
    try {
      if (fault?.delayMs !== undefined) await pause(fault.delayMs, signal);
      if (fault?.drop === "before") return "drop";
      const error = fault === undefined ? undefined : errorOf(fault);
      if (error !== undefined) throw error;
      await run();
      if (fault?.drop === "after") return "drop";
      if (signal.aborted) this.#cancelled(writer);
      return fault?.drop === "answered" ? "close" : "keep";
    } catch (error) {
      if (signal.aborted) {
        this.#cancelled(writer);
        return "keep";
      }
      if (!(error instanceof SQLError)) throw error;
      if (this.#endsBatch(error)) onBatchEnd?.();
      return this.fail(error, done, writer);
    }
  }

  #endsBatch(error: SQLError): boolean {
    // A batch that was not understood has not begun: it leaves the transaction as it is.
    return error.endsBatch || (error.class !== 15 && this.#session.settings.get("XACT_ABORT") === "ON");
  }

  fail(error: SQLError, done: number, writer: ResponseWriter): Keeps {
    const { tokens } = writer;
    writeError(tokens, error);
    if (terminated.has(error.number)) writeInformation(tokens, 3621, "The statement has been terminated.");
    if (this.#endsBatch(error)) this.#rollBack(writer);
    writeDone(tokens, done, { more: true, failed: true });
    return error.class >= 20 ? "close" : "keep";
  }

  /** A cancelled batch leaves its transaction open, unless XACT_ABORT is on. */
  #cancelled(writer: ResponseWriter): void {
    if (this.#session.settings.get("XACT_ABORT") === "ON") this.#rollBack(writer);
  }

  #rollBack(writer: ResponseWriter): void {
    const { transaction, database } = this.#session;
    if (transaction === undefined) return;
    database.rollBack(this.#session);
    writeChange(writer.tokens, changes.rollback, Buffer.alloc(0), descriptorBytes(transaction.descriptor));
  }

  async #outcome(outcome: Outcome, done: number, writer: ResponseWriter, signal: AbortSignal): Promise<void> {
    const { tokens } = writer;
    const quiet = this.#session.settings.get("NOCOUNT") === "ON";
    switch (outcome.kind) {
      case "rows":
        try {
          await this.send(outcome.result, done, writer, signal);
        } finally {
          outcome.finished();
        }
        break;
      case "count":
        if (!quiet) writeDone(tokens, done, { more: true, count: outcome.count });
        break;
      case "information":
        writeInformation(tokens, outcome.number, outcome.message);
        break;
      case "transaction": {
        const descriptor = descriptorBytes(outcome.descriptor);
        const nothing = Buffer.alloc(0);
        if (outcome.what === "begin") writeChange(tokens, changes.begin, descriptor, nothing);
        else writeChange(tokens, changes[outcome.what], nothing, descriptor);
        break;
      }
    }
  }

  async send({ columns, rows }: ResultSet, done: number, writer: ResponseWriter, signal: AbortSignal): Promise<void> {
    writeColumns(writer.tokens, columns);
    let count = 0;
    for (const row of rows) {
      writeRow(writer.tokens, columns, row);
      this.#hooks.onRow();
      count += 1;
      if (writer.full) await writer.pause(signal);
      if (signal.aborted) break;
    }
    const quiet = this.#session.settings.get("NOCOUNT") === "ON";
    writeDone(writer.tokens, done, quiet ? { more: true } : { more: true, count });
  }
}

function descriptorBytes(descriptor: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(descriptor);
  return bytes;
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, delayMs);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
