import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { failsWith } from "../support/error-facts.ts";

const rows = [
  { id: "a", n: 1 },
  { id: "b", n: 2 },
  { id: "c", n: 3 },
];

describe("MemorySource keeps the contract of a source", () => {
  const create = () => new MemorySource<{ id: string; n: number }>({ rows, primaryKeyColumn: "id" });
  for (const { name, check } of sourceContract({ create, rows })) test(name, check);
});

test("rows may come from a function, asynchronously, anew for each read", async () => {
  let calls = 0;
  const source = new MemorySource<{ id: string }>({
    rows: async function* generate() {
      calls += 1;
      yield { id: "x" };
    },
    primaryKeyColumn: "id",
  });
  const read = async () => await Array.fromAsync(source.read({ signal: new AbortController().signal, parameters: {} }));
  assert.deepEqual(await read(), [{ position: 1, raw: { id: "x" } }]);
  await read();
  assert.equal(calls, 2);
});

test("the rows that were given are not touched: each read gives copies", async () => {
  const [first] = await Array.fromAsync(
    new MemorySource<{ id: string }>({ rows, primaryKeyColumn: "id" }).read({
      signal: new AbortController().signal,
      parameters: {},
    }),
  );
  assert.ok(first !== undefined && "raw" in first && first.raw !== rows[0]);
});

test("wrong options and parameters are rejected", async () => {
  assert.throws(
    () => new MemorySource<{ id: string }>({ rows: "a,b" as never, primaryKeyColumn: "id" }),
    failsWith("INVALID_OPTION", { where: "rows", got: '"a,b"' }),
  );
  const source = new MemorySource<{ id: string }>({ rows, primaryKeyColumn: "id" });
  const read = source.read({ signal: new AbortController().signal, parameters: { since: "2024" } });
  await assert.rejects(Array.fromAsync(read), failsWith("SOURCE_FAILED", { where: "parameters", got: "since" }));
});
