const dayMs = 86_400_000;
/** Day 1 is 1900-01-01. */
const beforeFirst = Date.UTC(1899, 11, 31);
/** From 1900-03-01 on: day 60 is a 29 February that 1900 did not have. */
const beforeMarch = Date.UTC(1899, 11, 30);
const march = Date.UTC(1900, 2, 1);
/** Day 0 of the other system. */
const firstOf1904 = Date.UTC(1904, 0, 1);
const end = Date.UTC(10_000, 0, 1);

/** The date, in UTC, of a day's number with its time as the fraction; undefined where there is no such day. */
export function dateOfSerial(serial: number, from1904: boolean): Date | undefined {
  const ms = Math.round(serial * dayMs);
  const day = Math.floor(ms / dayMs);
  if (from1904 ? day < 0 : day < 1 || day === 60) return undefined;
  const base = day < 60 ? beforeFirst : beforeMarch;
  const time = ms + (from1904 ? firstOf1904 : base);
  return time < end ? new Date(time) : undefined;
}

/** The number of a date in the system of 1900; undefined for one before 1900 or after 9999, or none. */
export function serialOfDate(date: Date): number | undefined {
  const time = date.getTime();
  if (!(time >= beforeFirst + dayMs && time < end)) return undefined;
  return (time - (time < march ? beforeFirst : beforeMarch)) / dayMs;
}

/** The time of a number of days as `HH:MM:SS`, with milliseconds where there are some; hours may be more than 24. */
export function timeText(days: number): string {
  const all = Math.round(Math.abs(days) * dayMs);
  const [ms, seconds, minutes] = [all % 1000, Math.floor(all / 1000) % 60, Math.floor(all / 60_000) % 60];
  const [hour, minute, second] = [Math.floor(all / 3_600_000), minutes, seconds].map((part) =>
    String(part).padStart(2, "0"),
  );
  const fraction = ms === 0 ? "" : `.${String(ms).padStart(3, "0")}`;
  return `${days < 0 ? "-" : ""}${hour}:${minute}:${second}${fraction}`;
}
