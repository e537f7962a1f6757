import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { sinkContract } from "../../src/testing/sink-contract.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

const columnMap = { id: (s: { pk: string }) => s.pk, value: () => "" };

describe("MemorySink with merge keys keeps the contract of a sink", () => {
  const create = async () => {
    const sink = new MemorySink({ columnMap, mergeKeys: ["id"] });
    return { sink, rowsWritten: async () => sink.rows };
  };
  for (const { name, check } of sinkContract({ create, keyed: true })) test(name, check);
});

describe("MemorySink without merge keys keeps the contract of a sink", () => {
  const create = async () => {
    const sink = new MemorySink({ columnMap });
    return { sink, rowsWritten: async () => sink.rows };
  };
  for (const { name, check } of sinkContract({ create, keyed: false })) test(name, check);
});

test("a row that it is to reject rejects its batch, and nothing of it is written", async () => {
  const sink = new MemorySink({ columnMap, reject: ({ id }) => (id === "b" ? "no" : undefined) });
  const session = await sink.open({ signal: new AbortController().signal });
  await assert.rejects(session.write(groupsOf([{ id: "a" }, { id: "b" }])), { code: "SINK_DATA_REFUSED" });
  assert.deepEqual(sink.rows, []);
  assert.equal(sink.batchCount, 0);
});
