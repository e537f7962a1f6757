import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PayloadLogError } from "../../../src/errors/journal.ts";
import { type LLMEtlError, RowError } from "../../../src/errors/llm-etl-error.ts";
import { PayloadLog, type PayloadLogOptions } from "../../../src/llm/call/payload-log.ts";
import { usageOf } from "../../../src/llm/call/recorded.ts";
import type { Attempt } from "../../../src/llm/call/row-call.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMProvider } from "../../../src/contracts/provider.ts";
import { readLines } from "../../support/run-rows.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
let files = 0;

const provider: LLMProvider = {
  name: "azure-openai",
  fingerprint: () => "",
  complete: async () => await Promise.reject(new Error("is not called")),
};

const payload: Attempt = {
  step: "visit_classifier",
  pk: "enc_12345",
  provider,
  request: {
    messages: [
      { role: "system", content: "Classify." },
      { role: "user", content: "Jane Doe fell." },
    ],
    schema: { name: "out", json: { type: "object" } },
    temperature: 0,
    maxOutputTokens: 512,
    cacheKey: "key",
  },
  response: {
    text: '{"category":"Emergency","confidence":0.92,"reasoning":"Jane Doe fell"}',
    finishReason: "stop",
    model: "gpt-4o",
    usage: { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 },
  },
  error: null,
  promptHash: "abc",
  kind: "first",
  issueCodes: [],
  waitMs: 0,
  retryCount: 0,
  startedAt: new Date("2025-02-02T10:30:00Z"),
  latencyMs: 450.4,
  usage: { inputTokens: 812, cachedTokens: 640, outputTokens: 61, reasoningTokens: 7 },
  cost: null,
  currency: null,
};

const failed = (error: LLMEtlError): Attempt => ({ ...payload, response: null, error, usage: usageOf(error) });

/** Logs payloads to a new file (or the given one) and gives what the file then holds. */
async function log(
  payloads: readonly Attempt[],
  options: Partial<PayloadLogOptions> = {},
): Promise<{ path: string; text: string }> {
  files += 1;
  const path = join(folder, `logs ${files}`, "llm_payloads.jsonl");
  const given = {
    path,
    runId: "run-1",
    level: "full",
    redact: (text: string) => text,
    maxBytes: 1024 ** 3,
    ...options,
  } as const;
  const file = await PayloadLog.open(given);
  for (const each of payloads) await file.add(each);
  await file.close();
  return { path: given.path, text: readFileSync(given.path, "utf8") };
}

test("a line has the keys of the design, in its order, byte for byte", async () => {
  const { text } = await log([payload]);
  assert.equal(
    text,
    '{"timestamp":"2025-02-02T10:30:00.000Z","run_id":"run-1","step":"visit_classifier","pk":"enc_12345",' +
      '"request":{"messages":[{"role":"system","content":"Classify."},{"role":"user","content":"Jane Doe fell."}],"model":"gpt-4o"},' +
      '"response":{"category":"Emergency","confidence":0.92,"reasoning":"Jane Doe fell"},' +
      '"retry_count":0,"latency_ms":450,"usage":{"input_tokens":812,"cached_tokens":640,"output_tokens":61},"error":null}\n',
  );
});

