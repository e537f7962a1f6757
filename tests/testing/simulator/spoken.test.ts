import assert from "node:assert/strict";
import { test } from "node:test";
import { drawsFor } from "../../../src/testing/simulator/request-hash.ts";
import { type Slip, spoken } from "../../../src/testing/simulator/spoken.ts";
import { cutAnswerFlaw } from "../../../src/validation/answer-flaws.ts";

const answer = '{"n":1,"note":"It hurts.","tags":["a"]}';
const schemaText = '{"type":"object","properties":{}}';
const said = (slip: Slip | undefined, content = answer, room = 800, time = 0) =>
  spoken(slip, content, { schemaText, room, draws: drawsFor(1, 1, time) });
const contentOf = (...given: Parameters<typeof said>): string => said(...given).content ?? assert.fail();

test("a loop fills the room with one unit, another one at the next try, whatever the answer has", () => {
  for (const content of [answer, '{"n":1}', '{"tags":["a"]}', "plain"]) {
    const { finishReason, content: text } = said("loop", content);
    assert.deepEqual([finishReason, text?.length], ["length", 800], content);
    assert.equal(cutAnswerFlaw(text ?? "", {})?.path, "", "the project's own eye sees it as well");
    assert.notEqual(text, contentOf("loop", content, 800, 1));
  }
  assert.ok(contentOf("loop").startsWith('{"n":1,"note":"'));
});

test("an endless text begins as the answer does, and never repeats itself: a longer one might be right", () => {
  const { finishReason, content } = said("endless");
  assert.deepEqual([finishReason, content?.length, content?.slice(0, 15)], ["length", 800, '{"n":1,"note":"']);
  assert.equal(cutAnswerFlaw(content ?? "", {}), undefined);
  assert.equal(contentOf("endless", '{"n":1}'), '{"n":', "without a text it ends before the first value");
});

test("prose has nothing of JSON; the schema is given back as it came, or cut where the room ends", () => {
  assert.deepEqual([said("prose").finishReason, contentOf("prose").length], ["length", 800]);
  assert.doesNotMatch(contentOf("prose"), /[{}["\]]/);
  assert.deepEqual([said("schemaEcho").finishReason, contentOf("schemaEcho")], ["stop", schemaText]);
  assert.deepEqual(
    [said("schemaEcho", answer, 9).finishReason, contentOf("schemaEcho", answer, 9)],
    ["length", schemaText.slice(0, 9)],
  );
});

test("an answer without an end stops somewhere, where the request names no limit", () => {
  for (const slip of ["loop", "endless", "prose"] as const) {
    assert.ok(contentOf(slip, answer, Infinity).length < 20_000, slip);
  }
});
