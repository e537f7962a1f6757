import { notUnderstood } from "./sql-error.ts";
import type { SQLType } from "./sql-type.ts";

/** A moment as the wire has it: days since 0001-01-01 and 100 ns ticks of that day, both of the local time, and the offset in minutes. */
export interface Moment {
  readonly day: number;
  readonly ticks: number;
  readonly offset: number;
}

export const ticksPerDay = 864_000_000_000;
const ticksPerMinute = 600_000_000;
const unixDay = 719_162;
/** 1900-01-01, from where datetime and smalldatetime count. */
export const day1900 = 693_595;
const day1753 = 639_905;
const lastDay = 3_652_058;

const shape =
  /^(?:(\d{4})-?(\d{2})-?(\d{2}))?(?:(?:^|[T ])(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s*(Z|[+-]\d{2}:\d{2})?$/;

/** Undefined for text that is no date or time. A time alone is on 1900-01-01, as SQL Server has it. */
export function parseMoment(
  text: string,
): (Moment & { readonly digits: number; readonly hasOffset: boolean }) | undefined {
  const match = shape.exec(text.trim());
  if (match === null || text.trim() === "") return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", zone] = match;
  const date = year === undefined ? day1900 : dayOf(Number(year), Number(month), Number(day));
  if (date === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  const ticks = seconds * 10_000_000 + Math.round(Number(`0.${fraction || "0"}`) * 10_000_000);
  const sign = zone?.startsWith("-") === true ? -1 : 1;
  const offset =
    zone === undefined || zone === "Z" ? 0 : sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
  return { day: date, ticks, offset, digits: fraction.length, hasOffset: zone !== undefined };
}

export function momentOfDate(date: Date): Moment {
  const day = Math.floor(date.getTime() / 86_400_000);
  return { day: day + unixDay, ticks: (date.getTime() - day * 86_400_000) * 10_000, offset: 0 };
}

function dayOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const real = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  return real && year > 0 ? Math.floor(date.getTime() / 86_400_000) + unixDay : undefined;
}

/** The moment rounded as the type keeps it; undefined where it is outside of the type's range. */
export function roundMoment(moment: Moment, type: SQLType): Moment | undefined {
  const { offset } = moment;
  let { day, ticks } = moment;
  const step = 10 ** (7 - (type.scale ?? 7));
  if (type.name === "date") return { day, ticks: 0, offset: 0 };
  if (type.name === "datetime") ticks = (Math.round((ticks * 3) / 100_000) * 100_000) / 3;
  else if (type.name === "smalldatetime") ticks = Math.round(ticks / ticksPerMinute) * ticksPerMinute;
  else ticks = Math.round(ticks / step) * step;
  if (ticks >= ticksPerDay) [day, ticks] = [day + 1, 0];
  if (type.name === "time") return { day: day1900, ticks, offset: 0 };
  if (day > lastDay || (type.name === "datetime" && day < day1753)) return undefined;
  if (type.name === "smalldatetime" && (day < day1900 || day > day1900 + 65_535)) return undefined;
  return { day, ticks, offset: type.name === "datetimeoffset" ? offset : 0 };
}

export function formatMoment({ day, ticks, offset }: Moment, type: SQLType): string {
  const date = new Date((day - unixDay) * 86_400_000).toISOString().slice(0, 10);
  if (type.name === "date") return date;
  const whole = Math.floor(ticks / 10_000_000);
  const pad = (value: number) => String(value).padStart(2, "0");
  const clock = `${pad(Math.floor(whole / 3600))}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
  const scale = type.name === "datetime" ? 3 : type.name === "smalldatetime" ? 0 : (type.scale ?? 7);
  const rest = ticks - whole * 10_000_000;
  const digits =
    type.name === "datetime" ? String(Math.round(rest / 10_000)) : String(Math.round(rest)).padStart(7, "0");
  const fraction = scale === 0 ? "" : `.${type.name === "datetime" ? digits.padStart(3, "0") : digits.slice(0, scale)}`;
  if (type.name === "time") return `${clock}${fraction}`;
  if (type.name !== "datetimeoffset") return `${date} ${clock}${fraction}`;
  const minutes = Math.abs(offset);
  return `${date} ${clock}${fraction} ${offset < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

/** The same moment in UTC: what datetimeoffset has on the wire, and what comparisons look at. */
export function toUTC(moment: Moment): Moment {
  return shift(moment, -moment.offset);
}

export function toLocal(utc: Moment): Moment {
  return shift(utc, utc.offset);
}

function shift({ day, ticks, offset }: Moment, minutes: number): Moment {
  const moved = ticks + minutes * ticksPerMinute;
  const days = Math.floor(moved / ticksPerDay);
  return { day: day + days, ticks: moved - days * ticksPerDay, offset };
}

function millisecondsOf(text: string): number {
  const { day, ticks } = parseMoment(text) ?? { day: unixDay, ticks: 0 };
  return (day - unixDay) * 86_400_000 + Math.floor(ticks / 10_000);
}

/** The boundaries of milliseconds between two `datetime2`, as DATEDIFF_BIG counts; no other part is known here. */
export function dateDifference(part: string, from: string, to: string): bigint {
  if (part !== "MILLISECOND") throw notUnderstood(`DATEDIFF_BIG of ${part}`);
  return BigInt(millisecondsOf(to) - millisecondsOf(from));
}

const partMs: Readonly<Record<string, number>> = { MILLISECOND: 1, DAY: 86_400_000 };

/** Of whole milliseconds: what is finer is kept as it is. */
export function dateAdd(part: string, count: number, to: string, type: SQLType): string {
  const step = partMs[part];
  const moment = parseMoment(to);
  if (step === undefined || moment === undefined) throw notUnderstood(`DATEADD of ${part}`);
  const moved = momentOfDate(new Date(millisecondsOf(to) + step * count));
  return formatMoment({ ...moved, ticks: moved.ticks + (moment.ticks % 10_000) }, type);
}
