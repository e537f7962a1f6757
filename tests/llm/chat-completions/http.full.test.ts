import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTLSServer } from "node:https";
import { connect } from "node:net";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import { AbortListeners } from "../../../src/llm/chat-completions/abort-listeners.ts";
import { Agent, EnvHttpProxyAgent } from "undici";
import { createDispatcher, type HTTPCall, post } from "../../../src/llm/chat-completions/http.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { listen, never } from "../../support/chat-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const server = createServer((request, response) => {
  void text(request).then((body) => response.end(body));
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

describe("TLS and proxies", () => {
  const read = (name: string): string => readFileSync(join(import.meta.dirname, "../../fixtures/tls", name), "utf8");
  const certificate = read("certificate.pem");
  const secure = createTLSServer({ cert: certificate, key: read("key.pem") }, (request, response) => {
    request.resume().once("end", () => response.end("safe"));
  });
  const proxied: string[] = [];
  const tunnels: Duplex[] = [];
  after(() => tunnels.forEach((tunnel) => tunnel.destroy()));
  const proxy = createServer((request, response) => {
    proxied.push(`${request.method} ${request.url}`);
    request.resume().once("end", () => response.end("by the proxy"));
  });
  proxy.on("connect", (request, socket) => {
    proxied.push(`CONNECT ${request.url}`);
    const [host, port] = (request.url ?? "").split(":");
    const target = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
    tunnels.push(socket);
  });
  const names = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"];
  const before = names.map((name) => process.env[name]);
  const clear = (): void => names.forEach((name) => delete process.env[name]);
  clear();
  afterEach(clear);
  after(() => {
    for (const [index, name] of names.entries()) {
      const value = before[index];
      if (value !== undefined) process.env[name] = value;
    }
  });
  const ports = Promise.all([listen(secure), listen(proxy)]);

  test("an own certificate authority is given with the dispatcher", async () => {
    const [port] = await ports;
    const own = new Agent({ connect: { ca: certificate } });
    assert.equal((await send({ dispatcher: own, origin: `https://localhost:${port}` })).body, "safe");
    await own.destroy();
  });

  test("a certificate that is not trusted is one of another server, until the service has replied; and the message names the variable and the option", async () => {
    const [port] = await ports;
    const error = await failureOf({ origin: `https://localhost:${port}` });
    assert.deepEqual([error.class, error.code, error.unreachable], ["transient", "NETWORK_ERROR", "protocol"]);
    assert.ok(error.message.includes("DEPTH_ZERO_SELF_SIGNED_CERT"), error.message);
    for (const name of ["NODE_EXTRA_CA_CERTS", "connect: { ca }"]) assert.ok(error.facts.hint?.includes(name) === true);
  });

  test("HTTPS_PROXY carries calls through a CONNECT tunnel, end to end encrypted", async () => {
    const [port, proxyPort] = await ports;
    const module = pathToFileURL(join(import.meta.dirname, "../../../src/llm/chat-completions/http.ts")).href;
    // The authority is trusted through the environment, which is read when a process starts.
    const script = `
      const { createDispatcher, post } = await import(${JSON.stringify(module)});
      const call = { setting: "endpoint", path: "/", headers: {}, body: "b", timeoutMs: 5000, signal: new AbortController().signal,
        abortListeners: { add() {}, remove() {} } };
      const answer = await post({ ...call, dispatcher: createDispatcher("Test"), origin: "https://localhost:${port}" });
      process.stdout.write(answer.body);`;
    const environment = {
      ...process.env,
      HTTPS_PROXY: `http://127.0.0.1:${proxyPort}`,
      NODE_EXTRA_CA_CERTS: join(import.meta.dirname, "../../fixtures/tls/certificate.pem"),
    };
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], { env: environment, timeout: 30_000 });
    assert.deepEqual(await Promise.all([text(child.stdout), text(child.stderr)]), ["safe", ""]);
    assert.deepEqual(proxied, [`CONNECT localhost:${port}`]);
  });

  test("a proxy and an own authority go together in a dispatcher", async () => {
    const [port, proxyPort] = await ports;
    const both = new EnvHttpProxyAgent({
      httpsProxy: `http://127.0.0.1:${proxyPort}`,
      requestTls: { ca: certificate },
    });
    proxied.length = 0;
    assert.equal((await send({ dispatcher: both, origin: `https://localhost:${port}` })).body, "safe");
    assert.deepEqual(proxied, [`CONNECT localhost:${port}`]);
    await both.destroy();
  });

  test("HTTP_PROXY is used, and NO_PROXY leaves hosts out", async () => {
    const [, proxyPort] = await ports;
    process.env["HTTP_PROXY"] = `http://127.0.0.1:${proxyPort}`;
    const through = createDispatcher("Test");
    proxied.length = 0;
    await send({ dispatcher: through });
    assert.equal(proxied.length, 1);
    process.env["NO_PROXY"] = "127.0.0.1";
    const direct = createDispatcher("Test");
    assert.equal((await send({ dispatcher: direct })).body, "héllo");
    assert.equal(proxied.length, 1);
    await Promise.all([through.destroy(), direct.destroy()]);
  });

  test("a proxy that is not an address is rejected without showing its password", () => {
    process.env["HTTPS_PROXY"] = "http://user:secret@:x";
    assert.throws(
      () => createDispatcher("Test"),
      (error) => {
        assert.ok(!inspect(error).includes("secret"), inspect(error));
        return failsWith("INVALID_OPTION", { where: "dispatcher", expected: "http://host:port" })(error);
      },
    );
  });
});
