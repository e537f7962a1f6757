import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { StepFailedError, ValidationError } from "../../src/errors/step.ts";
import { wordingOfRule } from "../../src/errors/wording.ts";
import type { Conversation, Prompt } from "../../src/contracts/conversation.ts";
import { type MockAnswer, MockProvider } from "../../src/llm/providers/mock.ts";
import type { LLMRequest } from "../../src/contracts/provider.ts";
import { ClassifierStep } from "../../src/steps/classifier.ts";
import { LLMStep } from "../../src/steps/llm-step.ts";
import { askUntilValid, type Reading } from "../../src/validation/retry.ts";
import { type Note, runNotes } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const newFolder = (): string => mkdtempSync(join(folder, "run "));

const prompt: Prompt = {
  messages: [
    { role: "system", content: "the task" },
    { role: "user", content: "the row" },
  ],
  schema: { name: "out", json: { type: "object" } },
  temperature: 0,
  maxOutputTokens: 512,
  promptHash: "0".repeat(16),
};

/** Asks with answers that are given one after the other, and keeps what was asked. */
async function ask(answers: readonly string[], read: (answer: string) => Reading<string>, maxRetries = 3) {
  const asked: { prompt: Prompt; issueCount: number }[] = [];
  const conversation: Conversation = {
    retryCount: 0,
    lineage: null,
    ask: async (request, issueCount) => {
      asked.push({ prompt: request, issueCount });
      const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
      return { text: answers[asked.length - 1] ?? "no answer is left", finishReason: "stop", model: "mock", usage };
    },
  };
  const outcome = await askUntilValid({ step: "classify", prompt, read, conversation, maxRetries }).then(
    (output) => ({ output, error: undefined }),
    (error: unknown) => ({ output: undefined, error }),
  );
  return { asked, ...outcome };
}

/** Takes "good"; anything else has one issue, which quotes it. */
function isGood(answer: string): Reading<string> {
  if (answer === "good") return { valid: true, output: answer };
  return {
    valid: false,
    issues: [{ path: "field", message: "is not good", detail: `is not good: ${answer.slice(0, 20)}` }],
  };
}

test("a valid answer is the output, and nothing is asked again", async () => {
  const { asked, output } = await ask(["good"], isGood);
  assert.equal(output, "good");
  assert.deepEqual(asked, [{ prompt, issueCount: 0 }]);
});

test("a re-ask is the same request with the last answer and the reasons behind it, byte for byte", async () => {
  const { asked, output } = await ask(["bad 1", "bad 2", "good"], isGood);
  assert.equal(output, "good");
  assert.deepEqual(
    asked.map(({ issueCount }) => issueCount),
    [0, 1, 1],
  );
  assert.deepEqual(asked[2]?.prompt, {
    ...prompt,
    messages: [
      ...prompt.messages,
      { role: "assistant", content: "bad 2" },
      {
        role: "user",
        content:
          "The previous reply did not pass validation:\n" +
          "- field: is not good: bad 2\n" +
          "Reply again with the complete corrected JSON object. Fields not listed above can stay as they were.",
      },
    ],
  });
});

test("an issue with the answer as a whole has no path", async () => {
  const detail = "the reply is not valid JSON: Unexpected end of JSON input";
  const { asked } = await ask(["{", "{"], () => ({
    valid: false,
    issues: [{ path: "", message: "the reply is not valid JSON", detail }],
  }));
  assert.match(asked[1]?.prompt.messages.at(-1)?.content ?? "", new RegExp(`validation:\n- ${detail}\nReply`));
});

test("the model has its own line, and people have theirs", async () => {
  const issue = { path: "field", message: "for terminals", detail: "for files", reAsk: "for the model" };
  const { asked, error } = await ask(["a", "b"], () => ({ valid: false, issues: [issue] }), 1);
  const line = asked[1]?.prompt.messages.at(-1)?.content ?? "";
  assert.ok(line.includes("\n- field: for the model\n"), line);
  assert.ok(!line.includes("for files"), line);
  assert.ok(error instanceof ValidationError);
  assert.ok(error.message.includes("field: for terminals"), error.message);
  assert.ok(error.detail.includes("field: for files"), error.detail);
  assert.deepEqual(error.attempts[0]?.issues, ["field: for files"]);
});

test("of a long answer 2,000 characters are shown, and never half of one", async () => {
  const { asked } = await ask([`${"x".repeat(1999)}😀${"y".repeat(1000)}`, "good"], isGood);
  const echoed = asked[1]?.prompt.messages[2]?.content ?? "";
  assert.equal(echoed.length, 2000);
  assert.ok(echoed.isWellFormed());
  assert.ok(echoed.startsWith("x".repeat(1999)));
});

