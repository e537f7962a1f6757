import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { RunEvent } from "../../../src/contracts/events.ts";
import type { StoredAnswer } from "../../../src/contracts/journal.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../../../src/contracts/provider.ts";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { Budget } from "../../../src/llm/call/budget.ts";
import { LLMClient, type LLMClientOptions } from "../../../src/llm/call/client.ts";
import type { Attempt } from "../../../src/llm/call/row-call.ts";
import { resolveAdmission } from "../../../src/llm/limits/options.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { Prompt, RowConversation } from "../../../src/contracts/conversation.ts";
import { answer } from "../../support/row-call.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

const rateLimited = (): ProviderError =>
  new ProviderError("transient", "RATE_LIMITED", "429", { status: 429, retryAfterMs: 1000 });
const down = (): ProviderError => new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });

const rejected = (): ProviderError => new ProviderError("row", "DEPLOYMENT_NOT_FOUND", "404", { status: 404 });

function promptOf(pk: string): Prompt {
  const messages = [{ role: "user", content: `row ${pk}` }] as const;
  return { messages, schema: { name: "out", json: { type: "object" } }, maxOutputTokens: 100, promptHash: "abc" };
}

type Reply = Partial<LLMResponse> | Error;

/** A run's client over a journal in memory, a service that replies as it is told, and a clock that stands still. */
class Fixture {
  readonly time = new VirtualTime();
  readonly events: RunEvent[] = [];
  readonly requests: LLMRequest[] = [];
  readonly saved: StoredAnswer[] = [];
  readonly logged: Attempt[] = [];
  readonly client: LLMClient;
  readonly known = new Map<string, StoredAnswer>();
  readonly #provider: LLMProvider;

