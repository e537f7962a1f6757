import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { TransformStep } from "../../src/steps/transform.ts";
import { failsWith } from "../support/error-facts.ts";
import { type Note, runNotes } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const run = async <Out>(transform: (state: { raw: Note }) => Out | Promise<Out>) =>
  await runNotes({
    folder: mkdtempSync(join(folder, "run ")),
    notes: [
      { id: "1", text: "one" },
      { id: "2", text: "three" },
    ],
    provider: new MockProvider(),
    step: new TransformStep({ name: "measure", outputKey: "out", transform }),
  });

test("what the function returns is the output, and no model is asked", async () => {
  const { outputs, payloads, report } = await run(({ raw }) => raw.text?.length);
  assert.deepEqual(outputs, [3, 5]);
  assert.deepEqual(payloads, []);
  assert.equal(report.usage.calls, 0);
});

test("a promise is waited for", async () => {
  const { outputs } = await run(async ({ raw }) => await Promise.resolve(raw.text));
  assert.deepEqual(outputs, ["one", "three"]);
});

test("the function is given the run's signal", async () => {
  const { signal } = new AbortController();
  const step = new TransformStep({ name: "t", outputKey: "o", transform: (_: object, context) => context.signal });
  const llm = { ask: async () => await Promise.reject(new Error("not asked")), retryCount: 0, lineage: null };
  assert.equal(await step.run({}, { signal, llm }), signal);
});

test("what it throws fails the row, and the dead letter has its words", async () => {
  for (const thrown of [new RangeError("Jane Doe"), "Jane Doe", Symbol("Jane Doe")]) {
    const { report, deadLetters } = await run(({ raw }) => {
      if (raw.id === "2") throw thrown;
      return raw.id;
    });
    assert.deepEqual([report.successCount, report.failureCount], [1, 1]);
    assert.deepEqual(report.failuresByCode, { STEP_FAILED: 1 });
    assert.deepEqual([deadLetters[0]?.["pk"], deadLetters[0]?.["step_name"]], ["2", "measure"]);
    assert.ok(String(deadLetters[0]?.["error_message"]).includes("Jane Doe"));
  }
});

test("wrong options are rejected at construction", () => {
  const make = (wrong: object) => () => new TransformStep({ name: "t", outputKey: "o", transform: () => 1, ...wrong });
  for (const wrong of [{ name: "" }, { outputKey: " " }, { transform: "x" }, { inputMap: {} }]) {
    const [where] = Object.keys(wrong);
    assert.throws(make(wrong), failsWith("INVALID_OPTION", { where }));
  }
});
