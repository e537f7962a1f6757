import assert from "node:assert/strict";
import { test } from "node:test";
import { FirstFailures } from "../../src/cli/first-failures.ts";
import { rowEnd, rowFailure, rowStarts, runStart } from "../support/run-events.ts";

test("of each error code the first row that had it is kept, and no other event", () => {
  const failures = new FirstFailures();
  const before = { pk: null, step: null, outcome: "skipped" } as const;
  for (const event of [
    runStart(),
    ...rowStarts(1, 2, 3, 4),
    rowEnd(1),
    rowFailure(2, "EMPTY_INPUT"),
    rowFailure(3, "PRIMARY_KEY_MISSING", before),
    rowFailure(4, "EMPTY_INPUT"),
    rowEnd(5, { outcome: "pending" }),
  ])
    failures.add(event);
  assert.deepEqual(
    [...failures.byCode],
    [
      ["EMPTY_INPUT", { position: 2, pk: "r2", step: "kind", sink: undefined, message: "why 2" }],
      ["PRIMARY_KEY_MISSING", { position: 3, pk: null, step: null, sink: undefined, message: "why 3" }],
    ],
  );
});
