import assert from "node:assert/strict";
import { test } from "node:test";
import type { JSONSchema } from "../../../src/json/json-schema.ts";
import { AnswerMaker } from "../../../src/testing/simulator/answers.ts";
import type { ChatRequest } from "../../../src/testing/simulator/chat-request.ts";
import { drawsFor } from "../../../src/testing/simulator/request-hash.ts";

const draws = drawsFor(1, 1, 0);
const schema: JSONSchema = {
  type: "object",
  properties: { label: { type: "string", enum: ["a", "b", "c"] }, n: { type: "number" } },
};

function request(user: string, given: JSONSchema | undefined = schema): ChatRequest {
  const messages = [{ role: "user", content: user }] as const;
  return {
    deployment: "d",
    body: {},
    messages,
    schema: given,
    schemaText: "",
    schemaKey: 0,
    schemaCharacters: 0,
    messageCharacters: 0,
    maxTokens: 9,
    tier: "default",
  };
}

test("a text of the labelled file gets its label, whatever was escaped in it, and others a sample", () => {
  const labels = {
    of: (text: string) => (text === "Pain < 3 days\nand more" ? "c" : text === "odd" ? "not in the enum" : undefined),
  };
  const maker = new AnswerMaker(1, labels);
  const labelOf = (user: string): unknown => JSON.parse(maker.content(request(user), undefined, draws)).label;
  assert.equal(labelOf("<context>\nx\n</context>\n\n<text>\nPain &lt; 3 days\nand more\n</text>"), "c");
  assert.equal(labelOf("Pain < 3 days\nand more"), "c");
  assert.equal(
    labelOf("<text>\nodd\n</text>"),
    JSON.parse(new AnswerMaker(1, undefined).content(request("<text>\nodd\n</text>"), undefined, draws)).label,
  );
});

test("without a schema the answer is plain text of the row's own", () => {
  const { messages } = request("One sentence. Two.");
  const maker = new AnswerMaker(1, undefined);
  assert.equal(maker.content({ ...request(""), messages, schema: undefined }, undefined, draws), "One sentence. Two.");
});

test("an answer is spoilt as the fault says, and in no other case", () => {
  const maker = new AnswerMaker(1, undefined);
  const content = (fault: "wrongEnum" | "invalidJSON" | "hang" | undefined): string =>
    maker.content(request("text"), fault, draws);
  assert.throws(() => JSON.parse(content("invalidJSON")));
  assert.ok(!["a", "b", "c"].includes(JSON.parse(content("wrongEnum")).label));
  assert.equal(content("hang"), content(undefined));
});

test("the same mistake is made in another text each time, and never in that of the answer before", () => {
  const maker = new AnswerMaker(1, undefined);
  const range: JSONSchema = {
    type: "object",
    properties: {
      n: { type: "number", description: 'Limits: {"minimum":0,"maximum":1}' },
      label: { type: "string", enum: ["a", "b", "c"] },
    },
  };
  const said = (fault: "invalidJSON" | "outOfRange" | "wrongEnum", timesSeen: number, before?: string): string => {
    const asked = request("text", range);
    const messages = [...asked.messages, { role: "assistant", content: before ?? "" } as const];
    return maker.content({ ...asked, messages }, fault, drawsFor(1, 9, timesSeen), { draws, timesSeen });
  };
  for (const fault of ["outOfRange", "wrongEnum"] as const) {
    const texts = [0, 1, 2].map((timesSeen) => said(fault, timesSeen));
    assert.equal(new Set(texts).size, 3, fault);
    for (const text of texts) assert.deepEqual(JSON.parse(text), JSON.parse(texts[0] ?? ""));
    assert.notEqual(said(fault, 1, texts[1]), texts[1]);
  }
  const broken = [0, 1, 2].map((timesSeen) => said("invalidJSON", timesSeen));
  assert.equal(new Set(broken).size, 3);
  const problems = broken.map((text) => assert.throws(() => JSON.parse(text), /Unterminated string/) ?? text.length);
  assert.equal(new Set(problems).size, 1, "at the same position");
  assert.notEqual(said("invalidJSON", 0, broken[0]), broken[0]);
});
