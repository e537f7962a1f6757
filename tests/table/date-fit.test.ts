import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  fitDate,
  fitDateTime,
  fitDateTime2,
  fitDateTimeOffset,
  fitSmallDateTime,
  fitTime,
} from "../../src/table/date-fit.ts";
import type { Fit, StagedValue } from "../../src/table/fit.ts";

function staged(fit: Fit, value: unknown): StagedValue {
  const fitted = fit(value);
  assert.ok(fitted.ok, fitted.ok ? "" : fitted.problem);
  return fitted.value;
}

function problem(fit: Fit, value: unknown): string {
  const fitted = fit(value);
  assert.ok(!fitted.ok, "it fits");
  return fitted.problem;
}

const noon = new Date("2025-03-01T12:34:56.789Z");

test("a Date is written in UTC, with the digits of the column", () => {
  assert.equal(staged(fitDate, noon), "2025-03-01");
  assert.equal(staged(fitTime(3), noon), "12:34:56.789");
  assert.equal(staged(fitDateTime2(7), noon), "2025-03-01T12:34:56.7890000");
  assert.equal(staged(fitDateTime2(0), noon), "2025-03-01T12:34:57");
  assert.equal(staged(fitDateTime, noon), "2025-03-01T12:34:56.790");
  assert.equal(staged(fitSmallDateTime, noon), "2025-03-01T12:35:00");
  assert.equal(staged(fitDateTimeOffset(7), noon), "2025-03-01T12:34:56.7890000+00:00");
});

test("seven digits of a second are kept, and more are rounded", () => {
  assert.equal(staged(fitDateTime2(7), "2025-03-01T12:34:56.1234567"), "2025-03-01T12:34:56.1234567");
  assert.equal(staged(fitDateTime2(3), "2025-03-01T12:34:56.1235"), "2025-03-01T12:34:56.124");
  assert.equal(staged(fitDateTime2(0), "2025-12-31T23:59:59.5"), "2026-01-01T00:00:00");
  assert.equal(staged(fitTime(0), "23:59:59.9999999"), "23:59:59", "a time is not rounded over midnight");
});

test("a column without an offset holds UTC, one with it the offset that was given", () => {
  const text = "2025-03-01T00:30:00+02:00";
  assert.equal(staged(fitDateTime2(0), text), "2025-02-28T22:30:00");
  assert.equal(staged(fitDate, text), "2025-02-28");
  assert.equal(staged(fitTime(0), text), "22:30:00");
  assert.equal(staged(fitDateTimeOffset(0), text), "2025-03-01T00:30:00+02:00");
  assert.equal(
    staged(fitDateTime2(0), "2025-03-01T00:30:00"),
    "2025-03-01T00:30:00",
    "what has no offset is taken as it is",
  );
});

test("dates beyond the type are refused, with its range", () => {
  assert.equal(
    problem(fitDateTime, "1752-12-31"),
    "the column is DATETIME: expected a date from 1753-01-01 to 9999-12-31, got one beyond",
  );
  assert.equal(staged(fitDateTime, "1753-01-01"), "1753-01-01T00:00:00.000");
  assert.match(problem(fitSmallDateTime, "1899-12-31"), /from 1900-01-01 to 2079-06-06/);
  assert.match(problem(fitSmallDateTime, "2079-06-07"), /got one beyond/);
  assert.match(problem(fitDateTime2(0), "9999-12-31T23:59:59.9"), /got one beyond/);
  assert.match(problem(fitDateTime2(7), new Date("+010000-01-01T00:00:00Z")), /got one beyond/);
  assert.match(problem(fitDate, "0000-12-31"), /from 0001-01-01 to 9999-12-31/);
  assert.match(problem(fitDateTimeOffset(0), "0001-01-01T00:00:00+01:00"), /got one beyond/, "its UTC has no year");
});

test("the last moments of a DATETIME stay in the year 9999", () => {
  assert.equal(staged(fitDateTime, "9999-12-31T23:59:59.999"), "9999-12-31T23:59:59.997");
  assert.equal(staged(fitDateTime, "9999-12-31T23:59:59.998"), "9999-12-31T23:59:59.997");
});

test("a DATETIME ends in 0, 3 or 7 milliseconds, as the server rounds it", () => {
  // Of Microsoft's page on the type: what is written, and what is stored.
  for (const [written, stored] of ["00", "10", "23", "33", "43", "57", "67", "77", "87"].map((pair) => [
    `01.00${pair[0]}`,
    `01.00${pair[1]}`,
  ]))
    assert.equal(staged(fitDateTime, `2025-03-01T12:34:${written}`), `2025-03-01T12:34:${stored}`);
  assert.equal(staged(fitDateTime, "1998-01-01T23:59:59.999"), "1998-01-02T00:00:00.000");
  assert.equal(staged(fitDateTime, "1998-01-01T23:59:59.994"), "1998-01-01T23:59:59.993");
  assert.equal(staged(fitDateTime, "1998-01-01T23:59:59.9951"), "1998-01-01T23:59:59.997");
});

test("what is no date is refused without its content", () => {
  assert.equal(
    problem(fitDateTime2(3), "secret"),
    "the column is DATETIME2(3): expected a date and time, as a Date or as text of ISO 8601, got a text of 6 characters",
  );
  assert.match(problem(fitDate, new Date(Number.NaN)), /got an invalid date$/);
  assert.match(problem(fitTime(3), 5), /expected a time, .* got a number$/);
  assert.match(problem(fitDateTimeOffset(3), "10:00"), /expected a date and time/);
});

test("no value makes a date's check throw", () => {
  const all = [fitDate, fitTime(7), fitDateTime2(0), fitDateTime, fitSmallDateTime, fitDateTimeOffset(7)];
  fc.assert(
    fc.property(fc.oneof(fc.anything({ withDate: true }), fc.date(), fc.string()), (value) => {
      for (const fit of all) fit(value);
    }),
    { seed: 5, numRuns: 300 },
  );
});
