import assert from "node:assert/strict";
import { test } from "node:test";
import { routeOf } from "../../../src/testing/simulator/routes.ts";

const chat = { kind: "chat", deployment: undefined, apiVersion: undefined };

test("the v1 API and the paths of compatible services take the deployment from the body", () => {
  for (const path of [
    "/openai/v1/chat/completions",
    "/v1/chat/completions",
    "/chat/completions",
    "/openai/v1/chat/completions?api-version=preview",
  ]) {
    assert.deepEqual(routeOf("POST", path), chat, path);
  }
});

test("the dated API has the deployment in its path, percent-decoded, and needs a version", () => {
  const path = "/openai/deployments/my%20model/chat/completions";
  assert.deepEqual(routeOf("POST", `${path}?api-version=2024-10-21`), {
    kind: "chat",
    deployment: "my model",
    apiVersion: "2024-10-21",
  });
  for (const query of ["", "?api-version=", "?version=1"]) {
    const route = routeOf("POST", path + query);
    assert.ok(route.kind === "not-found" && route.reason.includes("api-version"), query);
  }
});

test("any other path is not found, and a known path wants its method", () => {
  for (const path of [
    "/",
    "",
    "/openai/v1/responses",
    "/openai/deployments/a/b/chat/completions?api-version=1",
    "/openai/deployments/%/chat/completions?api-version=1",
  ]) {
    assert.equal(routeOf("POST", path).kind, "not-found", path);
  }
  assert.deepEqual(routeOf("GET", "/v1/chat/completions"), { kind: "wrong-method", allowed: "POST" });
  assert.deepEqual(routeOf("GET", "/stats"), { kind: "statistics" });
  assert.deepEqual(routeOf("POST", "/stats"), { kind: "wrong-method", allowed: "GET" });
  assert.deepEqual(routeOf("GET", "/bill"), { kind: "bill" });
  assert.deepEqual(routeOf("POST", "/bill"), { kind: "wrong-method", allowed: "GET" });
  assert.deepEqual(routeOf("POST", "/stats/reset"), { kind: "reset" });
});
