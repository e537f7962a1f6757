import assert from "node:assert/strict";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { type ErrorCode, LLMEtlError } from "../../src/errors/llm-etl-error.ts";

/** A validation for `assert.throws` and `assert.rejects`: an llm-etl error with this code, and with these facts among its own. */
export function failsWith(code: ErrorCode, facts: ErrorFacts = {}): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof LLMEtlError, String(error));
    assert.partialDeepStrictEqual({ code: error.code, facts: error.facts }, { code, facts });
    return true;
  };
}
