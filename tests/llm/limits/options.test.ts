import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdmissionOptions, checkAdmission, resolveAdmission } from "../../../src/llm/limits/options.ts";

test("the defaults are those of the documentation", () => {
  assert.deepEqual(resolveAdmission(), {
    maxTransportRetries: 5,
    retryDelayMs: [500, 30_000],
    outageFailures: 10,
    probeDelayMs: [5000, 30_000],
    stallTimeoutMs: 900_000,
  });
  assert.equal(resolveAdmission({ outageFailures: 3 }).outageFailures, 3);
});

test("wrong values are refused by name", () => {
  const refused = (options: AdmissionOptions | object, message: RegExp): void => {
    assert.throws(() => checkAdmission(options), { code: "INVALID_OPTION", message });
  };
  checkAdmission({ retryDelayMs: [0, 0], maxTransportRetries: 0 });
  refused({ retryDelayMs: [10, 5] }, /"retryDelayMs": expected two numbers/);
  refused({ probeDelayMs: 5 }, /"probeDelayMs"/);
  refused({ maxTransportRetries: -1 }, /whole number from 0 up, got -1/);
  refused({ outageFailure: 1 }, /did you mean "outageFailures"/);
});
