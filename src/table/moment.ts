/** A date and time of day on some clock: days since 0001-01-01, and ticks of 100 ns since midnight. */
export interface Moment {
  readonly day: number;
  readonly ticks: bigint;
  /** Minutes east of UTC; undefined where nothing was said. */
  readonly offset: number | undefined;
}

export const ticksPerSecond = 10_000_000n;
export const ticksPerDay: bigint = 86_400n * ticksPerSecond;
const millisecondsPerDay = 86_400_000;
const daysBefore1970 = 719_162;
/** 9999-12-31 */
export const lastDay = 3_652_058;

const isoText =
  /^(?:(\d{4})-(\d{2})-(\d{2}))?(?:(?:^|[T ])(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,12}))?)?\s?(Z|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * The moment of a `Date` (in UTC) or a text of ISO 8601: `2025-03-01`, `2025-03-01T09:30:00.1234567+01:00`, `09:30`. `day` is
 * undefined for a time alone. Undefined if it is neither, or no day of the calendar.
 */
export function parseMoment(value: unknown): (Omit<Moment, "day"> & { readonly day: number | undefined }) | undefined {
  if (value instanceof Date) {
    const time = value.getTime();
    if (Number.isNaN(time)) return undefined;
    const days = Math.floor(time / millisecondsPerDay);
    const ticks = BigInt(time - days * millisecondsPerDay) * 10_000n;
    return { day: days + daysBefore1970, ticks, offset: 0 };
  }
  if (typeof value !== "string") return undefined;
  const found = isoText.exec(value.trim());
  const [, year, month, date, hour, minute, second = "0", fraction = "", zone] = found ?? [];
  if (found === null || (year === undefined && hour === undefined)) return undefined;
  const day = year === undefined ? undefined : dayOf(Number(year), Number(month), Number(date));
  const offset = offsetOf(zone);
  if (Number.isNaN(day) || offset === "none") return undefined;
  if (Number(hour ?? 0) > 23 || Number(minute ?? 0) > 59 || Number(second) > 59) return undefined;
  const seconds = (BigInt(hour ?? 0) * 60n + BigInt(minute ?? 0)) * 60n + BigInt(second);
  return { day, ticks: seconds * ticksPerSecond + fractionTicks(fraction), offset };
}

/** Ticks of the digits after the point; what is less than a tick is rounded. */
function fractionTicks(digits: string): bigint {
  const twelve = BigInt(digits.padEnd(12, "0"));
  return (twelve + 50_000n) / 100_000n;
}

/** NaN if the calendar has no such day. */
function dayOf(year: number, month: number, date: number): number {
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, date);
  const isReal = time.getUTCFullYear() === year && time.getUTCMonth() === month - 1 && time.getUTCDate() === date;
  return isReal ? time.getTime() / millisecondsPerDay + daysBefore1970 : Number.NaN;
}

function offsetOf(zone: string | undefined): number | undefined | "none" {
  if (zone === undefined) return undefined;
  if (zone.toUpperCase() === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  if (Number(zone.slice(-2)) > 59 || minutes > 14 * 60) return "none";
  return zone.startsWith("-") ? -minutes : minutes;
}

/** The same moment, moved by some ticks; over midnight if need be. */
export function moved(day: number, ticks: bigint): { readonly day: number; readonly ticks: bigint } {
  const days = ticks >= 0n ? ticks / ticksPerDay : -((-ticks + ticksPerDay - 1n) / ticksPerDay);
  return { day: day + Number(days), ticks: ticks - days * ticksPerDay };
}

/** To the nearest multiple of `step` ticks, half up. It may be the midnight that ends the day. */
export function roundTicks(ticks: bigint, step: bigint): bigint {
  return ((ticks + step / 2n) / step) * step;
}

export function dateText(day: number): string {
  const time = new Date((day - daysBefore1970) * millisecondsPerDay);
  const parts = [time.getUTCMonth() + 1, time.getUTCDate()].map((part) => String(part).padStart(2, "0"));
  return [String(time.getUTCFullYear()).padStart(4, "0"), ...parts].join("-");
}

/** With that many digits after the point. */
export function timeText(ticks: bigint, digits: number): string {
  const seconds = ticks / ticksPerSecond;
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map((part) => String(part).padStart(2, "0"));
  const fraction = String(ticks % ticksPerSecond)
    .padStart(7, "0")
    .slice(0, digits);
  return digits === 0 ? parts.join(":") : `${parts.join(":")}.${fraction}`;
}

export function offsetText(offset: number): string {
  const minutes = Math.abs(offset);
  const parts = [Math.floor(minutes / 60), minutes % 60].map((part) => String(part).padStart(2, "0"));
  return `${offset < 0 ? "-" : "+"}${parts.join(":")}`;
}

/** An offset from before the time zones of today has seconds: those of a town's own time. */
const zoned = /^(.*)([+-]\d\d)(?::(\d\d))?(?::(\d\d))?$/;

/**
 * A moment with an offset in UTC, to the same digits: `2025-03-01T09:30:00.123456Z`. Undefined for a text that is none, and beyond the years 1 to
 * 9999.
 */
export function textInUTC(text: string): string | undefined {
  const [, rest = text, hours = "", minutes = hours && "00", seconds = "00"] = zoned.exec(text) ?? [];
  const moment = parseMoment(`${rest}${hours}${minutes}`);
  if (moment?.day === undefined || moment.offset === undefined) return undefined;
  const offset = moment.offset * 60 + Number(`${hours.slice(0, 1)}${seconds}`);
  const { day, ticks } = moved(moment.day, moment.ticks - BigInt(offset) * ticksPerSecond);
  const digits = /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
  return day < 0 || day > lastDay ? undefined : `${dateText(day)}T${timeText(ticks, digits)}Z`;
}