test("the model is sent at most ten issues", async () => {
  const issues = Array.from({ length: 25 }, (_, index) => ({ path: `f${index}`, message: "m", detail: "d" }));
  const { asked, error } = await ask(["a", "b"], () => ({ valid: false, issues }), 1);
  const lines = asked[1]?.prompt.messages.at(-1)?.content.split("\n") ?? [];
  assert.deepEqual(
    lines.slice(1, -1),
    Array.from({ length: 10 }, (_, index) => `- f${index}: d`),
  );
  assert.ok(error instanceof ValidationError);
  assert.equal(error.attempts[0]?.issues.length, 25);
});

test("when no re-ask is left the row fails with the issues of the last answer, and all answers are kept", async () => {
  const { asked, error } = await ask(["a", "b", "c", "d", "good"], isGood);
  assert.equal(asked.length, 4);
  assert.ok(error instanceof ValidationError);
  assert.equal(error.code, "INVALID_OUTPUT");
  assert.deepEqual(error.facts, { step: "classify", where: ["field"], attempts: 4 });
  assert.ok(error.message.includes("is not good") && !error.message.includes("is not good: d"), error.message);
  assert.ok(error.detail.includes("field: is not good: d"), error.detail);
  assert.deepEqual(
    error.attempts,
    ["a", "b", "c", "d"].map((answer) => ({ answer, issues: [`field: is not good: ${answer}`] })),
  );
});

test("without retries an answer that is not valid fails the row at once", async () => {
  const { asked, error } = await ask(["a", "good"], isGood, 0);
  assert.equal(asked.length, 1);
  assert.ok(error instanceof ValidationError);
});

test("the same issues with another answer are asked about again", async () => {
  const issues = [{ path: "field", message: "is not good", detail: "is not good" }];
  const read = (answer: string): Reading<string> =>
    answer === "good" ? { valid: true, output: answer } : { valid: false, issues };
  const { asked, output } = await ask(["a", "b", "c", "good"], read);
  assert.equal(asked.length, 4);
  assert.equal(output, "good");
});

test("an issue that no answer could do away with is not told the model; alone it fails the row without a re-ask", async () => {
  const hopeless = { path: "bytes", message: "expected bytes", detail: "expected bytes", reAsk: null };
  const issues = [hopeless, { path: "field", message: "is not good", detail: "is not good" }];
  const both = await ask(["a", "b"], () => ({ valid: false, issues }), 1);
  const sent = both.asked[1]?.prompt.messages.at(-1)?.content ?? "";
  assert.ok(sent.includes("- field:") && !sent.includes("bytes"), sent);
  const { asked, error } = await ask(["a", "good"], () => ({ valid: false, issues: [hopeless] }));
  assert.equal(asked.length, 1);
  assert.ok(error instanceof ValidationError && error.message.includes("expected bytes"));
});

test("a re-ask that version 0.1 worded otherwise has its messages beside it, to find its answers by", async () => {
  const issue = { path: "f", message: "m", detail: "for files", reAsk: "for the model", olderReAsk: "as it was" };
  const { asked } = await ask(["a", "b"], () => ({ valid: false, issues: [issue] }), 1);
  const { messages = [], olderMessages = [] } = asked[1]?.prompt ?? {};
  assert.deepEqual(olderMessages.slice(0, -1), messages.slice(0, -1));
  const older = messages.at(-1)?.content.replace("for the model", "as it was");
  assert.equal(olderMessages.at(-1)?.content, older);
  assert.equal((await ask(["a", "b"], isGood, 1)).asked[1]?.prompt.olderMessages, undefined);
});

test("when the identical answer comes back the model is not asked a third time", async () => {
  const { asked, error } = await ask(["a", "b", "b", "good"], isGood);
  assert.equal(asked.length, 3);
  assert.ok(error instanceof ValidationError);
  assert.equal(error.attempts.length, 3);
});

test("issues that change and come back later are asked about as long as retries are left", async () => {
  const { asked, output } = await ask(["a", "b", "a", "good"], isGood);
  assert.equal(asked.length, 4);
  assert.equal(output, "good");
});

// From here on through a pipeline: a step, the client, the files and the engine.

const taxonomy = [
  { name: "Billing", definition: "Bills and payments" },
  { name: "Billing / Refund", definition: "Money that is to be given back" },
  { name: "Shipping", definition: "Parcels" },
] as const;
const step = new ClassifierStep({
  name: "classify",
  taxonomy,
  inputMap: { text: (state: { raw: Note }) => state.raw.text },
  outputKey: "out",
});
const bad = (confidence: number, category = "Billing"): MockAnswer => ({
  json: { reasoning: "r", category, confidence },
});
const good: MockAnswer = { json: { reasoning: "r", category: "Billing", confidence: 0.9 } };

