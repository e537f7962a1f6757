import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { LLMRequest, LLMResponse } from "../../../src/contracts/provider.ts";
import { AzureOpenAIProvider } from "../../../src/llm/providers/azure-openai.ts";
import {
  OpenAICompatibleProvider,
  type OpenAICompatibleProviderOptions,
} from "../../../src/llm/providers/openai-compatible.ts";
import { costOf } from "../../../src/llm/pricing.ts";
import { chatRequest, completion, fine, json, never, type Reply, startChatServer } from "../../support/chat-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const server = await startChatServer();
afterEach(() => {
  server.seen.length = 0;
  server.reply = fine;
});

const good = '{"category":"billing"}';
const request: LLMRequest = {
  ...chatRequest,
  schema: {
    name: "topic",
    json: { type: "object", properties: { category: { type: "string" } }, required: ["category"] },
  },
};

async function ask(reply: Reply, options: Partial<OpenAICompatibleProviderOptions> = {}): Promise<LLMResponse> {
  server.reply = reply;
  const provider = new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m", ...options });
  return await provider.complete(request, never());
}

const body = completion({ content: good });
const usage = { prompt_tokens: 10, completion_tokens: 5 };
const choice = (content: unknown, fields: object = {}): object => ({
  model: "m",
  choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content, ...fields } }],
  usage,
});
const bytes = (content: Uint8Array | string, headers: Record<string, string> = {}, status = 200): Reply => {
  return (response) => void response.writeHead(status, { "content-type": "application/json", ...headers }).end(content);
};

const text = JSON.stringify(body);
const thinking = { type: "thinking", thinking: [{ type: "text", text: "hm" }] };
const shapes: Readonly<Record<string, Reply>> = {
  "content as parts, with thoughts among them": json(200, choice([thinking, { type: "text", text: good }])),
  "content in several parts": json(200, choice([{ type: "text", text: good.slice(0, 9) }, good.slice(9)])),
  "a part whose text has a value": json(200, choice([{ type: "text", text: { value: good } }])),
  "content that is parsed already": json(200, choice({ category: "billing" })),
  "an empty refusal": json(200, choice(good, { refusal: "" })),
  "a blank refusal": json(200, choice(good, { refusal: " \n" })),
  "a refusal of false": json(200, choice(good, { refusal: false })),
  "thoughts in a field of their own": json(200, choice(good, { reasoning_content: "hm" })),
  "the answer as a tool's arguments": json(
    200,
    choice(null, { tool_calls: [{ function: { name: "json", arguments: good } }] }),
  ),
  "the answer in the field of thoughts": json(200, choice(null, { reasoning_content: good })),
  "a choice with a text": json(200, { choices: [{ text: good, finish_reason: "stop" }], usage }),
  "a message that is a text": json(200, { choices: [{ message: good, finish_reason: "stop" }], usage }),
  "a part that is a thought": json(200, choice([{ text: "hm", thought: true }, { text: good }])),
  "an empty choice before the answer's": json(200, {
    choices: [{ finish_reason: "tool_calls", message: { content: null } }, { message: { content: good } }],
    usage,
  }),
  "a single choice that is no list": json(200, { choices: { message: { content: good } }, usage }),
  "a message and no choices": json(200, { message: { content: good }, done: true, done_reason: "stop" }),
  "items of the Responses API, the last of which is the answer": json(200, {
    output: [
      { type: "reasoning", summary: [] },
      { type: "message", content: [{ type: "output_text", text: '{"category":"draft"}' }] },
      { type: "message", content: [{ type: "output_text", text: good }] },
    ],
    usage: { input_tokens: 10, output_tokens: 5 },
  }),
  "a list around the completion": json(200, [body]),
  "no name of a model": json(200, { ...body, model: null }),
  "no reason for the end": json(200, { ...choice(good), choices: [{ message: { content: good } }] }),
  "an error of null beside it": json(200, { ...body, error: null }),
  "an empty error beside it": json(200, { ...body, error: { message: "", code: null } }),
  "status 201": json(201, body),
  "status 207": json(207, body),
  "a byte order mark": bytes(`\uFEFF${text}`),
  "blank lines before it": bytes(`\n\n  ${text}\n`),
  "gzip unasked": bytes(gzipSync(text), { "content-encoding": "gzip" }),
  "gzip under its old name": bytes(gzipSync(text), { "content-encoding": "X-GZIP" }),
  "gzip without a header": bytes(gzipSync(text)),
  "a header of gzip without gzip": bytes(text, { "content-encoding": "gzip" }),
  "a header of br without br": bytes(text, { "content-encoding": "br" }),
  brotli: bytes(brotliCompressSync(text), { "content-encoding": "br" }),
  deflate: bytes(deflateSync(text), { "content-encoding": "deflate" }),
  "deflate without its header": bytes(deflateRawSync(text), { "content-encoding": "deflate" }),
  zstd: bytes(zstdCompressSync(text), { "content-encoding": "zstd" }),
  "two encodings": bytes(brotliCompressSync(gzipSync(text)), { "content-encoding": "gzip, br" }),
  "an encoding that does nothing": bytes(text, { "content-encoding": "identity" }),
  "a byte order mark under gzip": bytes(gzipSync(`\uFEFF${text}`), { "content-encoding": "gzip" }),
};

