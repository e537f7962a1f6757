import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, beforeEach, describe, test } from "node:test";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { OptionError, SettingError } from "../../../src/core/exceptions.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMRequest } from "../../../src/llm/providers/base.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../../../src/llm/providers/azure-openai.ts";

const key = "key-that-must-not-be-told";
const marker = "Jane Doe";

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
}

type Reply = (response: ServerResponse) => void;
let reply: Reply = (response) => response.end();
let seen: Seen[] = [];

const server = createServer((request, response) => {
  void text(request).then((body) => {
    const parsed = z.record(z.string(), z.unknown()).parse(JSON.parse(body));
    seen.push({ method: request.method, url: request.url, headers: request.headers, body: parsed });
    reply(response);
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address() as AddressInfo; // a server that listens on a port has such an address
const endpoint = `http://127.0.0.1:${port}`;
after(() => {
  server.closeAllConnections();
  server.close();
});

const variables = [
  "AZURE_OPENAI_ENDPOINT",
  "AZURE_OPENAI_API_KEY",
  "AZURE_OPENAI_DEPLOYMENT",
  "AZURE_OPENAI_API_VERSION",
] as const;
const before = variables.map((name) => [name, process.env[name]] as const);
function clearEnvironment(): void {
  for (const name of variables) delete process.env[name];
}
after(() => {
  clearEnvironment();
  for (const [name, value] of before) if (value !== undefined) process.env[name] = value;
});
beforeEach(() => {
  clearEnvironment();
  seen = [];
});

const request: LLMRequest = {
  messages: [
    { role: "system", content: "Classify." },
    { role: "user", content: `<text>\n${marker}\n</text>` },
  ],
  schema: { name: "visit", json: { type: "object", properties: {}, required: [], additionalProperties: false } },
  temperature: 0,
  maxOutputTokens: 256,
  cacheKey: "visits.classify.0123456789abcdef",
};

function provider(options: AzureOpenAIProviderOptions = {}): AzureOpenAIProvider {
  return new AzureOpenAIProvider({ endpoint, apiKey: key, deployment: "gpt-4o-prod", ...options });
}

async function complete(options: AzureOpenAIProviderOptions = {}, signal: AbortSignal = new AbortController().signal) {
  return await provider(options).complete(request, signal);
}

/** The error of a call. It tells neither the key nor the row. */
async function failureOf(options: AzureOpenAIProviderOptions = {}): Promise<ProviderError> {
  const error: unknown = await complete(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ProviderError, String(error));
  assert.ok(!`${error.message} ${error.detail} ${String(error.cause)}`.includes(key));
  assert.ok(!error.message.includes(marker), error.message);
  return error;
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
}

function completion(message: object, finishReason = "stop"): unknown {
  return {
    model: "gpt-4o-2024-11-20",
    choices: [{ index: 0, finish_reason: finishReason, message: { role: "assistant", ...message } }],
    usage: {
      ...{ prompt_tokens: 812, completion_tokens: 61, total_tokens: 873 },
      prompt_tokens_details: { cached_tokens: 640 },
      completion_tokens_details: { reasoning_tokens: 7 },
    },
  };
}
const fine = json(200, completion({ content: '{"a":1}', refusal: null }), { "apim-request-id": "req-1" });

describe("a request", () => {
  test("goes to the v1 API, with the schema, the key and a cache key, and nothing else", async () => {
    reply = fine;
    await complete();
    const [{ method, url, headers, body } = fail()] = seen;
    assert.deepEqual([method, url], ["POST", "/openai/v1/chat/completions"]);
    assert.equal(headers["api-key"], key);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers.authorization, undefined);
    assert.deepEqual(body, {
      model: "gpt-4o-prod",
      prompt_cache_key: request.cacheKey,
      messages: request.messages,
      response_format: {
        type: "json_schema",
        json_schema: { name: "visit", strict: true, schema: request.schema.json },
      },
      max_completion_tokens: 256,
      temperature: 0,
    });
  });

  test("goes to the deployment's path where a dated API version is set", async () => {
    reply = fine;
    await complete({ apiVersion: "2024-10-21" });
    const [{ url, body } = fail()] = seen;
    assert.equal(url, "/openai/deployments/gpt-4o-prod/chat/completions?api-version=2024-10-21");
    assert.deepEqual(body, {
      messages: request.messages,
      response_format: {
        type: "json_schema",
        json_schema: { name: "visit", strict: true, schema: request.schema.json },
      },
      max_completion_tokens: 256,
      temperature: 0,
    });
  });

  test("has the schema in the system message for a version that knows no json_schema", async () => {
    reply = fine;
    await complete({ apiVersion: "2024-02-15-preview" });
    const [{ url, body } = fail()] = seen;
    assert.equal(url, "/openai/deployments/gpt-4o-prod/chat/completions?api-version=2024-02-15-preview");
    assert.deepEqual(body, {
      messages: [
        {
          role: "system",
          content: `Classify.\n\nThe JSON Schema of the reply:\n${JSON.stringify(request.schema.json)}`,
        },
        request.messages[1],
      ],
      response_format: { type: "json_object" },
      max_tokens: 256,
      temperature: 0,
    });
    await complete({ apiVersion: "2024-08-01-preview" });
    assert.deepEqual(Object.keys(seen[1]?.body ?? {}).includes("max_completion_tokens"), true);
  });

  test("keeps the path of a gateway, and an endpoint may be given with or without its end", async () => {
    reply = fine;
    for (const end of ["", "/", "/openai", "/openai/v1/"]) await complete({ endpoint: `${endpoint}${end}` });
    await complete({ endpoint: `${endpoint}/apim/east/` });
    assert.deepEqual(
      seen.map(({ url }) => url),
      [...Array.from({ length: 4 }, () => "/openai/v1/chat/completions"), "/apim/east/openai/v1/chat/completions"],
    );
  });

  test("has no temperature where none is wanted, and a cache key of at most 64 characters", async () => {
    reply = fine;
    const asked = { ...request, temperature: undefined, cacheKey: `${"x".repeat(100)}.hash` };
    await provider().complete(asked, new AbortController().signal);
    const body = seen[0]?.body ?? {};
    assert.equal("temperature" in body, false);
    assert.equal(body["prompt_cache_key"], `${"x".repeat(59)}.hash`);
  });
});

describe("an answer", () => {
  test("comes with its text, the model, the usage with cached tokens, and the request's id", async () => {
    reply = fine;
    assert.deepEqual(await complete(), {
      text: '{"a":1}',
      finishReason: "stop",
      model: "gpt-4o-2024-11-20",
      usage: { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 },
      requestId: "req-1",
    });
  });

  test("without usage, model and apim id still counts, with the deployment's name and the service's id", async () => {
    reply = json(200, { choices: [{ message: { content: "{}" } }] }, { "x-request-id": "req-2" });
    assert.deepEqual(await complete(), {
      ...{ text: "{}", finishReason: "stop", model: "gpt-4o-prod", requestId: "req-2" },
      usage: { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 },
    });
  });

  test("may be a refusal, cut off, or held back by the content filter", async () => {
    reply = json(200, completion({ content: null, refusal: "I can't." }));
    const refused = await complete();
    assert.deepEqual([refused.finishReason, refused.text], ["refusal", "I can't."]);
    reply = json(200, completion({ content: '{"a' }, "length"));
    assert.deepEqual((await complete()).finishReason, "length");
    reply = json(200, completion({}, "content_filter"));
    const filtered = await complete();
    assert.deepEqual([filtered.finishReason, filtered.text, filtered.usage.inputTokens], ["content_filter", "", 812]);
  });
});

describe("a failure has a class and a code, and names the setting to look at", () => {
  const cases: readonly (readonly [number, unknown, Record<string, string>, string, string, RegExp])[] = [
    [
      401,
      { error: { code: "401", message: `wrong ${key}` } },
      {},
      "run",
      "AUTHENTICATION_FAILED",
      /"apiKey" or AZURE_OPENAI_API_KEY/,
    ],
    [403, {}, {}, "run", "FORBIDDEN", /"endpoint" or AZURE_OPENAI_ENDPOINT/],
    [
      404,
      { error: { code: "DeploymentNotFound" } },
      {},
      "run",
      "DEPLOYMENT_NOT_FOUND",
      /"deployment" or AZURE_OPENAI_DEPLOYMENT/,
    ],
    [408, {}, {}, "transient", "TIMEOUT", /^408/],
    [409, {}, {}, "transient", "SERVICE_UNAVAILABLE", /^409/],
    [413, {}, {}, "row", "CONTEXT_LENGTH_EXCEEDED", /maxInputCharacters/],
    [422, {}, {}, "row", "BAD_REQUEST", /^422/],
    [429, {}, { "retry-after-ms": "120" }, "transient", "RATE_LIMITED", /^429/],
    [429, { error: { code: "insufficient_quota" } }, {}, "run", "QUOTA_EXHAUSTED", /^429/],
    [429, {}, { "retry-after": "86400" }, "run", "QUOTA_EXHAUSTED", /^429/],
    [400, { error: { code: "content_filter" } }, {}, "row", "CONTENT_FILTER", /^400/],
    [400, { error: { code: "context_length_exceeded" } }, {}, "row", "CONTEXT_LENGTH_EXCEEDED", /^400/],
    [
      400,
      { error: { code: "unsupported_value", param: "temperature", message: marker } },
      {},
      "row",
      "BAD_REQUEST",
      /temperature/,
    ],
    [500, {}, {}, "transient", "SERVICE_UNAVAILABLE", /^500/],
    [503, "<html>", {}, "transient", "SERVICE_UNAVAILABLE", /^503/],
  ];
  for (const [status, body, headers, errorClass, code, message] of cases) {
    test(`${status} ${code}`, async () => {
      reply = json(status, body, { "apim-request-id": "req-9", ...headers });
      const error = await failureOf();
      assert.deepEqual([error.class, error.code, error.status, error.requestId], [errorClass, code, status, "req-9"]);
      assert.match(error.message, message);
      if (headers["retry-after-ms"] !== undefined) assert.equal(error.retryAfterMs, 120);
    });
  }

  test("a redirect is refused and not followed, so that the key stays", async () => {
    reply = json(307, {}, { location: `${endpoint}/elsewhere` });
    const error = await failureOf();
    assert.deepEqual([error.class, error.code, error.status], ["run", "BAD_REQUEST", 307]);
    assert.equal(seen.length, 1);
  });
});

describe("a call that brings no whole answer is transient", () => {
  const partial = '{"choices":[{"message":{"content":"';
  const cases: readonly (readonly [string, Reply, AzureOpenAIProviderOptions, string])[] = [
    ["no answer", () => {}, { timeoutMs: 60 }, "TIMEOUT"],
    ["a body that stalls", (response) => response.writeHead(200).write(partial), { timeoutMs: 60 }, "TIMEOUT"],
    ["a connection that is reset", (response) => response.socket?.destroy(), {}, "NETWORK_ERROR"],
    [
      "a body that breaks off",
      (response) => {
        response.writeHead(200, { "content-length": "1000" }).write(partial, () => response.socket?.destroy());
      },
      {},
      "NETWORK_ERROR",
    ],
    ["a body that ends too early", (response) => response.end(partial), {}, "INVALID_RESPONSE"],
    ["a page instead of JSON", (response) => response.end(`<html>${marker}`), {}, "INVALID_RESPONSE"],
    ["JSON that is no completion", json(200, { choices: [], message: marker }), {}, "INVALID_RESPONSE"],
    ["no body", (response) => response.end(), {}, "INVALID_RESPONSE"],
  ];
  for (const [name, how, options, code] of cases) {
    test(name, async () => {
      reply = how;
      const error = await failureOf(options);
      assert.deepEqual([error.class, error.code], ["transient", code]);
      if (code === "TIMEOUT") assert.match(error.message, /within 60 ms; raise timeoutMs/);
    });
  }

  test("a port at which nobody listens", async () => {
    const closed = createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const { port: free } = closed.address() as AddressInfo; // as above
    closed.close();
    await once(closed, "close");
    const error = await failureOf({ endpoint: `http://127.0.0.1:${free}` });
    assert.deepEqual([error.class, error.code], ["transient", "NETWORK_ERROR"]);
    assert.match(error.message, /ECONNREFUSED/);
  });
});

describe("an abort ends the call with its reason", () => {
  const reason = new Error("the run stops");
  const cases: readonly (readonly [string, Reply])[] = [
    ["while it waits", () => {}],
    ["while the body stalls", (response) => response.writeHead(200).write('{"choices":')],
  ];
  for (const [name, how] of cases) {
    test(name, async () => {
      const controller = new AbortController();
      reply = (response) => {
        how(response);
        setTimeout(() => controller.abort(reason), 20);
      };
      await assert.rejects(complete({}, controller.signal), reason);
    });
  }

  test("before it begins: nothing is sent", async () => {
    await assert.rejects(complete({}, AbortSignal.abort(reason)), reason);
    assert.equal(seen.length, 0);
  });
});

describe("settings", () => {
  test("come from the environment, at the first call", async () => {
    reply = fine;
    const bare = new AzureOpenAIProvider();
    process.env["AZURE_OPENAI_ENDPOINT"] = endpoint;
    process.env["AZURE_OPENAI_API_KEY"] = "from the environment".replaceAll(" ", "-");
    process.env["AZURE_OPENAI_DEPLOYMENT"] = "environment-deployment";
    process.env["AZURE_OPENAI_API_VERSION"] = "2024-10-21";
    await bare.complete(request, new AbortController().signal);
    assert.equal(seen[0]?.headers["api-key"], "from-the-environment");
    assert.match(seen[0]?.url ?? "", /deployments\/environment-deployment\/.*api-version=2024-10-21/);
  });

  test("given as options win over the environment, and an empty version is none", async () => {
    reply = fine;
    process.env["AZURE_OPENAI_ENDPOINT"] = "https://elsewhere.example";
    process.env["AZURE_OPENAI_API_KEY"] = "other";
    process.env["AZURE_OPENAI_DEPLOYMENT"] = "other";
    process.env["AZURE_OPENAI_API_VERSION"] = "";
    await complete();
    assert.deepEqual([seen[0]?.headers["api-key"], seen[0]?.body["model"]], [key, "gpt-4o-prod"]);
    assert.equal(seen[0]?.url, "/openai/v1/chat/completions");
  });

  test("that are missing are named, as option and as variable", async () => {
    const all = { endpoint, apiKey: key, deployment: "d" };
    const names = {
      endpoint: "AZURE_OPENAI_ENDPOINT",
      apiKey: "AZURE_OPENAI_API_KEY",
      deployment: "AZURE_OPENAI_DEPLOYMENT",
    };
    for (const [option, variable] of Object.entries(names)) {
      const lacking = new AzureOpenAIProvider({ ...all, [option]: undefined });
      for (const call of [
        lacking.fingerprint,
        async () => await lacking.complete(request, new AbortController().signal),
      ]) {
        await assert.rejects(
          async () => await call(),
          (error) =>
            error instanceof SettingError && error.message.includes(`"${option}"`) && error.message.includes(variable),
        );
      }
    }
  });

  test("that can't be right are refused before anything is sent, without telling the key", async () => {
    const wrong: readonly (readonly [AzureOpenAIProviderOptions, RegExp])[] = [
      [{ endpoint: "http://my-resource.openai.azure.com" }, /"endpoint": expected an https:\/\/ address/],
      [{ endpoint: "http://127.0.0.1.example.com" }, /"endpoint"/],
      [{ endpoint: "http://localhost@example.com" }, /"endpoint"/],
      [{ endpoint: "my-resource" }, /"endpoint".*got no address/],
      [{ endpoint: "ftp://localhost" }, /"endpoint"/],
      ...["a/b", "..", ".", "a b", "x".repeat(65), "größe", "a%2Fb", "a?b"].map(
        (deployment) => [{ deployment }, /"deployment": expected 1 to 64 letters/] as const,
      ),
      [{ apiKey: `${key}\nhost: evil` }, /"apiKey": expected printable ASCII/],
      [{ apiKey: `${key}–` }, /"apiKey"/],
    ];
    for (const [options, message] of wrong) {
      await assert.rejects(
        complete(options),
        (error) => error instanceof OptionError && message.test(error.message) && !error.message.includes(key),
        JSON.stringify(options),
      );
    }
    assert.equal(seen.length, 0);
  });

  test("of a wrong kind are refused at construction", () => {
    assert.throws(
      () => new AzureOpenAIProvider({ timeoutMs: 0 }),
      /"timeoutMs": expected a whole number from 1 up, got 0/,
    );
    assert.throws(
      () => new AzureOpenAIProvider({ apikey: key } as AzureOpenAIProviderOptions),
      (error) => {
        assert.ok(error instanceof OptionError && !error.message.includes(key));
        return /did you mean "apiKey"/.test(error.message);
      },
    );
    assert.throws(
      () => new AzureOpenAIProvider({ dispatcher: {} as never }),
      /"dispatcher": expected an undici dispatcher/,
    );
  });

  test("that change answers are in the fingerprint; the key is not", () => {
    const of = (options: AzureOpenAIProviderOptions): string => provider(options).fingerprint();
    const all = [
      of({}),
      of({ deployment: "other" }),
      of({ apiVersion: "2024-10-21" }),
      of({ endpoint: "https://a.example" }),
    ];
    assert.equal(new Set(all).size, 4);
    assert.equal(of({ apiKey: "another-key", timeoutMs: 5 }), of({}));
    assert.ok(all.every((fingerprint) => !fingerprint.includes(key)));
  });
});

test("a provider keeps no process alive, neither unused nor after a call", async () => {
  reply = fine;
  const module = pathToFileURL(join(import.meta.dirname, "../../../src/llm/providers/azure-openai.ts")).href;
  const script = `
    const { AzureOpenAIProvider } = await import(${JSON.stringify(module)});
    new AzureOpenAIProvider();
    const used = new AzureOpenAIProvider({ endpoint: ${JSON.stringify(endpoint)}, apiKey: "k", deployment: "d" });
    await used.complete(${JSON.stringify(request)}, new AbortController().signal);
    process.stdout.write("done");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { timeout: 30_000 });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  assert.deepEqual([output, code], ["done", 0]);
});

function fail(): never {
  throw new Error("no request was seen");
}
