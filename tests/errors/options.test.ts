import assert from "node:assert/strict";
import { test } from "node:test";
import { OptionError } from "../../src/errors/option.ts";
import {
  checkOptions,
  hasFunctions,
  isBoolean,
  isCount,
  isFunction,
  isFunctionMap,
  isName,
  isNumber,
  isObject,
  isOneOf,
  isPath,
  isText,
  isTextList,
  type OptionCheck,
  optional,
} from "../../src/errors/options.ts";
import { failsWith } from "../support/error-facts.ts";

const checks = { name: isName, batchSize: optional(isCount(1)) };

/** Checks options as they may come from JavaScript, with any value. */
function check(options: unknown): void {
  checkOptions("Thing", options as { name: string; batchSize?: number }, checks);
}

test("options that fit pass, with those left out that may be", () => {
  check({ name: "a" });
  check({ name: "a", batchSize: 1 });
  check({ name: "a", batchSize: undefined });
});

test("an option that is wrong is an error of the run, with the owner and the option", () => {
  assert.throws(
    () => check({ name: 5 }),
    (error) => {
      assert.ok(error instanceof OptionError);
      const { code, scope, owner, option } = error;
      assert.deepEqual([code, scope, owner, option], ["INVALID_OPTION", "run", "Thing", "name"]);
      return true;
    },
  );
});

test("a misspelt option is rejected with the one that was meant", () => {
  assert.throws(() => check({ name: "a", batchsize: 2 }), failsWith("INVALID_OPTION", { nearest: "batchSize" }));
});

test("an unknown option that resembles none is rejected with the list of all", () => {
  assert.throws(
    () => check({ name: "a", zzz: 2 }),
    (error) => {
      assert.ok(error instanceof OptionError);
      assert.deepEqual(Object.keys(error.facts).toSorted(), ["hint", "where"]);
      assert.ok(error.facts.hint?.includes("name, batchSize"));
      return true;
    },
  );
});

test("an option that is named like a member of every object is unknown, too", () => {
  assert.throws(() => check({ name: "a", constructor: 1 }), failsWith("INVALID_OPTION", { where: "constructor" }));
});

test("a missing option and a wrong value are rejected with expected and got", () => {
  const cases: readonly (readonly [object, string, string])[] = [
    [{}, "name", "nothing"],
    [{ name: " " }, "name", '" "'],
    [{ name: 5 }, "name", "5"],
    [{ name: null }, "name", "null"],
    [{ name: "a", batchSize: 0 }, "batchSize", "0"],
    [{ name: "a", batchSize: "x".repeat(50) }, "batchSize", "a text of 50 characters"],
    [{ name: "a", batchSize: [] }, "batchSize", "an empty array"],
    [{ name: "a", batchSize: [1] }, "batchSize", "an array of 1"],
    [{ name: "a", batchSize: {} }, "batchSize", "an object"],
    [{ name: "a", batchSize: () => 1 }, "batchSize", "a function"],
    [{ name: "a", batchSize: null }, "batchSize", "null"],
  ];
  for (const [options, where, got] of cases) {
    const { expected } = where === "name" ? checks.name : checks.batchSize;
    assert.throws(() => check(options), failsWith("INVALID_OPTION", { where, expected, got }));
  }
});

test("no options at all, or something that is no object, is rejected", () => {
  const facts = { where: "options", expected: "an object" };
  assert.throws(() => check(undefined), failsWith("INVALID_OPTION", { ...facts, got: "nothing" }));
  assert.throws(() => check("name"), failsWith("INVALID_OPTION", { ...facts, got: '"name"' }));
});

test("the password in a URL that is rejected is not shown", () => {
  assert.throws(
    () => check({ name: new URL("postgres://user:hunter2@host/db") }),
    (error) =>
      failsWith("INVALID_OPTION", { got: "a postgres: URL" })(error) &&
      error instanceof OptionError &&
      !error.message.includes("hunter2"),
  );
});

test("each check takes what it says and nothing else", () => {
  const cases: readonly (readonly [OptionCheck, readonly unknown[], readonly unknown[]])[] = [
    [isText, ["", "a"], [1, null, undefined]],
    [isName, ["a"], ["", " \n", 1, undefined]],
    [isBoolean, [true, false], [0, "true", null]],
    [isFunction, [() => 1], [{}, "f"]],
    [isObject, [{}, []], [null, "a", 1]],
    [isPath, ["a/b", new URL("file:///a")], ["", new URL("https://a.b"), 1]],
    [isTextList, [[], ["a"]], ["a", [1], {}]],
    [isFunctionMap, [{ a: () => 1 }], [{}, { a: 1 }, { a: () => 1, b: undefined }, null, []]],
    [isCount(0), [0, 5], [-1, 1.5, Number.NaN, Infinity, "1", 1n]],
    [isNumber(0, 2), [0, 0.5, 2], [-0.1, 2.1, Number.NaN, "1", Infinity]],
    [isNumber(0), [0, 1e300], [-1, Infinity]],
    [isOneOf("a", "b"), ["a", "b"], ["c", "", 1]],
    [hasFunctions("a source", "read"), [{ read: () => 1 }], [{}, null, { read: 1 }, "a"]],
  ];
  for (const [check, good, bad] of cases) {
    for (const value of good) assert.ok(check.fits(value), `${check.expected}: ${String(value)}`);
    for (const value of bad) assert.ok(!check.fits(value), `${check.expected}: ${String(value)}`);
  }
});

test("what a check expects is worded with its bounds, words and members", () => {
  assert.equal(isNumber(0).expected, "a number from 0 up");
  assert.equal(isNumber(0, 2).expected, "a number from 0 to 2");
  assert.equal(isOneOf("fail", "skip").expected, '"fail" or "skip"');
  assert.equal(hasFunctions("a source", "read").expected, "a source (an object with read)");
});
