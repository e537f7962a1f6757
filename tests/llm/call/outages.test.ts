import assert from "node:assert/strict";
import { test } from "node:test";
import type { Prompt } from "../../../src/contracts/conversation.ts";
import type { LLMProvider, LLMResponse } from "../../../src/contracts/provider.ts";
import { type AdmissionOptions, resolveAdmission } from "../../../src/llm/limits/options.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { clientWith } from "../../support/llm-client.ts";
import { answer } from "../../support/row-call.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

const minute = 60_000;

const prompt: Prompt = {
  messages: [{ role: "user", content: "a row" }],
  schema: { name: "out", json: { type: "object" } },
  maxOutputTokens: 100,
  promptHash: "abc",
};

/** Rows asked in virtual time of a service that replies as it is told: the moments of its calls, and how each row ended. */
class Bench {
  readonly time = new VirtualTime({ nowMs: 0 });
  readonly callsAtMs: number[] = [];
  readonly ends = new Map<string, string>();
  readonly #client;
  readonly #provider: LLMProvider;

  constructor(reply: (nowMs: number, pk: string) => ProviderError | undefined, options: AdmissionOptions = {}) {
    this.#client = clientWith({ time: this.time, admission: resolveAdmission(options) });
    this.#provider = {
      name: "p",
      fingerprint: () => "",
      complete: async (_, __, { pk } = { step: "", pk: "" }): Promise<LLMResponse> => {
        this.callsAtMs.push(this.time.now());
        const error = reply(this.time.now(), pk);
        if (error !== undefined) throw error;
        return answer;
      },
    };
  }

  ask(...pks: string[]): void {
    const { signal } = new AbortController();
    for (const pk of pks) {
      const conversation = this.#client.conversation({ step: "s", pk, provider: this.#provider, signal });
      conversation.ask(prompt, 0).then(
        () => this.ends.set(pk, "answered"),
        ({ code }: { code: string }) => this.ends.set(pk, code),
      );
    }
  }

  /** The moment, to the second, at which the row has ended; undefined where it waits for longer than two hours. */
  async endOf(pk: string): Promise<number | undefined> {
    for (let second = 0; second < 7200; second += 1) {
      if (this.ends.has(pk)) return this.time.now();
      await this.time.pass(1000);
    }
    return undefined;
  }
}

const unavailable = (retryAfterMs?: number) =>
  new ProviderError("transient", "SERVICE_UNAVAILABLE", "503", { status: 503, retryAfterMs });

for (const retryAfterMs of [3_600_000, 86_400_000, 1e12, 2.3e12, Infinity, Number.NaN, -1, 0, undefined]) {
  test(`a 503 that asks for ${retryAfterMs} ms, for ever, stops the run at the stall timeout: no silence, no busy loop`, async () => {
    for (const rows of [["1"], ["1", "2", "3", "4", "5", "6", "7", "8"]]) {
      const bench = new Bench(() => unavailable(retryAfterMs));
      bench.ask(...rows);
      const endedAtMs = await bench.endOf("1");
      assert.deepEqual(
        [...bench.ends].toSorted(),
        rows.map((pk) => [pk, "STALLED"]),
      );
      assert.ok(
        endedAtMs !== undefined && endedAtMs >= 15 * minute && endedAtMs <= 15 * minute + 31_000,
        `${endedAtMs}`,
      );
      assert.ok(bench.callsAtMs.length <= 80, `${bench.callsAtMs.length} calls`);
      if ((retryAfterMs ?? 0) > 0) assert.deepEqual(bench.callsAtMs.slice(0, 2), [0, 10 * minute], "and no longer");
    }
  });
}

test("a wait is no longer believed than ten minutes, also midway, and the stall timeout counts from the last success", async () => {
  const bench = new Bench((nowMs) => (nowMs < 5 * minute ? undefined : unavailable(86_400_000)));
  bench.ask("first");
  await bench.time.pass(5 * minute);
  bench.ask("second", "third");
  await bench.endOf("second");
  assert.deepEqual(bench.ends.get("second"), "STALLED");
  assert.ok(bench.time.now() <= 20 * minute + 31_000, `${bench.time.now()}`);
});

