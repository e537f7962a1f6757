import { request, type IncomingHttpHeaders } from "node:http";
import type { TestContext } from "node:test";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { startAzureOpenAISimulator, type AzureOpenAISimulator } from "../../src/testing/simulator/server.ts";
import type { AzureOpenAISimulatorOptions } from "../../src/testing/simulator/options.ts";

/** A simulator that ends with its test. */
export async function simulatorFor(
  context: TestContext,
  options: AzureOpenAISimulatorOptions = {},
): Promise<AzureOpenAISimulator> {
  const simulator = await startAzureOpenAISimulator(options);
  context.after(simulator.close);
  return simulator;
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Sent {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** One request over a connection of its own. A text or bytes are sent as they are, anything else as JSON. */
export async function send(simulator: { readonly url: string }, sent: Sent = {}): Promise<Received> {
  const { path = "/openai/v1/chat/completions", method = "POST", body, signal } = sent;
  const headers = { "content-type": "application/json", "api-key": "any", ...sent.headers };
  const bytes = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body ?? {});
  return await new Promise<Received>((resolve, reject) => {
    const options = { method, headers, agent: false, ...(signal === undefined ? {} : { signal }) };
    const outgoing = request(`${simulator.url}${path}`, options, (incoming) => {
      text(incoming).then(
        (received) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: received }),
        reject,
      );
    });
    outgoing.on("error", reject);
    // Node sends the body of these as the beginning of a next request.
    if (method === "GET" || method === "DELETE") outgoing.end();
    else outgoing.end(bytes);
  });
}

const Visit = {
  type: "object",
  properties: {
    category: { type: "string", enum: ["Emergency", "Routine"] },
    confidence: { type: "number", description: 'Limits: {"minimum":0,"maximum":1}' },
    note: { type: "string", description: 'Limits: {"maxLength":60}' },
  },
  required: ["category", "confidence", "note"],
  additionalProperties: false,
};
export const VisitAnswer = z.object({
  category: z.enum(["Emergency", "Routine"]),
  confidence: z.number().min(0).max(1),
  note: z.string().max(60),
});

/** A request as a classifier sends it. */
export function chat(row: string, others: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    model: "gpt-test",
    messages: [
      { role: "system", content: 'Classify.\n- "Emergency": acute pain\n- "Routine": a check-up' },
      { role: "user", content: `<text>\n${row}\n</text>` },
    ],
    response_format: { type: "json_schema", json_schema: { name: "visit", strict: true, schema: Visit } },
    max_completion_tokens: 200,
    ...others,
  };
}

const Completion = z.object({
  model: z.string(),
  choices: z.tuple([
    z.object({
      finish_reason: z.string(),
      message: z.object({ content: z.string().nullable(), refusal: z.string().nullable() }),
    }),
  ]),
  usage: z.object({
    prompt_tokens: z.number(),
    completion_tokens: z.number(),
    total_tokens: z.number(),
    prompt_tokens_details: z.object({ cached_tokens: z.number() }),
    completion_tokens_details: z.object({ reasoning_tokens: z.number() }),
  }),
});

/** What a completion says. */
export function completionIn(received: { readonly body: string }) {
  const { model, choices, usage } = Completion.parse(JSON.parse(received.body));
  const [{ finish_reason: finishReason, message }] = choices;
  return { model, finishReason, ...message, usage };
}

const Failure = z.object({
  error: z.object({
    message: z.string(),
    code: z.string().nullable(),
    type: z.string().nullable(),
    param: z.string().nullable(),
    innererror: z.object({ code: z.string(), content_filter_result: z.record(z.string(), z.unknown()) }).optional(),
  }),
});

/** What an error says. */
export function errorIn(received: { readonly body: string }) {
  return Failure.parse(JSON.parse(received.body)).error;
}
