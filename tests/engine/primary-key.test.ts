import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnySource, SourceRow } from "../../src/contracts/source.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { keyAsGiven, keyText, scanForKeys } from "../../src/engine/primary-key.ts";

test("a key has one text, and what is no key has none", () => {
  const at = new Date("2026-01-02T03:04:05.678Z");
  const keys = ["a", " a ", 5, 1.5, 2n ** 64n, false, at, Buffer.from([0, 255])];
  const texts = ["a", " a ", "5", "1.5", "18446744073709551616", "false", at.toISOString(), "00ff"];
  assert.deepEqual(keys.map(keyText), texts);
  const none = ["", "  ", null, undefined, Number.NaN, new Date(Number.NaN), Buffer.alloc(0), {}, []];
  for (const value of none) assert.equal(keyText(value), undefined);
  const hostile = Object.defineProperty({}, "id", {
    get: () => {
      throw new Error("no");
    },
  });
  assert.equal(keyAsGiven(hostile, "id"), undefined);
});

test("a scan gives the first row of each key, passes over bad rows, and ends at the last that it looks for", async () => {
  let given = 0;
  let isClosed = false;
  const read: AnySource["read"] = async function* (): AsyncGenerator<SourceRow> {
    try {
      for (const [index, id] of ["x", "a", "a", "b", "c"].entries()) {
        given += 1;
        const position = index + 1;
        yield id === "x"
          ? { position, error: new RowError("CSV_ROW_INVALID", "bad") }
          : { position, raw: { id, index } };
      }
    } finally {
      isClosed = true;
    }
  };
  const context = { signal: new AbortController().signal, parameters: {} };
  const scan = async (pks: readonly string[]): Promise<SourceRow[]> =>
    await Array.fromAsync(scanForKeys({ read, primaryKeyColumn: "id" }, pks, context));
  assert.deepEqual(await scan(["b", "a", "x"]), [
    { position: 2, raw: { id: "a", index: 1 } },
    { position: 4, raw: { id: "b", index: 3 } },
  ]);
  assert.deepEqual([given, isClosed], [5, true]);
  given = 0;
  await scan(["b", "a"]);
  assert.equal(given, 4);
  given = 0;
  assert.deepEqual([await scan([]), given], [[], 0]);
});
