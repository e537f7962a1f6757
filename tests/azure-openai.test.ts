import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type AdmissionOptions, ClassifierStep, Pipeline, type RunOptions, type RunReport } from "../src/index.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../src/llm/providers/azure-openai.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import type { SimulatorFaultName, SimulatorRequest } from "../src/testing/simulator/faults.ts";
import type { AzureOpenAISimulatorOptions } from "../src/testing/simulator/options.ts";
import { type AzureOpenAISimulator, startAzureOpenAISimulator } from "../src/testing/simulator/server.ts";
import type { SimulatorStatistics } from "../src/testing/simulator/statistics.ts";

interface Setup {
  readonly rows?: number;
  readonly simulator?: AzureOpenAISimulatorOptions;
  readonly provider?: AzureOpenAIProviderOptions;
  readonly admission?: AdmissionOptions;
  readonly run?: RunOptions;
  readonly during?: (simulator: AzureOpenAISimulator) => Promise<void>;
}

interface Outcome {
  readonly report: RunReport;
  readonly statistics: SimulatorStatistics;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const quick: AdmissionOptions = { retryDelayMs: [1, 5], probeDelayMs: [5, 20] };

/** Classifies rows with the real provider, over HTTP, against the simulator. */
async function classify({ rows = 1, simulator: options, provider, admission, run, during }: Setup): Promise<Outcome> {
  const simulator = await startAzureOpenAISimulator({ apiKeys: ["key"], ...options });
  try {
    const sink = new MemorySink({
      columnMap: {
        id: (s: { pk: string; processed: { kind: { category: string; confidence: number } } }) => s.pk,
        category: (s) => s.processed.kind.category,
        confidence: (s) => s.processed.kind.confidence,
      },
    });
    const running = new Pipeline({
      name: "azure",
      source: new MemorySource<{ id: string; note: string }>({
        rows: Array.from({ length: rows }, (_, index) => ({
          id: `r${index}`,
          note: `Note ${index * 7919} on a card.`,
        })),
        primaryKeyColumn: "id",
      }),
      llmProvider: new AzureOpenAIProvider({ endpoint: simulator.url, apiKey: "key", deployment: "gpt", ...provider }),
      payloadLog: "off",
      journal: "off",
      onRowError: "skip",
      admission: { ...quick, ...admission },
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
      .to(sink)
      .run(run);
    await during?.(simulator);
    return { report: await running, statistics: simulator.statistics(), rows: sink.rows };
  } finally {
    await simulator.close();
  }
}

/** The same fault for every request. */
const always = (fault: SimulatorFaultName): AzureOpenAISimulatorOptions => ({ fault: () => fault });
/** A fault for the first request, none for the others. */
function once(fault: SimulatorFaultName): AzureOpenAISimulatorOptions {
  let calls = 0;
  return { fault: () => ((calls += 1) === 1 ? fault : undefined) };
}

const rowFaults: readonly (readonly [SimulatorFaultName, string, number])[] = [
  ["contentFilterPrompt", "CONTENT_FILTER", 1],
  ["contentFilterAnswer", "CONTENT_FILTER", 1],
  ["refusal", "REFUSAL", 1],
  ["contextLength", "CONTEXT_LENGTH_EXCEEDED", 1],
  ["length", "OUTPUT_TRUNCATED", 2],
];
for (const [fault, code, calls] of rowFaults) {
  test(`${fault} fails its row and costs exactly ${calls === 1 ? "one call" : `${calls} calls`}`, async () => {
    const { report, statistics } = await classify({ simulator: always(fault) });
    assert.deepEqual(report.failuresByCode, { [code]: 1 });
    assert.equal(statistics.requests, calls);
    assert.equal(report.status, "completed");
  });
}

test("an answer that is cut off once costs two calls, and the row is written", async () => {
  const { report, statistics } = await classify({ simulator: once("length") });
  assert.deepEqual([report.successCount, statistics.requests], [1, 2]);
});

const runFaults: readonly (readonly [SimulatorFaultName, string, RegExp])[] = [
  ["unauthorized", "AUTHENTICATION_FAILED", /"apiKey" or AZURE_OPENAI_API_KEY/],
  ["quotaExhausted", "QUOTA_EXHAUSTED", /raise it, or run again later/],
];
for (const [fault, code, message] of runFaults) {
  test(`${fault} stops the run after exactly one call of many rows in flight, and says where to look`, async () => {
    const { report, statistics } = await classify({ rows: 50, simulator: always(fault) });
    assert.deepEqual([report.error?.code, report.exitCode, statistics.requests], [code, 3, 1]);
    assert.match(report.error?.message ?? "", message);
    assert.equal(report.pendingCount, report.readCount);
  });
}

test("a deployment that is not there stops the run after three rows, and says where to look", async () => {
  const { report, statistics } = await classify({ rows: 50, simulator: always("deploymentNotFound") });
  assert.deepEqual([report.error?.code, report.exitCode, statistics.requests], ["DEPLOYMENT_NOT_FOUND", 3, 3]);
  assert.match(report.error?.message ?? "", /"deployment" or AZURE_OPENAI_DEPLOYMENT/);
  assert.deepEqual(
    [report.pendingCount, report.skippedCount],
    [report.readCount, 0],
    "also the rows that were rejected",
  );
});

test("a 403 of every row stops the run after three, and says where to look", async () => {
  let calls = 0;
  const server = createServer((request, response) => {
    calls += 1;
    request.resume().on("end", () => response.writeHead(403, { "content-type": "application/json" }).end("{}"));
  });
  after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  const { report } = await classify({ rows: 50, provider: { endpoint: `http://127.0.0.1:${port}` } });
  assert.deepEqual([report.error?.code, calls], ["FORBIDDEN", 3]);
  assert.match(report.error?.message ?? "", /AZURE_OPENAI_ENDPOINT.*role/);
});

test("a schema that the service rejects stops the run after three rows", async () => {
  const { report, statistics } = await classify({ rows: 50, simulator: always("badSchema") });
  assert.deepEqual([report.error?.code, report.error?.scope, statistics.requests], ["BAD_REQUEST", "run", 3]);
  assert.match(report.error?.message ?? "", /3 rows were rejected and none was accepted/);
});

const transientFaults: readonly SimulatorFaultName[] = [
  "rateLimit",
  "serverError",
  "unavailable",
  "connectionReset",
  "hang",
  "stalledBody",
  "truncatedBody",
  "html",
];
for (const fault of transientFaults) {
  test(`${fault} once costs one more call, and the row is written`, async () => {
    const isSilent = fault === "hang" || fault === "stalledBody"; // what gives no answer ends at the timeout alone
    const provider = isSilent ? { timeoutMs: 2000 } : {};
    const { report, statistics } = await classify({ simulator: once(fault), provider });
    assert.deepEqual([report.successCount, report.usage.calls, statistics.requests], [1, 2, 2]);
  });
}

for (const fault of ["invalidJSON", "outOfRange", "wrongEnum"] as const) {
  test(`${fault} once costs one re-ask, and what is written is right`, async () => {
    const { report, statistics, rows } = await classify({ simulator: once(fault) });
    assert.deepEqual([report.successCount, report.usage.reAsks, statistics.requests], [1, 1, 2]);
    assert.ok(["Card", "Transfer"].includes(String(rows[0]?.["category"])) && Number(rows[0]?.["confidence"]) <= 1);
  });
}

test("a failure that stays fails its row after five retries, whatever the others do", async () => {
  const isPoison = ({ messages }: SimulatorRequest): boolean =>
    messages.some(({ content }) => content.includes("Note 7919 "));
  const { report, statistics } = await classify({
    rows: 40,
    simulator: { fault: (request) => (isPoison(request) ? "serverError" : undefined) },
  });
  assert.deepEqual([report.successCount, report.failuresByCode], [39, { SERVICE_UNAVAILABLE: 1 }]);
  assert.equal(statistics.requests, 39 + 6);
});

test("with faults of every transient and invalid kind no row is lost, none is wrong, and no call is wasted", async () => {
  const faults = { serverError: 0.02, rateLimit: 0.03, connectionReset: 0.01, invalidJSON: 0.03, outOfRange: 0.01 };
  const { report, statistics, rows } = await classify({ rows: 600, simulator: { seed: 3, faults } });
  assert.equal(report.successCount, 600);
  assert.ok(rows.every(({ category, confidence }) => category === "Card" && Number(confidence) <= 1));
  const faulty = Object.values(statistics.byFault).reduce((sum, count) => sum + count, 0);
  assert.ok(faulty > 40);
  assert.equal(statistics.requests, 600 + faulty);
  assert.equal(statistics.repeatedRequests, 0, "nothing was paid for twice");
});

test("an outage loses no row: probes go until the service is back", async () => {
  const { report, statistics } = await classify({
    rows: 600,
    simulator: { latencyMs: 5 },
    during: async (simulator) => {
      while (simulator.statistics().requests < 200) await setTimeout(2);
      simulator.update({ outage: "reset" });
      await setTimeout(200);
      simulator.update({ outage: false });
    },
  });
  assert.deepEqual([report.status, report.successCount], ["completed", 600]);
  assert.ok(statistics.requests < 600 + 200, "an outage is probed, not hammered");
});

test("a service that never comes back ends the run, resumable, by the stall timeout", async () => {
  const { report } = await classify({
    rows: 20,
    simulator: { outage: true },
    admission: { stallTimeoutMs: 200, outageFailures: 3 },
  });
  assert.deepEqual([report.error?.code, report.exitCode, report.pendingCount], ["STALLED", 3, 20]);
});

test("a rate limit that is known is kept, one that is not is found; either way no row is lost", async () => {
  const limited = { requestsPerMinute: 1200, requestWindowMs: 1000 }; // 20 a second: a slow machine meets that, too
  const found = await classify({ rows: 60, simulator: limited });
  assert.equal(found.report.successCount, 60);
  assert.ok((found.statistics.byStatus["429"] ?? 0) > 0);
  const kept = await classify({ rows: 60, simulator: limited, provider: { rpm: 1200 } });
  assert.equal(kept.report.successCount, 60);
  // None, but where the machine itself holds some requests up until the next window.
  assert.ok((kept.statistics.byStatus["429"] ?? 0) <= 6);
});

test("system message and schema are the same bytes for every row, and a re-ask keeps the first two messages", async () => {
  const seen: SimulatorRequest[] = [];
  const { statistics } = await classify({
    rows: 30,
    simulator: {
      fault: (request) => {
        seen.push(request);
        return seen.length === 5 ? "outOfRange" : undefined;
      },
    },
  });
  assert.equal(statistics.systemMessages, 1);
  const reAsk = seen.find(({ messages }) => messages.length === 4) ?? assert.fail("nothing was asked again");
  const asked = seen.find(
    ({ messages }) => messages.length === 2 && messages[1]?.content === reAsk.messages[1]?.content,
  );
  assert.deepEqual(reAsk.messages.slice(0, 2), asked?.messages);
});

test("an abort ends calls in flight, and their rows are pending", async () => {
  const stop = new AbortController();
  const { report } = await classify({
    rows: 40,
    simulator: { latencyMs: 60_000 },
    run: { signal: stop.signal, gracePeriodMs: 0 },
    during: async (simulator) => {
      while (simulator.statistics().requests === 0) await setTimeout(2);
      stop.abort();
    },
  });
  assert.equal(report.status, "aborted");
  assert.equal(report.pendingCount, report.readCount);
});