  constructor(replies: (callNumber: number) => Reply | Promise<Reply>, options: Partial<LLMClientOptions> = {}) {
    this.#provider = {
      name: "p",
      fingerprint: () => "p",
      complete: async (request) => {
        this.requests.push(request);
        const reply = await replies(this.requests.length);
        if (reply instanceof Error) throw reply;
        return { ...answer, ...reply };
      },
    };
    this.client = new LLMClient({
      pipeline: "test",
      concurrency: 8,
      admission: resolveAdmission(),
      budget: new Budget({ maxCalls: Infinity, maxCost: Infinity }),
      payloadLog: { add: async (attempt) => void this.logged.push(attempt) },
      journal: {
        answers: {
          find: async (fingerprint) => this.known.get(fingerprint),
          save: async (fingerprint, stored) => {
            this.saved.push(stored);
            this.known.set(fingerprint, stored);
          },
          forget: async () => {},
        },
        runId: "now",
        reuseEarlier: true,
      },
      emit: (event) => this.events.push(event),
      time: this.time,
      ...options,
    });
  }

  conversation(pk: string): RowConversation {
    const { signal } = new AbortController();
    return this.client.conversation({ step: "s", pk, provider: this.#provider, signal });
  }

  async ask(pk: string, issueCount = 0): Promise<LLMResponse> {
    return await this.conversation(pk).ask(promptOf(pk), issueCount);
  }

  typesOf(): string[] {
    return this.events.map(({ type }) => type);
  }
}

const cutThenWhole = (callNumber: number): Reply => (callNumber === 1 ? { finishReason: "length" } : {});

/** Each layer stands inside of the one above, and this is why. */
const order: readonly {
  readonly outer: string;
  readonly inner: string;
  readonly why: string;
  check: () => Promise<void>;
}[] = [
  {
    outer: "longerOnce",
    inner: "reported",
    why: "the cut answer is reported before the longer one is asked for",
    check: async () => {
      const fixture = new Fixture(cutThenWhole);
      await fixture.ask("1");
      assert.deepEqual(fixture.typesOf(), ["call-start", "call-end", "call-start", "call-end"]);
      assert.deepEqual(
        fixture.logged.map(({ response }) => response?.finishReason),
        ["length", "stop"],
      );
    },
  },
  {
    outer: "reported",
    inner: "journaled",
    why: "an answer is saved before payload log or user code can fail",
    check: async () => {
      const failure = new RunError("PAYLOAD_LOG_FAILED", "disk full");
      const fixture = new Fixture(() => ({}), { payloadLog: { add: async () => await Promise.reject(failure) } });
      await assert.rejects(fixture.ask("1"), failure);
      assert.equal(fixture.saved.length, 1);
    },
  },
  {
    outer: "longerOnce",
    inner: "journaled",
    why: "the cut answer and the longer one each have a key of their own",
    check: async () => {
      const fixture = new Fixture(cutThenWhole);
      await fixture.ask("1");
      assert.deepEqual(
        fixture.saved.map(({ finishReason }) => finishReason),
        ["length", "stop"],
      );
      await fixture.ask("1");
      assert.equal(fixture.requests.length, 2);
    },
  },
  {
    outer: "journaled",
    inner: "canary",
    why: "an answer that is stored waits for no canary",
    check: async () => {
      const { promise, resolve } = Promise.withResolvers<Reply>();
      const fixture = new Fixture((number) => (number === 1 ? promise : {}));
      const earlier = new Fixture(() => ({}));
      await earlier.ask("1");
      for (const [fingerprint, stored] of earlier.known) fixture.known.set(fingerprint, stored);
      const canary = fixture.ask("2");
      await fixture.ask("1");
      resolve({});
      await canary;
      assert.equal(fixture.requests.length, 1);
    },
  },
  {
    outer: "canary",
    inner: "rejections",
    why: "where a rejection turns out to be of all rows, no other call goes",
    check: async () => {
      const fixture = new Fixture(() => rejected());
      const asked = await Promise.allSettled(["1", "2", "3", "4"].map(async (pk) => await fixture.ask(pk)));
      assert.deepEqual(
        asked.map((result) => result.status === "rejected" && result.reason.scope),
        ["row", "row", "run", "run"],
      );
      assert.equal(fixture.requests.length, 3);
    },
  },
  {
    outer: "journaled",
    inner: "rejections",
    why: "an answer that is stored does not show that the service still accepts requests",
    check: async () => {
      const fixture = new Fixture((number) => (number === 1 ? {} : rejected()));
      await fixture.ask("known");
      for (let row = 1; row < 20; row += 1) await assert.rejects(fixture.ask(`${row}`), { scope: "row" });
      await fixture.ask("known");
      await assert.rejects(fixture.ask("20"), { scope: "run" });
    },
  },
  {
    outer: "canary",
    inner: "retried",
    why: "while the first call is tried again, no other goes",
    check: async () => {
      const fixture = new Fixture((number) => (number === 1 ? down() : {}));
      const asked = Promise.all(["1", "2", "3"].map(async (pk) => await fixture.ask(pk)));
      await setImmediate();
      assert.equal(fixture.requests.length, 1);
      await fixture.time.pass(500);
      await asked;
      assert.equal(fixture.requests.length, 4);
    },
  },
  {
    outer: "retried",
    inner: "admitted",
    why: "each attempt is admitted anew, and one that waits for its retry takes no place",
    check: async () => {
      const fixture = new Fixture((number) => (number === 2 ? down() : {}), { concurrency: 1 });
      await fixture.ask("1");
      const failing = fixture.ask("2");
      await fixture.time.pass(0);
      await fixture.ask("3");
      assert.equal(fixture.requests.length, 3);
      await fixture.time.pass(500);
      await failing;
    },
  },
  {
    outer: "admitted",
    inner: "budgeted",
    why: "a call that still waits has spent nothing",
    check: async () => {
      const budget = new Budget({ maxCalls: 3, maxCost: Infinity });
      const { promise, resolve } = Promise.withResolvers<Reply>();
      const fixture = new Fixture((number) => (number === 2 ? promise : {}), { budget, concurrency: 1 });
      await fixture.ask("1");
      const flying = fixture.ask("2");
      const waiting = fixture.ask("3");
      await fixture.time.pass(0);
      budget.spendCall(); // another provider's: it is the third, and the one that waits would be the fourth
      resolve({});
      await flying;
      await assert.rejects(waiting, { code: "LIMIT_REACHED" });
    },
  },
  {
    outer: "budgeted",
    inner: "recorded",
    why: "a call beyond the budget is none: it is neither counted nor logged",
    check: async () => {
      const fixture = new Fixture(() => ({}), { budget: new Budget({ maxCalls: 0, maxCost: Infinity }) });
      await assert.rejects(fixture.ask("1", 2), { code: "LIMIT_REACHED" });
      assert.deepEqual([fixture.events, fixture.logged], [[], []]);
    },
  },
  {
    outer: "admitted",
    inner: "recorded",
    why: "an attempt's latency has no wait in it",
    check: async () => {
      const fixture = new Fixture((number) => (number === 1 ? rateLimited() : {}));
      const asked = fixture.ask("1");
      await fixture.time.pass(1000);
      await asked;
      assert.deepEqual(
        fixture.logged.map(({ latencyMs }) => latencyMs),
        [0, 0],
      );
    },
  },
];

for (const { outer, inner, why, check } of order) {
  test(`${outer} is outside of ${inner}: ${why}`, { timeout: 30_000 }, check); // in another order some would wait for ever
}

test("where the longer answer fails, the cut one is not reported again", async () => {
  const fixture = new Fixture((call) =>
    call === 1 ? { finishReason: "length" } : new ProviderError("row", "OWN", "no"),
  );
  await assert.rejects(fixture.ask("1"), { code: "OWN" });
  assert.deepEqual(fixture.typesOf(), ["call-start", "call-end", "call-start", "call-end"]);
  assert.equal(fixture.logged.length, 2);
});

test("a longer answer is no re-ask, also where the journal had the cut one", async () => {
  const earlier = new Fixture(cutThenWhole);
  await earlier.ask("1");
  const [cut] = earlier.known;
  const fixture = new Fixture(() => ({}));
  fixture.known.set(...(cut ?? assert.fail("nothing is stored")));
  await fixture.ask("1", 2);
  assert.deepEqual(fixture.typesOf(), ["answer-reuse", "call-start", "call-end"]);
});
