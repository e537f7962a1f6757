import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { type AdmissionOptions, checkAdmission, resolveAdmission } from "../../../src/llm/limits/options.ts";
import { failsWith } from "../../support/error-facts.ts";

test("the defaults are those of the documentation", () => {
  assert.deepEqual(resolveAdmission(), {
    maxTransportRetries: 5,
    retryDelayMs: [500, 30_000],
    outageFailures: 10,
    probeDelayMs: [5000, 30_000],
    stallTimeoutMs: 900_000,
    capacityTimeoutMs: 21_600_000,
  });
  assert.equal(resolveAdmission({ outageFailures: 3 }).outageFailures, 3);
});

test("wrong values are refused by name", () => {
  const refused = (options: AdmissionOptions | object, facts: ErrorFacts): void => {
    const [where = ""] = Object.keys(options);
    assert.throws(() => checkAdmission(options), failsWith("INVALID_OPTION", { where, ...facts }));
  };
  checkAdmission({ retryDelayMs: [0, 0], maxTransportRetries: 0 });
  refused({ retryDelayMs: [10, 5] }, { got: "an array of 2" });
  refused({ probeDelayMs: 5 }, { got: "5" });
  refused({ maxTransportRetries: -1 }, { expected: "a whole number from 0 up", got: "-1" });
  refused({ outageFailure: 1 }, { nearest: "outageFailures" });
});
