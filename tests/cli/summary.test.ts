import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Failure } from "../../src/cli/first-failures.ts";
import { endingOf, summaryOf } from "../../src/cli/summary.ts";
import type { Watched } from "../../src/cli/watch.ts";
import type { RunReport } from "../../src/contracts/report.ts";
import { EmptyInputError, RunError } from "../../src/index.ts";
import { figures } from "../support/journal-file.ts";
import { reportOf } from "../support/run-events.ts";

function watched(
  report: Partial<RunReport>,
  failures: Readonly<Record<string, Failure>> = {},
  deadLetterPath: string | null = null,
): Watched {
  return { report: reportOf(report), failures: new Map(Object.entries(failures)), deadLetterPath };
}

const failure: Failure = { position: 1234, pk: "r1234", step: "kind", message: "it is empty" };
const { usage } = figures();
const numbersIn = (text: string): string[] => text.match(/\d[\d.,]*\d|\d/g) ?? [];
const inLines = { serializers: [(lines: readonly string[]) => lines.join("\n").replaceAll("\\", "/")] };

test("a run without failures, cost and reuse has four lines", (t) => {
  const lines = summaryOf(watched({ durationMs: 1500, readCount: 1200, successCount: 1200 }));
  assert.deepEqual(lines.slice(1).map(numbersIn), [["1,200", "1,200"], ["0"], ["0", "0"]]);
  t.assert.snapshot(lines, inLines);
});

test("a cost by list prices is marked, and one that is not known for want of a price is no dash", () => {
  const lineOf = (report: Partial<RunReport>): string =>
    summaryOf(watched(report)).find((text) => text.trim().startsWith("cost")) ?? "";
  const priceSource = "@pydantic/genai-prices 0.1.8";
  assert.ok(lineOf({ cost: { amount: 2, currency: "USD" }, priceSource }).includes(priceSource));
  assert.ok(lineOf({ cost: null, unlistedModels: ["gpt-99"] }).includes("gpt-99"));
  assert.equal(lineOf({ cost: null }), "");
});

test("empty rows that were passed over stand behind the counts, where there are any", () => {
  const [, counts] = summaryOf(watched({ readCount: 3, successCount: 3, emptyRowCount: 1024 })).map(numbersIn);
  assert.deepEqual(counts, ["3", "3", "1,024"]);
});

test("rows of targets stand behind the counts, where a row of the source is not one of them", () => {
  const [, counts] = summaryOf(watched({ readCount: 3, successCount: 3, writtenRowCount: 1024 })).map(numbersIn);
  assert.deepEqual(counts, ["3", "3", "1,024"]);
});

test("values that are null because they stayed invalid have a line for each field", () => {
  const invalidValues = { "kind.confidence": 1200, "kind.note": 3 };
  const lines = summaryOf(watched({ readCount: 3, successCount: 3, invalidValues })).slice(2);
  assert.deepEqual(lines.map(numbersIn).slice(0, 2), [["1,200"], ["3"]]);
  assert.match(lines[0] ?? "", /kind\.confidence/);
  assert.match(lines[1] ?? "", /kind\.note/);
});

test("steps that did not apply to all rows have a line each", () => {
  const lines = summaryOf(watched({ readCount: 3, successCount: 3, notApplied: { summarize: 1200, rate: 1 } })).slice(
    2,
  );
  assert.deepEqual(lines.map(numbersIn).slice(0, 2), [["1,200"], ["1"]]);
  assert.match(lines[0] ?? "", /summarize/);
});

test("it says what was read of a source that can tell what changed, but not of a run that read nothing of it", () => {
  const changes = { by: "changed_at", rows: "all", since: null, dueCount: 0, reasons: ["full was asked for"] } as const;
  const linesOf = (report: object): readonly string[] =>
    summaryOf(watched({ changes, ...report })).filter((line) => line.includes("full was asked for"));
  assert.equal(linesOf({ readCount: 3, successCount: 3 }).length, 1);
  assert.equal(linesOf({ readCount: 0 }).length, 1);
  assert.equal(linesOf({ readCount: 0, status: "failed" }).length, 0);
  assert.equal(linesOf({ readCount: 2, pendingCount: 2, status: "aborted" }).length, 1);
});