describe("a good answer is kept that comes with", () => {
  for (const [what, reply] of Object.entries(shapes)) {
    test(what, async () => {
      const { text: answer, finishReason, model } = await ask(reply);
      assert.deepEqual([answer, finishReason], [good, "stop"]);
      assert.ok(["m", "gpt-4o-2024-11-20"].includes(model), model);
    });
  }
});

describe("text around the JSON", () => {
  const wrapped = `<think>\nPerhaps {"category":"delivery"}\n</think>\n\n\`\`\`json\n${good}\n\`\`\`<|im_end|>`;

  for (const dialect of ["json_object", "none"] as const) {
    test(`is taken off with the dialect ${dialect}`, async () => {
      assert.equal((await ask(json(200, completion({ content: wrapped })), { dialect })).text, good);
    });
  }

  test("stays where the service is to hold its model to the schema, and a warning says once that it does not", async (t) => {
    const warnings: string[] = [];
    const onWarning = (warning: Error & { readonly code?: string }): void => void warnings.push(warning.code ?? "");
    process.on("warning", onWarning);
    t.after(() => process.off("warning", onWarning));
    server.reply = json(200, completion({ content: wrapped }));
    const provider = new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m" });
    for (let count = 0; count < 2; count += 1) assert.equal((await provider.complete(request, never())).text, wrapped);
    await new Promise(setImmediate);
    assert.deepEqual(
      warnings.filter((code) => code === "SCHEMA_IGNORED"),
      ["SCHEMA_IGNORED"],
    );
  });

  test("an answer that is JSON, and one without any, stay as they came", async () => {
    for (const content of [`{"category":"\`\`\`json {} \`\`\`"}`, ` ${good}\n`, "I can't say.", '{"category":"bil']) {
      assert.equal((await ask(json(200, completion({ content })), { dialect: "none" })).text, content);
    }
  });
});

