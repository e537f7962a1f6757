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
  assert.equal(cache.use(prompt(1, 2, [8000, 8400])).cachedTokens, 0);
  assert.equal(cache.use(prompt(1, 3, [8000, 8400])).cachedTokens, 1920, "2,000 tokens of the system message");
  assert.equal(cache.use(prompt(1, 2, [8000, 8400])).cachedTokens, 2048, "the whole prompt");
  const short = new PrefixCache();
  short.use(prompt(1, 2, [4000, 4095]));
  assert.equal(short.use(prompt(1, 2, [4000, 4095])).cachedTokens, 0, "1,023 tokens are too few");
  short.use(prompt(1, 2, [4000, 4096]));
  assert.equal(short.use(prompt(1, 2, [4000, 4096])).cachedTokens, 1024);
});

test("a re-ask finds the conversation before it, and another schema finds nothing", () => {
  const cache = new PrefixCache();
  cache.use({ keys: [1, 2].map((n) => keyOf(`k${n}`)), schemaKey: keyOf("schema"), characters: [8000, 8800] });
  assert.equal(
    cache.use({
      keys: [1, 2, 3, 4].map((n) => keyOf(`k${n}`)),
      schemaKey: keyOf("schema"),
      characters: [8000, 8800, 9000, 9400],
    }).cachedTokens,
    2176,
  );
  assert.equal(
    cache.use({
      keys: [1, 2].map((n) => keyOf(`k${n}`)),
      schemaKey: keyOf("another"),
      characters: [8000, 8800],
    }).cachedTokens,
    0,
  );
});

test("what the cache did not have it has now: the written tokens, in the same steps", () => {
  const cache = new PrefixCache();
  const [system, user, other] = [1, 2, 3].map((n) => keyOf(`k${n}`));
  const use = (keys: readonly (number | undefined)[], characters: readonly number[]) =>
    cache.use({ keys: keys.map((key) => key ?? 0), schemaKey: 0, characters });
  assert.deepEqual(use([system, user], [8000, 8400]), { cachedTokens: 0, cacheWriteTokens: 2048 });
  assert.deepEqual(use([system, other], [8000, 9600]), { cachedTokens: 1920, cacheWriteTokens: 384 });
  assert.deepEqual(use([system, other], [8000, 9600]), { cachedTokens: 2304, cacheWriteTokens: 0 });
  assert.deepEqual(use([user], [4095]), { cachedTokens: 0, cacheWriteTokens: 0 });
});
