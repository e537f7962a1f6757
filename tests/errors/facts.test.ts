import assert from "node:assert/strict";
import { test } from "node:test";
import { messageFrom } from "../../src/errors/facts.ts";
import { RowError } from "../../src/errors/llm-etl-error.ts";
import { OptionError } from "../../src/errors/option.ts";
import { checkOptions, isCount } from "../../src/errors/options.ts";
import { SourceError } from "../../src/errors/source.ts";

test("a message is the problem, expected and got, and the hint, as far as there are any", () => {
  assert.equal(messageFrom("it failed", {}), "it failed");
  assert.equal(messageFrom("", { expected: "text", got: 3 }), "expected text, got 3");
  assert.equal(messageFrom("unknown", { hint: "look" }), "unknown; look");
  assert.equal(
    messageFrom("a", { expected: ["b", "c"], got: "d", hint: "e", where: "f" }),
    "a: expected b or c, got d; e",
  );
  assert.equal(messageFrom("a", { got: null }), "a: got null");
});

test("the facts of an error are plain values: those given, and those that its class knows", () => {
  const { facts } = new SourceError("csv", "it ended", { facts: { where: 7, got: undefined } });
  assert.deepEqual(facts, { source: "csv", where: 7 });
  assert.deepEqual(JSON.parse(JSON.stringify(new SourceError("csv", "it ended", { facts: { where: 7 } }))), {
    name: "SourceError",
    code: "SOURCE_FAILED",
    scope: "run",
    message: "csv: it ended",
    facts: { source: "csv", where: 7 },
  });
  assert.deepEqual(new RowError("OWN", "a sentence").facts, {});
});

test("the detail ends with the same facts as the message", () => {
  const error = new RowError("OWN", "too long", { detail: 'too long: "Jane"', facts: { hint: "cut it" } });
  assert.equal(error.message, "too long; cut it");
  assert.equal(error.detail, 'too long: "Jane"; cut it');
});

test("an option that is wrong says expected and got as facts; an unknown one the nearest that there is", () => {
  const check = (options: object): unknown => {
    try {
      checkOptions("Pipeline", options as { readonly batchSize: number }, { batchSize: isCount(1) }); // as a JavaScript user could
      return undefined;
    } catch (error) {
      assert.ok(error instanceof OptionError);
      return error.facts;
    }
  };
  assert.deepEqual(check({ batchSize: 0 }), { where: "batchSize", expected: "a whole number from 1 up", got: "0" });
  assert.deepEqual(check({ batchSize: 1, batchSice: 2 }), {
    where: "batchSice",
    hint: 'did you mean "batchSize"?',
    nearest: "batchSize",
  });
});
