import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { text } from "node:stream/consumers";
import type { CompletionReading } from "../../src/llm/chat-completions/answer.ts";
import type { LLMRequest } from "../../src/contracts/provider.ts";

/** A request as it arrived. */
export interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
  readonly text: string;
}

export type Reply = (response: ServerResponse, request: Seen) => void;

/** A server of the chat completions API that answers as it is told. */
export interface ChatServer {
  readonly origin: string;
  readonly seen: Seen[];
  reply: Reply;
}

/** Closed after the tests of the file. */
export async function startChatServer(): Promise<ChatServer> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method, url, headers } = request;
      const one: Seen = { method, url, headers, body: JSON.parse(body === "" ? "{}" : body), text: body };
      seen.push(one);
      chat.reply(response, one);
    });
  });
  const chat: ChatServer = { origin: `http://127.0.0.1:${await listen(server)}`, seen, reply: fine };
  return chat;
}

/** The port that the server listens on; closed after the tests of the file. */
export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port; // a server that listens on a port has such an address
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
}

export function completion(message: object, finishReason = "stop"): object {
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

export const fine: Reply = json(200, completion({ content: '{"a":1}', refusal: null }), { "apim-request-id": "req-1" });

/** An answer within the schema of the contract suite for providers. */
export const contractReply: Reply = json(
  200,
  completion({ content: '{"colour":"blue","count":1,"note":null}', refusal: null }),
);

/** What may stand in the request and the files of mode 0600, but in no message. */
export const rowText = "Jane Doe";

export const chatRequest: LLMRequest = {
  messages: [
    { role: "system", content: "Classify." },
    { role: "user", content: `<text>\n${rowText}\n</text>` },
  ],
  schema: { name: "visit", json: { type: "object", properties: {}, required: [], additionalProperties: false } },
  temperature: 0,
  maxOutputTokens: 256,
  cacheKey: "visits.classify.0123456789abcdef",
};

/** How `readCompletion` is to read an answer to {@link chatRequest}. */
export const completionReading: CompletionReading = {
  model: "named",
  schema: { type: "object", required: ["a"] },
  requestCharacters: 400,
  tokenLimit: 256,
  settings: { credential: "the key", endpoint: "the address", deployment: "the model" },
  isStrict: false,
  onSchemaIgnored: () => {},
};

export function never(): AbortSignal {
  return new AbortController().signal;
}
