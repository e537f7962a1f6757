import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { serviceURL } from "../../../src/llm/chat-completions/url.ts";
import { failsWith } from "../../support/error-facts.ts";

const rules = { owner: "Test", option: "baseURL", allowHTTP: false, hint: "allow it" };

test("an address is split into origin and path, without a slash at its end", () => {
  assert.deepEqual(serviceURL("https://a.example", rules), { origin: "https://a.example", path: "" });
  assert.deepEqual(serviceURL("http://[::1]:8080/v1//", rules), { origin: "http://[::1]:8080", path: "/v1" });
});

test("plain http to another machine is rejected, unless it is allowed", () => {
  const facts = { where: "baseURL", got: "http://vllm.lan", hint: "allow it" };
  assert.throws(() => serviceURL("http://vllm.lan/v1", rules), failsWith("INVALID_OPTION", facts));
  assert.equal(serviceURL("http://vllm.lan/v1", { ...rules, allowHTTP: true }).origin, "http://vllm.lan");
});

test("text that is not the address of a service is rejected, and no password is shown", () => {
  const wrong = [
    ["nowhere", { got: "no address" }],
    ["ftp://a.example", { got: "ftp://a.example" }],
    ["https://user:secret@a.example", {}],
    ["https://a.example/v1/chat/completions", { expected: "the address of the service alone" }],
  ] as const;
  for (const [text, facts] of wrong) {
    assert.throws(
      () => serviceURL(text, rules),
      (error) => {
        assert.ok(!/secret/.test(inspect(error)), inspect(error));
        return failsWith("INVALID_OPTION", { where: "baseURL", ...facts })(error);
      },
    );
  }
});
