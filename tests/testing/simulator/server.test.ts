import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Agent, Pool } from "undici";
import { z } from "zod";
import { OptionError } from "../../../src/errors/option.ts";
import { Pipeline, taxonomyOf } from "../../../src/index.ts";
import { MemorySink } from "../../../src/testing/memory-sink.ts";
import { MemorySource } from "../../../src/testing/memory-source.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMRequest } from "../../../src/contracts/provider.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../../../src/llm/providers/azure-openai.ts";
import { providerContract } from "../../../src/testing/provider-contract.ts";
import type { SimulatorFaults } from "../../../src/testing/simulator/faults.ts";
import { startAzureOpenAISimulator } from "../../../src/testing/simulator/server.ts";
import { ClassifierStep } from "../../../src/steps/classifier.ts";
import { toStrictSchema } from "../../../src/validation/strict-schema.ts";
import { failsWith } from "../../support/error-facts.ts";
import { randomSchema } from "../../support/random-schema.ts";
import { chat, completionIn, errorIn, send, simulatorFor, VisitAnswer } from "../../support/simulator.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();

describe("over HTTP", () => {
  test("every way to the chat completions gives an answer, with Azure's headers", async (context) => {
    const simulator = await simulatorFor(context, { requestsPerMinute: 6000 });
    const paths = [
      "/openai/v1/chat/completions",
      "/v1/chat/completions",
      "/chat/completions",
      "/openai/deployments/gpt-test/chat/completions?api-version=2024-10-21",
    ];
    for (const path of paths) {
      const received = await send(simulator, { path, body: chat("Acute pain.") });
      assert.equal(received.status, 200, path);
      VisitAnswer.parse(JSON.parse(completionIn(received).content ?? ""));
      assert.equal(received.headers["x-ratelimit-limit-requests"], "6000");
      assert.match(String(received.headers["apim-request-id"]), /^simulator-\d+$/);
    }
    assert.equal(simulator.statistics().repeatedRequests, 3);
  });

  test("what is asked wrongly gets Azure's kind of answer", async (context) => {
    const simulator = await simulatorFor(context, { apiKeys: ["secret"], deployments: ["gpt-test"] });
    const headers = { "api-key": "secret" };
    const cases: [Parameters<typeof send>[1], number, string | null][] = [
      [{ headers, path: "/openai/v2/chat" }, 404, "404"],
      [{ headers, method: "PUT" }, 405, "405"],
      [{ body: chat("x") }, 401, "401"],
      [{ headers, body: chat("x", { model: "other" }) }, 404, "DeploymentNotFound"],
      [{ headers, body: "{" }, 400, null],
      [{ headers, body: Buffer.alloc(16 * 1024 * 1024 + 1, "x") }, 413, "413"],
    ];
    for (const [sent, status, code] of cases) {
      const received = await send(simulator, sent);
      assert.deepEqual([received.status, errorIn(received).code], [status, code]);
    }
    const { requests, byStatus } = simulator.statistics();
    assert.deepEqual([requests, byStatus], [6, { 400: 1, 401: 1, 404: 2, 405: 1, 413: 1 }]);
  });

  test("the statistics are there as JSON, can be reset, and do not count themselves", async (context) => {
    const simulator = await simulatorFor(context);
    await send(simulator, { body: chat("x") });
    const { body } = await send(simulator, { path: "/stats", method: "GET", headers: { "api-key": "" } });
    assert.deepEqual(JSON.parse(body), simulator.statistics());
    assert.equal(simulator.statistics().requests, 1);
    assert.equal((await send(simulator, { path: "/stats/reset" })).status, 200);
    assert.equal(simulator.statistics().requests, 0);
  });

  test("a connection is kept, and the most that are under way at once are counted", async (context) => {
    const simulator = await simulatorFor(context, { latencyMs: 30 });
    const pool = new Pool(simulator.url, { connections: 4 });
    context.after(async () => await pool.close());
    const ask = async (index: number): Promise<void> => {
      const headers = { "api-key": "k" };
      const body = JSON.stringify(chat(`row ${index}`));
      const response = await pool.request({ path: "/openai/v1/chat/completions", method: "POST", headers, body });
      await response.body.dump();
    };
    await Promise.all(Array.from({ length: 12 }, async (_, index) => await ask(index)));
    const { connections, peakConcurrency, concurrency, requests } = simulator.statistics();
    assert.deepEqual([connections, peakConcurrency, concurrency, requests], [4, 4, 0, 12]);
  });

  test("a server of one slot answers one request after the other", async (context) => {
    const simulator = await simulatorFor(context, { slots: 1, latencyMs: 10 });
    const startedMs = performance.now();
    await Promise.all(Array.from({ length: 5 }, async (_, row) => await send(simulator, { body: chat(`row ${row}`) })));
    assert.ok(performance.now() - startedMs >= 45); // a timer may be early by less than a millisecond
    assert.deepEqual(simulator.statistics().byStatus, { 200: 5 });
  });

  test("limits, faults and an outage can be changed while it runs", async (context) => {
    const simulator = await simulatorFor(context, { requestWindowMs: 3_600_000 });
    const status = async (): Promise<number> => (await send(simulator, { body: chat("x") })).status;
    assert.equal(await status(), 200);
    simulator.update({ outage: true });
    assert.equal(await status(), 503);
    simulator.update({ outage: "reset" });
    await assert.rejects(status(), { code: "ECONNRESET" });
    simulator.update({ outage: false, requestsPerMinute: 1 });
    const statuses = [];
    for (let index = 0; index < 61; index += 1) statuses.push(await status());
    assert.deepEqual(
      [statuses.filter((one) => one === 200).length, statuses.at(-1)],
      [59, 429],
      "1 came before the limit",
    );
    simulator.update({ requestsPerMinute: undefined, faults: { serverError: 1 } });
    assert.equal(await status(), 500);
    assert.throws(() => simulator.update({ faults: { html: 3 } }), OptionError);
  });

  test("a function of the user's that throws is a 500, and the server goes on", async (context) => {
    const simulator = await simulatorFor(context, {
      fault: () => {
        throw new Error("mistake in the script");
      },
    });
    const received = await send(simulator, { body: chat("x") });
    assert.deepEqual([received.status, errorIn(received).code], [500, "SimulatorFailed"]);
    const misspelt: object = { fault: () => "serverErr" };
    simulator.update(misspelt);
    const { code, message } = errorIn(await send(simulator, { body: chat("x") }));
    assert.equal(code, "SimulatorFailed");
    assert.ok(message.includes('"fault"') && message.includes("rateLimit, serverError"), message);
    simulator.update({ fault: undefined });
    assert.equal((await send(simulator, { body: chat("x") })).status, 200);
  });

  test("close ends what hangs, twice is once, and the port is free again", async () => {
    const simulator = await startAzureOpenAISimulator({ faults: { hang: 1 } });
    const hanging = send(simulator, { body: chat("x") });
    const isRejected = assert.rejects(hanging);
    while (simulator.statistics().byFault["hang"] === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    await Promise.all([simulator.close(), isRejected]);
    await simulator.close();
    const again = await startAzureOpenAISimulator({ port: simulator.port });
    assert.equal(again.url, simulator.url);
    await assert.rejects(startAzureOpenAISimulator({ port: again.port }), (error) => {
      assert.ok(String(error).includes(`127.0.0.1:${again.port}`) && String(error).includes("EADDRINUSE"));
      return failsWith("INVALID_OPTION", { where: "port" })(error);
    });
    await again.close();
  });

  test("bytes that are no HTTP, and a client that goes away in the middle, disturb nobody", async (context) => {
    const simulator = await simulatorFor(context);
    for (const bytes of [
      "hello\r\n\r\n",
      "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{",
    ]) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(simulator.port, "127.0.0.1", () =>
          socket.end(bytes, () => setTimeout(() => socket.destroy(), 5)),
        );
        socket.once("close", () => resolve()).once("error", reject);
      });
    }
    assert.equal((await send(simulator, { body: chat("x") })).status, 200);
    while (simulator.statistics().concurrency > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  });

  test("answers come from a labelled file", async (context) => {
    const path = join(folder, "labels.csv");
    await writeFile(path, "text,label\nA check-up of nothing.,Emergency\n");
    const simulator = await simulatorFor(context, { answersFrom: { path, textColumn: "text", labelColumn: "label" } });
    const received = await send(simulator, { body: chat("A check-up of nothing.") });
    assert.equal(JSON.parse(completionIn(received).content ?? "").category, "Emergency");
    await assert.rejects(
      startAzureOpenAISimulator({ answersFrom: { path, textColumn: "texts", labelColumn: "label" } }),
      OptionError,
    );
  });

  test("a label that is one of the candidates of a shortlist is the answer; another is none", async (context) => {
    const path = join(folder, "codes.csv");
    await writeFile(path, "text,code\nA check-up of nothing.,K<2>\nAcute pain.,K3\n");
    const simulator = await simulatorFor(context, { answersFrom: { path, textColumn: "text", labelColumn: "code" } });
    const { url: endpoint } = simulator;
    const columns = { code: (s: { processed: { kind: { code: string } } }) => s.processed.kind.code };
    const sink = new MemorySink({ columnMap: columns });
    const rows = ["A check-up of nothing.", "Acute pain."].map((text) => ({ text }));
    const report = await new Pipeline<{ text: string }>({
      name: "shortlist",
      source: new MemorySource<{ text: string }>({ rows, primaryKeyColumn: "text" }),
      llmProvider: new AzureOpenAIProvider({ endpoint, apiKey: "key", deployment: "prod" }),
      ...{ payloadLog: "off", journal: "off" },
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: taxonomyOf([
            { code: "K1", name: "Acute pain" },
            { code: "K<2>", name: "Other" },
          ]),
          search: "shortlist",
          inputMap: { text: (s) => s.raw.text },
          outputKey: "kind",
        }),
      )
      .to(sink)
      .run();
    assert.equal(report.error, null);
    assert.deepEqual(
      sink.rows.map(({ code }) => code),
      ["K<2>", "K1"],
    );
  });
});