describe("tokens", () => {
  const prices = { inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 1, currency: "EUR" };
  const absurd: Readonly<Record<string, unknown>> = {
    missing: undefined,
    null: null,
    empty: {},
    "a text": "many",
    "a list": [10, 5],
    "all zero": { prompt_tokens: 0, completion_tokens: 0 },
    negative: { prompt_tokens: -10, completion_tokens: -5 },
    huge: { prompt_tokens: 1e30, completion_tokens: 1e30 },
    "huge texts": { prompt_tokens: "99999999999999999999", completion_tokens: "1e9" },
    "half a token": { prompt_tokens: 10.5, completion_tokens: 0.5 },
    lists: { prompt_tokens: [10], completion_tokens: {} },
    "not a number": { prompt_tokens: "NaN", completion_tokens: null },
  };
  for (const [what, given] of Object.entries(absurd)) {
    test(`that are ${what} are estimated from characters, marked so, and cost something`, async () => {
      const { text: answer, usage: read } = await ask(json(200, { ...body, usage: given }));
      assert.equal(answer, good);
      const inputTokens = Math.ceil((server.seen[0]?.text.length ?? 0) / 4);
      const outputTokens = Math.ceil(good.length / 4);
      assert.deepEqual(read, { inputTokens, cachedTokens: 0, outputTokens, reasoningTokens: 0, isEstimated: true });
      assert.ok((costOf(read, prices) ?? 0) > 0);
    });
  }

  const usable: Readonly<Record<string, readonly [object, readonly number[]]>> = {
    "as texts": [{ prompt_tokens: "10", completion_tokens: "5" }, [10, 0, 5, 0]],
    "under the names of the Responses API": [
      { input_tokens: 10, output_tokens: 5, output_tokens_details: { reasoning_tokens: 2 } },
      [10, 0, 5, 2],
    ],
    "with a total instead of the output": [{ prompt_tokens: 10, total_tokens: 15 }, [10, 0, 5, 0]],
    "with more cached than there are": [
      { ...usage, prompt_tokens_details: { cached_tokens: 99 }, completion_tokens_details: { reasoning_tokens: 99 } },
      [10, 10, 5, 5],
    ],
    "with negative parts": [
      { ...usage, prompt_tokens_details: { cached_tokens: -3 }, completion_tokens_details: { reasoning_tokens: "x" } },
      [10, 0, 5, 0],
    ],
    "with the reasoning beside the output": [
      { ...usage, total_tokens: 115, completion_tokens_details: { reasoning_tokens: 100 } },
      [10, 0, 105, 100],
    ],
    "with details of null": [{ ...usage, prompt_tokens_details: null, completion_tokens_details: null }, [10, 0, 5, 0]],
  };
  for (const [what, [given, expected]] of Object.entries(usable)) {
    test(`${what} are read`, async () => {
      const { usage: read } = await ask(json(200, { ...body, usage: given }));
      const { inputTokens, cachedTokens, outputTokens, reasoningTokens, isEstimated } = read;
      assert.deepEqual([inputTokens, cachedTokens, outputTokens, reasoningTokens], expected);
      assert.equal(isEstimated, undefined);
    });
  }
});

describe("an answer that is none", () => {
  test("was cut off, by the words of many services, also where the choice has no message", async () => {
    for (const reason of ["length", "max_tokens", "MAX_TOKENS", "model_length"]) {
      const { finishReason, text: answer } = await ask(
        json(200, { choices: [{ index: 0, finish_reason: reason }], usage }),
      );
      assert.deepEqual([finishReason, answer], ["length", ""]);
    }
    const item = { output: [], incomplete_details: { reason: "max_output_tokens" } };
    assert.equal((await ask(json(200, item))).finishReason, "length");
  });

  test("was filtered or declined, in a field or in a part", async () => {
    for (const reason of ["content_filter", "SAFETY", "content-filter"]) {
      const { finishReason } = await ask(json(200, { choices: [{ finish_reason: reason, message: {} }] }));
      assert.equal(finishReason, "content_filter");
    }
    const declined = [choice(null, { refusal: "No." }), choice([{ type: "refusal", refusal: "No." }])];
    for (const one of declined) {
      const { finishReason, text: answer } = await ask(json(200, one));
      assert.deepEqual([finishReason, answer], ["refusal", "No."]);
    }
  });

  test("broke off at the service: the call is tried again", async () => {
    for (const reason of ["error", "abort", "insufficient_system_resource"]) {
      const reply = json(200, { choices: [{ finish_reason: reason, message: { content: '{"cat' } }] });
      await assert.rejects(ask(reply), { class: "transient", code: "INVALID_RESPONSE" });
    }
  });

  test("is an error in a reply with status 200, which means what it would mean with its own status", async () => {
    const cases: readonly (readonly [unknown, string, string])[] = [
      [{ error: { message: "Rate limit exceeded", code: 429 } }, "transient", "RATE_LIMITED"],
      [{ error: { message: "slow down", code: "rate_limit_exceeded" } }, "transient", "RATE_LIMITED"],
      [{ error: { message: "no money", code: "insufficient_quota" } }, "run", "QUOTA_EXHAUSTED"],
      [{ error: { message: "Provider returned error", code: "502" } }, "transient", "SERVICE_UNAVAILABLE"],
      [{ error: "Internal error" }, "transient", "SERVICE_UNAVAILABLE"],
      [{ error: { message: "too long", code: "context_length_exceeded" } }, "row", "CONTEXT_LENGTH_EXCEEDED"],
      [{ error: { message: "filtered", code: "content_filter" } }, "row", "CONTENT_FILTER"],
      [{ object: "error", message: "bad", code: 400 }, "row", "BAD_REQUEST"],
      [
        { choices: [{ finish_reason: "error", error: { code: 503 }, message: { content: "" } }] },
        "transient",
        "SERVICE_UNAVAILABLE",
      ],
      [{ choices: [], error: { code: 429 } }, "transient", "RATE_LIMITED"],
    ];
    for (const [reply, errorClass, code] of cases) {
      await assert.rejects(ask(json(200, reply)), { class: errorClass, code }, JSON.stringify(reply));
    }
  });

  test("is a body of another kind: the call is tried again", async () => {
    const bodies = [
      "",
      "ok",
      "<html>",
      "null",
      "[]",
      "{}",
      '{"choices":[]}',
      '{"choices":["a"]}',
      '{"choices":[null]}',
      text.slice(0, 50),
      '{"message":"hello"}',
    ];
    for (const one of bodies)
      await assert.rejects(ask(bytes(one)), { class: "transient", code: "INVALID_RESPONSE" }, one);
    const broken = gzipSync(text).subarray(0, 60);
    await assert.rejects(ask(bytes(broken, { "content-encoding": "gzip" })), {
      class: "transient",
      code: "INVALID_RESPONSE",
    });
  });
});

