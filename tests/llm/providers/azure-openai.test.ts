import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { inspect } from "node:util";
import { Agent } from "undici";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { OptionError, SettingError } from "../../../src/errors/option.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import {
  AzureOpenAIProvider,
  type AzureOpenAIProviderOptions,
  entraTokenProvider,
} from "../../../src/llm/providers/azure-openai.ts";
import { providerContract } from "../../../src/testing/provider-contract.ts";
import {
  chatRequest,
  completion,
  contractReply,
  fine,
  json,
  never,
  type Reply,
  rowText,
  startChatServer,
} from "../../support/chat-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const key = "key-that-must-stay-secret";
const marker = rowText;
const request = chatRequest;
const server = await startChatServer();
const endpoint = server.origin;

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
  server.seen.length = 0;
  server.reply = fine;
});

function provider(options: AzureOpenAIProviderOptions = {}): AzureOpenAIProvider {
  return new AzureOpenAIProvider({ endpoint, apiKey: key, deployment: "gpt-4o-prod", ...options });
}

async function complete(options: AzureOpenAIProviderOptions = {}, signal: AbortSignal = new AbortController().signal) {
  return await provider(options).complete(request, signal);
}

/** The error of a call. It holds neither the key nor the row. */
async function failureOf(options: AzureOpenAIProviderOptions = {}): Promise<ProviderError> {
  const error: unknown = await complete(options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof ProviderError, String(error));
  assert.ok(!`${error.message} ${error.detail} ${String(error.cause)}`.includes(key));
  assert.ok(!error.message.includes(marker), error.message);
  const printed = `${inspect(error, { depth: 9 })} ${JSON.stringify(error)}`;
  assert.ok(!printed.includes(key) && !printed.includes(marker), printed);
  return error;
}

describe("a request", () => {
  test("goes to the v1 API, with the schema, the key and a cache key, and nothing else", async () => {
    await complete();
    const [{ method, url, headers, body } = fail()] = server.seen;
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
    await complete({ apiVersion: "2024-10-21" });
    const [{ url, body } = fail()] = server.seen;
    assert.equal(url, "/openai/deployments/gpt-4o-prod/chat/completions?api-version=2024-10-21");
    assert.deepEqual(body, {
      messages: request.messages,
      response_format: {
        type: "json_schema",
        json_schema: { name: "visit", strict: true, schema: request.schema.json },
      },
      max_tokens: 256,
      temperature: 0,
    });
  });

  test("has the schema in the system message for a version that knows no json_schema", async () => {
    await complete({ apiVersion: "2024-02-15-preview" });
    const [{ url, body } = fail()] = server.seen;
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
  });

  test("keeps the path of a gateway, and an endpoint may be given with or without its end", async () => {
    for (const end of ["", "/", "/openai", "/openai/v1/"]) await complete({ endpoint: `${endpoint}${end}` });
    await complete({ endpoint: `${endpoint}/apim/east/` });
    assert.deepEqual(
      server.seen.map(({ url }) => url),
      [...Array.from({ length: 4 }, () => "/openai/v1/chat/completions"), "/apim/east/openai/v1/chat/completions"],
    );
  });

  test("has no temperature where none is wanted, and a cache key of at most 64 characters", async () => {
    const asked = { ...request, temperature: undefined, cacheKey: `${"x".repeat(100)}.hash` };
    await provider().complete(asked, new AbortController().signal);
    const body = server.seen[0]?.body ?? {};
    assert.equal("temperature" in body, false);
    assert.equal(body["prompt_cache_key"], `${"x".repeat(59)}.hash`);
  });
});

