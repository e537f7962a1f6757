import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceURL } from "../../../src/llm/chat-completions/url.ts";

const rules = { owner: "Test", option: "baseURL", allowHTTP: false, remedy: "; allow it" };

test("an address is split into origin and path, without a slash at its end", () => {
  assert.deepEqual(serviceURL("https://a.example", rules), { origin: "https://a.example", path: "" });
  assert.deepEqual(serviceURL("http://[::1]:8080/v1//", rules), { origin: "http://[::1]:8080", path: "/v1" });
});

test("plain http to another machine is refused, unless it is allowed", () => {
  assert.throws(() => serviceURL("http://vllm.lan/v1", rules), /got http:\/\/vllm\.lan; allow it$/);
  assert.equal(serviceURL("http://vllm.lan/v1", { ...rules, allowHTTP: true }).origin, "http://vllm.lan");
});

test("what is no address of a service is refused, and no password is told", () => {
  const wrong = [
    "nowhere",
    "ftp://a.example",
    "https://user:secret@a.example",
    "https://a.example/v1/chat/completions",
  ];
  for (const text of wrong) {
    assert.throws(
      () => serviceURL(text, rules),
      (error) => /"baseURL"/.test(String(error)) && !/secret/.test(String(error)),
    );
  }
});
