import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SummarizerStep, type SummarizerStepOptions } from "../../src/steps/summarizer.ts";
import type { Issue } from "../../src/validation/issues.ts";
import { failsWith } from "../support/error-facts.ts";

interface State {
  readonly text: string;
}
type Options = SummarizerStepOptions<State, "summary">;
const step = (rules: Partial<Options> = {}): SummarizerStep<State, "summary"> =>
  new SummarizerStep({ name: "sum", inputMap: { text: (state) => state.text }, outputKey: "summary", ...rules });

/** The issues with a summary. The golden files hold the model's words for each rule. */
function issuesOf(rules: Partial<Options>, text: string): readonly Issue[] {
  const reading = step(rules).read(JSON.stringify({ reasoning: "r", text }));
  return reading.valid ? [] : reading.issues;
}

/** Asserts one issue, whose words for people and for the model name each of `facts`; the message has no content. */
function assertIssue(issues: readonly Issue[], text: string, ...facts: readonly string[]): void {
  assert.equal(issues.length, 1);
  const [{ message, detail, reAsk }] = issues as readonly [Issue]; // as the line before says
  for (const fact of facts) for (const words of [message, detail, reAsk ?? ""]) assert.ok(words.includes(fact), words);
  assert.ok(!message.includes(text), message);
}

test("a summary without rules is any text that is not empty", () => {
  assert.deepEqual(step().read('{"reasoning":"r","text":"short"}'), {
    valid: true,
    output: { reasoning: "r", text: "short" },
  });
  assert.equal(issuesOf({}, "").length, 1);
});

test("every rule is in the prompt but patterns, which may hold secrets", () => {
  const rules = {
    maxCharacters: 50,
    maxSentences: 2,
    mustInclude: ["the dose"],
    rules: ["No names."],
    mustNotMatch: [/secret/],
  };
  const system = step(rules).render({ text: "x" }).messages[0]?.content ?? "";
  const lines = ["Use at most 50 characters.", "Use at most 2 sentences.", 'Include "the dose".', "No names."];
  for (const line of lines) assert.ok(system.includes(`\n- ${line}`), line);
  assert.ok(!system.includes("secret"));
});

test("the limits that code can check stand in the schema's description", () => {
  const { schema } = step({ maxCharacters: 50, maxSentences: 2, mustInclude: ["dose"] }).render({ text: "x" });
  const text = JSON.stringify(schema.json.properties?.["text"]);
  assert.match(text, /The summary Limits: /);
  for (const limit of ['\\"maxLength\\":50', '\\"maxSentences\\":2', '\\"mustInclude\\":[\\"dose\\"]'])
    assert.ok(text.includes(limit), text);
});

test("a summary has at most maxCharacters UTF-16 units, which is what NVARCHAR counts", () => {
  assert.deepEqual(issuesOf({ maxCharacters: 5 }, "12345"), []);
  assertIssue(issuesOf({ maxCharacters: 5 }, "123456"), "123456", "5", "6");
  assertIssue(issuesOf({ maxCharacters: 5 }, "😀😀😀"), "😀😀😀", "5", "6");
  assert.deepEqual(issuesOf({ maxCharacters: 6 }, "😀😀😀"), []);
});

test("a summary has at most maxSentences sentences", () => {
  assert.deepEqual(issuesOf({ maxSentences: 2 }, "One. Two at 3.5 mg."), []);
  assertIssue(issuesOf({ maxSentences: 2 }, "One. Two! Three?"), "Three", "2", "3");
});

test("a summary holds the texts of mustInclude, letter case aside", () => {
  assert.deepEqual(issuesOf({ mustInclude: ["Dose", "risk"] }, "the DOSE and the Risk"), []);
  assertIssue(issuesOf({ mustInclude: ["dose"] }, "Jane"), "Jane", '"dose"');
});

test("a summary matches none of the patterns, and a global one is tried anew each time", () => {
  const mustNotMatch = [/smith/gi];
  for (let time = 0; time < 3; time += 1) assertIssue(issuesOf({ mustNotMatch }, "Mr Smith"), "Mr Smith", "/smith/gi");
  assert.deepEqual(issuesOf({ mustNotMatch }, "Mr Miller"), []);
});

test("every rule that is broken is an issue", () => {
  const rules = { maxCharacters: 5, maxSentences: 1, mustInclude: ["dose"], mustNotMatch: [/two/i] };
  assert.equal(issuesOf(rules, "One. Two.").length, 4);
});

test("wrong options are rejected at construction", () => {
  const cases: readonly (readonly [Record<string, unknown>, ErrorFacts])[] = [
    [{ maxCharacters: 0 }, { where: "maxCharacters", expected: "a whole number from 1 up", got: "0" }],
    [{ maxSentences: 1.5 }, { where: "maxSentences" }],
    [{ mustInclude: "dose" }, { where: "mustInclude", expected: "an array of texts" }],
    [{ mustNotMatch: ["dose"] }, { where: "mustNotMatch", expected: "an array of regular expressions" }],
    [{ rules: "short" }, { where: "rules", expected: "an array of texts" }],
    [{ maxCharacter: 5 }, { where: "maxCharacter", nearest: "maxCharacters" }],
  ];
  for (const [wrong, facts] of cases) assert.throws(() => step(wrong), failsWith("INVALID_OPTION", facts));
});

test("a pattern with the flag y, which would be tried at the beginning only, is rejected at construction", () => {
  assert.throws(
    () => step({ mustNotMatch: [/\d{3}/g, /\d{3}-\d{4}/y] }),
    failsWith("INVALID_OPTION", { where: "mustNotMatch", pattern: "/\\d{3}-\\d{4}/y" }),
  );
});
