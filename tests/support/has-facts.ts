import assert from "node:assert/strict";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { type ErrorCode, LLMEtlError } from "../../src/errors/llm-etl-error.ts";

/** For `assert.throws` and `assert.rejects`: an error of ours with that code, and with at least these facts. */
export function hasFacts(code: ErrorCode, facts: ErrorFacts): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof LLMEtlError, String(error));
    assert.equal(error.code, code, error.message);
    assert.partialDeepStrictEqual(error.facts, facts);
    return true;
  };
}
