import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { cutAnswerFlaw, schemaEcho } from "../../src/validation/answer-flaws.ts";
import { classifierOutput, LLMOutputBase } from "../../src/validation/base-schemas.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

const schema = toStrictSchema(classifierOutput(["Card", "Transfer"])).json;
const beginning = '{"reasoning": "The customer says that the card was stolen yesterday in a shop, ';

const isFlawed = (answer: string): boolean => cutAnswerFlaw(answer, schema) !== undefined;

test("an answer that was too short has no flaw", () => {
  const enough = [
    beginning,
    "{",
    " \n{ ",
    `\uFEFF${beginning}`,
    `\`\`\`json\n${beginning}`,
    `<think>It is a card.</think>\n${beginning}`,
    "<think>It may be a card, or a transfer, for",
    `Here is the JSON object that you asked for:\n${beginning}`,
    "", // all of it was reasoning that is not shown
    `{"reasoning": "${"a word ".repeat(20)}`, // 140 characters
    JSON.stringify({ reasoning: "ok", category: "Card" }).slice(0, -1),
  ];
  for (const answer of enough) assert.equal(isFlawed(answer), false, answer);
});

test("what can't become a JSON object is flawed", () => {
  for (const answer of [
    "The text is about a card.",
    "I",
    "[1, 2, 3",
    "{reasoning: it is",
    "<think>so</think> It is a card",
  ])
    assert.equal(isFlawed(answer), true, answer);
});

test("what repeats its own tail three times or more, and over 200 characters, is flawed", () => {
  for (const [unit, times] of [
    ["x", 200],
    ["\n", 200],
    ["0, ", 67],
    ["because the card was stolen ", 8],
    ["u".repeat(99) + "v", 3],
  ] as const) {
    assert.equal(isFlawed(`${beginning}${unit.repeat(times)}`), true, unit);
    assert.equal(isFlawed(`${beginning}${unit.repeat(times)}${unit.slice(0, unit.length >> 1)}`), true, unit);
    assert.equal(isFlawed(`${beginning}${unit.repeat(times)} and then something else.`), false, unit);
  }
  assert.equal(isFlawed(`${beginning}${"x".repeat(190)}`), false);
  const item = `${"u".repeat(100)}v`; // of a list it may be three times
  assert.equal(isFlawed(`${beginning}", "items": [${`"${item}", `.repeat(3)}`), false);
  assert.equal(isFlawed(`${beginning}", "items": [${`"${item}", `.repeat(4)}`), true);
});

test("a text that goes on for long and says nothing new is flawed; prose and lists are not", () => {
  const group = (of: number): string =>
    `The ${of}82121115 is the ${of % 9}th member of the ${of}82121115 group, and the 2017 is the ${(of * 7) % 31}rd member. `;
  const tedious = Array.from({ length: 12 }, (_, index) => group(20 + ((index * index * 7) % 31))).join("");
  assert.equal(isFlawed(`{"reasoning": "${tedious}`), true);
  assert.equal(isFlawed(`{"reasoning": "${tedious}", "category": "Ca`), false);
  const items = Array.from({ length: 40 }, (_, index) => `{"name":"lamp","state":"broken","price":${index * 37}},`);
  assert.equal(isFlawed(`{"items":[${items.join("")}{"name":"la`), false);
  const prose = readFileSync(new URL("../../docs/journal.md", import.meta.url), "utf8").replaceAll(/["\\\n]/g, " ");
  for (let start = 0; start + 2000 < prose.length; start += 500) {
    assert.equal(isFlawed(`{"text": "${prose.slice(start, start + 2000)}`), false, `from ${start}`);
  }
});

test("what does nothing but count is flawed; numbers that are data are not", () => {
  const numbers = Array.from({ length: 120 }, (_, index) => index + 1);
  assert.equal(isFlawed(`${beginning}${numbers.map((number) => `${number}. `).join("")}`), true);
  const items = numbers.slice(0, 40).map((count) => `{ "name": "lamp", "count": ${count} },\n  `);
  assert.equal(isFlawed(`${beginning}", "items": [${items.join("")}{ "na`), true);
  const measured = numbers.map((number) => (number * 7919) % 101);
  assert.equal(isFlawed(`${beginning}", "values": [${measured.join(", ")}`), false);
  assert.equal(isFlawed(`${beginning}", "years": [1990, 1991, 1992, 1993, 1994, 1995`), false);
});

test("a circle is an issue of the field in which it was cut off", () => {
  const pathOf = (answer: string): string | undefined => cutAnswerFlaw(answer, schema)?.path;
  const circle = "round and round ".repeat(30);
  assert.equal(pathOf(`{"reasoning": "${circle}`), "reasoning");
  assert.equal(pathOf(`{"reasoning": "a \\"category\\": ", "category": ["x", {"y": "${circle}`), "category");
  assert.equal(pathOf(`{"unknown": "${circle}`), "");
  assert.equal(pathOf(circle), "");
});

test("whatever the unit is, a long enough repetition of it is found", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 100 }), fc.string({ maxLength: 50 }), (unit, before) => {
      assert.equal(isFlawed(`${beginning}${before}${unit.repeat(Math.max(3, Math.ceil(200 / unit.length)))}`), true);
    }),
    { numRuns: 200, seed: 7 },
  );
});

test("the schema given back is found, whole or cut, as it was sent or laid out; fields of that name are no echo", () => {
  const json = JSON.stringify(schema);
  const echoes = [
    json,
    json.slice(0, 80),
    JSON.stringify(schema, null, 2),
    `\`\`\`json\n${json}\n\`\`\``,
    JSON.stringify({ $schema: "https://json-schema.org/draft/2020-12/schema", ...schema }),
    JSON.stringify({ name: "visit", strict: true, schema }),
    JSON.stringify({ title: "Visit", type: "object", properties: {} }),
    JSON.stringify({ properties: schema.properties }),
  ];
  for (const echo of echoes) assert.ok(schemaEcho(echo, schema)?.reAsk?.includes('{"reasoning": "…"'), echo);
  assert.equal(schemaEcho('{"reasoning": "of type: object"}', schema), undefined);
  assert.equal(schemaEcho("no object", schema), undefined);
  const typed = toStrictSchema(LLMOutputBase.extend({ type: z.string() })).json;
  assert.equal(schemaEcho('{"type":"object"}', typed), undefined);
});
