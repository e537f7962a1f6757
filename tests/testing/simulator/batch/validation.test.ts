import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchClient, inputLine, inputLines } from "../../../support/batch-client.ts";
import { chat, errorIn, send, simulatorFor } from "../../../support/simulator.ts";

const good = inputLine("a");

const wrongFiles: readonly (readonly [string, string, string, number | null])[] = [
  ["a line that is no JSON", `${good}\n{"custom_id"`, "invalid_json_line", 2],
  ["a line that is no object", `${good}\n[]`, "invalid_json_line", 2],
  ["a byte order mark", `\u{feff}${good}`, "invalid_json_line", 1],
  ["an id that comes twice", `${good}\n${good}`, "duplicate_custom_id", 2],
  ["a line without an id", inputLine("", chat("x")), "missing_required_parameter", 1],
  ["another url", inputLine("b", chat("x"), { url: "/v1/responses" }), "url_mismatch", 1],
  ["another method", inputLine("b", chat("x"), { method: "GET" }), "invalid_method", 1],
  ["two models", `${good}\n${inputLine("b", chat("x", { model: "gpt-b" }))}`, "model_mismatch", 2],
  ["no model", inputLine("b", { messages: [] }), "invalid_request", 1],
  ["a deployment that is not there", inputLine("b", chat("x", { model: "none" })), "model_not_found", 1],
  ["a deployment without batches", inputLine("b", chat("x", { model: "gpt-online" })), "invalid_request", 1],
  ["more lines than a file may have", inputLines(6), "too_many_tasks", null],
  ["no lines", "\n\r\n", "empty_file", null],
];

for (const [what, content, code, line] of wrongFiles) {
  test(`the batch fails as a whole for ${what}, and nothing is worked on`, async (context) => {
    const simulator = await simulatorFor(context, {
      deployments: ["gpt-test", "gpt-b", "gpt-online"],
      batch: { maxLines: 5, deployments: ["gpt-test", "gpt-b"] },
    });
    const client = new BatchClient(simulator);
    const batch = await client.run(content);
    assert.equal(batch.status, "failed");
    assert.deepEqual([batch.errors?.data[0]?.code, batch.errors?.data[0]?.line], [code, line]);
    assert.deepEqual([batch.output_file_id, batch.error_file_id], [null, null]);
    assert.deepEqual(simulator.batches().lines, {});
    assert.equal(simulator.bill().requests, 0);
  });
}

test("lines may end with CR LF, be blank, and be many; both forms of the endpoint are one", async (context) => {
  const simulator = await simulatorFor(context);
  const client = new BatchClient(simulator);
  const long = inputLine("long", chat("x".repeat(200_000)), { url: "/chat/completions" });
  const batch = await client.run(`${good}\r\n\r\n\n${long}\n${inputLine("ü\u{2028}ö")}\n`);
  assert.deepEqual(batch.request_counts, { total: 3, completed: 3, failed: 0 });
  const ids = (await client.lines(batch.output_file_id)).map(({ custom_id: id }) => id);
  assert.deepEqual(ids.toSorted(), ["a", "long", "ü\u{2028}ö"].toSorted());
});

test("a file that is deleted before the validation is an error of the batch, and one deleted later is none", async (context) => {
  for (const [step, status] of [
    ["validating", "failed"],
    ["in_progress", "completed"],
  ] as const) {
    const open = Promise.withResolvers<number>();
    const stepMs = async (at: string): Promise<number> => (at === step ? await open.promise : 0);
    const client = new BatchClient(await simulatorFor(context, { batch: { stepMs } }));
    const file = await client.upload(inputLines(3));
    const { id } = await client.create(file);
    await client.whenIts(id, step);
    await client.send("DELETE", `/files/${file}`);
    open.resolve(0);
    const batch = await client.whenIts(id, "completed");
    assert.equal(batch.status, status);
    assert.equal(batch.errors?.data[0]?.code, status === "failed" ? "invalid_request" : undefined);
  }
});

test("a file that is too large is a 413, and its client sees it", async (context) => {
  const simulator = await simulatorFor(context, { batch: { maxFileBytes: 1000 } });
  const client = new BatchClient(simulator);
  for (const bytes of [1001, 5_000_000]) assert.equal((await client.sendUpload("x".repeat(bytes))).status, 413);
  assert.equal((await client.sendUpload("x".repeat(1000))).status, 200);
  assert.equal(simulator.batches().files.length, 1);
});

test("the first creates, or those beyond the enqueued tokens, get token_limit_exceeded, as an answer or as a failed batch", async (context) => {
  const simulator = await simulatorFor(context, { batch: { rejectedCreates: 2 } });
  const client = new BatchClient(simulator);
  const file = await client.upload(inputLines(2));
  for (const status of [400, 400, 200]) {
    const received = await client.sendCreate(file);
    assert.equal(received.status, status);
    if (status === 400) assert.equal(errorIn(received).code, "token_limit_exceeded");
  }
  assert.equal(simulator.batches().batches.length, 1);
  const tokens = Math.ceil((simulator.batches().files[0]?.bytes ?? 0) / 4);
  simulator.reset();
  simulator.update({
    batch: {
      maxEnqueuedTokens: tokens,
      tokenLimitAt: "validation",
      stepMs: (step) => (step === "in_progress" ? Infinity : 1),
    },
  });
  const [one, two] = [await client.upload(inputLines(2)), await client.upload(inputLines(2))];
  const { id } = await client.create(one);
  const full = await client.whenIts((await client.create(two)).id, "failed");
  assert.equal(full.errors?.data[0]?.code, "token_limit_exceeded");
  await client.send("POST", `/batches/${id}/cancel`);
  await client.whenIts(id, "cancelled");
  const next = await client.create(two);
  assert.equal((await client.whenIts(next.id, "in_progress")).status, "in_progress");
});

test("a deployment of batches takes no other requests", async (context) => {
  const simulator = await simulatorFor(context, { batch: { deployments: ["gpt-batch"] } });
  const received = await send(simulator, { body: chat("x", { model: "gpt-batch" }) });
  assert.deepEqual([received.status, errorIn(received).code], [400, "OperationNotSupported"]);
  assert.equal((await send(simulator, { body: chat("x") })).status, 200);
});