describe("an answer", () => {
  test("comes with its text, the model, the usage with cached tokens, and the request's id", async () => {
    assert.deepEqual(await complete(), {
      text: '{"a":1}',
      finishReason: "stop",
      model: "gpt-4o-2024-11-20",
      usage: { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 },
      requestId: "req-1",
    });
  });

  test("without usage, model and apim id still counts, with an estimate, the deployment's name and the service's id", async () => {
    server.reply = json(200, { choices: [{ message: { content: "{}" } }] }, { "x-request-id": "req-2" });
    const answer = await complete();
    const inputTokens = Math.ceil((server.seen[0]?.text.length ?? 0) / 4);
    assert.deepEqual(answer, {
      ...{ text: "{}", finishReason: "stop", model: "gpt-4o-prod", requestId: "req-2" },
      usage: { inputTokens, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0, isEstimated: true },
    });
  });

  test("may be a refusal, cut off, or held back by the content filter", async () => {
    server.reply = json(200, completion({ content: null, refusal: "I can't." }));
    const declined = await complete();
    assert.deepEqual([declined.finishReason, declined.text], ["refusal", "I can't."]);
    server.reply = json(200, completion({ content: '{"a' }, "length"));
    assert.deepEqual((await complete()).finishReason, "length");
    server.reply = json(200, completion({}, "content_filter"));
    const filtered = await complete();
    assert.deepEqual([filtered.finishReason, filtered.text, filtered.usage.inputTokens], ["content_filter", "", 812]);
  });
});

describe("a failure has a class and a code, and names the settings to check", () => {
  const cases: readonly (readonly [number, unknown, Record<string, string>, string, string, string])[] = [
    [
      401,
      { error: { code: "401", message: `wrong ${key}` } },
      {},
      "run",
      "AUTHENTICATION_FAILED",
      '"apiKey" or AZURE_OPENAI_API_KEY',
    ],
    [403, {}, {}, "row", "FORBIDDEN", '"endpoint" or AZURE_OPENAI_ENDPOINT'],
    [
      404,
      { error: { code: "DeploymentNotFound" } },
      {},
      "row",
      "DEPLOYMENT_NOT_FOUND",
      '"deployment" or AZURE_OPENAI_DEPLOYMENT',
    ],
    [408, {}, {}, "transient", "TIMEOUT", "408"],
    [409, {}, {}, "transient", "SERVICE_UNAVAILABLE", "409"],
    [413, {}, {}, "row", "CONTEXT_LENGTH_EXCEEDED", "maxInputCharacters"],
    [422, {}, {}, "row", "BAD_REQUEST", "422"],
    [429, {}, { "retry-after-ms": "120" }, "transient", "RATE_LIMITED", "429"],
    [429, { error: { code: "insufficient_quota" } }, {}, "run", "QUOTA_EXHAUSTED", "429"],
    [429, {}, { "retry-after": "86400" }, "run", "QUOTA_EXHAUSTED", "429"],
    [400, { error: { code: "content_filter" } }, {}, "row", "CONTENT_FILTER", "400"],
    [400, { error: { code: "context_length_exceeded" } }, {}, "row", "CONTEXT_LENGTH_EXCEEDED", "400"],
    [
      400,
      { error: { code: "unsupported_value", param: "temperature", message: marker } },
      {},
      "row",
      "BAD_REQUEST",
      "temperature",
    ],
    [500, {}, {}, "transient", "SERVICE_UNAVAILABLE", "500"],
    [503, "<html>", {}, "transient", "SERVICE_UNAVAILABLE", "503"],
  ];
  for (const [status, body, headers, errorClass, code, name] of cases) {
    test(`${status} ${code}`, async () => {
      server.reply = json(status, body, { "apim-request-id": "req-9", ...headers });
      const error = await failureOf();
      assert.deepEqual([error.class, error.code, error.status, error.requestId], [errorClass, code, status, "req-9"]);
      const { where = "", hint = "" } = error.facts;
      assert.ok([error.status, where, hint].join(" ").includes(name), error.message);
      if (headers["retry-after-ms"] !== undefined) assert.equal(error.retryAfterMs, 120);
    });
  }

  test("a redirect is not followed, so that the key stays", async () => {
    server.reply = json(307, {}, { location: `${endpoint}/elsewhere` });
    const error = await failureOf();
    assert.deepEqual([error.class, error.code, error.status], ["row", "BAD_REQUEST", 307]);
    assert.equal(server.seen.length, 1);
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
      server.reply = how;
      const error = await failureOf(options);
      assert.deepEqual([error.class, error.code], ["transient", code]);
      if (code === "TIMEOUT") assert.equal(error.facts.where, "timeoutMs");
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
    assert.ok(error.message.includes("ECONNREFUSED"), error.message);
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
      server.reply = (response, seen) => {
        how(response, seen);
        setTimeout(() => controller.abort(reason), 20);
      };
      await assert.rejects(complete({}, controller.signal), reason);
    });
  }

  test("before it begins: nothing is sent", async () => {
    await assert.rejects(complete({}, AbortSignal.abort(reason)), reason);
    assert.equal(server.seen.length, 0);
  });
});

