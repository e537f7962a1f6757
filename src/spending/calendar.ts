/** A day or a month of a calendar. */
export interface Period {
  readonly from: Date;
  /** The end, which is not part of it. */
  readonly until: Date;
}

const quarterMs = 15 * 60_000;
const dayMs = 86_400_000;

/** Days and months in a time zone. They begin on a quarter of an hour, as those of all time zones do. */
export class Calendar {
  readonly #format: Intl.DateTimeFormat;

  /** @throws {RangeError} if there is no such time zone */
  constructor(timeZone: string) {
    const digits = { year: "numeric", month: "2-digit", day: "2-digit" } as const;
    this.#format = new Intl.DateTimeFormat("en-US-u-ca-iso8601-nu-latn", { timeZone, ...digits });
  }

  /** The date, as `2026-11-30`. */
  dateOf(time: Date): string {
    const parts = this.#format.formatToParts(time);
    const part = (wanted: string): string => parts.find(({ type }) => type === wanted)?.value ?? "";
    return `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`;
  }

  dayOf(time: Date): Period {
    const date = this.dateOf(time);
    return { from: this.#startOf(date), until: this.#startOf(dateAfter(date)) };
  }

  monthOf(time: Date): Period {
    const month = this.dateOf(time).slice(0, 7);
    const next = dateAfter(`${month}-28`, 4).slice(0, 7); // four days later it is the next month
    return { from: this.#startOf(`${month}-01`), until: this.#startOf(`${next}-01`) };
  }

  /** The first quarter of an hour that is not before the date: where clocks are put forward at midnight, the day begins later. */
  #startOf(date: string): Date {
    const midnight = Date.parse(`${date}T00:00:00Z`);
    let [before, after] = [(midnight - dayMs) / quarterMs, (midnight + dayMs) / quarterMs];
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.dateOf(new Date(middle * quarterMs)) < date) before = middle;
      else after = middle;
    }
    return new Date(after * quarterMs);
  }
}

function dateAfter(date: string, days: number = 1): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * dayMs).toISOString().slice(0, 10);
}
