import { test } from "node:test";
import { aiSdkError } from "../../src/llm/ai-sdk/error.ts";
import { readAiSdkResult } from "../../src/llm/ai-sdk/result.ts";
import { readCompletion } from "../../src/llm/chat-completions/answer.ts";
import { BearerToken } from "../../src/llm/chat-completions/bearer-token.ts";
import { AbortListeners } from "../../src/llm/chat-completions/abort-listeners.ts";
import { createDispatcher, post } from "../../src/llm/chat-completions/http.ts";
import { serviceError } from "../../src/llm/chat-completions/service-error.ts";
import { serviceURL } from "../../src/llm/chat-completions/url.ts";
import { type AiSdkModel, fromAiSdk } from "../../src/llm/providers/ai-sdk.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../../src/llm/providers/azure-openai.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { OpenAICompatibleProvider } from "../../src/llm/providers/openai-compatible.ts";
import { chatRequest, completionReading, never } from "../support/chat-server.ts";
import { assertSentences } from "../support/error-sentences.ts";

function answered(status: number, body: unknown = "", headers: Record<string, string> = {}): () => unknown {
  const settings = { credential: "the key", endpoint: "the address", deployment: "the model" };
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return () => serviceError({ status, headers, body: text, origin: "https://a.example", settings });
}

test("sentences of a service's answers", async (t) => {
  const filter = {
    code: "ResponsibleAIPolicyViolation",
    content_filter_result: { violence: { filtered: true }, hate: { filtered: false } },
  };
  await assertSentences(t, [
    answered(302),
    answered(302, "<html>", { location: "https://login.example/sso" }),
    answered(400),
    answered(400, [{ error: { message: "what the service says" } }]),
    answered(400, "<!DOCTYPE html><html><title>Blocked</title></html>"),
    answered(400, "what a proxy says"),
    answered(402),
    answered(400, { error: { code: "invalid_value", param: "messages[1].content", message: "what the service says" } }),
    answered(400, { error: { code: "content_filter" } }),
    answered(400, { error: { code: "content_filter", innererror: filter } }),
    answered(401),
    answered(403),
    answered(404),
    answered(404, { errors: [{ message: "of another API" }] }),
    answered(408),
    answered(413),
    answered(429),
    answered(429, { error: { code: "insufficient_quota" } }),
    answered(429, { error: { message: "You exceeded your current quota" } }),
    answered(429, { error: { message: "Request too large" } }),
    answered(429, "", { "retry-after": "86400" }),
    answered(503),
    answered(503, "<html>Bad gateway</html>"),
    () => readCompletion({ status: 200, headers: {}, body: "<html>" }, completionReading),
  ]);
});

/** A post whose dispatcher fails with an error of undici's, or never answers. */
function sent(code?: string): () => Promise<unknown> {
  const dispatch = (): boolean => {
    if (code !== undefined) throw Object.assign(new Error("what undici says"), { code });
    return true;
  };
  const dispatcher = Object.assign(createDispatcher("Test"), { dispatch });
  const call = {
    dispatcher,
    origin: "https://a.example",
    setting: "endpoint",
    path: "/",
    headers: {},
    body: "",
    timeoutMs: 5,
  };
  return async () => await post({ ...call, signal: never(), abortListeners: new AbortListeners() });
}

test("sentences of connections and tokens", async (t) => {
  const token = async (give: () => unknown): Promise<string> =>
    await new BearerToken(async () => await Promise.resolve(give() as string)).get(); // as a JavaScript user could
  await assertSentences(t, [
    sent(),
    sent("ECONNRESET"),
    sent("ENOTFOUND"),
    sent("CERT_HAS_EXPIRED"),
    sent("UND_ERR_INVALID_ARG"),
    async () => await token(() => "two words"),
    async () => await token(() => 7),
    async () =>
      await token(() => {
        throw new RangeError("run az login first");
      }),
  ]);
});

test("sentences of the AI SDK", async (t) => {
  const named = (name: string, message: string): Error => Object.assign(new Error(message), { name });
  const reading = {
    model: "m",
    schema: {},
    requestCharacters: 4,
    isStrict: false,
    onSchemaDropped: () => {},
    onSchemaIgnored: () => {},
  };
  const ended = { content: [], finishReason: "error", usage: {} };
  await assertSentences(t, [
    () => aiSdkError("m", named("AI_LoadAPIKeyError", "AZURE_API_KEY is missing")),
    () => aiSdkError("m", named("AI_NoContentGeneratedError", "Jane Doe")),
    () => aiSdkError("m", named("AI_UnsupportedFunctionalityError", "Jane Doe")),
    () => aiSdkError("m", Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNRESET" } })),
    () => aiSdkError("m", new RangeError("Jane Doe")),
    () => readAiSdkResult({}, reading),
    () => readAiSdkResult(ended, reading),
  ]);
});

test("sentences of wrong options and missing settings", async (t) => {
  const rules = { owner: "Test", option: "baseURL", allowHTTP: false };
  const given = { endpoint: "https://a.example", apiKey: "key", deployment: "d" };
  const azure = (options: AzureOpenAIProviderOptions) => async () =>
    await new AzureOpenAIProvider({ ...given, ...options }).complete(chatRequest, never());
  const lan = { baseURL: "http://vllm.lan/v1", model: "m" };
  const before = { ...process.env };
  t.after(() => Object.assign(process.env, before));
  for (const name of ["ENDPOINT", "API_KEY", "DEPLOYMENT", "API_VERSION"]) delete process.env[`AZURE_OPENAI_${name}`];
  await assertSentences(t, [
    () => serviceURL("nowhere", rules),
    () => serviceURL("http://vllm.lan", rules),
    () => serviceURL("https://user:secret@a.example", rules),
    () => serviceURL("https://a.example/v1/chat/completions", rules),
    azure({ endpoint: undefined }),
    azure({ apiKey: undefined }),
    azure({ apiKey: "größe" }),
    azure({ deployment: "a/b" }),
    azure({ apiVersion: "v1" }),
    azure({ tokenProvider: async () => await Promise.resolve("t") }),
    azure({ maxReasoningTokens: 1 }),
    () => new OpenAICompatibleProvider(lan),
    () => fromAiSdk("gpt-4o" as unknown as AiSdkModel), // as a JavaScript user could
    () => fromAiSdk({ specificationVersion: "v9", provider: "p", modelId: "m", doGenerate: async () => {} }),
    () => new MockProvider({ faults: { serverError: 0.5, length: 0.75 } }),
  ]);
});