describe("settings", () => {
  test("come from the environment, at the first call", async () => {
    const bare = new AzureOpenAIProvider();
    process.env["AZURE_OPENAI_ENDPOINT"] = endpoint;
    process.env["AZURE_OPENAI_API_KEY"] = "from the environment".replaceAll(" ", "-");
    process.env["AZURE_OPENAI_DEPLOYMENT"] = "environment-deployment";
    process.env["AZURE_OPENAI_API_VERSION"] = "2024-10-21";
    await bare.complete(request, new AbortController().signal);
    assert.equal(server.seen[0]?.headers["api-key"], "from-the-environment");
    assert.match(server.seen[0]?.url ?? "", /deployments\/environment-deployment\/.*api-version=2024-10-21/);
  });

  test("given as options win over the environment, and an empty version is none", async () => {
    process.env["AZURE_OPENAI_ENDPOINT"] = "https://elsewhere.example";
    process.env["AZURE_OPENAI_API_KEY"] = "other";
    process.env["AZURE_OPENAI_DEPLOYMENT"] = "other";
    process.env["AZURE_OPENAI_API_VERSION"] = "";
    await complete();
    assert.deepEqual([server.seen[0]?.headers["api-key"], server.seen[0]?.body["model"]], [key, "gpt-4o-prod"]);
    assert.equal(server.seen[0]?.url, "/openai/v1/chat/completions");
  });

  test("that a check looks for are the variables that no option takes the place of", () => {
    const proxies = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];
    const of = (options: AzureOpenAIProviderOptions = {}) => new AzureOpenAIProvider(options).requirements;
    assert.deepEqual(of(), {
      environment: ["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_API_KEY"],
      optionalEnvironment: ["AZURE_OPENAI_API_VERSION", ...proxies],
      packages: undefined,
    });
    const dispatcher = new Agent();
    const all = { endpoint, apiKey: key, deployment: "d", apiVersion: "2024-10-21", dispatcher };
    assert.deepEqual(of(all), { environment: [], optionalEnvironment: [], packages: undefined });
    const identity = of({ endpoint, deployment: "d", tokenProvider: entraTokenProvider() });
    assert.deepEqual([identity.environment, identity.packages], [[], ["@azure/identity"]]);
    const own = of({ endpoint, deployment: "d", tokenProvider: async () => "t" });
    assert.deepEqual([own.environment, own.packages], [[], undefined]);
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
          (error) => error instanceof SettingError && failsWith("SETTING_MISSING", { where: option, variable })(error),
        );
      }
    }
  });

  test("that have a wrong value are rejected before anything is sent, without showing the key", async () => {
    const call = `${endpoint}/openai/deployments/d/chat/completions?api-version=2024-10-21`;
    const wrong: readonly (readonly [AzureOpenAIProviderOptions, ErrorFacts])[] = [
      [{ endpoint: "http://my-resource.openai.azure.com" }, { got: "http://my-resource.openai.azure.com" }],
      [{ endpoint: "http://127.0.0.1.example.com" }, { got: "http://127.0.0.1.example.com" }],
      [{ endpoint: "http://localhost@example.com" }, { got: "http://example.com" }],
      [{ endpoint: "my-resource" }, { got: "no address" }],
      [{ endpoint: "ftp://localhost" }, { got: "ftp://localhost" }],
      [{ endpoint: call }, { expected: "the address of the service alone" }],
      [{ apiVersion: "v1" }, {}],
      [{ apiVersion: "2024-10-21&x=y" }, {}],
      ...["a/b", "..", ".", "a b", "x".repeat(65), "größe", "a%2Fb", "a?b"].map(
        (deployment) => [{ deployment }, { expected: "1 to 64 letters, digits, dots, _ or -" }] as const,
      ),
      [{ apiKey: `${key}\nhost: evil` }, {}],
      [{ apiKey: `${key}–` }, {}],
    ];
    for (const [options, facts] of wrong) {
      const [where] = Object.keys(options);
      await assert.rejects(complete(options), (error) => {
        assert.ok(error instanceof OptionError && !inspect(error).includes(key), inspect(error));
        return failsWith("INVALID_OPTION", { where, ...facts })(error);
      });
    }
    assert.equal(server.seen.length, 0);
  });

  test("of a wrong kind are rejected at construction", () => {
    assert.throws(
      () => new AzureOpenAIProvider({ timeoutMs: 0 }),
      failsWith("INVALID_OPTION", { where: "timeoutMs", got: "0" }),
    );
    assert.throws(
      () => new AzureOpenAIProvider({ apikey: key } as AzureOpenAIProviderOptions),
      (error) => {
        assert.ok(error instanceof OptionError && !inspect(error).includes(key), inspect(error));
        return failsWith("INVALID_OPTION", { where: "apikey", nearest: "apiKey" })(error);
      },
    );
    assert.throws(
      () => new AzureOpenAIProvider({ dispatcher: {} as never }),
      failsWith("INVALID_OPTION", { where: "dispatcher", got: "an object" }),
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
    const effort = [of({}), of({ reasoning: true }), of({ reasoningEffort: "low" }), of({ dialect: "json_object" })];
    assert.equal(new Set(effort).size, 4);
    assert.equal(of({ endpoint: `${endpoint}/openai/v1/` }), of({}));
    assert.notEqual(of({ endpoint: `${endpoint}/gateway` }), of({}));
  });
});

