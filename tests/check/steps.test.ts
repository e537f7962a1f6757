import assert from "node:assert/strict";
import { test } from "node:test";
import type { z } from "zod";
import { Findings } from "../../src/check/report.ts";
import { checkSteps, type StepsCheckOptions } from "../../src/check/steps.ts";
import { GlobalState } from "../../src/engine/state.ts";
import { ClassifierStep, LLMOutputBase, LLMStep, TransformStep } from "../../src/index.ts";
import { ProviderError } from "../../src/llm/provider-error.ts";
import { type MockAnswer, MockProvider } from "../../src/llm/providers/mock.ts";
import { ownPrices } from "../../src/llm/price-book.ts";
import type { Step } from "../../src/contracts/step.ts";

interface Visit {
  readonly note: string;
}
type State = GlobalState<Visit, { readonly kind: { readonly category: string } }>;

const { signal } = new AbortController();
const firstRow = (note: string) =>
  new GlobalState<object, Readonly<Record<string, unknown>>>({
    ...{ pk: "1", raw: { note }, processed: {}, log: [], startedAt: new Date(0) },
  });
const kind = new ClassifierStep({
  name: "kind",
  taxonomy: [
    { name: "Emergency", definition: "sudden pain" },
    { name: "Routine", definition: "a yearly check" },
  ],
  inputMap: { text: (s: State) => s.raw.note },
  outputKey: "kind",
});
const summary = (schema: z.ZodObject = LLMOutputBase) =>
  new LLMStep({
    name: "summary",
    prompt: "Say it in short.",
    schema,
    inputMap: { text: (s: State) => s.raw.note, focus: (s: State) => s.processed.kind.category },
    outputKey: "summary",
  });

interface Given extends Partial<Omit<StepsCheckOptions, "steps" | "state">> {
  readonly note?: string | null;
  readonly rowErrorStatus?: "problem" | "warning";
  readonly answer?: MockAnswer;
  /** Of the provider: USD for a million tokens. */
  readonly price?: number;
}

/** Checks the steps on a row with that note; where a call is answered, with that answer. */
async function look(steps: readonly Step<never, string, unknown>[], given: Given = {}) {
  const { note = "Sudden pain.", rowErrorStatus = "problem", answer, price, ...options } = given;
  const findings = new Findings({ rowErrorStatus, signal });
  let callCount = 0;
  const perMillion = { inputPerMillion: price ?? 0, cachedInputPerMillion: price ?? 0, outputPerMillion: price ?? 0 };
  const provider = new MockProvider({
    ...(price !== undefined && { prices: { ...perMillion, currency: "USD" } }),
    responses: () => {
      callCount += 1;
      return answer;
    },
  });
  const { prompts } = await checkSteps(findings, {
    ...{ pipeline: "visits", steps: steps.map((step) => ({ step, provider })), limits: new Map(), signal },
    ...{ ping: false, prices: ownPrices, show: (text) => text },
    state: note === null ? undefined : firstRow(note),
    ...options,
  });
  const found = findings.list.map(({ subject, status, code, area }) =>
    [...(area === "ping" ? ["ping of"] : []), subject, status, ...(code === undefined ? [] : [code])].join(" "),
  );
  return { prompts, found, messages: findings.list.map(({ message }) => message), callCount };
}

test("each step's prompt is rendered with the outputs made up for those before it, and no call is made", async () => {
  const words = new TransformStep({ name: "words", outputKey: "words", transform: (s: State) => s.raw.note.length });
  const { prompts, found, callCount } = await look([words, kind, summary()]);
  assert.deepEqual(found, [
    "step words ok",
    ...["step kind ok", "prompt of kind ok"],
    ...["step summary ok", "prompt of summary ok"],
  ]);
  assert.equal(callCount, 0);
  assert.deepEqual(
    prompts.map(({ step, provider, maxOutputTokens, ping }) => [step, provider, maxOutputTokens, ping]),
    [
      ["kind", "mock", 512, undefined],
      ["summary", "mock", 512, undefined],
    ],
  );
  assert.equal(prompts[1]?.messages?.[1]?.content, "<focus>\nEmergency\n</focus>\n\n<text>\nSudden pain.\n</text>");
  const characters = (prompts[0]?.messages ?? []).reduce((sum, { content }) => sum + content.length, 0);
  assert.equal(prompts[0]?.estimatedInputTokens, Math.ceil(characters / 4));
});

test("messages are shown through redact, or not at all; a redact that throws shows none, and says so without the text", async () => {
  const redacted = await look([kind], { show: (text) => text.replaceAll("Sudden", "▒") });
  assert.match(redacted.prompts[0]?.messages?.[1]?.content ?? "", /▒ pain/);
  const hidden = await look([kind], { show: undefined });
  assert.ok(hidden.prompts[0] !== undefined && hidden.prompts[0].messages === undefined);
  const broken = await look([kind], {
    show: (text) => {
      throw new TypeError(text);
    },
  });
  assert.equal(broken.prompts[0]?.messages, undefined);
  assert.ok(broken.found.includes("redact problem"));
  assert.ok(!JSON.stringify(broken).includes("Sudden"));
});

