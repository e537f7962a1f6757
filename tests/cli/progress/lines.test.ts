import assert from "node:assert/strict";
import { test } from "node:test";
import { describe, linesProgress, timeoutsOf, unansweredOf } from "../../../src/cli/progress/lines.ts";
import { RunProgress } from "../../../src/cli/progress/run-progress.ts";
import type { RunEvent } from "../../../src/index.ts";
import { callEnd, callStart, rowEnd, rowFailure, rowStarts, runStart } from "../../support/run-events.ts";

/** The line about a run with these events, `afterMs` after its start. */
function described(events: readonly RunEvent[], afterMs: number): string {
  let nowMs = 0;
  const progress = new RunProgress(() => nowMs);
  for (const event of events) progress.add(event);
  nowMs = afterMs;
  return describe(progress.snapshot());
}

const numbersIn = (text: string): string[] => text.match(/\d[\d.,]*/g) ?? [];

test("a line has rows, rate, calls, re-asks and tokens, and leaves out everything unknown", (t) => {
  const events = [runStart(), ...rowStarts(1, 2), callStart, callEnd(), callStart, rowEnd(1)];
  const text = described(events, 2000);
  assert.deepEqual(numbersIn(text), ["1", "0.5", "1", "1", "8", "0", "100", "10"]);
  t.assert.snapshot(text);
});

test("with a total, prices, failures and a closed gate it has the share, the time left, the cost in all, the codes and the reason of a wait", (t) => {
  const positions = Array.from({ length: 1250 }, (_, index) => index + 1);
  const text = described(
    [
      runStart({ currency: "USD" }),
      { type: "source-count", rowCount: 10_000 },
      ...positions.flatMap((position) => [
        ...rowStarts(position),
        callStart,
        callEnd({ pk: `r${position}`, cost: 0.002 }),
      ]),
      { type: "re-ask", step: "kind", pk: "r1", issueCount: 1 },
      ...positions.map((position) =>
        position > 3 ? rowEnd(position) : rowFailure(position, position === 1 ? "REFUSAL" : "EMPTY_INPUT"),
      ),
      { type: "gate-close", provider: "azure", reason: "rate_limit", durationMs: 22_000 },
    ],
    10_000,
  );
  assert.deepEqual(text.split("; ").map(numbersIn), [
    ["1,250", "10,000", "12", "125", "1", "10"],
    ["1,250", "0", "8", "1"],
    ["125,000", "12,500", "2.50", "20.00"],
    ["3", "2", "1"],
    ["429", "12"],
  ]);
  t.assert.snapshot(text);
});

test("a cost by list prices is none before the first price is known, and is marked after it", () => {
  const prices = { inputPerMillion: 2, cachedInputPerMillion: 1, outputPerMillion: 8, currency: "USD" };
  const price = { type: "list-price", provider: "azure-openai", source: "@pydantic/genai-prices 0.1.8" } as const;
  const asked = [runStart(), ...rowStarts(1), callStart];
  const cost = (...events: readonly RunEvent[]): string | undefined =>
    /[\d.]+ USD so far.*?(?=;|,|$)/.exec(described([...asked, ...events], 1000))?.[0];
  assert.equal(cost(), undefined);
  assert.equal(cost({ ...price, model: "gpt-99", prices: null }, callEnd({ cost: null })), undefined);
  assert.equal(
    cost({ ...price, model: "gpt-4o", prices }, callEnd({ cost: 0.002 })),
    "0.002 USD so far at list prices",
  );
});

test("skipped rows count among the failed ones", () => {
  const events = [runStart(), ...rowStarts(1), rowFailure(1, "REFUSAL", { outcome: "skipped" })];
  assert.match(described(events, 1000), /; 1 failed \(1 × REFUSAL\)$/);
});

test("the share is 100 % only when all is done, and with nothing to do", () => {
  const share = (doneCount: number, rowCount: number): string => {
    const rows = Array.from({ length: doneCount }, (_, index) => [...rowStarts(index + 1), rowEnd(index + 1)]);
    const text = described([runStart(), { type: "source-count", rowCount }, ...rows.flat()], 1000);
    return /\((\d+) %\)/.exec(text)?.[1] ?? text;
  };
  assert.deepEqual(
    [share(199, 200), share(200, 200), share(0, 0), share(5, 3), share(0, 3)],
    ["99", "100", "100", "100", "0"],
  );
});

test("one line is written every ten seconds, with the time, and none after the end", (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "Date"], now: new Date(2026, 0, 2, 3, 4, 5) });
  const written: string[] = [];
  const progress = linesProgress({ write: (text) => written.push(text) });
  progress.observe(runStart());
  t.mock.timers.tick(9999);
  assert.deepEqual(written, []);
  t.mock.timers.tick(1);
  assert.equal(written.length, 1);
  assert.match(written[0] ?? "", /^2026-01-02 03:04:15 {2}0 rows, 0 rows\/s; 0 calls, 0 of 8 in flight, .*\n$/);
  for (const event of [...rowStarts(1), callStart, callEnd(), rowEnd(1)]) progress.observe(event);
  t.mock.timers.tick(10_000);
  assert.match(written[1] ?? "", /^2026-01-02 03:04:25 {2}1 rows, .*; 1 calls, /);
  progress.say("stopping\u001B[2J\nnow");
  assert.equal(written[2], "stopping [2J now\n");
  progress.end();
  t.mock.timers.tick(60_000);
  assert.equal(written.length, 3);
  assert.ok(
    written.every((line) => /^[^\p{Cc}]+\n$/u.test(line)),
    "each is one line, with no control character",
  );
});

test("calls without an answer stand beside the tokens, and those that timed out have their remedy", () => {
  const progress = new RunProgress(() => 0);
  for (const event of [
    runStart(),
    callEnd(),
    callEnd({ errorCode: "TIMEOUT" }),
    callEnd({ errorCode: "NETWORK_ERROR" }),
  ])
    progress.add(event);
  const { figures } = progress.snapshot();
  assert.deepEqual(unansweredOf(figures.usage), ["2 calls without an answer"]);
  assert.match(timeoutsOf(figures.usage).join(), /1 call .*concurrency.*timeoutMs/);
  const line = describe(progress.snapshot());
  for (const part of [...unansweredOf(figures.usage), ...timeoutsOf(figures.usage)])
    assert.ok(line.includes(part), line);
  assert.deepEqual(
    [
      unansweredOf({ ...figures.usage, unansweredCalls: undefined }),
      timeoutsOf({ ...figures.usage, timedOutCalls: undefined }),
    ],
    [[], []],
  );
});
