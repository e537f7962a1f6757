import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Calendar } from "../../src/spending/calendar.ts";

const zones = [...Intl.supportedValuesOf("timeZone"), "UTC", "Asia/Kolkata", "America/Buenos_Aires"];
const minuteMs = 60_000;
const anyTime = fc.date({
  min: new Date("2015-01-01T00:00:00Z"),
  max: new Date("2040-01-01T00:00:00Z"),
  noInvalidDate: true,
});

const hoursOf = ({ from, until }: { from: Date; until: Date }): number =>
  (until.getTime() - from.getTime()) / 3_600_000;

test("the day and the month of any time, in any time zone, have it, and others of its date alone", () => {
  fc.assert(
    fc.property(fc.constantFrom(...zones), anyTime, (zone, time) => {
      const calendar = new Calendar(zone);
      const date = calendar.dateOf(time);
      for (const [period, name] of [
        [calendar.dayOf(time), date],
        [calendar.monthOf(time), date.slice(0, 7)],
      ] as const) {
        const { from, until } = period;
        assert.ok(from <= time && time < until, `${zone}: ${from.toISOString()} to ${until.toISOString()}`);
        assert.equal(from.getTime() % (15 * minuteMs), 0);
        const last = new Date(until.getTime() - 1);
        for (const inside of [from, last]) assert.ok(calendar.dateOf(inside).startsWith(name), zone);
        for (const outside of [new Date(from.getTime() - 1), until])
          assert.ok(!calendar.dateOf(outside).startsWith(name), zone);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("days follow on each other without a gap, and make up their month", () => {
  fc.assert(
    fc.property(fc.constantFrom(...zones), anyTime, (zone, time) => {
      const calendar = new Calendar(zone);
      const month = calendar.monthOf(time);
      let days = 0;
      for (let at = month.from; at < month.until; days += 1) {
        const day = calendar.dayOf(at);
        assert.deepEqual(day.from, at, zone);
        at = day.until;
        assert.ok(at <= month.until, zone);
      }
      const [year, number] = calendar.dateOf(time).split("-").map(Number);
      assert.equal(days, new Date(Date.UTC(year ?? 0, number ?? 0, 0)).getUTCDate(), zone);
    }),
    { numRuns: 60 },
  );
});

test("days on which clocks change are longer or shorter, also where that is at midnight, and by half an hour", () => {
  const lengthOf = (zone: string, time: string): number => hoursOf(new Calendar(zone).dayOf(new Date(time)));
  assert.equal(lengthOf("Europe/Berlin", "2026-03-29T12:00:00Z"), 23);
  assert.equal(lengthOf("Europe/Berlin", "2026-10-25T12:00:00Z"), 25);
  assert.equal(lengthOf("Australia/Lord_Howe", "2026-04-04T20:00:00Z"), 24.5);
  assert.equal(lengthOf("Africa/Cairo", "2026-04-24T12:00:00Z"), 23);
  const cairo = new Calendar("Africa/Cairo").dayOf(new Date("2026-04-24T12:00:00Z"));
  assert.equal(cairo.from.toISOString(), "2026-04-23T22:00:00.000Z", "it begins at one o'clock");
  assert.equal(lengthOf("UTC", "2026-03-29T12:00:00Z"), 24);
});

test("months end where the time zone says so", () => {
  const { from, until } = new Calendar("Asia/Kathmandu").monthOf(new Date("2028-02-29T18:14:59Z"));
  assert.deepEqual([from.toISOString(), until.toISOString()], ["2028-01-31T18:15:00.000Z", "2028-02-29T18:15:00.000Z"]);
  const december = new Calendar("America/New_York").monthOf(new Date("2027-01-01T04:59:59Z"));
  assert.equal(december.until.toISOString(), "2027-01-01T05:00:00.000Z");
});

test("a time zone that there is not is an error", () => {
  assert.throws(() => new Calendar("Europe/Atlantis"), RangeError);
});
