import assert from "node:assert/strict";
import { test } from "node:test";
import { ChatService, type Arrival, type Decision } from "../../../src/testing/simulator/chat-service.ts";
import type { Outcome } from "../../../src/testing/simulator/fault-outcomes.ts";
import type { AzureOpenAISimulatorOptions } from "../../../src/testing/simulator/options.ts";
import { faultNames, type SimulatorFaultName } from "../../../src/testing/simulator/faults.ts";
import { cutAnswerFlaw } from "../../../src/validation/answer-flaws.ts";
import { chat, completionIn, errorIn, VisitAnswer } from "../../support/simulator.ts";

const service = (options: AzureOpenAISimulatorOptions = {}): ChatService => new ChatService(options, undefined);

function arrival(body: unknown, others: Partial<Arrival> = {}): Arrival {
  const headers = { "api-key": "any" };
  return {
    number: 1,
    deployment: undefined,
    apiVersion: undefined,
    headers,
    body: Buffer.from(JSON.stringify(body)),
    nowMs: 0,
    ...others,
  };
}

function replyOf({ outcome }: Decision): Extract<Outcome, { kind: "reply" }> {
  const met = outcome();
  assert.ok(met.kind === "reply", met.kind);
  return met;
}

const statusOf = (decision: Decision): number => replyOf(decision).reply.status;

test("an answer fits the schema, and the same request in another service gets the same answer", () => {
  const { content } = completionIn(replyOf(service().decide(arrival(chat("Acute pain.")))).reply);
  VisitAnswer.parse(JSON.parse(content ?? ""));
  assert.equal(completionIn(replyOf(service().decide(arrival(chat("Acute pain.")))).reply).content, content);
});

test("usage counts prompt and schema, four characters a token, and what was seen before as cached", () => {
  const system = "x".repeat(6000);
  const messages = (row: string) => ({
    model: "d",
    messages: [
      { role: "system", content: system },
      { role: "user", content: row },
    ],
  });
  const one = service();
  const first = completionIn(replyOf(one.decide(arrival(messages("a".repeat(400))))).reply);
  assert.deepEqual([first.usage.prompt_tokens, first.usage.prompt_tokens_details.cached_tokens], [1600, 0]);
  assert.equal(first.usage.completion_tokens, Math.ceil((first.content ?? "").length / 4));
  const second = completionIn(replyOf(one.decide(arrival(messages("b".repeat(400))))).reply);
  assert.equal(second.usage.prompt_tokens_details.cached_tokens, 1408);
  const elsewhere = completionIn(replyOf(one.decide(arrival(messages("c"), { deployment: "e" }))).reply);
  assert.equal(elsewhere.usage.prompt_tokens_details.cached_tokens, 0, "another deployment has another cache");
});

test("limits are those of each deployment, and turn away with 429 and the wait", () => {
  const limited = service({ requestsPerMinute: 120 });
  const at = (nowMs: number, deployment = "d"): Decision => limited.decide(arrival(chat("x"), { nowMs, deployment }));
  assert.deepEqual([at(0), at(1), at(2), at(2, "e")].map(statusOf), [200, 200, 429, 200]);
  const turnedAway = at(400);
  assert.equal(turnedAway.turnedAwayBy, "limit");
  const { headers = [], body } = replyOf(turnedAway).reply;
  assert.deepEqual(headers, ["retry-after-ms", "600", "retry-after", "1"]);
  assert.equal(errorIn({ body }).code, "rate_limit_exceeded");
  assert.deepEqual(turnedAway.headers.slice(0, 4), [
    "x-ratelimit-limit-requests",
    "120",
    "x-ratelimit-remaining-requests",
    "0",
  ]);
  assert.equal(statusOf(at(1000)), 200);
});

test("tokens are estimated on arrival as prompt characters / 4, rounded up, + max tokens", () => {
  const body = { model: "d", messages: [{ role: "user", content: "x".repeat(401) }], max_tokens: 50 };
  const limited = service({ tokensPerMinute: 302 });
  assert.deepEqual(
    [1, 2, 3].map(() => statusOf(limited.decide(arrival(body)))),
    [200, 200, 429],
  );
  limited.update({ tokensPerMinute: undefined });
  assert.equal(statusOf(limited.decide(arrival(body))), 200);
});

