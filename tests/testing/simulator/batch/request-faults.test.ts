import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { SimulatorBatchEvent } from "../../../../src/testing/simulator/batch/words.ts";
import { BatchClient, inputLines } from "../../../support/batch-client.ts";
import { send, simulatorFor } from "../../../support/simulator.ts";

test("an answer that gets lost comes after the deed: the file and the batch are there", async (context) => {
  const simulator = await simulatorFor(context);
  const client = new BatchClient(simulator);
  simulator.update({ batch: { fault: () => "lostAnswer" } });
  await assert.rejects(client.sendUpload(inputLines(2)));
  const [file] = simulator.batches().files;
  assert.ok(file !== undefined);
  await assert.rejects(client.sendCreate(file.id, { metadata: { ours: "s1" } }));
  simulator.update({ batch: {} });
  const [listed] = (await client.list()).data;
  assert.deepEqual([listed?.metadata, listed?.input_file_id], [{ ours: "s1" }, file.id]);
  simulator.update({ batch: { fault: () => "connectionReset" } });
  await assert.rejects(client.sendCreate(file.id));
  assert.equal(simulator.batches().batches.length, 1, "a connection that is reset before: nothing is done");
  assert.deepEqual(simulator.batches().byFault, { lostAnswer: 2, connectionReset: 1 });
  assert.deepEqual(simulator.batches().byStatus, { none: 3, "200": 1 });
});

test("a download breaks off: against its length, without a length, and at the end of a line", async (context) => {
  const simulator = await simulatorFor(context);
  const client = new BatchClient(simulator);
  const batch = await client.run(inputLines(50));
  const path = `/files/${batch.output_file_id}/content`;
  const whole = await client.send("GET", path);
  assert.equal(whole.headers["content-length"], String(Buffer.byteLength(whole.body)));
  simulator.update({ batch: { fault: () => "tornDownload" } });
  await assert.rejects(client.send("GET", path), /aborted|socket hang up/);
  const received = async (fault: "cutDownload" | "shortDownload"): Promise<string> => {
    simulator.update({ batch: { fault: () => fault } });
    const { status, headers, body } = await client.send("GET", path);
    assert.deepEqual([status, headers["content-length"]], [200, undefined]);
    assert.ok(whole.body.startsWith(body) && body.length < whole.body.length && body.length > 0);
    return body;
  };
  assert.ok(!(await received("cutDownload")).endsWith("\n"));
  assert.ok((await received("shortDownload")).endsWith("\n"));
  const { downloads } = simulator.batches().files.find(({ id }) => id === batch.output_file_id) ?? {};
  assert.equal(downloads, 4);
  assert.equal((await client.poll(batch.id)).status, "completed", "a poll is no download");
});

test("a create may be on its way when its client leaves, and be carried out later", async (context) => {
  const arrived = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  const simulator = await simulatorFor(context);
  const client = new BatchClient(simulator);
  const file = await client.upload(inputLines(1));
  simulator.update({
    batch: {
      fault: async ({ operation }) => {
        if (operation !== "create") return undefined;
        arrived.resolve();
        await open.promise;
        return undefined;
      },
    },
  });
  const leaver = new AbortController();
  const body = { input_file_id: file, endpoint: "/v1/chat/completions", completion_window: "24h" };
  const create = client.send("POST", "/batches", { body, signal: leaver.signal });
  await arrived.promise;
  leaver.abort();
  await assert.rejects(create);
  assert.deepEqual((await client.list()).data, []);
  open.resolve();
  while ((await client.list()).data.length === 0);
  assert.equal(simulator.batches().batches.length, 1);
});

test("an upload whose client leaves in the middle is no file, and counts as unanswered", async (context) => {
  const simulator = await simulatorFor(context);
  const socket = connect(simulator.port, "127.0.0.1");
  await once(socket, "connect");
  const head =
    "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer x\r\ncontent-type: multipart/form-data; boundary=b\r\n";
  socket.write(`${head}content-length: 1000\r\n\r\n--b`);
  while (simulator.batches().requests.upload !== 1) await setImmediate();
  socket.destroy();
  while (Object.keys(simulator.batches().byStatus).length === 0) await setImmediate();
  const { byStatus, files } = simulator.batches();
  assert.deepEqual([byStatus, files], [{ none: 1 }, []]);
});

test("shares of the requests get 429, 500 and 503, which a retry does not meet for ever; an outage holds for all", async (context) => {
  const faults = { rateLimit: 0.2, serverError: 0.2, unavailable: 0.2 };
  const simulator = await simulatorFor(context, { batch: { faults }, faultRetryAfterMs: { rateLimit: 7 } });
  const client = new BatchClient(simulator);
  const statuses = new Map<number, number>();
  for (let count = 0; count < 60; count += 1) {
    const { status, headers } = await client.send("GET", "/batches");
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status === 429) assert.equal(headers["retry-after-ms"], "7");
  }
  for (const status of [200, 429, 500, 503]) assert.ok((statuses.get(status) ?? 0) > 3, String(status));
  assert.equal(simulator.batches().requests.list, 60);
  simulator.update({ batch: {}, outage: true });
  assert.equal((await client.send("GET", "/batches")).status, 503);
});

test("a fault that is none, and a failing event, are errors of the simulator", async (context) => {
  const simulator = await simulatorFor(context, {
    onBatchEvent: () => {
      throw new Error("no");
    },
  });
  const client = new BatchClient(simulator);
  assert.equal((await client.sendUpload(inputLines(1))).status, 500);
  // @ts-expect-error no such fault
  simulator.update({ onBatchEvent: undefined, batch: { fault: () => "earthquake" } });
  assert.equal((await client.sendUpload(inputLines(1))).status, 500);
  // @ts-expect-error no such fault
  simulator.update({ batch: { lineFault: () => "eaten" } });
  assert.equal((await client.run(inputLines(1))).errors?.data[0]?.code, "simulator_failed");
});

test("each deed is told before its answer, which its promise holds; what fails is not", async (context) => {
  const events: SimulatorBatchEvent[] = [];
  let open = Promise.withResolvers<void>();
  const simulator = await simulatorFor(context, {
    onBatchEvent: async (event) => {
      events.push(event);
      if (event.operation === "create") await open.promise;
    },
  });
  const client = new BatchClient(simulator);
  const file = await client.upload(inputLines(1));
  const create = client.create(file, { metadata: { ours: "s1" } });
  let isAnswered = false;
  const answered = create.then(() => (isAnswered = true));
  while (events.length < 2) await client.poll("none").catch(() => {});
  assert.deepEqual([isAnswered, simulator.batches().batches.length], [false, 1]);
  open.resolve();
  await answered;
  open = Promise.withResolvers();
  const { id, output_file_id: output } = await client.whenIts((await create).id, "completed");
  await client.lines(output);
  await client.list();
  await client.send("DELETE", `/files/${file}`);
  await client.send("POST", `/batches/${id}/cancel`);
  const told = events
    .filter(({ operation }) => operation !== "poll")
    .map(({ operation, id: of, metadata }) => [operation, of, metadata]);
  assert.deepEqual(told, [
    ["upload", file, null],
    ["create", id, { ours: "s1" }],
    ["download", output, null],
    ["list", undefined, null],
    ["delete", file, null],
  ]);
});

test("the statistics are there over HTTP, too", async (context) => {
  const simulator = await simulatorFor(context);
  await new BatchClient(simulator).run(inputLines(1));
  const { body } = await send(simulator, { method: "GET", path: "/stats/batches" });
  assert.deepEqual(JSON.parse(body), JSON.parse(JSON.stringify(simulator.batches())));
});
