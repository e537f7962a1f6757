import { EventQueue } from "./event-queue.ts";
import type { LabCall, LabOutcome, LabPolicy, MakePolicy } from "./policy.ts";
import { type Draw, randomFrom } from "./random.ts";
import type { MakeService, Reply } from "./services.ts";

/** A call is lost when more of its attempts than these have failed, 429s not counted. */
const mostRetries = 5;

/** Rows that want an answer each, and the service that they ask. */
export interface Workload {
  /** The rows: each is one call. */
  readonly calls: number;
  /** Rows at work, each with one call at a time. */
  readonly concurrency: number;
  /** @default 60,000 */
  readonly timeoutMs?: number;
  /** The size of a call. @default 500 */
  readonly tokens?: Draw;
  readonly service: MakeService;
}

export interface SimulationOptions {
  /** @default 1 */
  readonly seed?: number;
  /** The virtual time after which the simulation is given up, in milliseconds. @default one hour */
  readonly limitMs?: number;
  /** Is told of each attempt that ends. */
  readonly onEnd?: (outcome: LabOutcome, nowMs: number, inFlight: number) => void;
}

export interface SimulationResult {
  /** Calls that were answered. */
  done: number;
  /** Calls that used up their retries. */
  lost: number;
  /** Calls that were neither when the time was up. */
  unfinished: number;
  /** Attempts, of these the ones that ended with a 429, and with another failure. */
  sent: number;
  rejected: number;
  failed: number;
  /** The moment at which the last call that was answered was sent. */
  wallMs: number;
}

/** Sends all calls of a workload through its service in virtual time, as an engine would: a row that waits keeps its place. */
export function simulate(
  workload: Workload,
  makePolicy: MakePolicy,
  options: SimulationOptions = {},
): SimulationResult {
  return new Simulation(workload, makePolicy, options).run();
}

class Simulation {
  readonly #workload: Workload;
  readonly #options: SimulationOptions;
  readonly #timeoutMs: number;
  readonly #policy: LabPolicy;
  readonly #service: (call: LabCall, nowMs: number) => Reply;
  readonly #random: () => number;
  readonly #events = new EventQueue();
  /** Calls that may go as far as they themselves are concerned: first come, first served. */
  readonly #ready: LabCall[] = [];
  readonly #result: SimulationResult = { done: 0, lost: 0, unfinished: 0, sent: 0, rejected: 0, failed: 0, wallMs: 0 };
  #nowMs = 0;
  #inFlight = 0;
  #openedCount = 0;
  #wakesAtMs = Infinity;

  constructor(workload: Workload, makePolicy: MakePolicy, options: SimulationOptions) {
    const { seed = 1 } = options;
    this.#workload = workload;
    this.#options = options;
    this.#random = randomFrom(seed);
    this.#service = workload.service(randomFrom(seed + 1));
    this.#timeoutMs = workload.timeoutMs ?? 60_000;
    const { concurrency } = workload;
    this.#policy = makePolicy({ concurrency, timeoutMs: this.#timeoutMs, random: randomFrom(seed + 2) });
  }

  run(): SimulationResult {
    const { calls, concurrency } = this.#workload;
    const { limitMs = 3_600_000 } = this.#options;
    const result = this.#result;
    for (let row = 0; row < concurrency; row += 1) this.#open();
    this.#serve();
    while (result.done + result.lost < calls) {
      const event = this.#events.take();
      if (event === undefined || event.atMs > limitMs) break;
      this.#nowMs = event.atMs;
      event.run();
    }
    result.unfinished = calls - result.done - result.lost;
    return result;
  }

  #open(): void {
    if (this.#openedCount >= this.#workload.calls) return;
    const tokens = Math.ceil(this.#workload.tokens?.(this.#random) ?? 500);
    this.#ready.push({ id: this.#openedCount, tokens, tries: 0 });
    this.#openedCount += 1;
  }

  #serve(): void {
    for (let call = this.#ready[0]; call !== undefined; call = this.#ready[0]) {
      const waitMs = this.#policy.waitMs(call, this.#nowMs);
      if (waitMs > 0) return this.#wakeAfter(waitMs);
      this.#ready.shift();
      this.#send(call);
    }
  }

  #wakeAfter(waitMs: number): void {
    const dueMs = this.#nowMs + Math.max(1, Math.ceil(waitMs)); // timers have whole milliseconds
    if (dueMs >= this.#wakesAtMs) return;
    this.#wakesAtMs = dueMs;
    this.#events.add(dueMs, () => {
      if (this.#wakesAtMs === dueMs) this.#wakesAtMs = Infinity;
      this.#serve();
    });
  }

  #send(call: LabCall): void {
    const sentAt = this.#nowMs;
    this.#policy.started(call, sentAt);
    this.#inFlight += 1;
    this.#result.sent += 1;
    const { status, afterMs, retryAfterMs } = this.#service(call, sentAt);
    const isLate = afterMs > this.#timeoutMs;
    const outcome = isLate ? { ok: false, status: 0, sentAt } : { ok: status === 200, status, retryAfterMs, sentAt };
    this.#events.add(sentAt + Math.min(afterMs, this.#timeoutMs), () => this.#end(call, outcome));
  }

  #end(call: LabCall, outcome: LabOutcome): void {
    const result = this.#result;
    this.#inFlight -= 1;
    this.#options.onEnd?.(outcome, this.#nowMs, this.#inFlight);
    const { again = 0, free = false } = this.#policy.ended(call, outcome, this.#nowMs);
    if (outcome.ok) {
      result.done += 1;
      result.wallMs = Math.max(result.wallMs, outcome.sentAt);
      this.#open();
    } else {
      if (outcome.status === 429) result.rejected += 1;
      else result.failed += 1;
      if (outcome.status !== 429 && !free) call.tries += 1;
      if (call.tries > mostRetries) {
        result.lost += 1;
        this.#open();
      } else {
        this.#events.add(this.#nowMs + again, () => {
          this.#ready.push(call);
          this.#serve();
        });
      }
    }
    this.#serve();
  }
}
