// Full lane: texts of 1,000,000 characters take about a second of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { objectInText } from "../../../src/llm/chat-completions/json-in-text.ts";

/** Texts that make a pattern with backtracking, or a search from every brace, go over them again and again. */
const adversaries: Readonly<Record<string, (length: number) => string>> = {
  "line feeds behind a fence": (length) => `\`\`\`json${"\n".repeat(length)}`,
  "spaces behind a fence": (length) => `\`\`\`${" ".repeat(length)}x`,
  "open braces": (length) => "{".repeat(length),
  "open objects": (length) => '{"a":'.repeat(length / 5),
  "open braces and quotes": (length) => '{"'.repeat(length / 2),
  "braces with spaces": (length) => `{${" ".repeat(100)}`.repeat(length / 101),
  "one brace and spaces": (length) => `{${" ".repeat(length)}`,
  backslashes: (length) => `{"${"\\".repeat(length)}`,
  "objects that are none": (length) => '{"a"}'.repeat(length / 5),
  "an object that is none around many": (length) => `{"x" ${'{"a":1}'.repeat(length / 7)}}`,
  "small objects": (length) => "{}".repeat(length / 2),
  "opening tags": (length) => "<think>".repeat(length / 7),
  "closing tags": (length) => "</think>".repeat(length / 8),
  fences: (length) => "```".repeat(length / 3),
  "fences with braces": (length) => '```{"'.repeat(length / 5),
  "tags of answers": (length) => '<answer>{"a":'.repeat(length / 13),
  channels: (length) => "<|channel|>final".repeat(length / 16),
};

test("a text of 1,000,000 characters is read in time, whatever it holds", () => {
  for (const [what, make] of Object.entries(adversaries)) {
    const started = process.cpuUsage();
    objectInText(make(1_000_000), ["reasoning"]);
    const { user } = process.cpuUsage(started);
    // Quadratic work would be 10^12 steps, which is many minutes: the bound has room for a slow machine.
    assert.ok(user < 5_000_000, `${what}: ${user} µs`);
  }
});
