import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { OpenAICompatibleProvider } from "../../../src/llm/providers/openai-compatible.ts";
import { SQLiteJournal } from "../../../src/journals/sqlite.ts";
import { ClassifierStep } from "../../../src/steps/classifier.ts";
import { completion, fine, json, type Reply, startChatServer } from "../../support/chat-server.ts";
import { type Note, runNotes } from "../../support/run-rows.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const server = await startChatServer();
const folder = temporaryFolder();
afterEach(() => {
  server.seen.length = 0;
  server.reply = fine;
});

const prices = { inputPerMillion: 100, cachedInputPerMillion: 100, outputPerMillion: 100, currency: "EUR" };
const provider = (options: object = {}) =>
  new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m", prices, ...options });
const step = new ClassifierStep({
  name: "topic",
  taxonomy: [
    { name: "billing", definition: "money" },
    { name: "delivery", definition: "parcels" },
  ],
  inputMap: { text: (state: { raw: Note }) => state.raw.text },
  outputKey: "out",
});
const output = { reasoning: "r", category: "billing", confidence: 0.9 };
const good = completion({ content: JSON.stringify(output) });
const notes: readonly Note[] = ["invoice", "parcel", "refund"].map((text, index) => ({ id: `${index}`, text }));
const newFolder = (): string => mkdtempSync(join(folder, "run "));
const quick = { admission: { retryDelayMs: [1, 2], probeDelayMs: [1, 2] } } as const;

/** Gives `reply` to every call of one note, and a good answer to the others. */
function only(note: string, reply: Reply): Reply {
  return (response, seen) => (seen.text.includes(`<text>\\n${note}`) ? reply : json(200, good))(response, seen);
}

test("an error that the tokens ran out is asked again with twice the tokens, and neither is paid again", async () => {
  const message = "Could not finish the message because max_tokens or model output limit was reached.";
  server.reply = (response, seen) => {
    const isEnough = Number(seen.body["max_completion_tokens"]) >= 5000;
    (isEnough ? json(200, good) : json(400, { error: { message } }))(response, seen);
  };
  const { report } = await runNotes({
    ...{ folder: newFolder(), step, provider: provider({ reasoning: true }) },
    notes: ["1", "2", "3"].map((id) => ({ id, text: "the same" })),
    options: { journal: new SQLiteJournal({ path: join(newFolder(), "journal.db") }) },
  });
  assert.deepEqual([report.successCount, report.usage.calls, report.usage.estimatedCalls], [3, 2, 1]);
  assert.deepEqual(
    server.seen.map(({ body }) => body["max_completion_tokens"]),
    [2560, 5120],
  );
});

test("a choice without a message that was cut off fails its row after two calls, with the tokens that were sent", async () => {
  server.reply = json(200, {
    choices: [{ index: 0, finish_reason: "length" }],
    usage: { prompt_tokens: 20, total_tokens: 20 },
  });
  const { report, deadLetters } = await runNotes({
    ...{ folder: newFolder(), notes: notes.slice(0, 1), step, provider: provider({ reasoning: true }) },
  });
  assert.deepEqual([report.failuresByCode, server.seen.length], [{ OUTPUT_TRUNCATED: 1 }, 2]);
  assert.match(String(deadLetters[0]?.["error_message"]), /2560.*5120/);
});

test("an error that the service could make no JSON is asked again as an invalid answer, with the reason", async () => {
  const error = {
    message: "Failed to generate JSON.",
    code: "json_validate_failed",
    failed_generation: '{"reasoning":',
  };
  server.reply = only("invoice", (response, seen) => {
    (seen.text.includes('"assistant"') ? json(200, good) : json(400, { error }))(response, seen);
  });
  const { report } = await runNotes({ folder: newFolder(), notes, step, provider: provider() });
  assert.deepEqual([report.successCount, report.usage.reAsks, server.seen.length], [3, 1, 4]);
  const messages = server.seen[1]?.body["messages"];
  assert.ok(Array.isArray(messages) && JSON.stringify(messages.at(-1)).includes("not valid JSON"));
});