describe("an error that is about an answer", () => {
  const words = [
    "Could not finish the message because max_tokens or model output limit was reached. Please try again with higher max_tokens.",
    "The max_completion_tokens limit was reached before the answer was complete",
  ];
  for (const message of words) {
    test(`is an answer that was cut off: ${message.slice(0, 40)}`, async () => {
      const {
        finishReason,
        text: answer,
        usage: read,
      } = await ask(json(400, { error: { message } }), { reasoning: true });
      assert.deepEqual([finishReason, answer], ["length", ""]);
      assert.deepEqual([read.outputTokens, read.isEstimated], [256 + 2048, true]);
    });
  }

  test("is found in a text, a detail and a list as well", async () => {
    const [message = ""] = words;
    for (const error of [{ error: message }, { detail: message }, { message }, [{ error: { message } }]]) {
      assert.equal((await ask(json(400, error))).finishReason, "length");
    }
  });

  test("is an invalid answer where the service could make no JSON of it", async () => {
    const error = {
      message: "Failed to generate JSON.",
      code: "json_validate_failed",
      failed_generation: '{"category":',
    };
    const { finishReason, text: answer, usage: read } = await ask(json(400, { error }));
    assert.deepEqual([finishReason, answer, read.isEstimated], ["stop", '{"category":', true]);
    const cut = { ...error, failed_generation: "max completion tokens reached before generating a valid document" };
    assert.equal((await ask(json(400, { error: cut }))).finishReason, "length");
  });

  test("is none where it is about the length of the request, or about the limit itself", async () => {
    const tooLong = "This model's maximum context length is 8192 tokens; max_tokens cannot be reached";
    await assert.rejects(ask(json(400, { error: { message: tooLong } })), { code: "CONTEXT_LENGTH_EXCEEDED" });
    const tooMany = "max_tokens is too large: 5000. This model supports at most 4096 completion tokens";
    await assert.rejects(ask(json(400, { error: { message: tooMany, param: "max_tokens" } })), { code: "BAD_REQUEST" });
  });
});

