/**
 * CPU of a call of AzureOpenAIProvider, beside a bare undici call that sends the same bytes; 64 in flight, in this process, in
 * turns, the server in another one. The bare call makes no body and reads none: it is the least that HTTP costs. Then,
 * with --expose-gc, the growth in memory over many calls with one signal. Usage: node --expose-gc benchmarks/provider.ts
 * [calls for memory]; run `npm run build` first.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { AzureOpenAIProvider } from "llm-etl/llm/providers/azure-openai";
import type { LLMRequest } from "llm-etl";
import { Agent } from "undici";

const definitions = '- "Emergency": an urgent, unplanned visit for acute symptoms or trauma\n'.repeat(40);
const systemMessage = { role: "system", content: `Classify the note.\n${definitions}` } as const;
const note = "The patient came in for a planned follow-up visit. ".repeat(12);
const fixed = {
  schema: {
    name: "visit",
    json: {
      type: "object",
      properties: {
        reasoning: { type: "string" },
        category: { enum: ["Emergency", "Routine"] },
        confidence: { type: "number" },
      },
      required: ["reasoning", "category", "confidence"],
      additionalProperties: false,
    },
  },
  temperature: 0,
  maxOutputTokens: 256,
  cacheKey: "visits.classify.0123456789abcdef",
} as const satisfies Omit<LLMRequest, "messages">;

if (process.argv[2] === "--server") serve();
else await measure(Number(process.argv[2] ?? 100_000));

async function measure(callsForMemory: number): Promise<void> {
  const server = fork(fileURLToPath(import.meta.url), ["--server"]);
  const [port] = await once(server, "message");
  const origin = `http://127.0.0.1:${port}`;
  const provider = new AzureOpenAIProvider({ endpoint: origin, apiKey: "key", deployment: "gpt-4o" });
  const { signal } = new AbortController();
  const agent = new Agent();
  const { path, headers, body } = bareCall();
  const bare = async (): Promise<unknown> => {
    const answer = await agent.request({ origin, path, method: "POST", headers, body });
    return await answer.body.text();
  };
  const ways = { bare, provider: async (index: number) => await provider.complete(requestOf(index), signal) };
  const figures: Record<string, number[]> = { bare: [], provider: [] };
  for (let round = 0; round < 14; round += 1) {
    for (const [name, call] of Object.entries(ways)) {
      const milliseconds = await cpuOf(3000, call);
      if (round > 2) figures[name]?.push(milliseconds); // the first rounds warm the compiler up
    }
  }
  const [plain, ours] = [middle(figures["bare"] ?? []), middle(figures["provider"] ?? [])];
  const difference = (ours - plain).toFixed(4);
  process.stdout.write(
    `CPU per call: bare ${plain.toFixed(4)} ms, provider ${ours.toFixed(4)} ms, above ${difference} ms\n`,
  );
  await measureMemory(callsForMemory, ways.provider);
  await agent.destroy();
  server.disconnect();
}

async function measureMemory(calls: number, call: (index: number) => Promise<unknown>): Promise<void> {
  if (gc === undefined) return;
  const warnings: string[] = [];
  process.on("warning", (warning) => warnings.push(warning.message));
  for (let part = 0; part <= 4; part += 1) {
    if (part > 0) await cpuOf(calls / 4, call);
    await gc({ execution: "async", type: "major" });
    const heap = (process.memoryUsage().heapUsed / 1_048_576).toFixed(2);
    process.stdout.write(`after ${(part * calls) / 4} calls: heap ${heap} MiB, warnings ${warnings.length}\n`);
  }
}

/** In milliseconds a call. */
async function cpuOf(calls: number, call: (index: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const before = process.cpuUsage();
  const worker = async (): Promise<void> => {
    while (next < calls) await call((next += 1));
  };
  await Promise.all(Array.from({ length: 64 }, worker));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function requestOf(index: number): LLMRequest {
  return { ...fixed, messages: [systemMessage, { role: "user", content: `<text>\n${note} Case ${index}.\n</text>` }] };
}

function bareCall() {
  const { schema, temperature, maxOutputTokens, cacheKey } = fixed;
  const body = JSON.stringify({
    messages: requestOf(1).messages,
    response_format: { type: "json_schema", json_schema: { name: schema.name, strict: true, schema: schema.json } },
    ...{ model: "gpt-4o", max_completion_tokens: maxOutputTokens, temperature, prompt_cache_key: cacheKey },
  });
  return {
    path: "/openai/v1/chat/completions",
    headers: { "content-type": "application/json", "api-key": "key" },
    body,
  };
}

function serve(): void {
  const content = JSON.stringify({
    reasoning: "A planned visit without acute symptoms.",
    category: "Routine",
    confidence: 0.93,
  });
  const filters = { hate: { filtered: false, severity: "safe" }, violence: { filtered: false, severity: "safe" } };
  const body = JSON.stringify({
    ...{ id: "chatcmpl-1", object: "chat.completion", created: 1_700_000_000, model: "gpt-4o-2024-11-20" },
    choices: [
      {
        index: 0,
        finish_reason: "stop",
        content_filter_results: filters,
        message: { role: "assistant", refusal: null, content },
      },
    ],
    prompt_filter_results: [{ prompt_index: 0, content_filter_results: filters }],
    usage: {
      ...{ prompt_tokens: 812, completion_tokens: 61, total_tokens: 873 },
      prompt_tokens_details: { cached_tokens: 640, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, accepted_prediction_tokens: 0 },
    },
  });
  const headers = { "content-type": "application/json", "content-length": body.length, "apim-request-id": "a-b-c" };
  const limits = { "x-ratelimit-remaining-requests": "100", "x-ratelimit-remaining-tokens": "100000" };
  const server = createServer((request, response) => {
    request.resume().once("end", () => response.writeHead(200, { ...headers, ...limits }).end(body));
  });
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo; // a server that listens on a port has such an address
    process.send?.(port);
  });
  process.once("disconnect", () => process.exit());
}