/** A mock that answers so, and keeps what it was asked. */
function scripted(answers: readonly MockAnswer[]): { provider: MockProvider; requests: LLMRequest[] } {
  const requests: LLMRequest[] = [];
  const responses = (request: LLMRequest, callNumber: number): MockAnswer | undefined => {
    requests.push(request);
    return answers[callNumber - 1];
  };
  return { provider: new MockProvider({ responses }), requests };
}

const Attempts = z.array(z.object({ answer: z.string(), issues: z.array(z.string()) }));

test("the model is sent the design's example, byte for byte", async () => {
  const { provider, requests } = scripted([bad(1.5, "Biling"), good]);
  await runNotes({ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step });
  assert.equal(
    requests[1]?.messages.at(-1)?.content,
    `The previous reply did not pass validation:
- category: "Biling" is not one of the allowed values; closest: "Billing", "Billing / Refund"
- confidence: must be between 0 and 1, got 1.5
Reply again with the complete corrected JSON object. Fields not listed above can stay as they were.`,
  );
});

test("invalid, invalid, valid: the row is written, and three logged attempts count 0, 1, 2 and hold both bad answers", async () => {
  const { provider } = scripted([bad(1.5), bad(-2), good]);
  const { report, outputs, payloads, deadLetters } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.deepEqual(outputs, [{ reasoning: "r", category: "Billing", confidence: 0.9 }]);
  assert.deepEqual(
    payloads.map(({ retry_count: count, response }) => [count, response]),
    [
      [0, { reasoning: "r", category: "Billing", confidence: 1.5 }],
      [1, { reasoning: "r", category: "Billing", confidence: -2 }],
      [2, { reasoning: "r", category: "Billing", confidence: 0.9 }],
    ],
  );
  assert.deepEqual(deadLetters, []);
  assert.equal(report.successCount, 1);
  assert.equal(report.usage.calls, 3);
  assert.equal(report.usage.reAsks, 2);
  assert.ok(report.usage.outputTokens >= 3);
});

test("four invalid answers: a dead letter with three retries, the message of the last and all four answers", async () => {
  const { provider } = scripted([bad(1.5), bad(-2), "no JSON", bad(7), good]);
  const { report, outputs, payloads, deadLetters } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.deepEqual(outputs, []);
  assert.equal(payloads.length, 4);
  assert.equal(report.failureCount, 1);
  assert.deepEqual(report.failuresByCode, { INVALID_OUTPUT: 1 });
  const [letter] = deadLetters;
  assert.equal(deadLetters.length, 1);
  assert.equal(letter?.["error_type"], "ValidationError");
  assert.equal(letter?.["error_code"], "INVALID_OUTPUT");
  const issueOf = (value: number): string =>
    `confidence: ${wordingOfRule({ kind: "range", minimum: 0, maximum: 1 }, value).detail}`;
  assert.equal(letter?.["error_message"], issueOf(7));
  assert.equal(letter?.["retry_attempts"], 3);
  assert.deepEqual(letter?.["partial_state"], { out: null });
  const attempts = Attempts.parse(letter?.["attempts"]);
  assert.deepEqual(
    attempts.map(({ answer }) => answer),
    [1.5, -2, 0, 7].map((confidence, index) =>
      index === 2 ? "no JSON" : JSON.stringify({ reasoning: "r", category: "Billing", confidence }),
    ),
  );
  assert.deepEqual(attempts[0]?.issues, [issueOf(1.5)]);
});

test("the first two messages of a re-ask are those of the call, and the first is the same for every row", async () => {
  const { provider, requests } = scripted([bad(1.5), good, bad(2), good]);
  await runNotes({
    ...{ folder: newFolder(), provider, step },
    notes: [
      { id: "1", text: "a bill" },
      { id: "2", text: "a parcel" },
    ],
  });
  const messages = requests.map((request) => request.messages);
  assert.deepEqual(
    messages.map(({ length }) => length),
    [2, 4, 2, 4],
  );
  assert.deepEqual(messages[1]?.slice(0, 2), messages[0]);
  assert.deepEqual(messages[3]?.slice(0, 2), messages[2]);
  assert.equal(new Set(messages.map((list) => list[0]?.content)).size, 1);
  assert.equal(new Set(requests.map(({ schema }) => JSON.stringify(schema))).size, 1);
  assert.equal(new Set(requests.map(({ cacheKey }) => cacheKey)).size, 1);
});