test("any strict schema gets an answer that is valid", async (context) => {
  const simulator = await simulatorFor(context, { apiKeys: [] });
  await fc.assert(
    fc.asyncProperty(randomSchema(), fc.string(), async (schema, row) => {
      const { json, undoNulls } = toStrictSchema(schema);
      const json_schema = { name: "any", strict: true, schema: json };
      const body = chat(row, { response_format: { type: "json_schema", json_schema }, max_completion_tokens: 100_000 });
      const { finishReason, content } = completionIn(await send(simulator, { body }));
      assert.equal(finishReason, "stop");
      schema.parse(undoNulls(JSON.parse(content ?? "")));
    }),
    { numRuns: 100, seed: 31 },
  );
});

describe("AzureOpenAIProvider against it", () => {
  const step = new ClassifierStep({
    name: "classify",
    taxonomy: [
      { name: "Emergency", definition: "acute pain" },
      { name: "Routine", definition: "a check-up" },
    ],
    inputMap: { text: (state: { readonly text: string }) => state.text },
    outputKey: "kind",
  });
  const request = (text: string): LLMRequest => ({ ...step.render({ text }), cacheKey: "k" });

  for (const apiVersion of [undefined, "2024-10-21", "2024-02-15-preview"]) {
    test(`answers are read and valid with ${apiVersion ?? "the v1 API"}`, async (context) => {
      const { url: endpoint } = await simulatorFor(context, { apiKeys: ["key"], deployments: ["prod"] });
      const provider = new AzureOpenAIProvider({ endpoint, apiKey: "key", deployment: "prod", apiVersion });
      const response = await provider.complete(request("Acute pain in the chest."), new AbortController().signal);
      const reading = step.read(response.text);
      assert.ok(reading.valid && reading.output.category === "Emergency", response.text);
      assert.ok(response.usage.inputTokens > 50 && response.usage.outputTokens > 5);
      assert.deepEqual([response.finishReason, response.model, response.requestId], ["stop", "prod", "simulator-1"]);
    });
  }

  test("faults become errors of their class and code", async (context) => {
    const cases: [keyof SimulatorFaults, string][] = [
      ["rateLimit", "transient RATE_LIMITED"],
      ["serverError", "transient SERVICE_UNAVAILABLE"],
      ["unavailable", "transient SERVICE_UNAVAILABLE"],
      ["connectionReset", "transient NETWORK_ERROR"],
      ["hang", "transient TIMEOUT"],
      ["stalledBody", "transient TIMEOUT"],
      ["truncatedBody", "transient NETWORK_ERROR"],
      ["html", "transient INVALID_RESPONSE"],
      ["contentFilterPrompt", "row CONTENT_FILTER"],
      ["unauthorized", "run AUTHENTICATION_FAILED"],
      ["deploymentNotFound", "row DEPLOYMENT_NOT_FOUND"],
      ["quotaExhausted", "run QUOTA_EXHAUSTED"],
      ["contextLength", "row CONTEXT_LENGTH_EXCEEDED"],
      ["badSchema", "row BAD_REQUEST"],
    ];
    const simulator = await simulatorFor(context);
    for (const [name, expected] of cases) {
      simulator.update({ faults: { [name]: 1 } });
      const options: AzureOpenAIProviderOptions = {
        endpoint: simulator.url,
        apiKey: "key",
        deployment: "prod",
        ...(expected.endsWith("TIMEOUT") && { timeoutMs: 150 }),
      };
      const error: unknown = await new AzureOpenAIProvider(options)
        .complete(request("text"), new AbortController().signal)
        .catch((thrown: unknown) => thrown);
      assert.ok(error instanceof ProviderError, name);
      assert.equal(`${error.class} ${error.code}`, expected, name);
      if (name === "rateLimit") assert.ok((error.retryAfterMs ?? 0) >= 20 && (error.retryAfterMs ?? 0) <= 100);
    }
    for (const [name, finishReason] of [
      ["refusal", "refusal"],
      ["contentFilterAnswer", "content_filter"],
      ["length", "length"],
    ] as const) {
      simulator.update({ faults: { [name]: 1 } });
      const provider = new AzureOpenAIProvider({ endpoint: simulator.url, apiKey: "key", deployment: "prod" });
      assert.equal((await provider.complete(request("text"), new AbortController().signal)).finishReason, finishReason);
    }
  });

  describe("keeps the contract of a provider", () => {
    const running = startAzureOpenAISimulator();
    const dispatcher = new Agent();
    const create = async () =>
      new AzureOpenAIProvider({ endpoint: (await running).url, apiKey: "key", deployment: "prod", dispatcher });
    for (const { name, check } of providerContract({ create })) test(name, check);
    test("and the simulator ends", async () => {
      await dispatcher.close();
      await (await running).close();
    });
  });
});

test("a client of another make, with Zod's own JSON Schema, gets a valid answer as well", async (context) => {
  const schema = z.object({
    score: z.int().min(20).max(25),
    day: z.iso.date(),
    tags: z.array(z.string().min(3)).min(2),
  });
  const simulator = await simulatorFor(context, { apiKeys: [] });
  const json_schema = { name: "other", schema: z.toJSONSchema(schema) };
  const body = chat("A row.", { response_format: { type: "json_schema", json_schema } });
  schema.parse(JSON.parse(completionIn(await send(simulator, { body })).content ?? ""));
});