test("keys, deployments and outages are looked at first, in this order", () => {
  const one = service({ apiKeys: ["k"], deployments: ["d"] });
  const statuses = (): number[] => [
    statusOf(one.decide(arrival(chat("x")))),
    statusOf(one.decide(arrival(chat("x"), { headers: { "api-key": "k" } }))),
    statusOf(one.decide(arrival(chat("x"), { headers: { "api-key": "k" }, deployment: "d" }))),
  ];
  assert.deepEqual(statuses(), [401, 404, 200]);
  one.update({ outage: true });
  assert.deepEqual(statuses(), [503, 503, 503]);
  one.update({ outage: "reset" });
  assert.equal(one.decide(arrival(chat("x"))).outcome().kind, "reset");
  one.update({ outage: undefined, apiKeys: [] });
  assert.equal(statusOf(one.decide(arrival(chat("x"), { headers: {}, deployment: "d" }))), 200);
});

test("every fault is served as what it is named", () => {
  const statuses: Partial<Record<string, number>> = {
    ...{ rateLimit: 429, serverError: 500, unavailable: 503, contentFilterPrompt: 400, unauthorized: 401 },
    ...{ deploymentNotFound: 404, quotaExhausted: 429, contextLength: 400, badSchema: 400 },
  };
  for (const name of faultNames) {
    const decision = service({ faults: { [name]: 1 } }).decide(arrival(chat("Acute pain. It hurts.")));
    assert.equal(decision.fault, name);
    const met = decision.outcome();
    if (["hang", "connectionReset", "resetAfterBilling"].includes(name)) {
      assert.equal(met.kind, name === "hang" ? "hang" : "reset");
      continue;
    }
    assert.ok(met.kind === "reply");
    assert.equal(met.reply.status, statuses[name] ?? 200, name);
    assert.equal(met.delivery, name === "stalledBody" ? "stalled" : name === "truncatedBody" ? "truncated" : "whole");
    if (["html", "stalledBody", "truncatedBody"].includes(name) || met.reply.status !== 200)
      assert.equal(met.answered, undefined, name);
    else assert.ok(met.answered !== undefined, name);
  }
});

test("what the model says under a fault", () => {
  const said = (name: string) =>
    completionIn(replyOf(service({ faults: { [name]: 1 } }).decide(arrival(chat("Acute pain.")))).reply);
  const fine = completionIn(replyOf(service().decide(arrival(chat("Acute pain.")))).reply);
  assert.deepEqual([said("refusal").content, typeof said("refusal").refusal], [null, "string"]);
  assert.deepEqual(
    [said("contentFilterAnswer").content, said("contentFilterAnswer").finishReason],
    [null, "content_filter"],
  );
  assert.equal(said("length").finishReason, "length");
  assert.ok(fine.content?.startsWith(said("length").content ?? "?"));
  assert.deepEqual([said("loop").finishReason, said("prose").finishReason], ["length", "length"]);
  assert.equal(JSON.parse(said("schemaEcho").content ?? "").properties.category.type, "string");
  const usageOf = (name: SimulatorFaultName): unknown =>
    JSON.parse(replyOf(service({ faults: { [name]: 1 } }).decide(arrival(chat("x")))).reply.body).usage;
  assert.equal(usageOf("missingUsage"), undefined);
  assert.deepEqual(usageOf("absurdUsage"), { prompt_tokens: -1, completion_tokens: 1e15, total_tokens: 1e15 });
  for (const name of ["outOfRange", "wrongEnum", "invalidJSON", "schemaEcho"]) {
    const { content, finishReason } = said(name);
    assert.equal(finishReason, "stop");
    assert.throws(() => VisitAnswer.parse(JSON.parse(content ?? "")), name);
  }
});