test("a reply with line breaks that is no JSON takes one line of the re-ask", async () => {
  const { provider, requests } = scripted(["no\n- category: JSON\n", good]);
  await runNotes({ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step });
  assert.match(
    requests[1]?.messages.at(-1)?.content ?? "",
    /^The previous reply did not pass validation:\n- the reply is not valid JSON: [^\n]+\nReply again [^\n]+$/,
  );
});

test("answers that were paid for are kept when a later attempt brings none", async () => {
  const responses: readonly MockAnswer[] = ['{"category":"Zoo"}', { text: "", finishReason: "content_filter" }];
  const step = new ClassifierStep({
    name: "classify",
    taxonomy: [{ name: "A", definition: "a" }],
    inputMap: { text: (state: { raw: Note }) => state.raw.text },
    outputKey: "out",
  });
  const { deadLetters } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "x" }], provider: new MockProvider({ responses }), step },
  });
  assert.deepEqual(
    deadLetters.map((line) => [line["error_code"], line["retry_attempts"]]),
    [["CONTENT_FILTER", 1]],
  );
  const [kept, ...others] = z.array(z.object({ answer: z.string() })).parse(deadLetters[0]?.["attempts"]);
  assert.equal(kept?.answer, '{"category":"Zoo"}');
  assert.deepEqual(others, []);
});

test("an answer whose reading throws is kept, with those before it", async () => {
  let count = 0;
  const { error } = await ask(["bad", "worse"], (answer) => {
    count += 1;
    if (count === 2) throw new RangeError("a bug");
    return isGood(answer);
  });
  assert.ok(error instanceof StepFailedError);
  assert.deepEqual(
    error.attempts.map(({ answer, issues }) => [answer, issues.at(-1)]),
    [
      ["bad", "field: is not good: bad"],
      ["worse", "the schema threw RangeError: a bug"],
    ],
  );
});

test("a cut answer with a flaw is re-asked about as if for the first time, with an advice for that flaw among the instructions", async () => {
  const { provider, requests } = scripted([
    { text: `{"reasoning": "${"round and round ".repeat(40)}`, finishReason: "length" },
    { text: "It is about a bill", finishReason: "length" },
    { text: `{"reasoning": "${"on and on ".repeat(40)}`, finishReason: "length" },
    good,
  ]);
  const { outputs, payloads } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.equal(outputs.length, 1);
  assert.deepEqual(
    requests.map(({ maxOutputTokens }) => maxOutputTokens),
    [512, 512, 512, 512],
  );
  const [plain, ...advised] = requests.map(({ messages }) => messages);
  const [system, user] = plain ?? [];
  const advices = advised.map((messages) => {
    assert.deepEqual([messages.length, messages[1]], [2, user]);
    const { role, content = "" } = messages[0] ?? {};
    assert.ok(role === "system" && content.startsWith(`${system?.content}\n\n`));
    return content.slice(system?.content.length).trim();
  });
  assert.match(advices[0] ?? "", /do not repeat yourself/);
  assert.match(advices[1] ?? "", /begin with \{/);
  assert.match(advices[2] ?? "", /do not repeat yourself/);
  assert.notEqual(advices[2], advices[0]); // else the journal would give the answer to the first
  assert.deepEqual(
    requests.map(({ temperature }) => temperature),
    [0, 0.7, 0.85, 1],
  );
  assert.equal(payloads.length, 4);
});

test("an answer that repeats the advice is invalid, also without the number of the attempt", async () => {
  const parrot = "I will do not repeat yourself; keep every field short, one sentence at most where it gives reasons.";
  const { provider, requests } = scripted([
    { text: `{"reasoning": "${"round and round ".repeat(40)}`, finishReason: "length" },
    { json: { reasoning: parrot, category: "Billing", confidence: 0.9 } },
    good,
  ]);
  const { outputs } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.deepEqual([outputs.length, requests.length], [1, 3]);
});

test("what is asked after such a re-ask keeps its temperature, else the same answer comes again", async () => {
  const { provider, requests } = scripted([
    { text: `{"reasoning": "${"round and round ".repeat(40)}`, finishReason: "length" },
    "{}",
    good,
  ]);
  const { outputs } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.equal(outputs.length, 1);
  assert.deepEqual(
    requests.map(({ temperature, messages }) => [temperature, messages.length]),
    [
      [0, 2],
      [0.7, 2],
      [0.7, 4],
    ],
  );
});

test("cut answers stand in the dead letter: with a flaw and too short", async () => {
  const loop = `{"reasoning": "${"round and round ".repeat(40)}`;
  const short = '{"reasoning": "it is';
  const { provider } = scripted([
    { text: loop, finishReason: "length" },
    { text: short, finishReason: "length" },
    { text: `${short} a bill`, finishReason: "length" },
  ]);
  const { deadLetters } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.equal(deadLetters[0]?.["error_code"], "OUTPUT_TRUNCATED");
  const attempts = Attempts.parse(deadLetters[0]?.["attempts"]);
  assert.deepEqual(
    attempts.map(({ answer }) => answer),
    [loop, short, `${short} a bill`],
  );
});

test("a re-ask about one field that is not the category leaves the others as they were", async () => {
  const { provider, requests } = scripted([
    bad(1.5),
    { json: { reasoning: "The previous reply did not pass validation", category: "Shipping", confidence: 0.4 } },
  ]);
  const { outputs, payloads } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.deepEqual(outputs, [{ reasoning: "r", category: "Billing", confidence: 0.4 }]);
  assert.match(requests[1]?.messages.at(-1)?.content ?? "", /Only confidence/);
  assert.deepEqual(payloads[1]?.["response"], {
    ...{ reasoning: "The previous reply did not pass validation", category: "Shipping", confidence: 0.4 },
  });
});

test("about a category, about several fields, or with a rule over several fields, the next answer stands alone", async () => {
  const second = { json: { reasoning: "s", category: "Billing / Refund", confidence: 0.4 } };
  for (const first of [bad(0.5, "Biling"), bad(1.5, "Biling")]) {
    const { provider } = scripted([first, second]);
    const { outputs } = await runNotes({
      ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
    });
    assert.deepEqual(outputs, [second.json]);
  }
  const ranged = new LLMStep({
    ...{
      name: "range",
      outputKey: "out",
      prompt: "Find the range.",
      inputMap: { text: (s: { raw: Note }) => s.raw.text },
    },
    schema: z.object({ low: z.number().min(0), high: z.number() }).refine(({ low, high }) => low <= high),
  });
  const { provider } = scripted([{ json: { low: -1, high: 5 } }, { json: { low: 7, high: 9 } }]);
  const { outputs } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step: ranged },
  });
  assert.deepEqual(outputs, [{ low: 7, high: 9 }]);
});