test("a summary has counts, failures by code with the first row, calls, tokens, cost and reused answers", (t) => {
  const lines = summaryOf(
    watched(
      {
        status: "failed",
        readCount: 2000,
        successCount: 1985,
        unchangedCount: 985,
        failureCount: 12,
        pendingCount: 3,
        failuresByCode: { REFUSAL: 2, EMPTY_INPUT: 9, PRIMARY_KEY_MISSING: 1 },
        usage: {
          calls: 3010,
          reAsks: 10,
          inputTokens: 12_345,
          cachedTokens: 2345,
          outputTokens: 678,
          reusedAnswers: 1970,
          savedInputTokens: 8000,
          savedOutputTokens: 400,
        },
        cost: { amount: 1.5, currency: "USD" },
        savedCost: { amount: 0.75, currency: "USD" },
        durationMs: 65_000,
      },
      {
        EMPTY_INPUT: failure,
        REFUSAL: { ...failure, position: 7, pk: "r7" },
        PRIMARY_KEY_MISSING: { position: 9, pk: null, step: null, message: "it has none" },
      },
      join(process.cwd(), "output", "failed.jsonl"),
    ),
  );
  assert.deepEqual(lines.slice(1).map(numbersIn), [
    ["2,000", "1,000", "985", "12", "3"],
    ...[["9", "1,234", "1234"], [], ["2", "7", "7"], [], ["1", "9"], []],
    [],
    ["3,010", "10"],
    ["12,345", "2,345", "678"],
    ["1.50"],
    ["1,970", "8,000", "400", "0.75"],
  ]);
  t.assert.snapshot(lines, inLines);
});

test("failed rows that are kept: the cause is to be fixed and the run repeated; a replay is named only where there can be one", () => {
  const failed = watched({ failureCount: 1, failuresByCode: { REFUSAL: 1 } }, {}, join(process.cwd(), "failed.jsonl"));
  const hintOf = (lines: readonly string[]): string => lines.find((text) => text.includes("kept in")) ?? "";
  assert.match(hintOf(summaryOf(failed)), /failed\.jsonl, fix the cause and run again$/);
  assert.match(hintOf(summaryOf(failed, true)), /failed\.jsonl, fix the cause and run again, or .*llm-etl replay$/);
});

test("skipped rows are counted as skipped, and are saved nowhere", () => {
  const lines = summaryOf(
    watched({ readCount: 3, successCount: 2, skippedCount: 1, failuresByCode: { EMPTY_INPUT: 1 } }, {}, "/x.jsonl"),
  );
  assert.equal(lines[1], "  rows    3 read, 2 written, 1 skipped");
  assert.equal(lines[2], "  skipped 1 × EMPTY_INPUT");
  assert.ok(!lines.some((line) => line.includes("kept in")), lines.join("\n"));
});

test("of many codes the eight most frequent have their first row, the others their number", () => {
  const codes = Array.from({ length: 10 }, (_, index) => `CODE_${index}`);
  const failuresByCode = Object.fromEntries(codes.map((code, index) => [code, 10 + index]));
  const failures = Object.fromEntries(codes.map((code) => [code, failure]));
  const lines = summaryOf(watched({ failureCount: 1, failuresByCode }, failures));
  assert.deepEqual(
    lines.filter((line) => line.includes("CODE_")).map((line) => line.includes("first row")),
    [...Array.from({ length: 8 }, () => true), false, false],
  );
  assert.deepEqual(lines.slice(-4, -2), ["          11 × CODE_1", "          10 × CODE_0"]);
});

