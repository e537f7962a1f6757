import assert from "node:assert/strict";
import { test } from "node:test";
import { messageOf, nameOf, textOf, withoutSecrets } from "../../src/errors/error-text.ts";

test("anything thrown has a name, a message and a text", () => {
  const bare: unknown = Object.create(null);
  assert.deepEqual(
    [nameOf(new TypeError("x")), nameOf(new Error("x")), nameOf("x"), nameOf(bare)],
    ["a TypeError", "an Error", "a string", "an object"],
  );
  assert.deepEqual([messageOf(new Error("x")), messageOf("y")], ["x", "y"]);
  assert.deepEqual([textOf(new Error("x")), textOf(bare), textOf(Symbol("s"))], ["Error: x", "an object", "Symbol(s)"]);
});

test("a message of other code loses everything that looks like a credential", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["can't reach postgres://user:S3CRET@host/db", "can't reach postgres://user:***@host/db"],
    ["Server=h;UID=u;PWD=S3CRET;Database=d", "Server=h;UID=u;PWD=***;Database=d"],
    ['Password="S3 CRET"; failed', "Password=***; failed"],
    ["api-key=S3CRET", "api-key=***"],
    ["no such table: visits", "no such table: visits"],
  ];
  for (const [message, expected] of cases) assert.equal(withoutSecrets(message), expected);
});

test("a long text of addresses takes no time to speak of", () => {
  const startedAt = performance.now();
  withoutSecrets("//a:".repeat(1_000_000));
  withoutSecrets(`${"//a:".repeat(1_000_000)}@`);
  assert.ok(performance.now() - startedAt < 10_000);
});