test("a column's limits are told for the field that they hold for", async () => {
  const limit = { problemOf: () => undefined };
  const limits = new Map([
    [
      "kind",
      [
        { ...limit, path: ["category"], column: "visit_kind", schema: { maxLength: 20 } },
        { ...limit, path: ["confidence"], column: "score", schema: { minimum: 0, maximum: 9 } },
        { ...limit, path: ["reasoning"], column: "why", schema: {} },
      ],
    ],
  ]);
  const { found, messages } = await look([kind], { limits });
  assert.equal(found[1], "limits of kind ok");
  assert.equal(messages[0], "asks mock for reasoning, category, confidence");
  assert.equal(
    messages[1],
    "category at most 20 characters (column visit_kind); confidence from 0 up to 9 (column score)",
  );
});

test("a step that fails on the first row is what the pipeline makes of a row that fails, and the steps after it are not checked", async () => {
  const failing = await look([kind, summary()], { note: " " });
  assert.deepEqual(failing.found, [
    ...["step kind ok", "prompt of kind problem EMPTY_INPUT"],
    ...["step summary ok", "prompt of summary not checked"],
  ]);
  assert.match(failing.messages.at(-1) ?? "", /step "kind" gave nothing for the first row/);
  const skipping = await look([kind], { note: " ", rowErrorStatus: "warning" });
  assert.equal(skipping.found[1], "prompt of kind warning EMPTY_INPUT");
  const none = await look([kind], { note: null });
  assert.deepEqual([none.found[1], none.prompts], ["prompt of kind not checked", []]);
});

test("a step that fails on a made-up output may not on a real one: a warning", async () => {
  const transform = (): never => {
    throw new TypeError("Sudden");
  };
  const strict = new TransformStep<State, "strict", never>({ name: "strict", outputKey: "strict", transform });
  const alone = await look([strict]);
  assert.deepEqual(alone.found, ["step strict problem STEP_FAILED"]);
  const behind = await look([kind, strict]);
  assert.deepEqual(behind.found.slice(2), ["step strict warning STEP_FAILED"]);
  assert.ok(!behind.messages.join(" ").includes("Sudden"));
});

test("a rule that no made-up answer keeps hides what comes after, and is no problem", async () => {
  const unlikely = LLMOutputBase.refine(({ reasoning }) => reasoning === "exactly this");
  const { found, prompts } = await look([kind, summary(unlikely), kind]);
  assert.deepEqual(found.slice(3, 5), ["prompt of summary ok", "output of summary not checked"]);
  assert.equal(found.at(-1), "prompt of kind not checked");
  assert.deepEqual(
    prompts.map(({ step }) => step),
    ["kind", "summary"],
  );
});

test("a ping asks each step that has a model once, and tells what came", async () => {
  const words = new TransformStep({ name: "words", outputKey: "words", transform: (s: State) => s.raw.note.length });
  const { found, prompts, callCount, messages } = await look([kind, words, summary()], { ping: true });
  assert.equal(callCount, 2);
  assert.deepEqual(
    found.filter((line) => line.startsWith("ping")),
    ["ping of step kind ok", "ping of step summary ok"],
  );
  assert.match(
    messages.join("\n"),
    /mock gave a valid answer in \d+ ms: \d+ input tokens, \d+ output tokens; its cost is/,
  );
  assert.ok(prompts.every(({ ping }) => ping?.model === "mock" && ping.cost === null));
});

test("an answer that is not valid is a warning, with what is wrong and without the answer; the call is made once", async () => {
  const { found, messages, callCount } = await look([kind], { ping: true, answer: { json: { category: "Sudden" } } });
  assert.equal(callCount, 1);
  assert.deepEqual(found.slice(2), ["ping of step kind ok", "ping of step kind warning INVALID_OUTPUT"]);
  assert.match(messages[2] ?? "", /^mock answered in/);
  assert.match(messages[3] ?? "", /category/);
  assert.ok(!messages.join(" ").includes('"Sudden"'));
});

test("a call that fails is a problem, unless it is the row's own", async () => {
  const ping = async (answer: MockAnswer, rowErrorStatus: "problem" | "warning" = "warning"): Promise<string> =>
    (await look([kind], { ping: true, answer, rowErrorStatus })).found.at(-1) ?? "";
  const error = (errorClass: "transient" | "row" | "run", code: string) => new ProviderError(errorClass, code, "…");
  assert.match(await ping(error("run", "AUTHENTICATION_FAILED")), / problem AUTHENTICATION_FAILED$/);
  assert.match(await ping(error("transient", "NETWORK_ERROR")), / problem NETWORK_ERROR$/);
  assert.match(await ping({ text: "", finishReason: "content_filter" }), / warning CONTENT_FILTER$/);
  assert.match(await ping({ text: "", finishReason: "content_filter" }, "problem"), / problem CONTENT_FILTER$/);
});

test("a maxCost below the most that one call may cost is a problem: a run would stop before it", async () => {
  const dear = await look([kind], { price: 1000, maxCost: 0.01 });
  assert.ok(dear.found.includes("cost of kind problem"), JSON.stringify(dear.found));
  assert.equal(dear.callCount, 0);
  for (const enough of [{ price: 1000, maxCost: 10 }, { price: 1000 }, { maxCost: 0.01 }]) {
    assert.ok(!(await look([kind], enough)).found.some((line) => line.startsWith("cost of")));
  }
});
