import assert from "node:assert/strict";
import { test } from "node:test";
import { SettingError } from "../../../src/errors/option.ts";
import { BearerToken } from "../../../src/llm/chat-completions/bearer-token.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";

/** A token provider that numbers its tokens, and a clock to be set. */
function numbered() {
  const asked: boolean[] = [];
  const clock = { now: 1000, fails: false };
  const bearer = new BearerToken(
    async ({ forceRefresh }) => {
      asked.push(forceRefresh);
      if (clock.fails) throw new Error("the token service is away");
      return await Promise.resolve(`token-${asked.length}`);
    },
    () => clock.now,
  );
  return { asked, clock, bearer };
}

test("a token is used for a minute, then its provider is asked again, which knows when it expires", async () => {
  const { asked, clock, bearer } = numbered();
  assert.deepEqual(await Promise.all([bearer.get(), bearer.get()]), ["token-1", "token-1"]);
  clock.now += 59_999;
  assert.equal(bearer.get(), "token-1");
  clock.now += 1;
  assert.equal(await bearer.get(), "token-2");
  assert.deepEqual(asked, [false, false]);
});

test("a rejected token is renewed once for all calls that it was rejected in", async () => {
  const { asked, bearer } = numbered();
  const first = await bearer.get();
  assert.deepEqual(await Promise.all([bearer.renew(first), bearer.renew(first)]), ["token-2", "token-2"]);
  assert.equal(await bearer.renew(first), "token-2");
  assert.deepEqual(asked, [false, true]);
});

test("the first token that can't be had ends the run, a later one may be had the next time", async () => {
  const { clock, bearer } = numbered();
  clock.fails = true;
  await assert.rejects(async () => await bearer.get(), { class: "run", code: "AUTHENTICATION_FAILED" });
  clock.fails = false;
  const token = await bearer.get();
  clock.fails = true;
  clock.now += 60_000;
  await assert.rejects(async () => await bearer.get(), { class: "transient", code: "AUTHENTICATION_FAILED" });
  await assert.rejects(bearer.renew(token), { class: "run" });
  clock.fails = false;
  assert.equal(await bearer.get(), "token-5");
});

test("a value that is not a token is rejected, without showing it", async () => {
  for (const wrong of [undefined, 7, "", "two words", "line\nbreak", "größe"]) {
    const bearer = new BearerToken(async () => await Promise.resolve(wrong as string));
    await assert.rejects(
      async () => await bearer.get(),
      (error) => {
        assert.ok(error instanceof ProviderError && error.code === "AUTHENTICATION_FAILED");
        assert.equal(error.facts.where, "tokenProvider");
        return !JSON.stringify(error).includes("words");
      },
    );
  }
});

test("an error of llm-etl's own passes as it is", async () => {
  const own = new SettingError("a", "b", "C");
  await assert.rejects(async () => await new BearerToken(async () => await Promise.reject(own)).get(), own);
});

test("a renewed token that the service has rejected is not given again, though its provider gives it once more", async () => {
  const { asked, bearer } = numbered();
  const first = await bearer.get();
  const renewed = await bearer.renew(first);
  bearer.discard(renewed);
  assert.equal(await bearer.get(), "token-3");
  assert.deepEqual(asked, [false, true, true]);

  const same = new BearerToken(async () => await Promise.resolve("always"));
  assert.equal(await same.renew(await same.get()), "always", "it may be accepted the second time");
  same.discard("always");
  await assert.rejects(async () => await same.get(), { class: "run", code: "AUTHENTICATION_FAILED" });
});
