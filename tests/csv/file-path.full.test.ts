// Full lane: a warning about an option of 0.1 comes once a process, so the process must be its own.

import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { CSVSink } from "../../src/sinks/csv.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { failsWith } from "../support/error-facts.ts";

const columnMap = { id: (state: { pk: string }) => state.pk };

test("path, the name of 0.1, works with one warning a process; filePath gives none", async () => {
  const warnings: unknown[] = [];
  const listen = (warning: Error & { code?: string }): void => void warnings.push(`${warning.name} ${warning.code}`);
  process.on("warning", listen);
  for (let time = 0; time < 2; time += 1) {
    assert.equal(new CSVSink({ path: "out.csv", columnMap }).identity, resolve("out.csv"));
    assert.ok(new CSVSource({ path: "in.csv", primaryKeyColumn: "id" }));
  }
  await setImmediate(); // warnings come on the next tick
  const old = ["DeprecationWarning LLM_ETL_CSVSINK_PATH", "DeprecationWarning LLM_ETL_CSVSOURCE_PATH"];
  assert.deepEqual(warnings.toSorted(), old);
  assert.equal(new CSVSink({ filePath: "new.csv", columnMap }).identity, resolve("new.csv"));
  await setImmediate();
  process.off("warning", listen);
  assert.equal(warnings.length, 2);
});

test("both names, and none, are rejected at construction", () => {
  assert.throws(
    // @ts-expect-error: both
    () => new CSVSink({ path: "a.csv", filePath: "b.csv", columnMap }),
    failsWith("INVALID_OPTION", { where: "path" }),
  );
  // @ts-expect-error: none
  assert.throws(() => new CSVSink({ columnMap }), failsWith("INVALID_OPTION", { where: "filePath", got: "nothing" }));
  assert.throws(
    // @ts-expect-error: both
    () => new CSVSource({ path: "a.csv", filePath: "a.csv", primaryKeyColumn: "id" }),
    failsWith("INVALID_OPTION", { where: "path", expected: "filePath alone" }),
  );
});
