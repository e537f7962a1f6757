import assert from "node:assert/strict";
import { test } from "node:test";
import { objectInText } from "../../../src/llm/chat-completions/json-in-text.ts";

const answer = '{"reasoning": "so {it} is", "category": "billing"}';
const required = ["reasoning", "category"];
const draft = '{"category": "delivery"}';
const other = '{"reasoning": "no", "category": "delivery"}';

const texts: Readonly<Record<string, string>> = {
  "nothing around it": answer,
  "blank lines": `\n\n ${answer}\r\n`,
  "a fence": `\`\`\`json\n${answer}\n\`\`\``,
  "a fence of one line": `\`\`\`json ${answer} \`\`\``,
  "a fence without a name, open to the end": `\`\`\`\n${answer}`,
  "prose and a fence": `Here you are:\n\n\`\`\`JSON\n${answer}\n\`\`\`\nI hope that {this} helps.`,
  "a draft in prose, and the answer in a fence": `First I had ${other}, but:\n\`\`\`\n${answer}\n\`\`\``,
  "prose alone": `The answer is ${answer}. Is that right?`,
  "an example after it, which lacks a field": `${answer}\nAn answer such as ${draft} would be wrong.`,
  thoughts: `<think>\nThe invoice ${draft} maybe\n</think>\n\n${answer}`,
  "thoughts with a whole draft": `<think>${other}</think>${answer}`,
  "thoughts with no opening tag": `It says ${other}, but no.\n</think>\n${answer}`,
  "thoughts that are never closed": `<think>\nIt may be ${draft}. Then:\n${answer}`,
  "thoughts in brackets": `[THINK]${other}[/THINK]${answer}`,
  "an unclosed brace in thoughts": `<think>{"category": {"a": </think>\n${answer}`,
  "many unclosed braces before it": `${'{"a": '.repeat(12)}\n${answer}`,
  "a marker of the end": `${answer}<|im_end|>`,
  "markers of ChatML": `<|im_start|>assistant\n${answer}<|im_end|>\n<|endoftext|>`,
  "markers of Llama": `<|start_header_id|>assistant<|end_header_id|>\n\n${answer}<|eot_id|>`,
  "markers of Mistral": `[INST] ${answer}</s>`,
  "channels of Harmony": `<|channel|>analysis<|message|>Perhaps ${other}<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>${answer}<|return|>`,
  "a tag of XML": `<scratch>${other}</scratch><answer>${answer}</answer>`,
  "quotes in prose": `It says "the {invoice" and 5" pipes: ${answer}`,
};

for (const [what, text] of Object.entries(texts)) {
  test(`the object of an answer is found in ${what}`, () => assert.equal(objectInText(text, required), answer));
}

test("an object that lacks a field is taken where there is no whole one; one that has none of the fields is not", () => {
  assert.equal(objectInText(`Well: ${draft}`, required), draft);
  assert.equal(objectInText('Well: {"a": 1}', required), undefined);
});

test("a text without a whole object has none", () => {
  for (const text of ["", "I think so.", '{"category": "bill', "[1]", "null", '{category: "billing"}']) {
    assert.equal(objectInText(text, required), undefined);
  }
});
