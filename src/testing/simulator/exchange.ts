import type { IncomingMessage, ServerResponse } from "node:http";
import { longestTimerMs } from "../../errors/options.ts";
import { messageOf } from "../../errors/error-text.ts";
import type { BatchOutcome } from "./batch/batch-api.ts";
import { sendFile } from "./batch/send-file.ts";
import type { Decision } from "./chat-service.ts";
import type { Outcome } from "./fault-outcomes.ts";
import { errorReply, type Reply } from "./replies.ts";
import type { StatisticsCounter } from "./statistics.ts";

/** One request and its outcome, which is counted once in every case. */
export class Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #statistics: StatisticsCounter;
  readonly #number: number;
  #hasLeft = false;
  #hasStatus = false;

  constructor(request: IncomingMessage, response: ServerResponse, statistics: StatisticsCounter, number: number) {
    this.#request = request;
    this.#response = response;
    this.#statistics = statistics;
    this.#number = number;
    response.once("close", () => this.#close());
  }

  /** Serves the outcome of `decision` after its wait, or after its work in the queue. Either goes on where the client has left. */
  meet(decision: Decision, body: Buffer): void {
    if (decision.queue !== undefined) return decision.queue.add(decision.waitMs, () => this.#serve(decision, body));
    if (decision.waitMs <= 0) return this.#serve(decision, body);
    setTimeout(() => this.#serve(decision, body), Math.min(longestTimerMs, decision.waitMs)).unref();
  }

  /** Replies with 500 for an error of the simulator itself, or of a function in its options. */
  fail(error: unknown): void {
    if (this.#hasLeft || this.#request.socket.destroyed) return;
    const message = `The simulator itself failed: ${messageOf(error)}`;
    this.reply(errorReply(500, { message, code: "SimulatorFailed" }));
  }

  /** Sends a reply as a whole. */
  reply(reply: Reply, headers: readonly string[] = []): void {
    this.#begin(reply, headers);
    this.#leave(); // before the last byte: a client may send its next request at once, which is not a concurrent one
    this.#response.end(reply.body);
  }

  /** Serves the outcome of a request for files or batches. */
  meetBatch(outcome: BatchOutcome): void {
    if (this.#hasLeft || outcome.kind === "hang") return;
    if (outcome.kind === "reset") {
      this.#request.socket.resetAndDestroy();
      return;
    }
    if (outcome.kind === "reply") return this.reply(outcome.reply);
    this.#hasStatus = true;
    this.#statistics.ended(200);
    sendFile(this.#response, outcome, this.#idHeaders());
  }

  #serve({ outcome, headers }: Decision, body: Buffer): void {
    let met: Outcome;
    try {
      met = outcome();
    } catch (error) {
      return this.fail(error);
    }
    if (this.#hasLeft) return; // it was worked on for nobody, and is billed
    if (met.kind === "hang") return;
    if (met.kind === "reset") {
      this.#request.socket.resetAndDestroy();
      return;
    }
    if (met.answered !== undefined) {
      this.#statistics.answered(body, met.answered.systemMessage, met.answered.tokens);
    }
    if (met.delivery === "whole") return this.reply(met.reply, headers);
    this.#begin(met.reply, headers);
    const half = met.reply.body.slice(0, met.reply.body.length / 2);
    this.#response.write(half, () => {
      if (met.delivery === "truncated") this.#request.socket.destroy();
    });
  }

  #begin({ status, body, contentType = "application/json", headers = [] }: Reply, others: readonly string[]): void {
    this.#hasStatus = true;
    this.#statistics.ended(status);
    this.#response.writeHead(status, [
      "content-type",
      contentType,
      "content-length",
      String(Buffer.byteLength(body)),
      ...this.#idHeaders(),
      ...headers,
      ...others,
    ]);
  }

  #idHeaders(): readonly string[] {
    const id = `simulator-${this.#number}`;
    return ["x-request-id", id, "apim-request-id", id];
  }

  #close(): void {
    this.#leave();
    if (!this.#hasStatus) this.#statistics.ended("none");
    this.#hasStatus = true;
  }

  #leave(): void {
    if (!this.#hasLeft) this.#statistics.left();
    this.#hasLeft = true;
  }
}
