import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Agent, type Dispatcher } from "undici";
import type { LLMProvider } from "../../src/index.ts";
import { type AiSdkModel, fromAiSdk, type FromAiSdkOptions } from "../../src/llm/providers/ai-sdk.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../../src/llm/providers/azure-openai.ts";
import { type MockAnswer, MockProvider, type MockProviderOptions } from "../../src/llm/providers/mock.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../../src/llm/providers/openai-compatible.ts";
import type { Answer, Sent } from "./case.ts";

/** A provider with a service behind it that answers by a script and keeps what it is sent. */
export interface Service {
  readonly provider: LLMProvider;
  readonly sent: readonly Sent[];
  readonly close: () => Promise<void>;
}

/** One way to set up a provider. */
export interface ServiceKind {
  /** The name of its golden file, too. */
  readonly name: string;
  /** The service gets every first request; another gets those that every service gets. */
  readonly isFull: boolean;
  /** The service gets the re-asks, too. */
  readonly takesReAsks: boolean;
  /** The service heeds no script, so that what an invalid answer leads to does not come. */
  readonly answersByItself: boolean;
  readonly open: (answers: readonly Answer[]) => Promise<Service>;
}

type Coverage = "all and re-asks" | "all" | "some";

// The machine's own settings are none of a golden file.
delete process.env["AZURE_OPENAI_API_VERSION"];

/** Every header that a service may look at; the others are the transport's. */
const headersToKeep = ["content-type", "api-key", "authorization"];

function azure(name: string, coverage: Coverage, options: AzureOpenAIProviderOptions = {}): ServiceKind {
  const credential = options.tokenProvider === undefined ? { apiKey: "golden-key" } : {};
  const settings = { endpoint: "https://golden.openai.azure.com", deployment: "gpt-golden", ...credential, ...options };
  const create = (dispatcher: Dispatcher) => new AzureOpenAIProvider({ ...settings, dispatcher });
  return kind(`azure-openai ${name}`, coverage, (answers) => overHTTP(create, (_, index) => answers[index]));
}

function compatible(
  name: string,
  coverage: Coverage,
  options: Partial<OpenAICompatibleProviderOptions> = {},
): ServiceKind {
  const settings = { baseURL: "http://localhost:11434/v1/", model: "golden:7b", describeSchema: false, ...options };
  const create = (dispatcher: Dispatcher) => new OpenAICompatibleProvider({ ...settings, dispatcher });
  return kind(`openai-compatible ${name}`, coverage, (answers) => overHTTP(create, (_, index) => answers[index]));
}

function aiSdk(
  name: string,
  coverage: Coverage,
  options: FromAiSdkOptions = {},
  specificationVersion = "v3",
): ServiceKind {
  return kind(`ai-sdk ${name}`, coverage, async (answers) => asModel(options, specificationVersion, answers));
}

function mock(name: string, coverage: Coverage, options: MockProviderOptions = {}): ServiceKind {
  return {
    ...kind(`mock ${name}`, coverage, async () => inProcess(new MockProvider(options))),
    answersByItself: true,
  };
}

function scriptedMock(name: string, options: MockProviderOptions = {}): ServiceKind {
  const open: ServiceKind["open"] = async (answers) => {
    const responses = answers.map((answer): MockAnswer => {
      return typeof answer === "object" && "text" in answer ? { text: answer.text, finishReason: "length" } : answer;
    });
    return inProcess(new MockProvider({ ...options, responses }));
  };
  return kind(`mock ${name}`, "some", open);
}

function kind(name: string, coverage: Coverage, open: ServiceKind["open"]): ServiceKind {
  const takesReAsks = coverage === "all and re-asks";
  return { name, isFull: coverage !== "some", takesReAsks, answersByItself: false, open };
}

const openAI = { baseURL: "https://api.openai.com/v1", apiKey: "golden-key" };