test("a model that is not shown the schema answers rightly where the messages name its fields, and not otherwise", () => {
  const blind = service({ showsSchema: false });
  const saying = (system: string, row: string) => {
    const messages = [
      { role: "system", content: system },
      { role: "user", content: row },
    ];
    return completionIn(replyOf(blind.decide(arrival(chat(row, { messages })))).reply);
  };
  const named = saying("Give category, confidence and note.", "Acute pain.");
  VisitAnswer.parse(JSON.parse(named.content ?? ""));
  const ways = new Set<string>();
  for (let row = 0; row < 40; row += 1) {
    const { content, finishReason, usage } = saying("Give category and confidence.", `Row ${row}.`);
    assert.deepEqual([finishReason, usage.completion_tokens], ["length", 200]);
    assert.throws(() => JSON.parse(content ?? ""));
    ways.add(cutAnswerFlaw(content ?? "", {}) === undefined ? "endless" : "loop");
    assert.equal(content?.startsWith('{"category":"'), true);
  }
  assert.equal(ways.size, 2);
  const prompt = (options: AzureOpenAISimulatorOptions) =>
    completionIn(replyOf(service(options).decide(arrival(chat("x")))).reply).usage.prompt_tokens;
  assert.ok(prompt({}) > prompt({ showsSchema: false }), "the schema is no part of the prompt");
});

test("with slots, what the model works on has a queue, and what is replied at once has none", () => {
  const decide = (options: AzureOpenAISimulatorOptions): Decision => service(options).decide(arrival(chat("x")));
  assert.ok(decide({ slots: 1, latencyMs: 5 }).queue !== undefined);
  assert.ok(decide({ slots: 1, faults: { serverError: 1 } }).queue !== undefined);
  assert.equal(decide({ latencyMs: 5 }).queue, undefined);
  assert.equal(decide({ slots: 1, faults: { rateLimit: 1 } }).queue, undefined);
  assert.equal(decide({ slots: 1, responseFormats: ["text"] }).queue, undefined);
});

test("a form of response_format that is not among those it knows is a 500, which uses no quota", () => {
  const one = service({ responseFormats: ["text", "json_object"], requestsPerMinute: 60 });
  const statuses = Array.from({ length: 3 }, () => statusOf(one.decide(arrival(chat("x")))));
  assert.deepEqual(statuses, [500, 500, 500]);
  assert.equal(statusOf(one.decide(arrival(chat("x", { response_format: { type: "json_object" } })))), 200);
});

test("a fault function decides before the shares, and knows how often the request was sent", () => {
  const seen: unknown[] = [];
  const scripted = service({
    faults: { html: 1 },
    fault: ({ number, deployment, messages, timesSeen, body }) => {
      seen.push([number, deployment, messages.length, timesSeen, body["max_completion_tokens"]]);
      return timesSeen === 0 ? "serverError" : undefined;
    },
  });
  const met = [1, 2].map((number) => scripted.decide(arrival(chat("x"), { number })).fault);
  assert.deepEqual(met, ["serverError", "html"]);
  assert.deepEqual(seen, [
    [1, "gpt-test", 2, 0, 200],
    [2, "gpt-test", 2, 1, 200],
  ]);
  scripted.reset();
  assert.equal(scripted.decide(arrival(chat("x"))).fault, "serverError", "after a reset nothing was seen");
});

test("faults and latencies do not depend on the order of the requests", () => {
  const options: AzureOpenAISimulatorOptions = {
    faults: { serverError: 0.3, refusal: 0.2 },
    latencyMs: { median: 50, sigma: 1 },
  };
  const rows = Array.from({ length: 200 }, (_, index) => `row ${index}`);
  const outcomes = (order: readonly string[]): Map<string, unknown> => {
    const one = service(options);
    return new Map(
      order.map((row) => [
        row,
        [0, 1].map(() => one.decide(arrival(chat(row)))).map(({ fault, waitMs }) => [fault, waitMs]),
      ]),
    );
  };
  const forwards = outcomes(rows);
  const backwards = outcomes(rows.toReversed());
  for (const row of rows) assert.deepEqual(forwards.get(row), backwards.get(row));
});

