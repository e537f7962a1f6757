import assert from "node:assert/strict";
import { test } from "node:test";
import { OptionError } from "../../src/errors/option.ts";
import { SummarizerStep, type SummarizerStepOptions } from "../../src/steps/summarizer.ts";

interface State {
  readonly text: string;
}
type Options = SummarizerStepOptions<State, "summary">;
const step = (rules: Partial<Options> = {}): SummarizerStep<State, "summary"> =>
  new SummarizerStep({ name: "sum", inputMap: { text: (state) => state.text }, outputKey: "summary", ...rules });

/** What is wrong with a summary, as the model is told and as a terminal may see it. */
function issuesOf(rules: Partial<Options>, text: string): readonly (readonly [string, string])[] {
  const reading = step(rules).read(JSON.stringify({ reasoning: "r", text }));
  return reading.valid ? [] : reading.issues.map(({ detail, message }) => [detail, message]);
}

test("a summary without rules is any text that is not empty", () => {
  assert.deepEqual(step().read('{"reasoning":"r","text":"short"}'), {
    valid: true,
    output: { reasoning: "r", text: "short" },
  });
  assert.equal(issuesOf({}, "").length, 1);
});

test("every rule stands in the prompt but patterns, which may hold what must not be told", () => {
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

test("a summary has at most so many UTF-16 units, which is what NVARCHAR counts", () => {
  assert.deepEqual(issuesOf({ maxCharacters: 5 }, "12345"), []);
  const message = "must have at most 5 characters, got 6";
  assert.deepEqual(issuesOf({ maxCharacters: 5 }, "123456"), [[message, message]]);
  assert.deepEqual(issuesOf({ maxCharacters: 5 }, "😀😀😀"), [[message, message]]);
  assert.deepEqual(issuesOf({ maxCharacters: 6 }, "😀😀😀"), []);
});

test("a summary has at most so many sentences", () => {
  assert.deepEqual(issuesOf({ maxSentences: 2 }, "One. Two at 3.5 mg."), []);
  assert.deepEqual(issuesOf({ maxSentences: 2 }, "One. Two! Three?"), [
    [
      'must have at most 2 sentences, has 3, got "One. Two! Three?"',
      "must have at most 2 sentences, has 3, got a text of 16 characters",
    ],
  ]);
});

test("a summary holds what it must, letter case aside", () => {
  assert.deepEqual(issuesOf({ mustInclude: ["Dose", "risk"] }, "the DOSE and the Risk"), []);
  assert.deepEqual(issuesOf({ mustInclude: ["dose"] }, "x"), [
    ['must include "dose", got "x"', 'must include "dose", got a text of 1 characters'],
  ]);
});

test("a summary matches none of the patterns, and a global one is tried anew each time", () => {
  const made = step({ mustNotMatch: [/smith/gi] });
  for (let time = 0; time < 3; time += 1) {
    const reading = made.read('{"reasoning":"r","text":"Mr Smith"}');
    assert.ok(!reading.valid);
    assert.equal(reading.issues[0]?.message, "must not match /smith/gi, got a text of 8 characters");
  }
  assert.ok(made.read('{"reasoning":"r","text":"Mr Miller"}').valid);
});

test("every rule that is broken is told at once", () => {
  const rules = { maxCharacters: 5, maxSentences: 1, mustInclude: ["dose"], mustNotMatch: [/two/i] };
  assert.equal(issuesOf(rules, "One. Two.").length, 4);
});

test("wrong options are refused at construction", () => {
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ maxCharacters: 0 }, /"maxCharacters": expected a whole number from 1 up, got 0/],
    [{ maxSentences: 1.5 }, /"maxSentences"/],
    [{ mustInclude: "dose" }, /"mustInclude": expected an array of texts, got "dose"/],
    [{ mustNotMatch: ["dose"] }, /"mustNotMatch": expected an array of regular expressions, got an array of 1/],
    [{ rules: "short" }, /"rules": expected an array of texts/],
    [{ maxCharacter: 5 }, /SummarizerStep: option "maxCharacter": unknown option; did you mean "maxCharacters"/],
  ];
  for (const [wrong, message] of cases) {
    assert.throws(
      () => step(wrong),
      (error) => error instanceof OptionError && message.test(error.message),
    );
  }
});

test("a pattern with the flag y, which would be tried at the beginning only, is refused at construction", () => {
  assert.throws(
    () => step({ mustNotMatch: [/\d{3}/g, /\d{3}-\d{4}/y] }),
    (error) => error instanceof OptionError && /"mustNotMatch": .*\/y has the flag y/.test(error.message),
  );
});
