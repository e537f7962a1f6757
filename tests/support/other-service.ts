import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A second service for tests, which shares no line with the simulator of src/testing: what one hides the other shows. */
export interface OtherService {
  readonly url: string;
  /** Requests, by how they ended. */
  readonly ends: ReadonlyMap<End, number>;
  /** Answers to bytes that had been answered well before: paid twice. */
  readonly paidTwice: () => number;
  readonly close: () => Promise<void>;
}

export interface OtherServiceOptions {
  readonly latencyMs: number;
  /** Shares of the tries that end so. */
  readonly shares?: Partial<Record<Fault, number>>;
  /** Places that come free each second, at most `burst` of them at once. @default no quota */
  readonly quota?: { readonly perSecond: number; readonly burst: number };
  /** The headers of a 429, for the wait that is right. @default none */
  readonly told?: (waitMs: number) => Readonly<Record<string, string>>;
  /** Another one makes other faults. */
  readonly salt?: string;
}

const faults = ["status500", "sporadic429", "reset", "badJSON", "outOfRange"] as const;
type Fault = (typeof faults)[number];
type End = Fault | "answered" | "quota429";

/** The wait of a 429 that has nothing to do with the load. */
const sporadicWaitMs = 20;

interface Schema {
  readonly enum?: readonly unknown[];
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface Asked {
  readonly messages: readonly { readonly content: string }[];
  readonly response_format: { readonly json_schema: { readonly schema: Schema } };
}

/** FNV-1a: a number from 0 to below 1 for a text. */
function shareOf(content: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < content.length; index += 1) {
    state = Math.imul(state ^ content.charCodeAt(index), 0x01000193);
  }
  state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
  return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
}

/** A value that fits the schema. Texts differ with the try, as a model's words do. */
function valueFor(schema: Schema, content: string, turn: number): unknown {
  if (schema.enum !== undefined) return schema.enum[Math.floor(shareOf(content) * schema.enum.length)];
  const type = [schema.type].flat()[0];
  if (type === "object") {
    const named = Object.entries(schema.properties ?? {});
    return Object.fromEntries(named.map(([name, inner]) => [name, valueFor(inner, name + content, turn)]));
  }
  if (type === "array") return [valueFor(schema.items ?? {}, content, turn)];
  return type === "number" || type === "integer" ? 0 : type === "boolean" ? true : `said at try ${turn}`;
}

/** The first two messages are the content; a re-ask, whatever it adds to them, is the content's next try. */
class Decider {
  readonly #tries = new Map<string, number>();
  readonly #options: OtherServiceOptions;
  #level: number;
  #filledAt = performance.now();

  constructor(options: OtherServiceOptions) {
    this.#options = options;
    this.#level = options.quota?.burst ?? 0;
  }

  /** The end of a try, the wait that a 429 names, and the number of the try. Only accepted tries use up quota. */
  decide(content: string): { readonly end: End; readonly waitMs: number; readonly turn: number } {
    const { shares = {}, salt = "" } = this.#options;
    const turn = (this.#tries.get(content) ?? 0) + 1;
    let draw = shareOf(`${salt}|${turn}|${content}`);
    const fault = faults.find((name) => (draw -= shares[name] ?? 0) < 0);
    const waitMs = fault === undefined || fault === "badJSON" || fault === "outOfRange" ? this.#missingMs() : 0;
    if (waitMs > 0) return { end: "quota429", waitMs, turn };
    this.#tries.set(content, turn);
    return { end: fault ?? "answered", waitMs: sporadicWaitMs, turn };
  }

  #missingMs(): number {
    const { quota } = this.#options;
    if (quota === undefined) return 0;
    const now = performance.now();
    this.#level = Math.min(quota.burst, this.#level + ((now - this.#filledAt) * quota.perSecond) / 1000);
    this.#filledAt = now;
    if (this.#level < 1) return ((1 - this.#level) * 1000) / quota.perSecond;
    this.#level -= 1;
    return 0;
  }
}

export async function startOtherService(options: OtherServiceOptions): Promise<OtherService> {
  const decider = new Decider(options);
  const ends = new Map<End, number>();
  const paid = new Set<string>();
  let paidTwice = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    const asked = JSON.parse(body) as Asked; // the provider under test sends nothing else
    const content = JSON.stringify(asked.messages.slice(0, 2));
    const { end, waitMs, turn } = decider.decide(content);
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (end === "reset") return void request.socket.resetAndDestroy();
    const send = (status: number, value: object, headers: Readonly<Record<string, string>> = {}): void => {
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));
    };
    if (end === "status500") return send(500, { error: { message: "upstream failed" } });
    if (end === "sporadic429" || end === "quota429") {
      return send(429, { error: { message: "slow down", code: "429" } }, options.told?.(waitMs) ?? {});
    }
    const answer = valueFor(asked.response_format.json_schema.schema, content, turn);
    let said = JSON.stringify(answer);
    if (end === "outOfRange")
      said = JSON.stringify(answer, (_, value: unknown) => (typeof value === "number" ? 7 : value));
    if (end === "badJSON") said = said.slice(0, -3);
    if (paid.has(body)) paidTwice += 1;
    if (end === "answered") paid.add(body);
    const message = { role: "assistant", content: said };
    const usage = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
    setTimeout(
      () => send(200, { model: "m", choices: [{ index: 0, message, finish_reason: "stop" }], usage }),
      options.latencyMs,
    );
  };
  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  const close = async (): Promise<void> =>
    await new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, ends, paidTwice: () => paidTwice, close };
}