test("an error inside a 200 is tried again as the error that it is", async () => {
  let count = 0;
  server.reply = (response, seen) => {
    count += 1;
    (count === 1 ? json(200, { error: { code: 502, message: "bad gateway" } }) : json(200, good))(response, seen);
  };
  const { report } = await runNotes({ folder: newFolder(), notes, step, provider: provider(), options: quick });
  assert.deepEqual([report.successCount, server.seen.length], [3, 4]);
});

test("tokens that the service did not count are estimated in report and payload log, and stop a run at its cost", async () => {
  server.reply = json(200, { ...good, usage: null });
  const { report, payloads } = await runNotes({ folder: newFolder(), notes, step, provider: provider() });
  assert.deepEqual([report.successCount, report.usage.calls, report.usage.estimatedCalls], [3, 3, 3]);
  assert.ok((report.cost?.amount ?? 0) > 0 && report.usage.inputTokens > 100);
  assert.ok(payloads.every(({ usage }) => typeof usage === "object" && usage !== null && "estimated" in usage));
  const options = { maxCost: (report.cost?.amount ?? 0) / 3 };
  const stopped = await runNotes({ folder: newFolder(), notes, step, provider: provider(), options });
  assert.equal(stopped.report.error?.code, "LIMIT_REACHED");
  assert.ok(stopped.report.usage.calls < 3);

  server.reply = json(200, good);
  const counted = await runNotes({ folder: newFolder(), notes, step, provider: provider() });
  assert.equal(counted.report.usage.estimatedCalls, undefined);
  assert.ok(counted.payloads.every(({ usage }) => !JSON.stringify(usage).includes("estimated")));
});

test("absurd counts never make a cost that is negative or endless", async () => {
  for (const usage of [
    { prompt_tokens: -1e9, completion_tokens: -1 },
    { prompt_tokens: 1e300, completion_tokens: "NaN" },
  ]) {
    server.reply = json(200, { ...good, usage });
    const { report } = await runNotes({ folder: newFolder(), notes, step, provider: provider() });
    const { amount } = report.cost ?? { amount: -1 };
    assert.ok(report.successCount === 3 && amount > 0 && amount < 1, String(amount));
  }
});

test("an answer that is too large fails its row after one call, and the others are written", async () => {
  server.reply = only("parcel", json(200, completion({ content: "x".repeat(5000) })));
  const options = { maxResponseBytes: 4000 };
  const { report } = await runNotes({ folder: newFolder(), notes, step, provider: provider(options), options: quick });
  assert.deepEqual([report.successCount, report.failuresByCode], [2, { INVALID_RESPONSE: 1 }]);
  assert.equal(server.seen.length, 3);
});

test("text around the JSON costs no re-ask where no schema is enforced", async () => {
  const content = `<think>\nThe invoice {"category":"delivery"} maybe\n</think>\n\n${JSON.stringify(output)}`;
  server.reply = json(200, completion({ content }));
  const { report, outputs } = await runNotes({
    folder: newFolder(),
    notes,
    step,
    provider: provider({ dialect: "none" }),
  });
  assert.deepEqual([report.successCount, server.seen.length], [3, 3]);
  assert.deepEqual(outputs[0], output);
});

test("values of headers are in no report, log or dead letter", async () => {
  server.reply = json(400, { error: { message: "no" } });
  const secret = "secret-of-a-gateway";
  const ran = await runNotes({
    folder: newFolder(),
    notes,
    step,
    provider: provider({ headers: { "x-key": secret } }),
  });
  assert.equal(server.seen[0]?.headers["x-key"], secret);
  assert.ok(!JSON.stringify([ran.report, ran.payloads, ran.deadLetters, ran.report.error?.message]).includes(secret));
});