describe("Entra ID", () => {
  const tokens = (list: readonly string[], asked: boolean[] = []) => {
    const left = [...list];
    return {
      apiKey: undefined,
      tokenProvider: async ({ forceRefresh }: { forceRefresh: boolean }) => {
        asked.push(forceRefresh);
        await setImmediate();
        return left.shift() ?? "token-last";
      },
    };
  };
  const accepts =
    (token: string): Reply =>
    (response, seen) =>
      (seen.headers.authorization === `Bearer ${token}` ? fine : json(401, {}))(response, seen);

  test("sends the token as bearer, asks for it once for many calls, and never for a key", async () => {
    process.env["AZURE_OPENAI_API_KEY"] = "key-of-the-environment";
    const asked: boolean[] = [];
    const entra = provider(tokens(["token-1"], asked));
    await Promise.all(Array.from({ length: 8 }, async () => await entra.complete(request, never())));
    await entra.complete(request, never());
    assert.deepEqual(asked, [false]);
    assert.ok(server.seen.every(({ headers }) => headers.authorization === "Bearer token-1"));
    assert.ok(server.seen.every(({ headers }) => headers["api-key"] === undefined));
  });

  test("asks for a token once more after a 401, once for all calls that met it, and repeats each once", async () => {
    server.reply = accepts("token-2");
    const asked: boolean[] = [];
    const entra = provider(tokens(["token-1", "token-2"], asked));
    await Promise.all(Array.from({ length: 8 }, async () => await entra.complete(request, never())));
    assert.deepEqual(asked, [false, true]);
    assert.equal(server.seen.length, 16);
    await entra.complete(request, never());
    assert.equal(server.seen.length, 17);
  });

  test("gives up at the second 401, and shows no token", async () => {
    server.reply = accepts("none");
    const error = await failureOf(tokens([`${key}-1`, `${key}-2`]));
    assert.deepEqual([error.class, error.code, error.status], ["run", "AUTHENTICATION_FAILED", 401]);
    assert.ok(error.facts.hint?.includes('"tokenProvider"') === true, error.message);
    assert.equal(server.seen.length, 2);
  });

  test("a key is not asked for twice", async () => {
    server.reply = json(401, {});
    await failureOf();
    assert.equal(server.seen.length, 1);
  });

  test("a token provider that fails ends the run with its reason, and without its secrets", async () => {
    const secret = `eyJ${"a".repeat(40)}.${"b".repeat(40)}.c`;
    const failing = async (name: string): Promise<ProviderError> => {
      const thrown = Object.assign(new RangeError(`run az login first; had ${secret}`), { name });
      return await failureOf({ apiKey: undefined, tokenProvider: async () => await Promise.reject(thrown) });
    };
    const error = await failing("CredentialUnavailableError"); // of @azure/identity
    assert.deepEqual([error.class, error.code], ["run", "AUTHENTICATION_FAILED"]);
    assert.ok(error.message.endsWith(": run az login first; had …"), error.message);
    assert.ok(!inspect(error).includes("eyJ"));
    assert.doesNotMatch((await failing("RangeError")).message, /az login/); // of other code, which may quote a secret
    assert.equal(server.seen.length, 0);
  });

  test("an abort and the timeout end the wait for a token", async () => {
    const hanging = { apiKey: undefined, tokenProvider: async () => await new Promise<string>(() => {}) };
    const controller = new AbortController();
    const call = complete(hanging, controller.signal);
    controller.abort(new Error("the run stops"));
    await assert.rejects(call, { name: "NotSentError", cause: new Error("the run stops") });
    const error = await failureOf({ ...hanging, timeoutMs: 20 });
    assert.deepEqual([error.class, error.code], ["transient", "TIMEOUT"]);
  });

  test("works with a credential of @azure/identity", async () => {
    const scopes: string[] = [];
    const credential = {
      getToken: async (scope: string) => {
        scopes.push(scope);
        return await Promise.resolve({ token: "token-of-the-credential", expiresOnTimestamp: Date.now() + 3_600_000 });
      },
    };
    await complete({ apiKey: undefined, tokenProvider: entraTokenProvider({ credential }) });
    assert.equal(server.seen[0]?.headers.authorization, "Bearer token-of-the-credential");
    assert.deepEqual(scopes, ["https://ai.azure.com/.default"]);
  });

  test("without key and token, the error names option, variable and tokenProvider; both at once are rejected", async () => {
    await assert.rejects(complete({ apiKey: undefined }), (error) => {
      assert.ok(error instanceof SettingError && error.facts.hint?.includes('"tokenProvider"') === true);
      return failsWith("SETTING_MISSING", { where: "apiKey", variable: "AZURE_OPENAI_API_KEY" })(error);
    });
    assert.throws(
      () => provider({ tokenProvider: async () => await Promise.resolve("t") }),
      failsWith("INVALID_OPTION", { where: "tokenProvider", expected: ["apiKey", "tokenProvider"], got: "both" }),
    );
  });
});