export const services: readonly ServiceKind[] = [
  azure("v1 strict", "all and re-asks"),
  azure("v1 json_object", "all", { dialect: "json_object" }),
  azure("v1 none", "all", { dialect: "none" }),
  azure("v1 reasoning", "some", { reasoning: true, maxReasoningTokens: 1000 }),
  azure("v1 reasoning effort", "some", {
    reasoningEffort: "low",
    endpoint: "https://gateway.example/azure/openai/v1/",
  }),
  azure("v1 token", "some", { tokenProvider: async () => "golden-token" }),
  azure("2024-02-01 without a schema", "some", { apiVersion: "2024-02-01" }),
  azure("2024-02-01 none", "some", { apiVersion: "2024-02-01", dialect: "none" }),
  azure("2024-02-01 reasoning", "some", { apiVersion: "2024-02-01", reasoning: true }),
  azure("2024-08-01-preview strict", "some", { apiVersion: "2024-08-01-preview" }),
  azure("2024-10-21 json_object", "some", { apiVersion: "2024-10-21", dialect: "json_object" }),
  azure("2024-12-01-preview strict", "some", { apiVersion: "2024-12-01-preview" }),
  azure("2024-12-01-preview reasoning effort", "some", { apiVersion: "2024-12-01-preview", reasoningEffort: "high" }),
  compatible("strict", "all"),
  compatible("json_object", "all", { dialect: "json_object", apiKey: "golden-key" }),
  compatible("none", "all and re-asks", { dialect: "none" }),
  compatible("reasoning effort", "some", { reasoningEffort: "minimal" }),
  compatible("described strict", "all", { describeSchema: undefined }),
  compatible("described grammar", "all", { describeSchema: undefined, dialect: "grammar" }),
  compatible("described json_object", "some", { describeSchema: undefined, dialect: "json_object" }),
  compatible("described none", "some", { describeSchema: undefined, dialect: "none" }),
  compatible("of OpenAI strict", "some", openAI),
  compatible("of OpenAI reasoning", "some", { ...openAI, reasoning: true }),
  aiSdk("strict", "all"),
  aiSdk("json_object", "all", { dialect: "json_object" }),
  aiSdk("none", "all", { dialect: "none" }, "v2"),
  aiSdk("reasoning", "some", {
    name: "golden",
    reasoning: true,
    maxReasoningTokens: 500,
    providerOptions: { openai: { reasoningEffort: "low" } },
  }),
  mock("default", "all"),
  mock("seed 7", "some", { seed: 7, model: "golden", latencyMs: 1, faults: { serverError: 0 } }),
  mock("with a function", "some", { responses: () => undefined }),
  scriptedMock("with a script"),
];

/** A real server at a port of its own, while the provider's address, which the fingerprint has, is always the same. */
export async function overHTTP(
  create: (dispatcher: Dispatcher) => LLMProvider,
  answerTo: (body: unknown, index: number) => Answer | undefined | Promise<Answer>,
): Promise<Service> {
  const sent: Sent[] = [];
  const server = createServer((request, response) => {
    void text(request).then(async (text) => {
      const headers = headersToKeep.flatMap((name) => {
        const value = request.headers[name];
        return typeof value === "string" ? [[name, value] as const] : [];
      });
      const target = `${request.method} ${request.url}`;
      const body = exactJSON(text);
      sent.push({ body, envelope: { target, headers: Object.fromEntries(headers) } });
      const answer = completionOf(await answerTo(body, sent.length - 1));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo; // a server that listens on a port has such an address
  const agent = new Agent();
  const dispatcher = agent.compose((dispatch) => (options, handler) => {
    return dispatch({ ...options, origin: `http://127.0.0.1:${port}` }, handler);
  });
  const close = async (): Promise<void> => {
    await agent.close();
    server.closeAllConnections();
    server.close();
  };
  return { provider: create(dispatcher), sent, close };
}

function completionOf(answer: Answer | undefined): object {
  const { content, isCutOff } = contentOf(answer);
  return {
    model: "golden-model",
    choices: [{ finish_reason: isCutOff ? "length" : "stop", message: { role: "assistant", content } }],
    usage: { prompt_tokens: 100, completion_tokens: 20 },
  };
}

/** A language model of the AI SDK: what its `doGenerate` is given is what goes to the model. */
function asModel(options: FromAiSdkOptions, specificationVersion: string, answers: readonly Answer[]): Service {
  const sent: Sent[] = [];
  const model: AiSdkModel = {
    specificationVersion,
    provider: "golden.chat",
    modelId: "golden-1",
    doGenerate: async (given: object) => {
      sent.push({ body: sortedFields({ ...given, abortSignal: undefined }) });
      const { content, isCutOff } = contentOf(answers[sent.length - 1]);
      return {
        content: [{ type: "text", text: content }],
        finishReason: isCutOff ? "length" : "stop",
        usage: { inputTokens: 100, outputTokens: 20 },
      };
    },
  };
  return { provider: fromAiSdk(model, options), sent, close: async () => {} };
}

/** The mock answers by itself: its answers are golden, too. */
function inProcess(mocked: MockProvider): Service {
  const sent: Sent[] = [];
  const provider: LLMProvider = {
    name: mocked.name,
    fingerprint: mocked.fingerprint,
    complete: async (request, signal) => {
      const response = await mocked.complete(request, signal);
      sent.push({ body: sortedFields(request), answer: response.text });
      return response;
    },
  };
  return { provider, sent, close: async () => {} };
}

export function contentOf(answer: Answer | undefined): { readonly content: string; readonly isCutOff: boolean } {
  if (answer === undefined) throw new Error("the service has no answer left");
  if (typeof answer === "string") return { content: answer, isCutOff: false };
  if ("json" in answer) return { content: JSON.stringify(answer.json), isCutOff: false };
  return { content: answer.text, isCutOff: true };
}

/** A body that is, byte for byte, what `JSON.stringify` makes of the value: so the golden files can hold the value. */
function exactJSON(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (JSON.stringify(value) !== text) throw new Error(`the body can't be kept as a JSON value: ${text.slice(0, 200)}`);
  return value;
}

/** The argument of a function: the order of its own fields means nothing, that within them may. */
function sortedFields(given: object): unknown {
  const fields = Object.entries(given).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.parse(JSON.stringify(Object.fromEntries(fields)));
}
