import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createSocketServer, type LookupFunction } from "node:net";
import { test } from "node:test";
import { Agent, type Dispatcher } from "undici";
import { Pipeline } from "../src/builder/pipeline.ts";
import type { RunReport } from "../src/contracts/report.ts";
import type { AdmissionOptions } from "../src/llm/limits/options.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { ClassifierStep } from "../src/steps/classifier.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { completion, json, listen, type Reply, startChatServer } from "./support/chat-server.ts";

const answer = completion({
  content: JSON.stringify({ reasoning: "r", category: "Card", confidence: 0.9 }),
  refusal: null,
});

interface Setup {
  readonly baseURL: string;
  readonly rows?: number;
  readonly concurrency?: number;
  readonly admission?: AdmissionOptions;
  readonly dispatcher?: Dispatcher;
}

/** Classifies rows, the notes 0, 1, 2 …, over HTTP. */
async function classify({ baseURL, rows = 20, concurrency = 1, admission, dispatcher }: Setup): Promise<RunReport> {
  return await new Pipeline({
    name: "notes",
    source: new MemorySource<{ id: string; note: string }>({
      rows: Array.from({ length: rows }, (_, index) => ({ id: `r${index}`, note: `note ${index}.` })),
      primaryKeyColumn: "id",
    }),
    llmProvider: new OpenAICompatibleProvider({ baseURL, model: "m", timeoutMs: 5000, dispatcher }),
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
    concurrency,
    admission: { retryDelayMs: [1, 5], probeDelayMs: [5, 20], stallTimeoutMs: 60_000, ...admission },
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "Card", definition: "a card" },
          { name: "Transfer", definition: "money sent" },
        ],
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
      }),
    )
    .to(new MemorySink({ columnMap: { id: (s) => s.pk }, mergeKeys: ["id"] }))
    .run();
}

const reset: Reply = (response) => response.socket?.destroy();
const unavailable = json(503, { error: { message: "no" } });

for (const [name, reply] of [
  ["reset", reset],
  ["503", unavailable],
  ["500", json(500, {})],
] as const) {
  for (const bad of [0, 7]) {
    test(`row ${bad}, for which there is never a reply but a ${name}, fails, and the others are written, one in flight`, async () => {
      const server = await startChatServer();
      server.reply = (response, request) => {
        const isBad = JSON.stringify(request.body["messages"]).includes(`note ${bad}.`);
        (isBad ? reply : json(200, answer))(response, request);
      };
      const report = await classify({ baseURL: `${server.origin}/v1` });
      assert.deepEqual([report.exitCode, report.successCount, report.skippedCount], [1, 19, 1]);
    });
  }
}

test("an outage with one row in flight, at the first row, midway and at the last, loses none", async () => {
  for (const from of [1, 10, 20]) {
    const server = await startChatServer();
    let calls = 0;
    server.reply = (response, request) => {
      calls += 1;
      (calls >= from && calls < from + 15 ? unavailable : json(200, answer))(response, request);
    };
    const report = await classify({ baseURL: `${server.origin}/v1` });
    assert.deepEqual([report.exitCode, report.successCount], [0, 20], `from call ${from}`);
  }
});

for (const retryAfter of ["86400", "1e9", "Fri, 31 Dec 2099 23:59:59 GMT"]) {
  test(`a 503 with retry-after ${retryAfter} stops the run at the stall timeout, resumable`, async () => {
    const server = await startChatServer();
    server.reply = json(503, {}, { "retry-after": retryAfter });
    for (const concurrency of [1, 8]) {
      const report = await classify({
        baseURL: `${server.origin}/v1`,
        concurrency,
        admission: { stallTimeoutMs: 300 },
      });
      assert.deepEqual([report.error?.code, report.exitCode, report.failureCount], ["STALLED", 3, 0]);
      assert.equal(report.pendingCount, report.readCount);
    }
  });
}

test("https to a port that speaks http stops the run at once, with the address and the setting", async () => {
  const port = await listen(createServer((_, response) => response.end("plain")));
  const report = await classify({ baseURL: `https://127.0.0.1:${port}/v1` });
  assert.deepEqual([report.error?.code, report.exitCode, report.usage.calls], ["NETWORK_ERROR", 3, 1]);
  assert.match(report.error?.message ?? "", new RegExp(`https://127\\.0\\.0\\.1:${port}.*"baseURL".*https`));
});

test("a server that speaks another protocol than http stops the run at once", async () => {
  const server = createSocketServer((socket) => socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9.6\r\n"));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const report = await classify({ baseURL: `http://127.0.0.1:${address.port}/v1` });
  server.close();
  assert.deepEqual([report.error?.code, report.exitCode, report.usage.calls], ["NETWORK_ERROR", 3, 1]);
});

test("a host that is not found stops the run after three calls, with the address and the setting", async () => {
  const lookup: LookupFunction = (host, _, done) => {
    done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { code: "ENOTFOUND" }), "", 4);
  };
  const dispatcher = new Agent({ connect: { lookup } });
  const report = await classify({ baseURL: "https://no-such-host.invalid/v1", dispatcher });
  assert.deepEqual([report.error?.code, report.exitCode, report.usage.calls], ["NETWORK_ERROR", 3, 3]);
  assert.match(report.error?.message ?? "", /no-such-host\.invalid.*"baseURL"/);
});

const pages: readonly (readonly [string, number, string, Record<string, string>, string])[] = [
  ["an HTML page", 404, "<!doctype html><title>Jane Doe</title>", { "content-type": "text/html" }, "an HTML page"],
  ["a redirect", 302, "", { location: "https://login.example/sso?row=Jane" }, "a redirect to login.example"],
  [
    "another API's error",
    404,
    '{"errors":[{"message":"Jane Doe"}]}',
    {},
    "JSON that is no error of a chat completions API",
  ],
  ["an array of errors", 400, '[{"error":{"code":400,"message":"Jane Doe"}}]', {}, "a JSON array"],
  ["plain text", 405, "Jane Doe not allowed", {}, "plain text"],
  ["nothing", 404, "", {}, "an empty body"],
];
for (const [name, status, body, headers, kind] of pages) {
  test(`a service that replies with ${name} stops the run: its message names status, body, host and setting, and no content`, async () => {
    const server = await startChatServer();
    server.reply = (response) => void response.writeHead(status, headers).end(body);
    const report = await classify({ baseURL: `${server.origin}/v1` });
    const message = report.error?.message ?? "";
    assert.equal(report.exitCode, 3);
    for (const part of [String(status), kind, new URL(server.origin).host, '"baseURL"'])
      assert.ok(message.includes(part), message);
    assert.ok(!message.includes("Jane"), message);
  });
}
