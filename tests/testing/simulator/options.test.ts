import assert from "node:assert/strict";
import { test } from "node:test";
import { OptionError } from "../../../src/errors/option.ts";
import { checkSimulatorChanges, checkSimulatorOptions } from "../../../src/testing/simulator/options.ts";

test("an option that is unknown or wrong is refused, with what was expected and what was given", () => {
  const cases: [object, RegExp][] = [
    [{ prot: 1 }, /"prot": unknown option; did you mean "port"\?/],
    [{ port: 70_000 }, /"port": expected a number from 0 to 65535, got 70000/],
    [{ port: 1.5 }, /"port"/],
    [{ latencyMs: -1 }, /"latencyMs": expected milliseconds from 0 up, or \{ median, sigma \}/],
    [{ latencyMs: { median: 3 } }, /"latencyMs"/],
    [{ latencyMs: { median: 3, sigma: 1, mean: 2 } }, /"latencyMs"/],
    [{ requestsPerMinute: 0 }, /"requestsPerMinute": expected a whole number from 1 up, got 0/],
    [{ retryAfter: "never" }, /"retryAfter": expected "exact" or "one-second", got "never"/],
    [{ outage: "maybe" }, /"outage": expected true, false, "503" or "reset"/],
    [{ tokens: "t" }, /"tokens": expected an array of texts, or a function/],
    [{ apiKeys: "k" }, /"apiKeys"/],
    [{ faults: { serverErrors: 0.1 } }, /"serverErrors": unknown option; did you mean "serverError"\?/],
    [{ faults: { serverError: 2 } }, /"serverError": expected a number from 0 to 1, got 2/],
    [{ faults: { serverError: 0.6, html: 0.6 } }, /"faults": expected shares of at most 1 in all, got 1\.2/],
    [
      { answersFrom: { path: "x.csv", textColumn: "t" } },
      /"labelColumn": expected text that is not blank, got nothing/,
    ],
  ];
  for (const [options, message] of cases) {
    assert.throws(
      () => checkSimulatorOptions(options),
      (error) => error instanceof OptionError && message.test(error.message),
      JSON.stringify(options),
    );
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
  checkSimulatorOptions({ faults: { serverError: 0.7, html: 0.1, hang: 0.1, length: 0.1, refusal: undefined } });
});

test("only some options can be changed later, and they are checked as well", () => {
  const later: object = { seed: 2 };
  checkSimulatorChanges({ requestsPerMinute: undefined, faults: { html: 1 }, outage: true });
  assert.throws(() => checkSimulatorChanges(later), /simulator\.update: option "seed": unknown option/);
  assert.throws(() => checkSimulatorChanges({ faults: { html: 2 } }), OptionError);
});