describe("a reasoning model", () => {
  test("is sent no temperature, and tokens for its reasoning", async () => {
    await complete({ reasoning: true });
    const body = server.seen[0]?.body ?? {};
    assert.deepEqual(
      [body["max_completion_tokens"], body["temperature"], body["reasoning_effort"]],
      [2304, undefined, undefined],
    );
    await complete({ reasoningEffort: "low", maxReasoningTokens: 1000 });
    const other = server.seen[1]?.body ?? {};
    assert.deepEqual(
      [other["max_completion_tokens"], other["temperature"], other["reasoning_effort"]],
      [1256, undefined, "low"],
    );
  });

  test("gets twice of both where an answer was cut off", async () => {
    const longer = { ...request, maxOutputTokens: 512, lengthFactor: 2 };
    await provider({ reasoning: true }).complete(longer, never());
    assert.equal(server.seen[0]?.body["max_completion_tokens"], 2 * 2304);
  });

  test("is sent max_completion_tokens over a dated API too", async () => {
    await complete({ reasoning: true, apiVersion: "2024-10-21" });
    await complete({ apiVersion: "2024-12-01-preview" });
    assert.deepEqual(
      server.seen.map(({ body }) => [body["max_completion_tokens"], body["max_tokens"]]),
      [
        [2304, undefined],
        [256, undefined],
      ],
    );
  });

  test("has options that are rejected for another", () => {
    const rejected = (where: string) => failsWith("INVALID_OPTION", { where, hint: "set reasoning: true" });
    assert.throws(() => provider({ maxReasoningTokens: 10 }), rejected("maxReasoningTokens"));
    assert.throws(() => provider({ reasoning: false, reasoningEffort: "low" }), rejected("reasoningEffort"));
    assert.throws(
      () => provider({ reasoningEffort: "huge" as "high" }),
      failsWith("INVALID_OPTION", { where: "reasoningEffort", got: '"huge"' }),
    );
  });
});

