import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BatchClient, inputLine, inputLines } from "../../../support/batch-client.ts";
import { chat, completionIn, errorIn, send, simulatorFor } from "../../../support/simulator.ts";

const prices = { inputPerMillion: 2, cachedInputPerMillion: 2, outputPerMillion: 8, currency: "USD" };

describe("a batch", () => {
  test("every way to the APIs uploads, creates, polls and downloads", async (context) => {
    const simulator = await simulatorFor(context);
    const dated = "?api-version=2025-04-01-preview";
    for (const [prefix, query] of [
      ["/openai/v1", ""],
      ["/v1", ""],
      ["", ""],
      ["/openai", dated],
      ["/openai/deployments/gpt-test", dated],
    ] as const) {
      const client = new BatchClient(simulator, prefix, query);
      const batch = await client.run(inputLines(20), { metadata: { ours: "s1" } });
      assert.equal(batch.status, "completed", prefix);
      assert.deepEqual(batch.request_counts, { total: 20, completed: 20, failed: 0 });
      assert.deepEqual([batch.metadata, batch.error_file_id], [{ ours: "s1" }, null]);
      const ids = (await client.lines(batch.output_file_id)).map(({ custom_id: id }) => id);
      const sent = Array.from({ length: 20 }, (_, index) => `r${index}`);
      assert.deepEqual(ids.toSorted(), sent.toSorted());
      assert.notDeepEqual(ids, sent, "in another order");
    }
    assert.equal((await new BatchClient(simulator, "/openai").send("GET", "/batches")).status, 404, "no api-version");
  });

  test("the same request has the same answer online and in a batch, which costs half", async (context) => {
    const online = await simulatorFor(context, { prices });
    const offline = await simulatorFor(context, { prices });
    const client = new BatchClient(offline);
    const batch = await client.run(["a", "b", "c"].map((id) => inputLine(id, chat(`Row ${id}`))).join("\n"));
    for (const { custom_id: id, response } of await client.lines(batch.output_file_id)) {
      const { body } = await send(online, { body: chat(`Row ${id}`) });
      assert.equal(response?.status_code, 200);
      assert.equal(completionIn({ body: JSON.stringify(response.body) }).content, completionIn({ body }).content);
    }
    const [dear, cheap] = [online.bill().cost ?? 0, offline.bill().cost ?? 0];
    assert.ok(dear > 0);
    assert.ok(Math.abs(cheap - dear / 2) < 1e-12);
    assert.equal(offline.bill().byTier["batch"]?.requests, 3);
  });

  test("a key is asked for, what is deleted or unknown is a 404, and a wrong order a 400", async (context) => {
    const simulator = await simulatorFor(context, { apiKeys: ["any"] });
    const client = new BatchClient(simulator);
    assert.equal((await client.send("GET", "/batches", { headers: { "api-key": "other" } })).status, 401);
    const file = await client.upload(inputLines(1));
    assert.equal((await client.send("GET", `/files/${file}`)).status, 200);
    assert.equal((await client.send("DELETE", `/files/${file}`)).status, 200);
    for (const path of [`/files/${file}`, `/files/${file}/content`, "/batches/none"]) {
      assert.equal((await client.send("GET", path)).status, 404, path);
    }
    assert.equal((await client.send("PUT", "/batches")).status, 405);
    const other = await client.upload(inputLines(1));
    for (const wrong of [
      { input_file_id: file },
      { endpoint: "/v1/embeddings" },
      { completion_window: "1h" },
      { metadata: { a: 1 } },
    ]) {
      const received = await client.sendCreate(other, wrong);
      assert.deepEqual([received.status, errorIn(received).param], [400, Object.keys(wrong)[0]]);
    }
    assert.equal((await client.sendUpload("x", "fine-tune")).status, 400);
    assert.equal((await client.send("POST", "/files", { body: "no form" })).status, 400);
  });
});
