import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { liveProgress, render } from "../../../src/cli/progress/live.ts";
import { RunProgress, type Snapshot } from "../../../src/cli/progress/run-progress.ts";
import type { RunEvent } from "../../../src/index.ts";
import { callEnd, callStart, rowEnd, rowFailure, rowStarts, runStart } from "../../support/run-events.ts";
import { Screen } from "../../support/screen.ts";

function snapshotOf(events: readonly RunEvent[], afterMs = 10_000): Snapshot {
  let nowMs = 0;
  const progress = new RunProgress(() => nowMs);
  for (const event of events) progress.add(event);
  nowMs = afterMs;
  return progress.snapshot();
}

const begun = [
  runStart({ currency: "USD" }),
  ...rowStarts(1, 2),
  callStart,
  callStart,
  callEnd({ cost: 0.01 }),
  rowEnd(1),
];
const counted: readonly RunEvent[] = [...begun, { type: "source-count", rowCount: 4 }];

/** All that an area can show: a total, costs, reused answers, many codes and a closed gate. */
const full: readonly RunEvent[] = [
  ...begun,
  { type: "source-count", rowCount: 1_234_567 },
  {
    type: "answer-reuse",
    step: "kind",
    pk: "r1",
    model: "m",
    promptHash: "p",
    reasoningTokens: 0,
    cost: 1,
    inputTokens: 1,
    cachedTokens: 0,
    outputTokens: 1,
  },
  { type: "re-ask", step: "kind", pk: "r1", issueCount: 1 },
  ...["CONTENT_FILTER", "CONTEXT_LENGTH_EXCEEDED", "OUTPUT_TRUNCATED", "VALUE_DOES_NOT_FIT", "REFUSAL"].flatMap(
    (code, index) => [...rowStarts(10 + index), rowFailure(10 + index, code)],
  ),
  { type: "gate-close", provider: "azure-openai", reason: "rate_limit", durationMs: 22_000 },
];

const plain = { columns: 80, hasColors: () => false };

test("the area has a bar, rows, calls and tokens, each in its line", () => {
  assert.equal(
    render(snapshotOf(counted), plain),
    [
      `${"━".repeat(15)}${"─".repeat(45)}`,
      "1 of 4 rows (25 %) · 6 rows/min",
      "calls 1 · 1 of 8 in flight · 0 re-asks",
      "tokens 100 in · 10 out · 0.01 USD so far",
    ].join("\n"),
  );
});

test("failures by code, reused answers and why it waits are shown where there are any", () => {
  assert.deepEqual(
    render(snapshotOf(full), { ...plain, columns: 200 })
      .split("\n")
      .slice(2),
    [
      "calls 1 · 1 of 8 in flight · 1 re-ask · 1 answer reused",
      render(snapshotOf(full), { ...plain, columns: 200 }).split("\n")[3],
      "failed 1 × CONTENT_FILTER, 1 × CONTEXT_LENGTH_EXCEEDED, 1 × OUTPUT_TRUNCATED, 1 × VALUE_DOES_NOT_FIT, 1 × REFUSAL",
      "waits 429: gate of azure-openai closed for 12 s",
    ],
  );
});

for (const columns of [20, 40, 80, 200]) {
  for (const [name, events] of Object.entries({ begun, counted, full })) {
    test(`in ${columns} columns no line of the ${name} area reaches the last one, with or without colours`, () => {
      const snapshot = snapshotOf(events);
      const area = render(snapshot, { columns, hasColors: () => false });
      const lines = area.split("\n");
      assert.equal(lines.length, name === "full" ? 6 : 4);
      for (const line of lines) assert.ok(line.length > 0 && line.length <= columns - 1, `${line.length}: ${line}`);
      assert.doesNotMatch(area.replaceAll("\n", ""), /\p{Cc}/u);
      const coloured = render(snapshot, { columns, hasColors: () => true });
      assert.notEqual(coloured, area);
      assert.equal(stripVTControlCharacters(coloured), area);
    });
  }
}

test("where a line has no room for all its parts it leaves out the last ones, and cuts only the first", () => {
  const lines = (columns: number): string[] => render(snapshotOf(full), { ...plain, columns }).split("\n");
  assert.equal(lines(40)[2], "calls 1 · 1 of 8 in flight · 1 re-ask");
  assert.equal(lines(20)[2], "calls 1");
  assert.equal(lines(40)[4], "failed 1 × CONTENT_FILTER, 1 × CONTEXT…");
  assert.equal(lines(20)[5], "waits 429: gate of…");
});

test("without colours asked for there are none; a terminal that does not tell its width has 80 columns", () => {
  const snapshot = snapshotOf(full);
  assert.equal(render(snapshot, {}), render(snapshot, plain));
});

test("without a total the bar's mark moves on with time and stays within the bar", () => {
  const marks = [0, 200, 400, 59 * 200, 60 * 200].map((afterMs) => {
    const [bar = ""] = render(snapshotOf(begun, afterMs), plain).split("\n");
    assert.match(bar, /^─*━─*$/);
    assert.equal(bar.length, 60);
    return bar.indexOf("━");
  });
  assert.deepEqual(marks, [0, 1, 2, 59, 0]);
});

test("a source with no rows has a full bar", () => {
  const [bar] = render(snapshotOf([runStart(), { type: "source-count", rowCount: 0 }]), plain).split("\n");
  assert.equal(bar, "━".repeat(60));
});

function onScreen(t: TestContext, columns: number) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const screen = new Screen();
  const progress = liveProgress({ write: (text) => screen.write(text), isTTY: true, columns, rows: 24 });
  return { screen, progress };
}

for (const columns of [20, 80]) {
  test(`in ${columns} columns the area is drawn over in its place, below what was said, and is gone at the end`, (t) => {
    const { screen, progress } = onScreen(t, columns);
    for (const event of counted) progress.observe(event);
    assert.deepEqual(screen.lines, []);
    t.mock.timers.tick(100);
    assert.equal(screen.lines.length, 4);
    assert.match(screen.lines[1] ?? "", /^1 of 4 rows/);
    progress.say("first");
    assert.deepEqual([screen.lines[0], screen.lines.length], ["first", 5]);
    for (const event of full.slice(begun.length)) progress.observe(event);
    t.mock.timers.tick(100);
    assert.deepEqual([screen.lines[0], screen.lines.length], ["first", 7]);
    progress.say("second");
    assert.deepEqual(screen.lines.slice(0, 2), ["first", "second"]);
    assert.match(screen.lines[3] ?? "", /^6 of 1,234,567/);
    assert.equal(screen.lines.length, 8);
    progress.end();
    assert.deepEqual(screen.lines, ["first", "second"]);
    t.mock.timers.tick(1000);
    assert.deepEqual(screen.lines, ["first", "second"]);
    screen.write("after\n");
    assert.deepEqual(screen.lines, ["first", "second", "after"]);
  });
}

test("an area that loses lines leaves nothing of them behind", (t) => {
  const { screen, progress } = onScreen(t, 80);
  for (const event of full) progress.observe(event);
  t.mock.timers.tick(100);
  assert.equal(screen.lines.length, 6);
  progress.observe({ type: "gate-close", provider: "azure-openai", reason: "rate_limit", durationMs: 0 });
  t.mock.timers.tick(100);
  assert.equal(screen.lines.length, 5);
  assert.match(screen.lines[4] ?? "", /^failed /);
});

test("what is said can't command the terminal", (t) => {
  const { screen, progress } = onScreen(t, 80);
  progress.say("one\ntwo\u001B[2J");
  assert.equal(screen.lines[0], "one two [2J");
  progress.end();
});
