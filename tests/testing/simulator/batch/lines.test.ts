import assert from "node:assert/strict";
import { test } from "node:test";
import { BatchClient, inputLine, inputLines, type ShownLine } from "../../../support/batch-client.ts";
import { chat, completionIn, errorIn, send, simulatorFor } from "../../../support/simulator.ts";

const idsOf = (lines: readonly ShownLine[]): string[] => lines.map(({ custom_id: id }) => id).toSorted();
const bodyOf = ({ response }: ShownLine): { body: string } => ({ body: JSON.stringify(response?.body) });

test("a line that the service rejects stands in the error file, with the status and the body that it gets online", async (context) => {
  const simulator = await simulatorFor(context, {
    fault: ({ body }) => (body["user"] === "bad" ? "contentFilterPrompt" : undefined),
  });
  const client = new BatchClient(simulator);
  const lines = [
    inputLine("good"),
    inputLine("filtered", chat("x", { user: "bad" })),
    inputLine("no messages", { model: "gpt-test", messages: [] }),
  ];
  const batch = await client.run(lines.join("\n"));
  assert.deepEqual(batch.request_counts, { total: 3, completed: 1, failed: 2 });
  assert.deepEqual(idsOf(await client.lines(batch.output_file_id)), ["good"]);
  const errors = await client.lines(batch.error_file_id);
  assert.deepEqual(idsOf(errors), ["filtered", "no messages"]);
  const found = errors.map((line) => [line.response?.status_code, errorIn(bodyOf(line)).code, line.error]);
  assert.deepEqual(
    new Set(found),
    new Set([
      [400, null, null],
      [400, "content_filter", null],
    ]),
  );
  const { lines: counts } = simulator.batches();
  assert.deepEqual(counts["filtered"], { submitted: 1, workedOn: 1, billed: 1 }, "a filtered prompt is billed");
  assert.deepEqual(counts["no messages"], { submitted: 1, workedOn: 1, billed: 0 });
  assert.equal(simulator.bill().byTier["batch"]?.requests, 2);
});

test("faults of answers are those of online calls, also where the deployment of batches has another name", async (context) => {
  const faults = { invalidJSON: 0.2, wrongEnum: 0.2, refusal: 0.2 };
  const online = await simulatorFor(context, { faults });
  const offline = await simulatorFor(context, { faults, batch: { faultsOf: { "gpt-batch": "gpt-test" } } });
  const client = new BatchClient(offline);
  const rows = Array.from({ length: 40 }, (_, index) => `Row ${index}`);
  const batch = await client.run(rows.map((row) => inputLine(row, chat(row, { model: "gpt-batch" }))).join("\n"));
  for (const line of await client.lines(batch.output_file_id)) {
    const { body } = await send(online, { body: chat(line.custom_id) });
    const [one, other] = [completionIn(bodyOf(line)), completionIn({ body })];
    assert.deepEqual([one.content, one.refusal, one.finishReason], [other.content, other.refusal, other.finishReason]);
    assert.equal(one.model, "gpt-batch");
  }
  assert.deepEqual(offline.statistics().byFault, online.statistics().byFault);
  assert.equal(Object.keys(faults).length, Object.keys(offline.statistics().byFault).length);
});

test("no line meets a fault of connections", async (context) => {
  const faults = {
    connectionReset: 0.2,
    hang: 0.2,
    html: 0.2,
    stalledBody: 0.1,
    truncatedBody: 0.1,
    resetAfterBilling: 0.2,
  };
  const simulator = await simulatorFor(context, { faults });
  const batch = await new BatchClient(simulator).run(inputLines(40));
  assert.deepEqual(batch.request_counts, { total: 40, completed: 40, failed: 0 });
  assert.deepEqual([simulator.statistics().byFault, simulator.bill().requests], [{}, 40]);
});

test("shares of the lines fail, get lost, come twice, and bring some that nobody sent", async (context) => {
  const share = 0.2;
  const batch = { failedLines: share, missingLines: share, doubledLines: share, unknownLines: share };
  const simulator = await simulatorFor(context, { batch: { ...batch, failedLineStatus: 429 } });
  const client = new BatchClient(simulator);
  const shown = await client.run(inputLines(100));
  const [output, errors] = [await client.lines(shown.output_file_id), await client.lines(shown.error_file_id)];
  const ours = output.filter(({ custom_id: id }) => id.startsWith("r")).map(({ custom_id: id }) => id);
  const counts = {
    failed: errors.length,
    doubled: ours.length - new Set(ours).size,
    unknown: output.length - ours.length,
    missing: 100 - errors.length - new Set(ours).size,
  };
  for (const [name, count] of Object.entries(counts)) assert.ok(count > 8 && count < 35, `${name} ${count}`);
  assert.ok(errors.every(({ response }) => response?.status_code === 429));
  assert.deepEqual(shown.request_counts, { total: 100, completed: 100 - counts.failed, failed: counts.failed });
  const { lines } = simulator.batches();
  assert.equal(
    Object.values(lines).filter(({ billed }) => billed === 1).length,
    100 - counts.failed,
    "lost ones are billed",
  );
  const again = await client.run(errors.map(({ custom_id: id }) => inputLine(id)).join("\n"));
  assert.ok((again.request_counts?.failed ?? 0) < errors.length, "another draw");
  assert.equal(simulator.batches().lines[errors[0]?.custom_id ?? ""]?.submitted, 2);
});

test("a function chooses the faults of lines by their ids, before the shares", async (context) => {
  const told: [string, number][] = [];
  const simulator = await simulatorFor(context, {
    batch: {
      missingLines: 1,
      lineFault: (customId, submitted) => {
        told.push([customId, submitted]);
        return customId === "r1" ? "doubledLines" : customId === "r2" && submitted === 1 ? "failedLines" : undefined;
      },
    },
  });
  const client = new BatchClient(simulator);
  const first = await client.run(inputLines(3));
  assert.deepEqual(idsOf(await client.lines(first.output_file_id)), ["r1", "r1"]);
  assert.deepEqual(idsOf(await client.lines(first.error_file_id)), ["r2"]);
  const second = await client.run(inputLine("r2"));
  assert.deepEqual(second.request_counts, { total: 1, completed: 1, failed: 0 });
  assert.equal(second.output_file_id, null, "an output file without lines is none");
  assert.deepEqual(told.toSorted(), [
    ["r0", 1],
    ["r1", 1],
    ["r2", 1],
    ["r2", 2],
  ]);
});

test("the lines count in the statistics of answers, and not in those of requests", async (context) => {
  const simulator = await simulatorFor(context);
  const client = new BatchClient(simulator);
  await client.run(inputLines(3));
  await client.run(inputLines(3));
  const { requests, repeatedRequests, promptTokens, concurrency } = simulator.statistics();
  assert.deepEqual([requests, repeatedRequests, concurrency], [0, 3, 0]);
  assert.equal(promptTokens, simulator.bill().promptTokens);
  assert.equal(simulator.bill().inWork, 0);
});