const outages: Readonly<Record<string, () => ProviderError>> = {
  "a 503": () => unavailable(),
  "a 502": () => new ProviderError("transient", "SERVICE_UNAVAILABLE", "502", { status: 502 }),
  "a reset connection": () => new ProviderError("transient", "NETWORK_ERROR", "reset"),
  "a port where nobody listens": () => new ProviderError("transient", "NETWORK_ERROR", "no", { unreachable: "port" }),
  "a host that is not found": () => new ProviderError("transient", "NETWORK_ERROR", "no", { unreachable: "host" }),
  "a certificate": () => new ProviderError("transient", "NETWORK_ERROR", "no", { unreachable: "protocol" }),
};
for (const [name, error] of Object.entries(outages)) {
  test(`an outage of eight minutes with one call in flight loses no row: ${name}, after a success`, async () => {
    const bench = new Bench((nowMs) => (nowMs >= minute && nowMs < 9 * minute ? error() : undefined));
    bench.ask("first");
    await bench.time.pass(minute);
    bench.ask("second");
    const endedAtMs = await bench.endOf("second");
    assert.equal(bench.ends.get("second"), "answered");
    assert.ok(endedAtMs !== undefined && endedAtMs <= 9.6 * minute, `${endedAtMs}`);
    assert.ok(bench.callsAtMs.length < 40, `${bench.callsAtMs.length} calls`);
  });
}

test("at a quota whose rejections are 503s, a row that always gets one fails alone, and no other does", async () => {
  let level = 5;
  let filledAtMs = 0;
  const bench = new Bench((nowMs, pk) => {
    level = Math.min(5, level + (nowMs - filledAtMs) / 100);
    filledAtMs = nowMs;
    if (pk === "bad" || level < 1) return unavailable();
    level -= 1;
    return undefined;
  });
  bench.ask("bad", ...Array.from({ length: 300 }, (_, index) => `row ${index}`));
  await bench.endOf("bad");
  for (let second = 0; bench.ends.size < 301 && second < 300; second += 1) await bench.time.pass(1000);
  assert.equal(bench.ends.get("bad"), "SERVICE_UNAVAILABLE");
  assert.deepEqual(new Set([...bench.ends].flatMap(([pk, end]) => (pk === "bad" ? [] : [end]))), new Set(["answered"]));
  assert.equal(bench.ends.size, 301);
});

test("an outage at the first row loses no row, whatever its kind", async () => {
  const kinds = [outages["a 503"], outages["a reset connection"], timeout, serverError];
  for (const error of kinds) {
    const bench = new Bench((nowMs) => (nowMs < 8 * minute ? error?.() : undefined));
    bench.ask("1", "2", "3");
    await bench.endOf("3");
    assert.deepEqual([...bench.ends.values()], ["answered", "answered", "answered"]);
  }
});

function timeout(): ProviderError {
  return new ProviderError("transient", "TIMEOUT", "no answer in time");
}

function serverError(): ProviderError {
  return new ProviderError("transient", "SERVICE_UNAVAILABLE", "500", { status: 500 });
}

test("a first row that no reply comes for, be it a reset, holds the others up for moments", async () => {
  for (const error of [serverError, timeout, () => new ProviderError("transient", "NETWORK_ERROR", "reset")]) {
    const bench = new Bench((_, pk) => (pk === "bad" ? error() : undefined));
    bench.ask("bad", "2", "3", "4", "5", "6", "7", "8");
    await bench.endOf("2");
    assert.ok(bench.time.now() <= 10_000, `${bench.time.now()}`);
    await bench.time.pass(1000);
    assert.equal(bench.ends.get("8"), "answered");
  }
});

const addresses = [
  ["host", 3, 30_000],
  ["port", 8, 61_000],
  ["protocol", 1, 1000],
] as const;
for (const [unreachable, calls, withinMs] of addresses) {
  test(`before the first success a wrong ${unreachable} stops the run after at most ${calls} calls`, async () => {
    const bench = new Bench(() => new ProviderError("transient", "NETWORK_ERROR", "no", { unreachable }));
    bench.ask("1", "2", "3");
    await bench.endOf("3");
    assert.deepEqual([...bench.ends.values()], ["NETWORK_ERROR", "NETWORK_ERROR", "NETWORK_ERROR"]);
    assert.ok(bench.callsAtMs.length <= calls, `${bench.callsAtMs.length}`);
    assert.ok(bench.time.now() <= withinMs, `${bench.time.now()}`);
  });
}

test("a service that has replied with an error of its own was reached: a port where nobody listens is then an outage", async () => {
  const refused = () => new ProviderError("transient", "NETWORK_ERROR", "no", { unreachable: "port" });
  const bench = new Bench((nowMs) => (nowMs === 0 ? unavailable() : nowMs < 5 * minute ? refused() : undefined));
  bench.ask("1");
  await bench.endOf("1");
  assert.equal(bench.ends.get("1"), "answered");
});
