import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSocketServer, type AddressInfo } from "node:net";
import { after, describe, test } from "node:test";
import { NotSentError } from "../../../src/llm/not-sent.ts";
import { setImmediate, setTimeout } from "node:timers/promises";
import { text } from "node:stream/consumers";
import { inspect } from "node:util";
import { AbortListeners } from "../../../src/llm/chat-completions/abort-listeners.ts";
import { Agent } from "undici";
import { type HTTPCall, post } from "../../../src/llm/chat-completions/http.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { listen, never } from "../../support/chat-server.ts";

const server = createServer((request, response) => {
  void text(request).then((body) => {
    if (request.url === "/stall") return;
    response.setHeader("x-path", request.url ?? "");
    if (request.url === "/chunks") for (const byte of Buffer.from(body)) response.write(Buffer.of(byte));
    response.end(request.url === "/chunks" ? "" : body);
  });
});
const origin = `http://127.0.0.1:${await listen(server)}`;
const dispatcher = new Agent();
after(async () => await dispatcher.destroy());

async function send(call: Partial<HTTPCall> = {}) {
  return await post({
    dispatcher,
    origin,
    setting: "endpoint",
    path: "/",
    headers: {},
    body: "héllo",
    timeoutMs: 5000,
    maxResponseBytes: 1000,
    signal: never(),
    abortListeners: new AbortListeners(),
    ...call,
  });
}

async function failureOf(call: Partial<HTTPCall>): Promise<ProviderError> {
  const error: unknown = await send(call).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof ProviderError, inspect(error));
  return error;
}

describe("post", () => {
  test("brings status, headers and the whole body, in one piece or many", async () => {
    const answer = await send();
    assert.deepEqual([answer.status, answer.headers["x-path"], answer.body], [200, "/", "héllo"]);
    assert.equal((await send({ path: "/chunks" })).body, "héllo");
    assert.equal((await send({ body: "" })).body, "");
  });

  test("ends at its timeout", async () => {
    const error = await failureOf({ path: "/stall", timeoutMs: 30 });
    assert.deepEqual([error.class, error.code, error.facts.where], ["transient", "TIMEOUT", "timeoutMs"]);
  });

  test("ends with the signal's reason, and says if nothing was sent: in flight, before it is connected, and before it begins", async () => {
    // A listener whose backlog is never accepted would still connect; an address that answers nothing does not.
    const silent: Agent = new Agent({ connect: () => {} });
    for (const [call, wasSent] of [
      [{ path: "/stall" }, true],
      [{ dispatcher: silent }, false],
    ] as const) {
      const controller = new AbortController();
      const ended = send({ ...call, signal: controller.signal });
      await setTimeout(50);
      controller.abort("stopped");
      const error: unknown = await ended.catch((reason: unknown) => reason);
      assert.equal(error instanceof NotSentError, !wasSent);
      assert.equal(error instanceof NotSentError ? error.cause : error, "stopped");
    }
    const early: unknown = await send({ signal: AbortSignal.abort("stopped") }).catch((reason: unknown) => reason);
    assert.ok(early instanceof NotSentError && early.cause === "stopped");
    await silent.destroy();
  });

  test("an error says what failed, and holds nothing of the answer", async () => {
    const broken = createSocketServer((socket) => socket.once("data", () => socket.end("Jane Doe: no HTTP\r\n\r\n")));
    after(() => broken.close());
    broken.listen(0, "127.0.0.1");
    await once(broken, "listening");
    const { port } = broken.address() as AddressInfo; // a server that listens on a port has such an address
    const failure = await failureOf({ origin: `http://127.0.0.1:${port}` });
    assert.deepEqual([failure.class, failure.code], ["transient", "NETWORK_ERROR"]);
    assert.ok(failure.message.includes("HTTP/1.1 protocol"), failure.message); // undici's own words
    assert.ok(!inspect(failure, { depth: 9, showHidden: true }).includes("Jane"), inspect(failure, { depth: 9 }));
  });

  test("an error of a host that is not there has its code", async () => {
    const error = await failureOf({
      dispatcher: new Agent({
        connect: (_, done) => done(Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" }), null),
      }),
    });
    assert.deepEqual([error.class, error.code, error.unreachable], ["transient", "NETWORK_ERROR", "host"]);
    assert.ok(error.message.includes("ENOTFOUND") && error.facts.hint?.includes("host") === true, error.message);
  });

  test("a dispatcher of an older undici ends the run", async () => {
    const old = {
      dispatch: () => {
        throw Object.assign(new Error("invalid onConnect method"), { code: "UND_ERR_INVALID_ARG" });
      },
    };
    const error = await failureOf({ dispatcher: old as never });
    assert.deepEqual([error.class, error.code], ["run", "NETWORK_ERROR"]);
    assert.ok(error.facts.where === "dispatcher" && error.facts.hint?.includes("undici 7") === true);
  });
});

test("thousands of calls with one signal leave no listener and no warning", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => {
    if (warning.name === "MaxListenersExceededWarning") warnings.push(warning);
  };
  process.on("warning", note);
  const { signal } = new AbortController();
  let listeners = 0;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...all: Parameters<typeof add>) => ((listeners += 1), add(...all));
  signal.removeEventListener = (...all: Parameters<typeof remove>) => ((listeners -= 1), remove(...all));
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(Array.from({ length: 100 }, async () => await send({ signal })));
  }
  await setImmediate();
  process.off("warning", note);
  assert.deepEqual([listeners, warnings], [0, []]);
});