test("a version without JSON Schema gives one warning a provider, others and a chosen dialect none", async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void (warning.name === "LLMEtlWarning" && warnings.push(warning));
  process.on("warning", note);
  const old = provider({ apiVersion: "2024-02-15-preview" });
  for (let call = 0; call < 3; call += 1) await old.complete(request, never());
  await complete({ apiVersion: "2024-08-01-preview" });
  await complete({ apiVersion: "2024-02-15-preview", dialect: "json_object" });
  await setImmediate();
  process.off("warning", note);
  assert.equal(warnings.length, 1);
  const [warning] = warnings;
  assert.ok(warning !== undefined && "code" in warning && warning.message.includes("2024-02-15-preview"));
  assert.deepEqual([warning.name, warning.code], ["LLMEtlWarning", "NO_JSON_SCHEMA"]);
});

test("a dialect puts the schema into the system message, and takes the answer out of its fence", async () => {
  server.reply = json(200, completion({ content: '```json\n{"a":1}\n```\n' }));
  const { text: answer } = await complete({ dialect: "none" });
  assert.equal(answer, '{"a":1}');
  const body = server.seen[0]?.body ?? {};
  assert.equal("response_format" in body, false);
  assert.match(JSON.stringify(body["messages"]), /The JSON Schema of the reply/);
});

test("prices are the provider's, and are checked", () => {
  const prices = { inputPerMillion: 2.5, cachedInputPerMillion: 1.25, outputPerMillion: 10, currency: "USD" };
  assert.deepEqual(provider({ prices }).prices, prices);
  assert.throws(
    () => provider({ prices: { ...prices, outputPerMillion: -1 } }),
    failsWith("INVALID_OPTION", { where: "outputPerMillion", got: "-1" }),
  );
});

test("a print of the provider, used or not, shows no key", async () => {
  const used = provider();
  await used.complete(request, never());
  for (const one of [used, provider()]) {
    const printed = `${inspect(one, { depth: 9, showHidden: true })} ${JSON.stringify(one)}`;
    assert.ok(!printed.includes(key), printed);
  }
});

test("system message and schema are the same bytes for every row, and a re-ask keeps the first two messages", async () => {
  const one = provider();
  const [system, user] = request.messages;
  assert.ok(system !== undefined && user !== undefined);
  await one.complete(request, never());
  await one.complete({ ...request, messages: [{ ...system }, { role: "user", content: "another row" }] }, never());
  const reask = [...request.messages, { role: "assistant", content: "{" }, { role: "user", content: "again" }] as const;
  await one.complete({ ...request, messages: reask }, never());
  const texts = server.seen.map((seen) => seen.text);
  const afterUser = (text: string): string => text.slice(text.indexOf('"response_format"'));
  assert.equal(new Set(texts.map(afterUser)).size, 1);
  const start = JSON.stringify(request.messages).slice(0, -1);
  assert.ok(texts[0]?.includes(start) === true && texts[2]?.includes(start) === true);
});

describe("AzureOpenAIProvider keeps the contract of a provider", () => {
  const checks = providerContract({ create: () => provider() });
  for (const { name, check } of checks) {
    test(name, async () => {
      server.reply = contractReply;
      await check();
    });
  }
});

function fail(): never {
  throw new Error("no request was seen");
}
