// Full lane: pipelines of hundreds of rows that run again and again over a journal take seconds of CPU.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline } from "../src/builder/pipeline.ts";
import type { RunReport } from "../src/contracts/report.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import type { PipelineOptions } from "../src/pipeline/options.ts";
import { ClassifierStep } from "../src/steps/classifier.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { completion, json, type Reply, startChatServer } from "./support/chat-server.ts";
import { readLines } from "./support/run-rows.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly note: string;
}

type Service = (text: string, callNumber: number) => Reply | undefined;

const folder = temporaryFolder();
const answer = completion({
  content: JSON.stringify({ reasoning: "r", category: "Card", confidence: 0.9 }),
  refusal: null,
});
const notes = (count: number, from = 0): Note[] =>
  Array.from({ length: count }, (_, index) => ({ id: `r${from + index}`, note: `Note <${from + index}> on a card.` }));
const isNote = (text: string, numbers: readonly number[]): boolean =>
  numbers.some((number) => text.includes(`Note &lt;${number}>`));

let tables = 0;

/** A table whose rows are classified by a service that replies as it is told, in one run after the other. */
async function table(service: Service, options: Partial<PipelineOptions<Note>> = {}) {
  const server = await startChatServer();
  const held = { service };
  let calls = 0;
  server.reply = (response, request) => {
    calls += 1;
    (held.service(JSON.stringify(request.body["messages"]), calls) ?? json(200, answer))(response, request);
  };
  const path = join(folder, `table-${(tables += 1)}`);
  const sink = new MemorySink({
    columnMap: {
      id: (s: { pk: string; processed: { kind: { category: string } } }) => s.pk,
      category: (s) => s.processed.kind.category,
    },
    mergeKeys: ["id"],
  });
  const deadLetterPath = `${path}.jsonl`;
  const pipeline = (rows: readonly Note[]) =>
    new Pipeline({
      name: "notes",
      source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
      llmProvider: new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m" }),
      payloadLog: "off",
      journal: new SQLiteJournal({ path: `${path}.db` }),
      onRowError: "dead_letter",
      deadLetterPath,
      admission: { retryDelayMs: [1, 5], probeDelayMs: [5, 20], stallTimeoutMs: 60_000 },
      ...options,
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
      .to(sink);
  return {
    sink,
    server,
    run: async (rows: readonly Note[]): Promise<RunReport> => await pipeline(rows).run(),
    replay: async (rows: readonly Note[]): Promise<RunReport> => await pipeline(rows).replay(),
    deadLetters: () => readLines(deadLetterPath),
    replyWith: (next: Service) => {
      held.service = next;
    },
    callCount: () => calls,
  };
}

function counts({ exitCode, successCount, failureCount, pendingCount }: RunReport) {
  return { exitCode, successCount, failureCount, pendingCount };
}

const poisoned = [7, 40, 41, 120, 199];
const firewall = json(403, "<html><h1>403 Forbidden</h1></html>", { "content-type": "text/html" });
const badRequest = json(400, { error: { message: "Invalid 'messages[1].content'", code: "invalid_value" } });
const withPoison: Service = (text) => {
  if (isNote(text, [7, 41, 199])) return firewall;
  return isNote(text, poisoned) ? badRequest : undefined;
};

for (const concurrency of [1, 32]) {
  test(`poisoned rows fail in every run, with ${concurrency} in flight, and block neither good rows nor new ones`, async () => {
    const { run, replay, sink, deadLetters } = await table(withPoison, { concurrency });
    assert.deepEqual(counts(await run(notes(200))), {
      exitCode: 1,
      successCount: 195,
      failureCount: 5,
      pendingCount: 0,
    });
    assert.deepEqual(counts(await run(notes(200))), {
      exitCode: 1,
      successCount: 195,
      failureCount: 5,
      pendingCount: 0,
    });
    const more = [...notes(200), ...notes(100, 200)];
    assert.deepEqual(counts(await run(more)), { exitCode: 1, successCount: 295, failureCount: 5, pendingCount: 0 });
    assert.deepEqual(counts(await replay(more)), { exitCode: 1, successCount: 0, failureCount: 5, pendingCount: 0 });
    assert.equal(sink.rows.length, 295);
    assert.equal(new Set(deadLetters().map(({ pk }) => pk)).size, 5);
  });
}

test("thirty poisoned rows before all others, that are tried again every night, stop nothing", async () => {
  const many = Array.from({ length: 30 }, (_, index) => 100 + index);
  const { run, replyWith } = await table(() => undefined, { concurrency: 4 });
  await run(notes(10));
  replyWith((text) => (isNote(text, many) ? (isNote(text, many.slice(0, 15)) ? firewall : badRequest) : undefined));
  const bad = many.flatMap((number) => notes(1, number));
  for (const from of [200, 210]) {
    const report = await run([...bad, ...notes(10, from)]);
    assert.deepEqual(counts(report), { exitCode: 1, successCount: 10, failureCount: 30, pendingCount: 0 });
  }
});

test("a deployment that is deleted midway stops the run, and the rows that met it are pending, not failed", async () => {
  const gone = json(404, { error: { code: "DeploymentNotFound", message: "The deployment does not exist" } });
  for (const concurrency of [1, 8, 64]) {
    const { run, replyWith, deadLetters, callCount } = await table((_, call) => (call > 50 ? gone : undefined), {
      concurrency,
    });
    const report = await run(notes(200));
    assert.deepEqual([report.error?.code, report.exitCode], ["DEPLOYMENT_NOT_FOUND", 3]);
    assert.deepEqual([report.successCount, report.failureCount], [50, 0]);
    assert.ok(callCount() <= 50 + 20 + concurrency, String(callCount()));
    replyWith(() => undefined);
    assert.deepEqual(counts(await run(notes(200))), {
      exitCode: 0,
      successCount: 200,
      failureCount: 0,
      pendingCount: 0,
    });
    assert.deepEqual(deadLetters(), []);
  }
});

test("rows that are filtered at first hold up nobody: the others go together", async () => {
  let inFlight = 0;
  let most = 0;
  const filtered = json(400, { error: { code: "content_filter", message: "filtered" } });
  const { run } = await table((_, call) => (response, request) => {
    most = Math.max(most, (inFlight += 1));
    setTimeout(() => {
      inFlight -= 1;
      (call <= 12 ? filtered : json(200, answer))(response, request);
    }, 20);
  });
  const report = await run(notes(60));
  assert.deepEqual([report.exitCode, report.failuresByCode], [1, { CONTENT_FILTER: 12 }]);
  assert.ok(most > 8, `${most} in flight`);
});

const emptyAccounts: readonly (readonly [string, Reply, number])[] = [
  ["402", json(402, { error: { message: "Insufficient Balance", code: "invalid_request_error" } }), 1],
  ["402 without a word", (response) => void response.writeHead(402).end(), 1],
  [
    "429 insufficient_quota",
    json(429, { error: { message: "…", code: "insufficient_quota" } }, { "retry-after": "1" }),
    1,
  ],
  ["403 by its type", json(403, { error: { message: "…", type: "insufficient_user_quota" } }), 1],
  ["400 billing_hard_limit_reached", json(400, { error: { code: "billing_hard_limit_reached" } }), 1],
  ["400 in words", json(400, { error: { message: "Your credit balance is too low to access the API." } }), 2],
  ["429 in words", json(429, { error: { message: "You exceeded your current quota, please check your plan." } }), 2],
  [
    "403 in words, plain text",
    (response) => void response.writeHead(403).end("Billing hard limit has been reached"),
    2,
  ],
];
for (const [name, reply, rows] of emptyAccounts) {
  for (const answered of [0, 30]) {
    test(`an empty account (${name}) stops the run after ${answered} answers, and all rows are pending`, async () => {
      const { run, replyWith, deadLetters, callCount } = await table(
        (_, call) => (call > answered ? reply : undefined),
        {
          concurrency: 1,
        },
      );
      const report = await run(notes(60));
      assert.deepEqual([report.error?.code, report.exitCode, callCount()], ["QUOTA_EXHAUSTED", 3, answered + rows]);
      assert.deepEqual([report.successCount, report.failureCount], [answered, 0]);
      replyWith(() => undefined);
      assert.deepEqual(counts(await run(notes(60))), {
        exitCode: 0,
        successCount: 60,
        failureCount: 0,
        pendingCount: 0,
      });
      assert.deepEqual(deadLetters(), []);
    });
  }
}

const rowsOwn: readonly (readonly [string, Reply, string])[] = [
  [
    "429, too large",
    json(
      429,
      { error: { message: "Request too large: Limit 30000, Requested 61337.", type: "tokens" } },
      { "retry-after-ms": "20" },
    ),
    "CONTEXT_LENGTH_EXCEEDED",
  ],
  [
    "400 with a list as param",
    json(400, { error: { param: ["a"], code: "context_length_exceeded" } }),
    "CONTEXT_LENGTH_EXCEEDED",
  ],
  ["403 of a firewall", firewall, "FORBIDDEN"],
  ["302 to a page of a firewall", json(302, {}, { location: "/blocked" }), "BAD_REQUEST"],
  ["422 of FastAPI", json(422, { detail: [{ type: "x", loc: ["body"], msg: "not this" }] }), "BAD_REQUEST"],
];
for (const [name, reply, code] of rowsOwn) {
  test(`one row that gets a ${name} fails alone, with one call, also as the first row and with one in flight`, async () => {
    for (const bad of [0, 13]) {
      for (const concurrency of [1, 32]) {
        const { run, deadLetters, callCount } = await table((text) => (isNote(text, [bad]) ? reply : undefined), {
          concurrency,
        });
        const report = await run(notes(30));
        assert.deepEqual([report.exitCode, report.successCount, report.failuresByCode], [1, 29, { [code]: 1 }]);
        assert.deepEqual([deadLetters().length, callCount()], [1, 30]);
      }
    }
  });
}

test("the service's words stand in the dead letter file", async () => {
  const { run, deadLetters } = await table(() =>
    json(422, { detail: [{ type: "x", loc: ["body", "temperature"], msg: "Not permitted" }] }),
  );
  await run(notes(2));
  for (const line of deadLetters()) assert.match(String(line["error_message"]), /body\.temperature.*Not permitted/);
});

test("a row that is quoted and speaks of its credit balance fails, and the others are written", async () => {
  const quoting: Service = (text) =>
    text.includes("credit balance")
      ? json(400, { error: { message: "Invalid: 'my credit balance is too low'" } })
      : undefined;
  const { run } = await table(quoting, { concurrency: 1 });
  const rows = notes(40).map(({ id, note }, index) => ({
    id,
    note: index < 2 ? `my credit balance is too low` : note,
  }));
  const report = await run(rows.map((row, index) => ({ ...row, note: `${row.note} ${index}` })));
  assert.deepEqual(counts(report), { exitCode: 1, successCount: 38, failureCount: 2, pendingCount: 0 });
});