describe("the size of a body", () => {
  const tooLarge = failsWith("INVALID_RESPONSE", {
    where: "maxResponseBytes",
    expected: "at most 1000 bytes",
    status: 200,
  });
  const options = { maxResponseBytes: 1000 };
  const long = JSON.stringify(completion({ content: "x".repeat(2000) }));

  test("is limited, and a larger answer fails its row without another try", async () => {
    await assert.rejects(ask(bytes(long), options), tooLarge);
    await assert.rejects(ask(bytes(long), options), { class: "row" });
    assert.equal((await ask(bytes(long), { maxResponseBytes: long.length })).text.length, 2000);
  });

  test("counts after decompression, too", async () => {
    for (const [encoding, compress] of [
      ["gzip", gzipSync],
      ["br", brotliCompressSync],
      ["deflate", deflateSync],
      ["zstd", zstdCompressSync],
    ] as const) {
      const bomb = compress(Buffer.alloc(1_000_000, 0x20));
      assert.ok(bomb.length < 1100, `${encoding}: ${bomb.length}`);
      await assert.rejects(ask(bytes(bomb, { "content-encoding": encoding }), { maxResponseBytes: 1100 }), {
        class: "row",
        code: "INVALID_RESPONSE",
      });
    }
  });

  test("of endless chunks is limited, and their connection is closed", async () => {
    const closed = Promise.withResolvers<void>();
    const endless =
      (status: number): Reply =>
      (response) => {
        response.writeHead(status, { "content-type": "application/json" }).on("close", closed.resolve);
        const more = (): void => {
          while (!response.destroyed && response.write("x".repeat(500)));
        };
        response.on("drain", more);
        more();
      };
    await assert.rejects(ask(endless(200), options), tooLarge);
    await closed.promise;
    // An error is judged by its status, and by no more of its body.
    await assert.rejects(ask(endless(503), options), { class: "transient", code: "SERVICE_UNAVAILABLE" });
    await assert.rejects(ask(endless(400), options), { class: "row", code: "BAD_REQUEST" });
  });

  test("of an error that is a bomb, or can't be decompressed, hides no status", async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000, 0x20));
    for (const content of [bomb, bomb.subarray(0, 100)]) {
      const reply = bytes(content, { "content-encoding": "gzip" }, 429);
      await assert.rejects(ask(reply, { maxResponseBytes: 2000 }), { class: "transient", code: "RATE_LIMITED" });
    }
  });

  test("in more encodings than anybody applies is not decompressed", async () => {
    const encoded = [1, 2, 3, 4].reduce((content) => gzipSync(content), Buffer.from(text));
    const reply = bytes(encoded, { "content-encoding": "gzip, gzip, gzip, gzip" });
    await assert.rejects(ask(reply), { class: "transient", code: "INVALID_RESPONSE" });
  });

  test("of a compressed error is read", async () => {
    const error = gzipSync(JSON.stringify({ error: { code: "content_filter", message: "filtered" } }));
    await assert.rejects(ask(bytes(error, { "content-encoding": "gzip" }, 400)), { code: "CONTENT_FILTER" });
  });
});

describe("the limit of output tokens", () => {
  const rejected =
    (name: string, other: string): Reply =>
    (response, seen) => {
      const error = {
        message: `Unsupported parameter: '${name}' is not supported with this model. Use '${other}' instead.`,
        param: name,
      };
      const reply = name in seen.body ? json(400, { error }) : json(200, body);
      reply(response, seen);
    };
  const limits = (): readonly unknown[] =>
    server.seen.map(({ body: sent }) => [sent["max_tokens"], sent["max_completion_tokens"]]);

  test("of a reasoning model is max_completion_tokens, whichever the service", async () => {
    await ask(fine, { reasoning: true });
    await ask(fine, { reasoningEffort: "low", maxReasoningTokens: 100 });
    await ask(fine);
    assert.deepEqual(limits(), [
      [undefined, 2304],
      [undefined, 356],
      [256, undefined],
    ]);
  });

  test("is renamed where the service asks for its other name, at once and for good", async () => {
    server.reply = rejected("max_tokens", "max_completion_tokens");
    const provider = new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m" });
    for (let count = 0; count < 2; count += 1) assert.equal((await provider.complete(request, never())).text, good);
    assert.deepEqual(limits(), [
      [256, undefined],
      [undefined, 256],
      [undefined, 256],
    ]);
  });

  test("is renamed the other way, too, by the words of other services", async () => {
    const details = {
      detail: [
        { type: "extra_forbidden", loc: ["body", "max_completion_tokens"], msg: "Extra inputs are not permitted" },
      ],
    };
    const others = [details, { error: { message: "Unrecognized request argument supplied: max_completion_tokens" } }];
    for (const other of others) {
      server.seen.length = 0;
      const { text: answer } = await ask(
        (response, seen) => ("max_tokens" in seen.body ? json(200, body) : json(422, other))(response, seen),
        { reasoning: true },
      );
      assert.equal(answer, good);
      assert.deepEqual(limits(), [
        [undefined, 2304],
        [2304, undefined],
      ]);
    }
  });

  test("is sent twice at most where the service takes neither name, and the first error is told", async () => {
    const reply: Reply = (response, seen) => {
      const name = Object.keys(seen.body).find((one) => one.startsWith("max_")) ?? "";
      json(400, { error: { message: `Unknown parameter: ${name}`, param: name } })(response, seen);
    };
    await assert.rejects(ask(reply), failsWith("BAD_REQUEST", { where: ["max_tokens"] }));
    assert.equal(server.seen.length, 2);
  });

  test("or the temperature that a reasoning model rejects leads to a hint at the option", async () => {
    const message =
      "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.";
    const reply = json(400, { error: { message, param: "temperature", code: "unsupported_value" } });
    await assert.rejects(ask(reply), (error) => error instanceof Error && error.message.includes("reasoning: true"));
  });
});

