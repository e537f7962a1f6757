import { NotSentError } from "../not-sent.ts";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { OptionError } from "../../errors/option.ts";
import { messageOf } from "../../errors/error-text.ts";
import { oneLine } from "../../errors/wording.ts";
import type { AbortListeners } from "./abort-listeners.ts";
import { ProviderError, type Unreachable } from "../provider-error.ts";
import { type HTTPAnswer, isSuccess, readBody, tooLargeError } from "./response-body.ts";
import { isCertificate, unreachableOf } from "./unreachable.ts";

export interface HTTPCall {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  /** The name of the option that holds the address, for errors. */
  readonly setting: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The time limit of the whole exchange, connecting and body included, in milliseconds. */
  readonly timeoutMs: number;
  /** The most bytes of the answer's body, compressed or not. @default 10000000 */
  readonly maxResponseBytes?: number | undefined;
  readonly signal: AbortSignal;
  /** Shared by all calls that share a signal. */
  readonly abortListeners: AbortListeners;
}

/**
 * Sends one POST and follows no redirects. It rejects with the signal's reason as soon as the signal aborts, connected or not.
 * Of the body of an error it keeps no more than `maxResponseBytes`.
 *
 * @throws {ProviderError} TIMEOUT, NETWORK_ERROR, or INVALID_RESPONSE for a body that is too large or can't be decompressed;
 * none holds anything of request or answer
 */
export async function post(call: HTTPCall): Promise<HTTPAnswer> {
  return await new Promise((resolve, reject) => {
    new Exchange(call, resolve, reject).start();
  });
}

/** The environment variables in which undici looks for a proxy. */
export const proxyVariables: readonly string[] = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];

/**
 * Makes the default dispatcher: one kept-alive connection for each call in flight, through the proxy of HTTPS_PROXY,
 * HTTP_PROXY and NO_PROXY if these are set.
 *
 * @throws {OptionError} if such a variable is not an address
 */
export function createDispatcher(owner: string): Dispatcher {
  // Over HTTP/2 the calls would share a few connections, and a stalled connection would stall many calls.
  const options = { allowH2: false, keepAliveTimeout: keepAliveMs };
  if (proxyVariables.every((name) => (process.env[name] ?? "") === "")) return new Agent(options);
  try {
    return new EnvHttpProxyAgent(options);
  } catch {
    // Undici's error is left out: it quotes the address, which may hold a password.
    throw new OptionError(owner, "dispatcher", "HTTPS_PROXY or HTTP_PROXY is not an address", {
      expected: "http://host:port",
    });
  }
}

const defaultMaxResponseBytes = 10_000_000;

/** In milliseconds: gateways close an idle connection after minutes, so ours closes first. */
const keepAliveMs = 30_000;