test("keys and messages from elsewhere can neither break a line nor command the terminal", () => {
  const bad = { position: 1, pk: "a\u001B[2J\nb", step: null, message: "one\r\ntwo" };
  const text = summaryOf(watched({ failureCount: 1, failuresByCode: { X: 1 } }, { X: bad })).join("|");
  assert.match(text, /first row 1 \(a \[2J b\):\| +one two\|/);
  assert.doesNotMatch(text, /\p{Cc}/u);
});

test("a run that completed has no ending; one that stopped has its error, its place and the page about it", () => {
  assert.deepEqual(endingOf(watched({ usage }), false), []);
  const error = new RunError("LIMIT_REACHED", "maxCalls is reached");
  const [ending = "", ...others] = endingOf(watched({ status: "failed", error }), false);
  assert.deepEqual(others, []);
  assert.ok(ending.startsWith(`failed: llm-etl: ${error.message} [LIMIT_REACHED]\n`), ending);
  assert.match(ending, /\n {2}at tests\/cli\/.*\n {2}see docs\/errors\.md#limit_reached$/);
  assert.match(endingOf(watched({ status: "failed", error }), true).join("\n"), /#limit_reached\n {4}at /);
});

test("a run that a row stopped says which row, by number, key and step", () => {
  const error = new EmptyInputError("kind");
  const [ending = ""] = endingOf(watched({ status: "failed", error }, { EMPTY_INPUT: failure }), false);
  const [before, after] = ending.split(`: llm-etl: ${error.message}`);
  assert.deepEqual([numbersIn(before ?? ""), before?.includes("(r1234)")], [["1,234", "1234"], true]);
  assert.ok(before?.includes("kind") === true && after?.startsWith(" [EMPTY_INPUT]\n") === true, ending);
});

test("a key or a message can't command the terminal, at the end of a run either", () => {
  const wild = { ...failure, pk: "a\u001B]0;x\u0007\nb" };
  const error = new EmptyInputError("st\u001B[31mep");
  const lines = [
    ...endingOf(watched({ status: "failed", error }, { EMPTY_INPUT: wild }), true),
    ...summaryOf(watched({ failureCount: 1, failuresByCode: { EMPTY_INPUT: 1 } }, { EMPTY_INPUT: wild })),
  ];
  assert.ok(lines.some((line) => line.includes("a ]0;x b")));
  assert.doesNotMatch(lines.join("\n").replaceAll("\n", ""), /\p{Cc}/u);
});

test("of several sinks the one at which a row failed is named", () => {
  const failures = { SINK_DATA_REFUSED: { ...failure, step: null, sink: "server/db/dbo.lines" } };
  const lines = summaryOf(watched({ failureCount: 1, failuresByCode: { SINK_DATA_REFUSED: 1 } }, failures));
  assert.ok(lines.some((line) => line.includes("(r1234) at server/db/dbo.lines")));
});

test("rows that did not replace the file of an earlier run are named with their file, whatever the reason", () => {
  for (const reason of ["limit", "no-row-succeeded", "stopped"] as const) {
    const [rowsAside, other] = ["rows.csv.x", "rows.jsonl.x"].map((name) => ({
      path: join(process.cwd(), "out", name),
      reason,
    }));
    assert.ok(rowsAside && other);
    const lines = summaryOf(watched({ rowsAside, otherRowsAside: [other] }));
    for (const name of ["rows.csv.x", "rows.jsonl.x"]) {
      const found = lines.find((line) => line.includes(join("out", name)));
      assert.ok(found, reason);
      assert.equal(found.includes("--replace"), reason !== "stopped");
    }
  }
});

test("a run that reached its limit says what is left, and what that would cost", () => {
  const error = new RunError("LIMIT_REACHED", "the run has reached its limit");
  const limited = { error, readCount: 64, successCount: 64, cost: { amount: 4.5, currency: "USD" } };
  const rest = { rows: 1000, paidRows: 900, cost: { estimate: 96.77, low: 90.5, high: 103 } };
  const leftIn = (
    report: Partial<RunReport>,
    left?: typeof rest | { rows: number; paidRows: number; cost: undefined },
  ) => summaryOf({ ...watched(report), rest: left }).filter((one) => one.startsWith("  left"));
  assert.deepEqual(leftIn(limited, rest).map(numbersIn), [["1,000", "96.77", "90.50", "103.00"]]);
  assert.deepEqual(leftIn({ ...limited, cost: null }, rest).map(numbersIn), [["1,000"]]);
  assert.deepEqual(leftIn(limited, { ...rest, cost: undefined }).map(numbersIn), [["1,000"]]);
  assert.deepEqual(leftIn(limited), [], "the source has not counted its rows");
  assert.deepEqual(leftIn({ ...limited, error: new RunError("SINK_FAILED", "it is full") }, rest), []);
});
