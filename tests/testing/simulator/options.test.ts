import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { failsWith } from "../../support/error-facts.ts";
import { checkSimulatorChanges, checkSimulatorOptions } from "../../../src/testing/simulator/options.ts";

test("an option that is unknown or wrong is rejected, with its name and the value that it got", () => {
  const cases: [object, ErrorFacts][] = [
    [{ prot: 1 }, { where: "prot", nearest: "port" }],
    [{ port: 70_000 }, { where: "port", got: "70000" }],
    [{ port: 1.5 }, { where: "port", got: "1.5" }],
    [{ latencyMs: -1 }, { where: "latencyMs", got: "-1" }],
    [{ latencyMs: { median: 3 } }, { where: "latencyMs", got: "an object" }],
    [{ latencyMs: { median: 3, sigma: 1, mean: 2 } }, { where: "latencyMs", got: "an object" }],
    [{ slots: 0 }, { where: "slots", got: "0" }],
    [{ slots: Infinity }, { where: "slots", got: "Infinity" }],
    [{ showsSchema: "no" }, { where: "showsSchema", got: '"no"' }],
    [{ responseFormats: "text" }, { where: "responseFormats", got: '"text"' }],
    [{ responseFormats: [] }, { where: "responseFormats", got: "an empty array" }],
    [{ responseFormats: ["text", "json"] }, { where: "responseFormats", got: "an array of 2" }],
    [{ requestsPerMinute: 0 }, { where: "requestsPerMinute", got: "0" }],
    [{ retryAfter: "never" }, { where: "retryAfter", got: '"never"' }],
    [{ limitKind: "pail" }, { where: "limitKind", expected: '"window" or "bucket"', got: '"pail"' }],
    [{ retryAfterForm: "minutes" }, { where: "retryAfterForm", got: '"minutes"' }],
    [{ rateLimitHeaders: "yes" }, { where: "rateLimitHeaders", got: '"yes"' }],
    [{ faultsBy: "table" }, { where: "faultsBy", expected: '"messages" or "row"', got: '"table"' }],
    [{ mistakes: "many" }, { where: "mistakes", expected: '"different" or "same"', got: '"many"' }],
    [{ faultsUseQuota: 1 }, { where: "faultsUseQuota", got: "1" }],
    [{ faultRetryAfterMs: 200 }, { where: "faultRetryAfterMs", got: "200" }],
    [{ faultRetryAfterMs: { rateLimits: 200 } }, { where: "rateLimits", nearest: "rateLimit" }],
    [{ faultRetryAfterMs: { html: 200 } }, { where: "html" }],
    [{ faultRetryAfterMs: { serverError: -1 } }, { where: "serverError", got: "-1" }],
    [{ faultRetryAfterMs: { unavailable: "never" } }, { where: "unavailable", got: '"never"' }],
    [{ prices: 1 }, { where: "prices", got: "1" }],
    [{ prices: { inputPerMillion: 1 } }, { where: "cachedInputPerMillion", got: "nothing" }],
    [{ tiers: [] }, { where: "tiers", got: "an empty array" }],
    [{ tiers: ["default", "batch"] }, { where: "tiers", got: "an array of 2" }],
    [{ flexShortage: 1.5 }, { where: "flexShortage", got: "1.5" }],
    [{ priorityDowngrades: -1 }, { where: "priorityDowngrades", got: "-1" }],
    [{ outage: "maybe" }, { where: "outage", got: '"maybe"' }],
    [{ tokens: "t" }, { where: "tokens", got: '"t"' }],
    [{ apiKeys: "k" }, { where: "apiKeys", got: '"k"' }],
    [{ faults: { serverErrors: 0.1 } }, { where: "serverErrors", nearest: "serverError" }],
    [{ faults: { serverError: 2 } }, { where: "serverError", got: "2" }],
    [{ faults: { serverError: 0.6, html: 0.6 } }, { where: "faults", got: 1.2 }],
    [{ answersFrom: { path: "x.csv", textColumn: "t" } }, { where: "labelColumn", got: "nothing" }],
  ];
  for (const [options, facts] of cases) {
    assert.throws(() => checkSimulatorOptions(options), failsWith("INVALID_OPTION", facts));
  }
});

test("options that are right pass, shares that make up all requests as well", () => {
  checkSimulatorOptions({});
  checkSimulatorOptions({
    port: 8000,
    latencyMs: { median: 400, sigma: 0.5 },
    tokens: () => true,
    outage: "reset",
    apiKeys: [],
  });
  checkSimulatorOptions({ slots: 1, showsSchema: false, responseFormats: ["text", "json_object"] });
  checkSimulatorOptions({ limitKind: "bucket", retryAfter: "none", retryAfterForm: "date", rateLimitHeaders: false });
  checkSimulatorOptions({ tiers: ["default"], flexShortage: 0.2, priorityDowngrades: 1 });
  checkSimulatorOptions({ flexShortage: () => true });
  checkSimulatorOptions({ faultRetryAfterMs: { rateLimit: 0, unavailable: "none", serverError: undefined } });
  checkSimulatorOptions({ faults: { serverError: 0.7, html: 0.1, hang: 0.1, length: 0.1, refusal: undefined } });
});

test("only some options can be changed later, and they are checked as well", () => {
  const later: object = { seed: 2 };
  checkSimulatorChanges({ slots: 2, showsSchema: true, responseFormats: undefined });
  checkSimulatorChanges({ requestsPerMinute: undefined, faults: { html: 1 }, outage: true });
  assert.throws(() => checkSimulatorChanges(later), failsWith("INVALID_OPTION", { where: "seed" }));
  assert.throws(() => checkSimulatorChanges({ faults: { html: 2 } }), failsWith("INVALID_OPTION", { where: "html" }));
  const wait: object = { faultRetryAfterMs: { rateLimit: 0.5 } };
  assert.throws(() => checkSimulatorChanges(wait), failsWith("INVALID_OPTION", { where: "rateLimit", got: "0.5" }));
});
