import assert from "node:assert/strict";
import { globSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { startAzureOpenAISimulator } from "../../../../src/testing/simulator/server.ts";
import type { SimulatorBatchStep } from "../../../../src/testing/simulator/batch/words.ts";
import { BatchClient, inputLine, inputLines, type ShownLine } from "../../../support/batch-client.ts";
import { simulatorFor } from "../../../support/simulator.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const codesOf = (lines: readonly ShownLine[]): (string | undefined)[] => lines.map(({ error }) => error?.code);

test("a batch takes its steps in order, each for its time, and its first half is done when the second waits", async (context) => {
  const steps: SimulatorBatchStep[] = [];
  const open = Promise.withResolvers<number>();
  const simulator = await simulatorFor(context, {
    batch: {
      stepMs: async (step) => {
        steps.push(step);
        return step === "in_progress" ? await open.promise : 0;
      },
    },
  });
  const client = new BatchClient(simulator);
  const { id, status } = await client.create(await client.upload(inputLines(5)));
  assert.equal(status, "validating");
  await client.whenIts(id, "in_progress");
  while (simulator.batches().batches[0]?.completed !== 3) await client.poll(id);
  open.resolve(0);
  const { completed_at: at, created_at: createdAt, expires_at: expiresAt } = await client.whenIts(id, "completed");
  assert.deepEqual(steps, ["validating", "in_progress", "finalizing"]);
  assert.ok(at !== null && at >= createdAt && expiresAt === createdAt + 86_400);
});

describe("a batch that ends early", () => {
  test("expires half done: the rest stands in the error file, or is missing", async (context) => {
    const simulator = await simulatorFor(context, {
      batch: { expires: ({ metadata }) => metadata?.["late"] === "yes" },
    });
    const client = new BatchClient(simulator);
    const inTime = await client.run(inputLines(4));
    const late = await client.run(inputLines(7), { metadata: { late: "yes" } });
    assert.deepEqual([inTime.status, late.status], ["completed", "expired"]);
    assert.deepEqual(late.request_counts, { total: 7, completed: 4, failed: 3 });
    assert.equal((await client.lines(late.output_file_id)).length, 4);
    assert.deepEqual(codesOf(await client.lines(late.error_file_id)), Array(3).fill("batch_expired"));
    assert.equal(simulator.bill().requests, 8);
    simulator.update({ batch: { expires: 1, unfinishedLines: "missing" } });
    const other = await client.run(inputLines(7));
    assert.deepEqual([other.status, other.error_file_id], ["expired", null]);
    assert.deepEqual(other.request_counts, { total: 7, completed: 4, failed: 0 });
  });

  for (const [step, done] of [
    ["validating", 0],
    ["in_progress", 3],
    ["finalizing", 5],
  ] as const) {
    test(`is cancelled while it is ${step}, and keeps its ${done} answers`, async (context) => {
      const simulator = await simulatorFor(context, { batch: { stepMs: (at) => (at === step ? Infinity : 1) } });
      const client = new BatchClient(simulator);
      const { id } = await client.create(await client.upload(inputLines(5)));
      await client.whenIts(id, step);
      while (simulator.batches().batches[0]?.completed !== done) await client.poll(id);
      const received = await client.send("POST", `/batches/${id}/cancel`);
      assert.match(received.body, /"status":"cancelling"/);
      const batch = await client.whenIts(id, "cancelled");
      assert.equal(batch.status, "cancelled");
      assert.equal((await client.lines(batch.output_file_id)).length, done);
      assert.deepEqual(codesOf(await client.lines(batch.error_file_id)), Array(5 - done).fill("batch_cancelled"));
      assert.equal((await client.send("POST", `/batches/${id}/cancel`)).status, 409);
    });
  }

  test("has each line in exactly one file, and bills what it answered, whenever it is cancelled", async (context) => {
    const simulator = await simulatorFor(context, { batch: { stepMs: 1, failedLines: 0.1, expires: 0.3 } });
    const client = new BatchClient(simulator);
    const run = async (number: number): Promise<void> => {
      const ids = Array.from({ length: 120 }, (_, index) => `${number}/${index}`);
      const { id } = await client.create(await client.upload(ids.map((customId) => inputLine(customId)).join("\n")));
      for (let polls = 0; polls < number; polls += 1) await client.poll(id);
      await client.send("POST", `/batches/${id}/cancel`);
      const batch = await client.whenIts(id, "cancelled");
      const [output, errors] = [await client.lines(batch.output_file_id), await client.lines(batch.error_file_id)];
      assert.deepEqual([...output, ...errors].map((line) => line.custom_id).toSorted(), ids.toSorted());
      assert.deepEqual(batch.request_counts, { total: 120, completed: output.length, failed: errors.length });
      const { lines } = simulator.batches();
      assert.equal(ids.filter((customId) => lines[customId]?.billed === 1).length, output.length);
    };
    await Promise.all(Array.from({ length: 16 }, async (_, number) => await run(number)));
  });

  test("fails if a function of its options does, and the others go on", async (context) => {
    const simulator = await simulatorFor(context, {
      batch: {
        stepMs: () => {
          throw new Error("not today");
        },
      },
    });
    const client = new BatchClient(simulator);
    const batch = await client.run(inputLines(1));
    assert.deepEqual([batch.status, batch.errors?.data[0]?.code], ["failed", "simulator_failed"]);
    simulator.update({ batch: undefined });
    assert.equal((await client.run(inputLines(1))).status, "completed");
  });
});

const folder = temporaryFolder();

test("files are for this user alone, and gone when the simulator is closed or reset, batches that wait as well", async (context) => {
  // node:os reads them at each call.
  for (const name of ["TMPDIR", "TEMP"]) {
    const before = process.env[name];
    process.env[name] = folder;
    context.after(() => {
      if (before === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before;
    });
  }
  const placed = (): string[] => globSync("llm-etl-simulator-*/*", { cwd: folder });
  const stepMs = async (): Promise<number> => await new Promise<number>(() => {});
  const simulator = await startAzureOpenAISimulator({ batch: { stepMs } });
  const client = new BatchClient(simulator);
  await client.create(await client.upload(inputLines(2)));
  const [file = ""] = placed();
  simulator.update({ batch: { stepMs, faults: { serverError: 1 } } });
  assert.equal((await client.sendUpload(inputLines(2))).status, 500);
  assert.deepEqual(placed(), [file], "what is no file of the service leaves nothing");
  simulator.update({ batch: { stepMs } });
  if (process.platform !== "win32") {
    assert.equal(statSync(join(folder, dirname(file))).mode & 0o777, 0o700);
    assert.equal(statSync(join(folder, file)).mode & 0o777, 0o600);
  }
  simulator.reset();
  const { files, batches, lines, requests } = simulator.batches();
  assert.deepEqual([files, batches, lines, requests], [[], [], {}, {}]);
  await client.create(await client.upload(inputLines(2)));
  await simulator.close();
  assert.deepEqual(globSync("llm-etl-simulator-*", { cwd: folder }), []);
  assert.equal(simulator.batches().batches[0]?.status, "validating", "the figures stay");
});
