import assert from "node:assert/strict";
import { test } from "node:test";
import { OptionError } from "../../../../src/errors/option.ts";
import type { SimulatorBatchOptions } from "../../../../src/testing/simulator/batch/options.ts";
import { startAzureOpenAISimulator } from "../../../../src/testing/simulator/server.ts";
import { BatchClient, inputLines } from "../../../support/batch-client.ts";
import { simulatorFor } from "../../../support/simulator.ts";

test("a batch shows itself in the ways of the services", async (context) => {
  const simulator = await simulatorFor(context, {
    batch: { stepMs: (step) => (step === "in_progress" ? Infinity : 0) },
  });
  const client = new BatchClient(simulator);
  const { id } = await client.create(await client.upload(inputLines(1)));
  await client.whenIts(id, "in_progress");
  const shown = async (batch: SimulatorBatchOptions): Promise<Record<string, unknown>> => {
    simulator.update({ batch });
    return { ...(await client.poll(id)) };
  };
  const statuses = [];
  for (const statusCase of ["lower", "capitals", "upper"] as const)
    statuses.push((await shown({ statusCase }))["status"]);
  assert.deepEqual(statuses, ["in_progress", "In_Progress", "IN_PROGRESS"]);
  assert.equal((await shown({ noFileId: "empty" }))["output_file_id"], "");
  assert.equal((await shown({ noFileId: "null" }))["error_file_id"], null);
  assert.ok(!("output_file_id" in (await shown({ noFileId: "missing" }))));
  assert.equal((await shown({ requestCounts: false }))["request_counts"], null);
});

test("an error file is always there, if the options say so, and is empty without errors", async (context) => {
  const client = new BatchClient(await simulatorFor(context, { batch: { errorFile: "always" } }));
  const batch = await client.run(inputLines(3));
  const received = await client.send("GET", `/files/${batch.error_file_id}/content`);
  assert.deepEqual([received.status, received.body, received.headers["content-length"]], [200, "", "0"]);
});

test("the list has pages, the newest first, without fields that the options omit", async (context) => {
  const simulator = await simulatorFor(context);
  const client = new BatchClient(simulator);
  assert.deepEqual(await client.list(), { data: [], first_id: null, last_id: null, has_more: false });
  const file = await client.upload(inputLines(1));
  const made: string[] = [];
  for (let count = 0; count < 25; count += 1)
    made.unshift((await client.create(file, { metadata: { n: String(count) } })).id);
  const listed: string[] = [];
  let after = "";
  for (;;) {
    const page = await client.list(`?limit=10${after}`);
    listed.push(...page.data.map(({ id }) => id));
    assert.deepEqual([page.first_id, page.last_id], [page.data[0]?.id, page.data.at(-1)?.id]);
    if (!page.has_more) break;
    after = `&after=${page.last_id}`;
  }
  assert.deepEqual(listed, made);
  assert.equal((await client.list()).data.length, 20);
  assert.equal((await client.list()).data[0]?.metadata?.["n"], "24");
  for (const wrong of ["?limit=0", "?limit=101", "?limit=x", "?after=none"]) {
    assert.equal((await client.send("GET", `/batches${wrong}`)).status, 400, wrong);
  }
  simulator.update({ batch: { listOmits: ["metadata", "input_file_id"] } });
  const [entry] = (await client.list()).data;
  assert.ok(entry !== undefined && !("metadata" in entry) && !("input_file_id" in entry));
  assert.equal((await client.poll(entry.id)).input_file_id, file, "a poll has them");
  simulator.update({ batch: { mayList: false } });
  assert.equal((await client.send("GET", "/batches")).status, 403);
});

test("a list may come to know of a batch late", async (context) => {
  const client = new BatchClient(await simulatorFor(context, { batch: { listLag: 2 } }));
  const { id } = await client.create(await client.upload(inputLines(1)));
  const listed = [];
  for (let count = 0; count < 4; count += 1) listed.push((await client.list()).data.length);
  assert.deepEqual(listed, [0, 0, 1, 1]);
  assert.equal((await client.poll(id)).id, id);
});

test("options with wrong values are rejected", async () => {
  const wrong: readonly object[] = [
    { stepMs: -1 },
    { stepMs: "5" },
    { failedLines: 1.1 },
    { failedLines: 0.6, missingLines: 0.6 },
    { statusCase: "mixed" },
    { listOmits: ["id"] },
    { failedLineStatus: 200 },
    { expires: 2 },
    { faults: { hang: 0.1 } },
    { faults: { lostAnswer: 0.6, rateLimit: 0.6 } },
    { unknown: 1 },
  ];
  for (const batch of wrong) {
    await assert.rejects(startAzureOpenAISimulator({ batch }), OptionError, JSON.stringify(batch));
  }
});
