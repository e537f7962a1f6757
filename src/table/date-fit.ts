import { describeType } from "../errors/describe-type.ts";
import { type Fit, fits, mapped, type StagedValue, violation } from "./fit.ts";
import type { Fitted } from "./dialect.ts";
import {
  dateText,
  lastDay,
  moved,
  offsetText,
  parseMoment,
  roundTicks,
  ticksPerDay,
  ticksPerSecond,
  timeText,
} from "./moment.ts";

/** From 1753, the year of the Gregorian calendar in Britain. */
const firstDateTimeDay = 639_905;
const firstSmallDay = 693_595; // 1900-01-01
const lastSmallDay = 759_130; // 2079-06-06

/** A DATE: of a moment its day, in UTC where the moment has an offset. */
export const fitDate: Fit = (value) => {
  const moment = inUTC(value);
  return moment === undefined ? unreadable("DATE", "a date", value) : onDay("DATE", 0, lastDay, moment.day, dateText);
};

/** A TIME(n): of a moment its time of day, in UTC where the moment has an offset. */
export function fitTime(digits: number): Fit {
  return (value) => {
    const moment = parseMoment(value);
    if (moment === undefined) return unreadable(`TIME(${digits})`, "a time", value);
    const { ticks } = moved(0, moment.ticks - minutes(moment.offset ?? 0));
    const rounded = roundTicks(ticks, stepOf(digits));
    // A rounded time is not taken over midnight: 23:59:59.9999999 in a TIME(0) is 23:59:59.
    return fits(timeText(rounded === ticksPerDay ? ticks - (ticks % stepOf(digits)) : rounded, digits));
  };
}

/** A date and time, in UTC where the value has an offset; digits beyond `digits` are rounded. */
export function fitDateTime2(digits: number, type: string = `DATETIME2(${digits})`): Fit {
  return fitMoment(type, 0, lastDay, stepOf(digits), digits);
}

/**
 * A DATETIME: milliseconds that end in 0, 3 or 7, as the server rounds them. They are rounded here, so that two keys which are one to the
 * server are one text.
 */
export const fitDateTime: Fit = (value) => {
  const moment = inUTC(value);
  if (moment === undefined) return unreadable("DATETIME", "a date and time", value);
  const milliseconds = roundTicks(moment.ticks, stepOf(3)) / stepOf(3);
  const thirds = (milliseconds * 3n + 5n) / 10n; // three hundredths of a second
  const { day, ticks } = moved(moment.day, ((thirds * 10n + 1n) / 3n) * stepOf(3));
  // The last moment would be rounded into the year 10000.
  if (day === lastDay + 1 && ticks === 0n) return fits("9999-12-31T23:59:59.997");
  return onDay("DATETIME", firstDateTimeDay, lastDay, day, () => `${dateText(day)}T${timeText(ticks, 3)}`);
};

/** A SMALLDATETIME: whole minutes. */
export const fitSmallDateTime: Fit = fitMoment("SMALLDATETIME", firstSmallDay, lastSmallDay, 60n * ticksPerSecond, 0);

/** A DATETIMEOFFSET(n) keeps the offset of the value; one without is in UTC. */
export function fitDateTimeOffset(digits: number): Fit {
  const type = `DATETIMEOFFSET(${digits})`;
  return (value) => {
    const moment = parseMoment(value);
    if (moment?.day === undefined) return unreadable(type, "a date and time", value);
    const { offset = 0 } = moment;
    const local = moved(moment.day, roundTicks(moment.ticks, stepOf(digits)));
    const { day } = moved(local.day, local.ticks - minutes(offset));
    if (day < 0 || day > lastDay) return beyond(type, 0, lastDay);
    return onDay(type, 0, lastDay, local.day, () => {
      return `${dateText(local.day)}T${timeText(local.ticks, digits)}${offsetText(offset)}`;
    });
  };
}

/** The moment of a DATETIMEOFFSET without its offset: the server holds equal what is one moment. */
export function momentOf(text: string): string {
  const { day, ticks } = inUTC(text) ?? { day: 0, ticks: 0n };
  return `${day} ${ticks}`;
}

function fitMoment(type: string, first: number, last: number, step: bigint, digits: number): Fit {
  return (value) => {
    const moment = inUTC(value);
    if (moment === undefined) return unreadable(type, "a date and time", value);
    const { day, ticks } = moved(moment.day, roundTicks(moment.ticks, step));
    return onDay(type, first, last, day, () => `${dateText(day)}T${timeText(ticks, digits)}`);
  };
}

/** A column without an offset holds UTC, as a `Date` is: not whatever clock the value was read from. */
function inUTC(value: unknown): { readonly day: number; readonly ticks: bigint } | undefined {
  const moment = parseMoment(value);
  return moment?.day === undefined ? undefined : moved(moment.day, moment.ticks - minutes(moment.offset ?? 0));
}

function onDay(
  type: string,
  first: number,
  last: number,
  day: number,
  text: (day: number) => string,
): Fitted<StagedValue> {
  return day < first || day > last ? beyond(type, first, last) : fits(text(day));
}

function beyond(type: string, first: number, last: number): Fitted<StagedValue> {
  const range = `a date from ${dateText(first)} to ${dateText(last)}`;
  return violation(`the column is ${type}: expected ${range}, got one beyond`, `must be ${range}`);
}

function unreadable(type: string, what: string, value: unknown): Fitted<StagedValue> {
  const got = value instanceof Date ? "an invalid date" : describeType(value);
  return violation(
    `the column is ${type}: expected ${what}, as a Date or as text of ISO 8601, got ${got}`,
    `must be ${what} in ISO 8601`,
  );
}

function minutes(offset: number): bigint {
  return BigInt(offset) * 60n * ticksPerSecond;
}

function stepOf(digits: number): bigint {
  return 10n ** BigInt(7 - digits);
}

/** Takes what few databases have as their server writes it, too: dates before the year 1 and after 9999, infinity, 24:00. `zone` follows any other. */
export function beyondDates(fit: Fit, zone = ""): Fit {
  const withZone = mapped(fit, (text) => `${String(text)}${zone}`);
  return (value) => (typeof value === "string" && fewHave.test(value) ? fits(value) : withZone(value));
}

const fewHave = /^\s*(?:-?infinity|24:00(?::00)?|\d{4,}-\d\d-\d\d[^]* BC|\d{5,}-\d\d-\d\d[^]*)\s*$/i;
