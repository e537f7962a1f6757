import assert from "node:assert/strict";
import { test } from "node:test";
import { PrefixCache } from "../../../src/testing/simulator/prefix-cache.ts";
import { keyOf } from "../../../src/testing/simulator/request-hash.ts";

test("what was seen before is cached, from 1,024 tokens on and in steps of 128", () => {
  const cache = new PrefixCache();
  const prompt = (system: number, user: number, characters: readonly number[]) => ({
    keys: [keyOf(`s${system}`), keyOf(`u${user}`)],
    schemaKey: keyOf("schema"),
    characters,
  });
  assert.equal(cache.cachedTokens(prompt(1, 2, [8000, 8400])), 0);
  assert.equal(cache.cachedTokens(prompt(1, 3, [8000, 8400])), 1920, "2,000 tokens of the system message");
  assert.equal(cache.cachedTokens(prompt(1, 2, [8000, 8400])), 2048, "the whole prompt");
  const short = new PrefixCache();
  short.cachedTokens(prompt(1, 2, [4000, 4095]));
  assert.equal(short.cachedTokens(prompt(1, 2, [4000, 4095])), 0, "1,023 tokens are too few");
  short.cachedTokens(prompt(1, 2, [4000, 4096]));
  assert.equal(short.cachedTokens(prompt(1, 2, [4000, 4096])), 1024);
});

test("a re-ask finds the conversation before it, and another schema finds nothing", () => {
  const cache = new PrefixCache();
  cache.cachedTokens({ keys: [1, 2].map((n) => keyOf(`k${n}`)), schemaKey: keyOf("schema"), characters: [8000, 8800] });
  assert.equal(
    cache.cachedTokens({
      keys: [1, 2, 3, 4].map((n) => keyOf(`k${n}`)),
      schemaKey: keyOf("schema"),
      characters: [8000, 8800, 9000, 9400],
    }),
    2176,
  );
  assert.equal(
    cache.cachedTokens({
      keys: [1, 2].map((n) => keyOf(`k${n}`)),
      schemaKey: keyOf("another"),
      characters: [8000, 8800],
    }),
    0,
  );
});
