import { type Dispatcher, fetch, FormData } from "undici";
import { openAsBlob } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { messageOf } from "../../errors/error-text.ts";
import type { Credential } from "../chat-completions/client.ts";
import { BearerToken } from "../chat-completions/bearer-token.ts";
import { serviceError, type ServiceFailure } from "../chat-completions/service-error.ts";
import { ProviderError } from "../provider-error.ts";

export interface ExchangeOptions {
  readonly origin: string;
  /** The path before `/files` and `/batches`. */
  readonly basePath: string;
  /** Behind each path: `?api-version=…`, or nothing. */
  readonly query: string;
  readonly credential: Credential;
  readonly headers: Readonly<Record<string, string>>;
  readonly settings: ServiceFailure["settings"];
  readonly dispatcher: Dispatcher;
  /** The time limit of an exchange that carries no file, in milliseconds. */
  readonly timeoutMs: number;
}

const mostAttempts = 5;
/** In milliseconds; each further pause is twice as long. */
const firstPauseMs = 500;

interface Sent {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  /** Behind the path, as `a=b&c=d`. */
  readonly query?: string;
  readonly json?: object;
  readonly form?: FormData;
}

type Reply = Awaited<ReturnType<typeof fetch>>;

/** No exchange with a file takes longer, in milliseconds. */
const fileTimeoutMs = 30 * 60_000;

/** Speaks to the files and batches of one service. */
export class BatchExchange {
  readonly #options: ExchangeOptions;
  readonly #token: BearerToken | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { credential } = options;
    if (credential !== undefined && "tokenProvider" in credential)
      this.#token = new BearerToken(credential.tokenProvider);
  }

  /** @throws {ProviderError} as a chat completion would */
  async json(sent: Sent, signal: AbortSignal): Promise<unknown> {
    const reply = await this.#send(sent, signal, sent.form === undefined ? this.#options.timeoutMs : fileTimeoutMs);
    const body = await bodyOf(reply);
    try {
      return JSON.parse(body);
    } catch {
      throw new ProviderError("transient", "INVALID_RESPONSE", `${reply.status}, but the body is no JSON`, {
        status: reply.status,
      });
    }
  }

  /** The form of an upload: the file is read while it is sent. */
  async formOf(path: string, name: string): Promise<FormData> {
    const form = new FormData();
    form.set("purpose", "batch");
    form.set("file", await openAsBlob(path, { type: "application/jsonl" }), name);
    return form;
  }

  /** The lines of a file. @throws {ProviderError} NETWORK_ERROR where it is cut off */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const reply = await this.#send({ method: "GET", path }, signal, fileTimeoutMs);
    const decoder = new TextDecoder();
    let rest = "";
    let bytes = 0;
    try {
      for await (const chunk of reply.body ?? []) {
        bytes += chunk.byteLength;
        const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = parts.pop() ?? "";
        for (const line of parts) if (line.trim() !== "") yield line;
        await setImmediate();
      }
    } catch (error) {
      throw torn(messageOf(error));
    }
    const length = Number(reply.headers.get("content-length") ?? Number.NaN);
    if (Number.isFinite(length) && reply.headers.get("content-encoding") === null && bytes < length)
      throw torn("it is shorter than was told");
    rest += decoder.decode();
    if (rest.trim() !== "") yield rest;
  }

  /** Deletes what is at a path. */
  async remove(path: string, signal: AbortSignal): Promise<void> {
    try {
      await bodyOf(await this.#send({ method: "DELETE", path }, signal, this.#options.timeoutMs));
    } catch (error) {
      if (!(error instanceof ProviderError) || error.status !== 404) throw error;
    }
  }

  /** Sends again what changes nothing at a service that could not answer for now; an upload too, for a file that nobody names costs nothing. */
  async #send(sent: Sent, signal: AbortSignal, timeoutMs: number): Promise<Reply> {
    const mayRepeat = sent.method !== "POST" || sent.form !== undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#sendOnce(sent, signal, timeoutMs);
      } catch (error) {
        const isTransient = error instanceof ProviderError && error.class === "transient";
        if (!isTransient || !mayRepeat || attempt >= mostAttempts) throw error;
        await setTimeout(error.retryAfterMs ?? firstPauseMs * 2 ** (attempt - 1), undefined, { signal });
      }
    }
  }

  async #sendOnce(sent: Sent, signal: AbortSignal, timeoutMs: number): Promise<Reply> {
    const token = await this.#token?.get();
    const first = await this.#attempt(sent, token, signal, timeoutMs);
    const reply =
      first.status === 401 && this.#token !== undefined && token !== undefined
        ? await this.#attempt(sent, await this.#token.renew(token), signal, timeoutMs)
        : first;
    if (reply.ok) return reply;
    const { origin, basePath, settings } = this.#options;
    const headers = Object.fromEntries(reply.headers);
    throw serviceError({
      status: reply.status,
      headers,
      body: await bodyOf(reply),
      origin,
      path: `${basePath}${sent.path}`,
      settings,
    });
  }

  async #attempt(
    { method, path, query, json, form }: Sent,
    token: string | undefined,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<Reply> {
    const { origin, basePath, query: version, credential, headers, dispatcher } = this.#options;
    const key = credential !== undefined && "header" in credential ? { [credential.header]: credential.value } : {};
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const search = [version.replace(/^\?/, ""), query ?? ""].filter((part) => part !== "").join("&");
    try {
      return await fetch(`${origin}${basePath}${path}${search === "" ? "" : `?${search}`}`, {
        method,
        headers: { ...headers, ...key, ...bearer, ...(json !== undefined && { "content-type": "application/json" }) },
        body: form ?? (json === undefined ? null : JSON.stringify(json)),
        dispatcher,
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
    } catch (error) {
      signal.throwIfAborted();
      const isLate = error instanceof Error && error.name === "TimeoutError";
      const code = isLate ? "TIMEOUT" : "NETWORK_ERROR";
      throw new ProviderError("transient", code, `${path.split("/")[1] ?? "batches"}: no answer came`, {
        cause: error,
      });
    }
  }
}

async function bodyOf(reply: Reply): Promise<string> {
  try {
    return await reply.text();
  } catch (error) {
    throw torn(messageOf(error));
  }
}

function torn(reason: string): ProviderError {
  return new ProviderError("transient", "NETWORK_ERROR", "the reply ended before its end", {
    cause: new Error(reason),
  });
}