test("the file has mode 0600 under any umask, and is appended to", async () => {
  const before = process.umask(0);
  try {
    const { path } = await log([payload]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await log([{ ...payload, retryCount: 1 }], { path });
    assert.deepEqual(
      readLines(path).map(({ retry_count: count }) => count),
      [0, 1],
    );
  } finally {
    process.umask(before);
  }
});

test("a line that a crash cut off is ended first", async () => {
  const path = join(folder, "torn", "log.jsonl");
  mkdirSync(join(path, ".."));
  writeFileSync(path, '{"timestamp":"2025');
  const { text } = await log([payload], { path });
  assert.match(text, /^\{"timestamp":"2025\n\{"timestamp":"2025-02-02T.*\}\n$/);
});

test("with payloadLogKeepDays the lines of earlier runs leave the file once they are older", async () => {
  const days = (count: number): Attempt => ({ ...payload, startedAt: new Date(Date.now() - count * 86_400_000) });
  const { path } = await log([days(40), days(20)]);
  assert.equal(readLines(path).length, 2);
  await log([days(0)], { path });
  assert.equal(readLines(path).length, 3, "all are kept by default");
  await log([days(0)], { path, keepDays: 30 });
  assert.equal(readLines(path).length, 3);
});

test("at payloadLogMaxBytes the file is renamed and begun anew", async () => {
  const { path } = await log([payload, payload, payload], { maxBytes: 700 });
  const names = readdirSync(join(path, "..")).filter((name) => !name.endsWith(".lock"));
  assert.equal(names.length, 2);
  const counts = names.map((name) => readLines(join(path, "..", name)).length);
  assert.deepEqual(counts.toSorted(), [1, 2]);
  assert.equal(readLines(path).length, 1);
});

test("an answer that is not JSON is logged as the text that it is", async () => {
  const { path } = await log([{ ...payload, response: { ...(payload.response ?? fail()), text: "no {JSON" } }]);
  assert.equal(readLines(path)[0]?.["response"], "no {JSON");
});

test("a call without an answer has the error, with status and request id, and the provider's name for the model", async () => {
  const facts = { status: 400, requestId: "req-1", detail: "400: it said Jane Doe" };
  const { path } = await log([failed(new ProviderError("row", "BAD_REQUEST", "400", facts))]);
  const [line] = readLines(path);
  assert.deepEqual(line?.["error"], {
    ...{ code: "BAD_REQUEST", message: "400: it said Jane Doe", status: 400, request_id: "req-1" },
  });
  assert.equal(line["response"], null);
  assert.equal(JSON.stringify(line["request"]).endsWith('"model":"azure-openai"}'), true);
  assert.deepEqual(line["usage"], { input_tokens: 0, cached_tokens: 0, output_tokens: 0 });
});

test("what a failed call cost is logged where the service said so, and an error of another kind has no status", async () => {
  const usage = { inputTokens: 3, cachedTokens: 1, outputTokens: 2, reasoningTokens: 0 };
  const { path } = await log([
    failed(new ProviderError("row", "OUT", "out", { usage })),
    failed(new RowError("OWN", "own")),
  ]);
  const [first, second] = readLines(path);
  assert.deepEqual(first?.["usage"], { input_tokens: 3, cached_tokens: 1, output_tokens: 2 });
  assert.deepEqual(first["error"], { code: "OUT", message: "out", status: null, request_id: null });
  assert.deepEqual(second?.["error"], { code: "OWN", message: "own" });
});

test("metadata holds no content: no message, no answer, no words of the service", async () => {
  const error = new ProviderError("row", "BAD_REQUEST", "400", { detail: "400: it said Jane Doe" });
  const { text } = await log([payload, { ...payload, error }], { level: "metadata" });
  assert.ok(!/Jane|Classify|Emergency|category/.test(text), text);
  assert.match(text, /"request":\{"model":"gpt-4o"\},"response":null,"retry_count":0/);
});

test("redact is applied to every message, every answer and what the service said", async () => {
  const redact = (text: string): string => text.replaceAll("Jane Doe", "***");
  const error = new ProviderError("row", "BAD_REQUEST", "400", { detail: "400: it said Jane Doe" });
  const { text } = await log([payload, failed(error)], { redact });
  assert.ok(!text.includes("Jane"));
  assert.match(text, /"content":"\*\*\* fell\."/);
  assert.match(text, /"reasoning":"\*\*\* fell"/);
  assert.match(text, /it said \*\*\*/);
});

test("a redact that throws ends the run, and what it threw is not in the message", async () => {
  const redact = (text: string): never => {
    throw new RangeError(text);
  };
  await assert.rejects(log([payload], { redact }), (error) => {
    assert.ok(error instanceof PayloadLogError);
    assert.match(error.message, /redact threw RangeError at /);
    assert.ok(!/Jane|Classify/.test(error.message + error.detail));
    return true;
  });
});

test(
  "a full disk is an error that ends the run",
  { skip: existsSync("/dev/full") ? false : "there is no /dev/full" },
  async () => {
    await assert.rejects(log([payload], { path: "/dev/full" }), (error) => {
      assert.ok(error instanceof PayloadLogError);
      assert.equal(error.code, "PAYLOAD_LOG_FAILED");
      assert.equal(error.scope, "run");
      assert.match(error.message, /\/dev\/full .*ENOSPC/);
      return true;
    });
  },
);

test("a path that can't be opened is refused", async () => {
  await assert.rejects(
    log([payload], { path: folder }),
    (error) => error instanceof PayloadLogError && /EISDIR/.test(error.message),
  );
});

function fail(): never {
  throw new Error("the payload above has a response");
}

test("what the attempt cost stands in its line where a price is known", async () => {
  const { text } = await log([{ ...payload, cost: 0.0125, currency: "EUR" }]);
  assert.deepEqual(JSON.parse(text).cost, { amount: 0.0125, currency: "EUR" });
});