test("a 429 names its wait as it is asked to, and the limits only where they are wanted", () => {
  const refused = (options: AzureOpenAISimulatorOptions): Decision => {
    const one = service({ requestsPerMinute: 60, limitKind: "bucket", ...options });
    one.decide(arrival(chat("x")));
    return one.decide(arrival(chat("y"), { nowMs: 200 }));
  };
  const waitIn = (options: AzureOpenAISimulatorOptions): readonly string[] | undefined =>
    replyOf(refused(options)).reply.headers;
  assert.deepEqual(waitIn({}), ["retry-after-ms", "800", "retry-after", "1"]);
  assert.deepEqual(waitIn({ retryAfterForm: "milliseconds" }), ["retry-after-ms", "800"]);
  assert.deepEqual(waitIn({ retryAfterForm: "seconds" }), ["retry-after", "1"]);
  assert.deepEqual(waitIn({ retryAfter: "zero" }), ["retry-after-ms", "0", "retry-after", "0"]);
  assert.deepEqual(waitIn({ retryAfter: "none", retryAfterForm: "seconds" }), []);
  const [name, date = ""] = waitIn({ retryAfter: "whole-seconds", retryAfterForm: "date" }) ?? [];
  assert.equal(name, "retry-after");
  assert.ok(Number.isFinite(Date.parse(date)) && date.endsWith("GMT"), date);
  assert.doesNotMatch(errorIn(replyOf(refused({ retryAfter: "none" })).reply).message, /again in/i);
  assert.ok(refused({}).headers.includes("x-ratelimit-remaining-requests"));
  assert.deepEqual(refused({ rateLimitHeaders: false }).headers, []);
});

test("the 429, 500 and 503 of faults name a wait of their own, an outage's 503 too", () => {
  const headersOf = (options: AzureOpenAISimulatorOptions): readonly string[] | undefined =>
    replyOf(service({ retryAfterForm: "seconds", ...options }).decide(arrival(chat("x")))).reply.headers;
  const faultRetryAfterMs = {
    rateLimit: "none",
    serverError: 1500,
    unavailable: 86_400_000,
    quotaExhausted: 0,
  } as const;
  assert.deepEqual(headersOf({ faults: { rateLimit: 1 }, faultRetryAfterMs }), []);
  assert.deepEqual(headersOf({ faults: { rateLimit: 1 }, faultRetryAfterMs: { rateLimit: 200 } }), [
    "retry-after",
    "1",
  ]);
  assert.deepEqual(headersOf({ faults: { serverError: 1 }, faultRetryAfterMs }), ["retry-after", "2"]);
  assert.deepEqual(headersOf({ faults: { quotaExhausted: 1 }, faultRetryAfterMs }), ["retry-after", "0"]);
  assert.deepEqual(headersOf({ outage: true, faultRetryAfterMs }), ["retry-after", "86400"]);
  assert.deepEqual(headersOf({ outage: true, faults: { serverError: 1 } }), [], "none by default");
  assert.deepEqual(headersOf({ faults: { serverError: 1 } }), []);
});

test("decided by the row, a re-ask is the next try of its row, and meets what a repeated request would meet", () => {
  const options: AzureOpenAISimulatorOptions = {
    faultsBy: "row",
    faults: { serverError: 0.2, invalidJSON: 0.2, rateLimit: 0.2 },
  };
  const repeating = service(options);
  const asking = service(options);
  let met = 0;
  for (let row = 0; row < 50; row += 1) {
    const request = chat(`row ${row}`);
    const messages = [request["messages"]].flat();
    for (let turn = 0; turn < 4; turn += 1) {
      const { fault } = repeating.decide(arrival(request));
      assert.equal(asking.decide(arrival({ ...request, messages })).fault, fault);
      if (fault !== undefined) met += 1;
      messages.push({ role: "assistant", content: `{${turn}` }, { role: "user", content: "again" });
    }
  }
  assert.ok(met > 80 && met < 160, `${met} of 200`);
});

test("two answers to a row that break off do so differently, also where the row decides", () => {
  const one = service({ faultsBy: "row", faults: { invalidJSON: 1 } });
  const said = Array.from(
    { length: 4 },
    () => completionIn(replyOf(one.decide(arrival(chat("Acute.")))).reply).content,
  );
  assert.ok(new Set(said).size > 1);
});

test("a row makes the same mistake again, in a retry and a re-ask, where that is asked for", () => {
  const one = service({ faultsBy: "row", faults: { outOfRange: 1 }, mistakes: "same" });
  const request = chat("Acute.");
  const messages = [request["messages"]].flat();
  const texts: string[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const { content } = completionIn(replyOf(one.decide(arrival({ ...request, messages }))).reply);
    texts.push(content ?? "");
    messages.splice(2, 2, { role: "assistant", content }, { role: "user", content: "again" });
  }
  assert.equal(new Set(texts).size, 4);
  assert.equal(new Set(texts.map((text) => JSON.parse(text).confidence)).size, 1);
  assert.notEqual(JSON.parse(texts[0] ?? "").confidence, JSON.parse(said(one, "Routine.")).confidence);
});

