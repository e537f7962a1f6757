import assert from "node:assert/strict";
import { test } from "node:test";
import { entraTokenProvider } from "../../../src/llm/chat-completions/entra-id.ts";
import { failsWith } from "../../support/error-facts.ts";

function credential(lifetimeMs: number) {
  const scopes: string[] = [];
  const getToken = async (scope: string) => {
    scopes.push(scope);
    return await Promise.resolve({ token: `t${scopes.length}`, expiresOnTimestamp: Date.now() + lifetimeMs });
  };
  return { scopes, getToken };
}

test("the package is needed if no credential is given", () => {
  assert.deepEqual(entraTokenProvider().requirements, { packages: ["@azure/identity"] });
  assert.deepEqual(entraTokenProvider({ credential: credential(0) }).requirements, {});
});

test("a token is kept until shortly before it expires, or until another one is wanted", async () => {
  const lasting = credential(3_600_000);
  const give = entraTokenProvider({ credential: lasting });
  assert.equal(await give({ forceRefresh: false }), "t1");
  assert.equal(await give({ forceRefresh: false }), "t1");
  assert.equal(await give({ forceRefresh: true }), "t2");
  const short = credential(200_000);
  const giveShort = entraTokenProvider({ credential: short, scope: "api://mine/.default" });
  await giveShort({ forceRefresh: false });
  assert.equal(await giveShort({ forceRefresh: false }), "t2");
  assert.deepEqual(short.scopes, ["api://mine/.default", "api://mine/.default"]);
});

test("a credential without a token is an error that names the scope", async () => {
  const none = { getToken: async () => await Promise.resolve(null) };
  await assert.rejects(entraTokenProvider({ credential: none })({ forceRefresh: false }), (error) =>
    String(error).includes("https://ai.azure.com/.default"),
  );
});

test("wrong options are rejected", () => {
  assert.throws(
    () => entraTokenProvider({ credential: {} as never }),
    failsWith("INVALID_OPTION", { where: "credential", got: "an object" }),
  );
  assert.throws(
    () => entraTokenProvider({ scopes: "x" } as never),
    failsWith("INVALID_OPTION", { where: "scopes", nearest: "scope" }),
  );
});
