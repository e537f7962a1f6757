import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { LLMEtlError } from "../../../src/errors/llm-etl-error.ts";
import { type EarlierRuns, Rejections } from "../../../src/llm/call/rejections.ts";
import { ProviderError, type ProviderErrorClass, type ProviderErrorFacts } from "../../../src/llm/provider-error.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const denied = (code = "FORBIDDEN", facts: ProviderErrorFacts = {}, errorClass: ProviderErrorClass = "row") =>
  new ProviderError(errorClass, code, "403: denied", { status: 403, ...facts });

interface Bench {
  /** The error that the row's call ends with. */
  readonly reject: (pk: string, error?: ProviderError, text?: string) => Promise<LLMEtlError>;
  readonly accept: () => Promise<void>;
}

function bench(earlier?: EarlierRuns): Bench {
  const { layer } = new Rejections(earlier);
  const request = (text: string) => ({ ...rowCall().request, messages: [{ role: "user" as const, content: text }] });
  return {
    reject: async (pk, error = denied(), text = "a row") => {
      const asked = layer(async () => await Promise.reject(error))(rowCall({ pk, request: request(text) }));
      const thrown: unknown = await asked.catch((reason: unknown) => reason);
      assert.ok(thrown instanceof LLMEtlError);
      return thrown;
    },
    accept: async () => void (await layer(async () => answer)(rowCall({ pk: "good" }))),
  };
}

/** True once the error is confirmed to be its row's own. */
async function isConfirmed(error: LLMEtlError): Promise<boolean> {
  let isDone = error.confirmation === undefined;
  const wait = async (): Promise<void> => {
    await error.confirmation;
    isDone = true;
  };
  void wait();
  await setImmediate();
  return isDone;
}

test("three rows with the same rejection, and no answer, end the run; the same row counts once", async () => {
  const { reject } = bench();
  for (const pk of ["a", "a", "b", "b"]) {
    const error = await reject(pk);
    assert.deepEqual([error.scope, await isConfirmed(error)], ["row", false]);
  }
  assert.equal((await reject("c", denied("DEPLOYMENT_NOT_FOUND", { status: 404 }))).scope, "row", "another rejection");
  const last = await reject("d");
  assert.deepEqual([last.scope, last.code, last.facts["status"]], ["run", "FORBIDDEN", 403]);
  assert.match(last.message, /3 rows were rejected and none was accepted/);
});

test("an answer confirms the rows that were rejected before it, and from then on it takes twenty in a row", async () => {
  const { reject, accept } = bench();
  const early = [await reject("a"), await reject("b")];
  await accept();
  for (const error of early) assert.ok(await isConfirmed(error));
  for (let row = 0; row < 19; row += 1) assert.equal((await reject(`c${row}`)).scope, "row");
  await accept();
  for (let row = 0; row < 19; row += 1) assert.equal((await reject(`d${row}`)).scope, "row");
  assert.equal((await reject("d0")).scope, "row", "a row that was counted");
  assert.equal((await reject("e")).scope, "run");
});

test("an error that has a class of its own is the row's, however many have it", async () => {
  const { reject } = bench();
  for (const code of ["CONTENT_FILTER", "CONTEXT_LENGTH_EXCEEDED", "REFUSAL", "OUTPUT_TRUNCATED", "INVALID_RESPONSE"]) {
    for (let row = 0; row < 25; row += 1) {
      const error = await reject(String(row), new ProviderError(row % 2 === 0 ? "row" : "transient", code, "…"));
      assert.deepEqual([error.scope, error.confirmation], ["row", undefined]);
    }
  }
});

test("an answer of an earlier run under the same prompt counts, and rows that ended so in their last run do not", async () => {
  const asked: string[] = [];
  const { reject } = bench({
    hasAnswered: async (step, promptHash) => (asked.push(`${step} ${promptHash}`), true),
    lastFailure: async (pk) => (pk.startsWith("poisoned") ? "FORBIDDEN" : undefined),
  });
  for (let row = 0; row < 40; row += 1) {
    const error = await reject(`poisoned${row}`);
    assert.deepEqual([error.scope, error.confirmation], ["row", undefined]);
  }
  const changed = await reject("poisoned1", denied("BAD_REQUEST", { status: 400 }));
  assert.equal(await isConfirmed(changed), false, "it ends otherwise than in its last run");
  for (let row = 0; row < 19; row += 1) assert.equal((await reject(String(row))).scope, "row");
  assert.equal((await reject("last")).scope, "run");
  assert.equal(asked[0], "s abc");
});

test("words of an empty account end the run when two rows got them, also midway, and not where they quote the row", async () => {
  const { reject, accept } = bench();
  const empty = denied("BAD_REQUEST", { status: 400, detail: "400: Your credit balance is too low" });
  await accept();
  for (const pk of ["a", "b", "c"]) {
    assert.equal((await reject(pk, empty, "My Credit Balance is too low!")).scope, "row", "it may be a quotation");
  }
  assert.equal((await reject("d", empty)).scope, "row");
  await accept();
  assert.equal((await reject("e", empty)).scope, "row");
  const last = await reject("f", empty);
  assert.deepEqual([last.scope, last.code, last.facts["kind"]], ["run", "QUOTA_EXHAUSTED", "quota"]);
});

test("an error of the run, or of anybody else, passes as it is", async () => {
  const { reject } = bench();
  const error = denied("AUTHENTICATION_FAILED", {}, "run");
  assert.equal(await reject("a", error), error);
});