function said(one: ChatService, row: string): string {
  return completionIn(replyOf(one.decide(arrival(chat(row)))).reply).content ?? "";
}

test("faults that come instead of an answer can leave the quota alone: sporadic 429s, whatever the load", () => {
  const faults = { rateLimit: 0.5 };
  const statuses = (faultsUseQuota: boolean): [faults: number, fine: number, limited: number] => {
    const one = service({ requestsPerMinute: 6000, limitKind: "bucket", faults, faultsUseQuota });
    const decisions = Array.from({ length: 400 }, (_, row) => one.decide(arrival(chat(`row ${row}`))));
    const limited = decisions.filter(({ turnedAwayBy }) => turnedAwayBy === "limit").length;
    const sporadic = decisions.filter(({ fault }) => fault === "rateLimit").length;
    return [sporadic, 400 - sporadic - limited, limited];
  };
  const [shared, fineAmongShared] = statuses(true);
  assert.equal(shared + fineAmongShared, 100);
  const [sporadic, fine] = statuses(false);
  assert.equal(fine, 100);
  assert.ok(sporadic > 150 && sporadic < 250, `${sporadic} of 400`);
});

test("a request that a limit turns away is no try: the same row meets the same faults with and without a limit", () => {
  for (const faultsUseQuota of [true, false]) {
    const faults = { serverError: 0.4 };
    const free = service({ faults, faultsUseQuota });
    const limited = service({ faults, faultsUseQuota, requestsPerMinute: 60, limitKind: "bucket" });
    let nowMs = 0;
    for (let row = 0; row < 100; row += 1) {
      const body = chat(`row ${row % 25}`);
      let decision = limited.decide(arrival(body, { nowMs }));
      for (; decision.turnedAwayBy === "limit"; decision = limited.decide(arrival(body, { nowMs }))) nowMs += 300;
      assert.equal(decision.fault, free.decide(arrival(body)).fault);
    }
  }
});

test("an answer longer than the tokens it may have is cut, and a reasoning model spends tokens on reasoning first", () => {
  const short = completionIn(replyOf(service().decide(arrival(chat("x", { max_completion_tokens: 3 })))).reply);
  assert.deepEqual([short.finishReason, short.content?.length, short.usage.completion_tokens], ["length", 12, 3]);
  const reasoning = completionIn(
    replyOf(service({ reasoning: true }).decide(arrival(chat("x", { max_completion_tokens: 2000 })))).reply,
  );
  const { reasoning_tokens: spent } = reasoning.usage.completion_tokens_details;
  assert.ok(spent >= 64 && reasoning.usage.completion_tokens > spent && reasoning.finishReason === "stop");
  const none = completionIn(
    replyOf(service({ reasoning: true }).decide(arrival(chat("x", { max_completion_tokens: 20 })))).reply,
  );
  assert.deepEqual([none.finishReason, none.content, none.usage.completion_tokens], ["length", "", 20]);
});

test("a schema that no finite answer fits is rejected instead of bringing the service down", () => {
  const schema = { type: "object", properties: { a: { $ref: "#" } }, required: ["a"], additionalProperties: false };
  const body = chat("x", {
    response_format: { type: "json_schema", json_schema: { name: "n", strict: true, schema } },
  });
  const { reply } = replyOf(service().decide(arrival(body)));
  assert.deepEqual([reply.status, errorIn(reply).param], [400, "response_format"]);
});

test("the model's name is the deployment's, or the one that is given", () => {
  assert.equal(completionIn(replyOf(service().decide(arrival(chat("x")))).reply).model, "gpt-test");
  assert.equal(completionIn(replyOf(service({ model: "gpt-x" }).decide(arrival(chat("x")))).reply).model, "gpt-x");
});

test("names of deployments that a client makes up do not fill the memory", () => {
  const one = service({ requestsPerMinute: 60 });
  for (let index = 0; index < 2500; index += 1)
    assert.equal(statusOf(one.decide(arrival(chat("x"), { deployment: `d${index}` }))), 200);
});
