/** The least whole number that is taken for a time since 1970, in seconds: March 1973. */
const leastSeconds = 1e8;

const dayMs = 86_400_000;

/**
 * The latest moment that a value may stand for, in milliseconds since 1970: the end of its second or its day, and of a text without a
 * time zone the latest one in UTC, the local time and those of `zones`. Undefined for a value that is no time.
 *
 * @param zones offsets of other clocks: `-08:00`
 */
export function latestMs(value: unknown, zones: readonly string[] = []): number | undefined {
  if (typeof value === "string") return latestOfText(value, zones);
  return typeof value === "number" || typeof value === "bigint" ? latestOfNumber(Number(value)) : undefined;
}

/** In the forms of ISO 8601, or with a blank in place of its T. */
const timeText = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)? ?(Z|[+-]\d\d(?::?\d\d)?)?$/;

function latestOfText(text: string, others: readonly string[]): number | undefined {
  const [, date, minute, second, fraction, zone] = timeText.exec(text) ?? [];
  if (date === undefined) return undefined;
  const spanMs = minute === undefined ? dayMs : second === undefined ? 60_000 : fraction === undefined ? 1000 : 1;
  const local = `${date}T${minute ?? "00:00"}:${second ?? "00"}.${(fraction ?? "").slice(0, 3).padEnd(3, "0")}`;
  const zones =
    zone === undefined
      ? ["Z", "", ...others]
      : [zone.replace(/^([+-]\d\d):?(\d\d)?$/, (_, hours, minutes = "00") => `${hours}:${minutes}`)];
  const latest = Math.max(...zones.map((each) => Date.parse(`${local}${each}`))) + spanMs;
  return Number.isNaN(latest) ? undefined : latest;
}

/** True for a number since 1970 as text, with all of its digits: that of a type that JavaScript's numbers do not hold. */
export function isNumeralOfTime(value: unknown): boolean {
  return typeof value === "string" && /^(?:\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d+)?$/.test(value);
}

/** Seconds, milliseconds, microseconds or nanoseconds since 1970, by their size; or the days of a Julian date. */
function latestOfNumber(number: number): number | undefined {
  if (number > 2_400_000 && number < 2_600_000) return (number - 2_440_587.5) * dayMs + 1;
  for (const [unit, perMs] of [1e-3, 1, 1e3, 1e6].entries()) {
    if (number < leastSeconds * 1000 ** unit || number >= leastSeconds * 1000 ** (unit + 1)) continue;
    return (Number.isInteger(number) ? number + 1 : number) / perMs + (Number.isInteger(number) ? 0 : 1);
  }
  return undefined;
}

/**
 * True if a value that is no time comes before the times of its column: a row that never had one. What comes after them, as "unknown" does,
 * would hide all changes behind it.
 *
 * @param cutMs the moment before which times are settled
 */
export function isBeforeTimes(value: unknown, cutMs: number): boolean {
  if (typeof value === "string") return value < new Date(cutMs - dayMs).toISOString().slice(0, 10);
  return (typeof value === "number" || typeof value === "bigint") && value < leastSeconds;
}
