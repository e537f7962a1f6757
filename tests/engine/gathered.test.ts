import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { gathered } from "../../src/engine/gathered.ts";

/** A look-up of lengths, and all keys that each call of it was given. */
function lengths(): { readonly asked: string[][]; readonly find: (key: string) => Promise<number | undefined> } {
  const asked: string[][] = [];
  const find = gathered(async (keys: readonly string[]) => {
    asked.push([...keys]);
    return new Map(keys.filter((key) => key !== "").map((key) => [key, key.length]));
  });
  return { asked, find };
}

test("the look-ups of one turn of the event loop are one, and each gets its own", async () => {
  const { asked, find } = lengths();
  const found = await Promise.all([find("a"), find("bcd"), find(""), find("a")]);
  assert.deepEqual(found, [1, 3, undefined, 1]);
  assert.equal(await find("later"), 5);
  assert.equal(await find("a"), 1);
  assert.deepEqual(asked, [["a", "bcd", "", "a"], ["later"], ["a"]]);
});

test("a key that is asked for while others are on their way waits for a look-up of its own", async () => {
  const first = Promise.withResolvers<ReadonlyMap<string, number>>();
  const answers = [first.promise, Promise.resolve(new Map([["b", 2]]))];
  const find = gathered(async () => (await answers.shift()) ?? new Map<string, number>());
  const one = find("a");
  await setImmediate();
  await setImmediate();
  assert.equal(await find("b"), 2);
  first.resolve(new Map([["a", 1]]));
  assert.equal(await one, 1);
});

test("a look-up that fails fails for all who asked, and for nobody after them", async () => {
  let isDown = true;
  const find = gathered(async (keys: readonly string[]) => {
    if (isDown) throw new Error("down");
    return new Map(keys.map((key) => [key, key]));
  });
  const ended = await Promise.allSettled([find("a"), find("b")]);
  assert.deepEqual(
    ended.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  isDown = false;
  assert.equal(await find("a"), "a");
});
