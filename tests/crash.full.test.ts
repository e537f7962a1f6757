import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { brokenPromises, crash, type CrashOptions } from "./support/crash.ts";

const small = { rows: 200, concurrency: 8, latencyMs: 4 } as const;

const cases: Readonly<Record<string, CrashOptions>> = {
  "a table": { ...small, sink: "sqlite", kills: 3, seed: 1 },
  "a CSV file": { ...small, sink: "csv", kills: 3, seed: 2 },
  "a CSV file in the source's order": { ...small, sink: "csv-ordered", kills: 2, seed: 3 },
  "a table from a service that fails now and then": { ...small, sink: "sqlite", kills: 2, seed: 4, withFaults: true },
};

describe("runs that are killed at random, and run again until they complete", { concurrency: 2 }, () => {
  for (const [what, options] of Object.entries(cases)) {
    test(`they fill ${what} as one undisturbed run does, and pay for nothing twice but what was in flight`, async () => {
      const figures = await crash(options);
      assert.deepEqual(brokenPromises(figures), []);
      assert.ok(figures.kills >= options.kills, "killed too few");
    });
  }
});