/** One request and its answer. It needs one listener and one timer, and removes both when the call is over. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #call: HTTPCall;
  readonly #resolve: (answer: HTTPAnswer) => void;
  readonly #reject: (reason: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isOver = false;
  #status = 0;
  #headers: HTTPAnswer["headers"] = {};
  readonly #chunks: Buffer[] = [];
  #byteCount = 0;

  constructor(call: HTTPCall, resolve: (answer: HTTPAnswer) => void, reject: (reason: unknown) => void) {
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { dispatcher, origin, path, headers, body, timeoutMs, signal, abortListeners } = this.#call;
    if (signal.aborted) {
      this.#reject(new NotSentError(signal.reason));
      return;
    }
    abortListeners.add(signal, this.#onAbort);
    this.#timer = setTimeout(this.#onTimeout, timeoutMs);
    const noOtherTimeouts = { headersTimeout: 0, bodyTimeout: 0 };
    try {
      dispatcher.dispatch({ origin, path, method: "POST", headers, body, ...noOtherTimeouts }, this);
    } catch (error) {
      this.#fail(networkError(error, this.#call));
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isOver) controller.abort(new Error("the call is over"));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: HTTPAnswer["headers"]): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    const { maxResponseBytes = defaultMaxResponseBytes } = this.#call;
    this.#byteCount += chunk.length;
    if (this.#byteCount <= maxResponseBytes) {
      this.#chunks.push(chunk);
      return;
    }
    // The status of an error says enough; an answer that is cut is none.
    if (isSuccess(this.#status)) this.#fail(tooLargeError(this.#status, maxResponseBytes));
    else this.onResponseEnd();
    controller.abort(new Error("the call is over"));
  }

  onResponseEnd(): void {
    if (!this.#end()) return;
    const [status, headers] = [this.#status, this.#headers];
    const { maxResponseBytes = defaultMaxResponseBytes } = this.#call;
    try {
      this.#resolve({ status, headers, body: readBody({ status, headers, chunks: this.#chunks, maxResponseBytes }) });
    } catch (error) {
      this.#reject(error);
    }
  }

  onResponseError(_: Dispatcher.DispatchController, error: unknown): void {
    this.#fail(networkError(error, this.#call));
  }

  readonly #onAbort = (): void => {
    const { reason } = this.#call.signal;
    this.#fail(this.#controller === undefined ? new NotSentError(reason) : reason);
  };

  readonly #onTimeout = (): void => {
    const { timeoutMs } = this.#call;
    const problem = `no complete answer within ${timeoutMs} ms`;
    const hint = "raise timeoutMs if that is usual for this model";
    this.#fail(new ProviderError("transient", "TIMEOUT", problem, { where: "timeoutMs", hint }));
  };

  #fail(reason: unknown): void {
    if (!this.#end()) return;
    this.#reject(reason);
    this.#controller?.abort(new Error("the call is over"));
  }

  /** Ends the call. False if it was over before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#call.abortListeners.remove(this.#call.signal, this.#onAbort);
    return true;
  }
}

/** The error of a connection that failed. Whether a wrong address explains it is a fact of it: what follows depends on the run. */
function networkError(error: unknown, { origin, setting }: Pick<HTTPCall, "origin" | "setting">): ProviderError {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
  const isOtherProtocol = error instanceof Error && error.message.includes("Expected HTTP/"); // undici's parser has no code for it
  const unreachable = isOtherProtocol ? "protocol" : unreachableOf(code);
  const facts = { cause: withoutFields(error, code), unreachable };
  const problem = `the connection to ${origin} failed${code === undefined ? "" : ` (${code})`}: ${oneLine(messageOf(error))}`;
  if (code !== undefined && isCertificate(code)) {
    const trust = "trust its authority with NODE_EXTRA_CA_CERTS, or with dispatcher: new Agent({ connect: { ca } })";
    const hint = `${trust}, and check ${setting}`;
    return new ProviderError("transient", "NETWORK_ERROR", problem, { ...facts, hint });
  }
  if (code === "UND_ERR_INVALID_ARG") {
    const hint = "give a dispatcher of undici 7 or later";
    return new ProviderError("run", "NETWORK_ERROR", problem, { ...facts, where: "dispatcher", hint });
  }
  const hint = unreachable === undefined ? undefined : `check ${setting}: ${doubtOf(unreachable, origin)}`;
  return new ProviderError("transient", "NETWORK_ERROR", problem, { ...facts, hint });
}

/** The question to ask of an address that was not reached. */
function doubtOf(unreachable: Unreachable, origin: string): string {
  if (unreachable === "protocol") return `does the server speak ${origin.split(":")[0]} at this port?`;
  const isProxied = proxyVariables.some((name) => (process.env[name] ?? "") !== "");
  const which = isProxied ? ", or that of the proxy in HTTPS_PROXY or HTTP_PROXY," : "";
  return unreachable === "host" ? `is the host's name${which} right?` : `does the service${which} listen at this port?`;
}

/** A copy of the error without its fields: a parser's error holds the bytes that it failed on, perhaps an answer's. */
function withoutFields(error: unknown, code: string | undefined): Error {
  const cause = new Error(messageOf(error));
  if (error instanceof Error) cause.name = error.name;
  return code === undefined ? cause : Object.assign(cause, { code });
}