test("an answer that version 0.1 stored is read as 0.1 read it: its row stays as it is", async () => {
  const answers = ['{"category":"a","confidence":2}', '{"category":"b","confidence":1}'];
  const read = (answer: string): Reading<string> =>
    answer.includes('"confidence":1}') ? { valid: true, output: answer } : isGood(answer);
  const outputWith = async (isFormer: boolean): Promise<unknown> => {
    let asked = 0;
    const conversation: Conversation = {
      ...{ retryCount: 0, lineage: null },
      ask: async () => {
        const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
        return { text: answers[asked++] ?? "", finishReason: "stop", model: "mock", usage, isFormer };
      },
    };
    const soleFieldOf = (): string => "confidence";
    return await askUntilValid({ ...{ step: "classify", prompt, read, conversation, soleFieldOf }, maxRetries: 3 });
  };
  assert.equal(await outputWith(true), '{"category":"b","confidence":1}');
  assert.equal(await outputWith(false), '{"category":"a","confidence":1}');
});

test("a text that repeats a sentence of the re-ask is invalid, and no text of a first answer is", async () => {
  const parroting = "The previous reply did not pass validation: it is a bill";
  const repeats = { json: { reasoning: parroting, category: "Billing", confidence: 0.5 } };
  const { provider, requests } = scripted([bad(0.5, "Biling"), repeats, good]);
  const { outputs } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.equal(requests.length, 3);
  assert.deepEqual(outputs, [{ reasoning: "r", category: "Billing", confidence: 0.5 }]); // only the reasons were asked for
  const first = scripted([repeats]);
  const { outputs: taken } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider: first.provider, step },
  });
  assert.deepEqual(taken, [repeats.json]);
});

test("each re-ask shows the answer before it as it came: no two are the same request, though the mistake is", async () => {
  const wrong = { reasoning: "r", category: "Billing", confidence: 7 };
  const { provider, requests } = scripted([JSON.stringify(wrong), JSON.stringify(wrong, null, 1), good]);
  const { outputs } = await runNotes({
    ...{ folder: newFolder(), notes: [{ id: "1", text: "a bill" }], provider, step },
  });
  assert.equal(outputs.length, 1);
  assert.equal(new Set(requests.map(({ messages }) => JSON.stringify(messages))).size, 3);
});