describe("headers and fields of the user's own", () => {
  const headers = { "X-Gateway-Key": "secret-1", "openai-organization": "org" };
  const azure = { endpoint: server.origin, deployment: "d", apiKey: "k" };

  test("go with each request, and the headers are in no fingerprint", async () => {
    await ask(fine, { headers, extraBody: { top_k: 5, chat_template_kwargs: { enable_thinking: false } } });
    const provider = new AzureOpenAIProvider({ ...azure, headers, extraBody: { user: "etl" } });
    await provider.complete(request, never());
    const [first, second] = server.seen;
    for (const seen of [first, second]) {
      assert.deepEqual([seen?.headers["x-gateway-key"], seen?.headers["openai-organization"]], ["secret-1", "org"]);
      assert.equal(seen?.headers["content-type"], "application/json");
    }
    assert.deepEqual([first?.body["top_k"], first?.body["chat_template_kwargs"]], [5, { enable_thinking: false }]);
    assert.deepEqual([second?.body["user"], second?.headers["api-key"]], ["etl", "k"]);
    assert.equal(provider.fingerprint().includes("secret-1"), false);
    assert.equal(
      provider.fingerprint(),
      new AzureOpenAIProvider({ ...azure, extraBody: { user: "etl" } }).fingerprint(),
    );
  });

  test("a field takes the place of the one that would be sent, once", async () => {
    await ask(fine, { extraBody: { temperature: 0.7, max_tokens: 9 }, reasoning: true });
    const { text: sent = "", body: fields = {} } = server.seen[0] ?? {};
    assert.deepEqual(
      [fields["temperature"], fields["max_tokens"], fields["max_completion_tokens"]],
      [0.7, 9, undefined],
    );
    assert.equal(sent.split('"temperature"').length, 2);
  });

  test("other fields are another request; their order, and none, are not", () => {
    const of = (extraBody?: Readonly<Record<string, unknown>>): string =>
      new AzureOpenAIProvider({ ...azure, extraBody }).fingerprint();
    assert.notEqual(of({ a: 1 }), of());
    assert.notEqual(of({ a: 1 }), of({ a: 2 }));
    assert.equal(of({ a: 1, b: { c: 1, d: [2, 1] } }), of({ b: { d: [2, 1], c: 1 }, a: 1 }));
    assert.equal(of({}), of());
  });

  test("what a step makes, what carries the request, and what can't be sent is rejected at construction", () => {
    const wrong: readonly Partial<OpenAICompatibleProviderOptions>[] = [
      ...["messages", "response_format", "stream", "n"].map((name) => ({ extraBody: { [name]: true } })),
      ...[{ a: 1n }, [1]].map((extraBody) => ({ extraBody: extraBody as Readonly<Record<string, unknown>> })), // as JavaScript could
      ...["Content-Type", "content-length", "Transfer-Encoding", "bad name", ""].map((name) => ({
        headers: { [name]: "secret-2" },
      })),
      ...["a\nb", 7 as unknown as string, "größe\u{1F642}"].map((value) => ({ headers: { "x-key": value } })), // as JavaScript could
      { headers: { Authorization: "secret-2" }, apiKey: "k" },
      { maxResponseBytes: 0 },
    ];
    for (const options of wrong) {
      const [option = ""] = Object.keys(options);
      assert.throws(
        () => new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m", ...options }),
        (error) => failsWith("INVALID_OPTION", { where: option })(error) && !String(error).includes("secret-2"),
      );
    }
    assert.throws(() => new AzureOpenAIProvider({ ...azure, headers: { "API-Key": "x" } }), { code: "INVALID_OPTION" });
    assert.ok(new AzureOpenAIProvider({ ...azure, headers: { authorization: "Basic x" } }));
  });
});
