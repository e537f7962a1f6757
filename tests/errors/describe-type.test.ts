import assert from "node:assert/strict";
import { test } from "node:test";
import { describeType } from "../../src/errors/describe-type.ts";

test("a value's kind and length are named, its content is not", () => {
  const kinds: readonly (readonly [unknown, string])[] = [
    [null, "NULL"],
    [undefined, "nothing"],
    ["secret", "a text of 6 characters"],
    [new Date(0), "a date"],
    [Buffer.from("secret"), "6 bytes"],
    [new Uint8Array(3), "3 bytes"],
    [[1, 2], "an array of 2"],
    [{ name: "secret" }, "an object"],
    [12_345, "a number"],
    [12_345n, "a bigint"],
    [true, "a boolean"],
    [() => "secret", "a function"],
    [Symbol("secret"), "a symbol"],
  ];
  for (const [value, kind] of kinds) assert.equal(describeType(value), kind);
});
