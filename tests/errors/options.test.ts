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

const checks = { name: isName, batchSize: optional(isCount(1)) };

/** The message with which options are refused. They come from JavaScript, where any value may stand. */
function refusal(options: unknown): string {
  let message = "";
  assert.throws(
    () => checkOptions("Thing", options as { name: string; batchSize?: number }, checks),
    (error) => {
      assert.ok(error instanceof OptionError);
      assert.equal(error.code, "INVALID_OPTION");
      assert.equal(error.scope, "run");
      assert.equal(error.owner, "Thing");
      message = error.message;
      return true;
    },
  );
  return message;
}

test("options that fit pass, with those left out that may be", () => {
  checkOptions("Thing", { name: "a" }, checks);
  checkOptions("Thing", { name: "a", batchSize: 1 }, checks);
  checkOptions("Thing", { name: "a", batchSize: undefined }, checks);
});

test("a misspelt option is refused with the one that was meant", () => {
  assert.equal(
    refusal({ name: "a", batchsize: 2 }),
    'Thing: option "batchsize": unknown option; did you mean "batchSize"?',
  );
});

test("an unknown option that resembles none is refused with the list of all", () => {
  assert.equal(refusal({ name: "a", zzz: 2 }), 'Thing: option "zzz": unknown option; the options are name, batchSize');
});

test("an option that is named like a member of every object is unknown too", () => {
  assert.match(refusal({ name: "a", constructor: 1 }), /option "constructor": unknown option/);
});

test("a missing option and a wrong value are refused with expected and got", () => {
  assert.equal(refusal({}), 'Thing: option "name": expected text that is not blank, got nothing');
  assert.equal(refusal({ name: " " }), 'Thing: option "name": expected text that is not blank, got " "');
  assert.equal(refusal({ name: 5 }), 'Thing: option "name": expected text that is not blank, got 5');
  assert.equal(refusal({ name: null }), 'Thing: option "name": expected text that is not blank, got null');
  assert.equal(
    refusal({ name: "a", batchSize: 0 }),
    'Thing: option "batchSize": expected a whole number from 1 up, got 0',
  );
  assert.match(refusal({ name: "a", batchSize: "x".repeat(50) }), /got a text of 50 characters$/);
  assert.match(refusal({ name: "a", batchSize: [] }), /got an empty array$/);
  assert.match(refusal({ name: "a", batchSize: [1] }), /got an array of 1$/);
  assert.match(refusal({ name: "a", batchSize: {} }), /got an object$/);
  assert.match(refusal({ name: "a", batchSize: () => 1 }), /got a function$/);
  assert.match(refusal({ name: "a", batchSize: null }), /got null$/);
});

test("no options at all, or something that is no object, is refused", () => {
  assert.equal(refusal(undefined), 'Thing: option "options": expected an object, got nothing');
  assert.equal(refusal("name"), 'Thing: option "options": expected an object, got "name"');
});

test("the password in a URL that is refused is not told", () => {
  const message = refusal({ name: new URL("postgres://user:hunter2@host/db") });
  assert.equal(message, 'Thing: option "name": expected text that is not blank, got a postgres: URL');
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
