import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  dateText,
  lastDay,
  moved,
  offsetText,
  parseMoment,
  roundTicks,
  ticksPerDay,
  timeText,
  textInUTC,
} from "../../src/table/moment.ts";

test("ISO 8601 is read to the tick, with its offset", () => {
  assert.deepEqual(parseMoment("0001-01-01"), { day: 0, ticks: 0n, offset: undefined });
  assert.deepEqual(parseMoment("9999-12-31T23:59:59.9999999Z"), { day: lastDay, ticks: ticksPerDay - 1n, offset: 0 });
  assert.deepEqual(parseMoment("0001-01-02 00:00:00,5 +05:30"), { day: 1, ticks: 5_000_000n, offset: 330 });
  assert.deepEqual(parseMoment("01:02"), { day: undefined, ticks: 37_200_000_000n, offset: undefined });
  assert.deepEqual(parseMoment("0001-01-01T00:00:00.12345675-0100"), { day: 0, ticks: 1_234_568n, offset: -60 });
});

test("a Date is read in UTC, also before 1970", () => {
  assert.deepEqual(parseMoment(new Date("1969-12-31T23:59:59.999Z")), {
    day: 719_161,
    ticks: ticksPerDay - 10_000n,
    offset: 0,
  });
});

test("what is no date or no day of the calendar is not guessed at", () => {
  const others = [
    "",
    "T",
    "2025",
    "2025-02-29",
    "2025-13-01",
    "2025-00-10",
    "2025-1-1",
    "01/02/2025",
    "2025-01-01T24:00",
    "2025-01-01T10:60",
    "2025-01-01T10:00:61",
    "2025-01-01T10:00+15:00",
    "2025-01-01T10:00+01:75",
    "2025-01-01Z",
    "2025-01-01T10:00 GMT",
    new Date(Number.NaN),
    5,
    null,
  ];
  for (const value of others) assert.equal(parseMoment(value), undefined, String(value));
});

test("every Date of the years 1 to 9999 comes back as its ISO text", () => {
  const date = fc.date({
    min: new Date("0001-01-01T00:00:00.000Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(date, (value) => {
      const moment = parseMoment(value);
      assert.ok(moment?.day !== undefined);
      assert.equal(`${dateText(moment.day)}T${timeText(moment.ticks, 3)}Z`, value.toISOString());
      assert.deepEqual(parseMoment(value.toISOString()), moment);
    }),
    { seed: 5, numRuns: 200 },
  );
});

test("ticks move over midnight both ways, and are rounded half up", () => {
  assert.deepEqual(moved(5, -1n), { day: 4, ticks: ticksPerDay - 1n });
  assert.deepEqual(moved(5, -ticksPerDay), { day: 4, ticks: 0n });
  assert.deepEqual(moved(5, ticksPerDay + 3n), { day: 6, ticks: 3n });
  assert.equal(roundTicks(15n, 10n), 20n);
  assert.equal(roundTicks(14n, 10n), 10n);
  assert.equal(roundTicks(7n, 1n), 7n);
});

test("an offset is written with its sign", () => {
  assert.equal(offsetText(-330), "-05:30");
  assert.equal(offsetText(0), "+00:00");
});

test("a moment with an offset is written in UTC, also where the offset has seconds", () => {
  const moments: readonly (readonly [string, string | undefined])[] = [
    ["2026-01-02 03:04:05.123456+05:30", "2026-01-01T21:34:05.123456Z"],
    ["2026-07-02 03:04:05-07", "2026-07-02T10:04:05Z"],
    ["1850-01-01 05:53:28.50+05:53:28", "1850-01-01T00:00:00.50Z"],
    ["1971-12-31 23:15:30-00:44:30", "1972-01-01T00:00:00Z"],
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"],
    ["2026-01-02 03:04:05", undefined],
    ["infinity", undefined],
    ["0044-03-15 12:00:00+00:17:30 BC", undefined],
  ];
  for (const [text, inUTC] of moments) assert.equal(textInUTC(text), inUTC, text);
});
