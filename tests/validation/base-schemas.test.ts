import assert from "node:assert/strict";
import { test } from "node:test";
import { classifierOutput, LLMOutputBase, SummarizerOutput } from "../../src/validation/base-schemas.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

test("reasoning stands first in every output, so that a model reasons before it answers", () => {
  const output = classifierOutput(["A", "B"]);
  assert.deepEqual(Object.keys(LLMOutputBase.shape), ["reasoning"]);
  assert.deepEqual(Object.keys(toStrictSchema(output).json.properties ?? {}), ["reasoning", "category", "confidence"]);
  assert.deepEqual(Object.keys(toStrictSchema(SummarizerOutput).json.properties ?? {}), ["reasoning", "text"]);
});

test("a classifier's output is one of its categories and a confidence from 0 to 1", () => {
  const output = classifierOutput(["A", "B"]);
  const valid = { reasoning: "r", category: "A", confidence: 1 };
  assert.deepEqual(output.parse(valid), valid);
  for (const wrong of [
    { category: "C" },
    { category: "a" },
    { confidence: 1.01 },
    { confidence: -0.01 },
    { reasoning: 1 },
  ]) {
    assert.equal(output.safeParse({ ...valid, ...wrong }).success, false, JSON.stringify(wrong));
  }
});

test("a category may have any name", () => {
  const names = ["1", "0", "constructor", 'with "quotes"', "größe 😀"];
  const output = classifierOutput(names);
  for (const category of names)
    assert.equal(output.parse({ reasoning: "", category, confidence: 0 }).category, category);
});

test("a summary has a text that is not empty", () => {
  assert.equal(SummarizerOutput.safeParse({ reasoning: "", text: "" }).success, false);
  assert.equal(SummarizerOutput.safeParse({ reasoning: "", text: "a" }).success, true);
});
