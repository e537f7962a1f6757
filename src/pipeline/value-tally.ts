import type { ValueBins, ValueCounts } from "../contracts/run-detail.ts";

/** So many bins are kept of a column. */
const mostBins = 200;

/** Counts the values of one output column: as much memory for ten million rows as for a thousand. */
export class ValueTally {
  readonly #column: string;
  readonly #categories = new Map<string, number>();
  readonly #numbers = new Bins();
  readonly #textLengths = new Bins();
  readonly #listLengths = new Bins();
  #nulls = 0;
  #trues = 0;
  #falses = 0;

  constructor(column: string) {
    this.#column = column;
  }

  /** `isCategory`: a text that the schema lists. */
  add(value: unknown, isCategory: boolean): void {
    if (value === null || value === undefined) this.#nulls += 1;
    else if (typeof value === "string" && isCategory) this.#addCategory(value);
    else if (typeof value === "string") this.#textLengths.add(value.length);
    else if (typeof value === "number") this.#numbers.add(value);
    else if (typeof value === "bigint") this.#numbers.add(Number(value));
    else if (value === true) this.#trues += 1;
    else if (value === false) this.#falses += 1;
    else if (Array.isArray(value)) this.#listLengths.add(value.length);
  }

  get counts(): ValueCounts {
    const categories = [...this.#categories].map(([name, count]) => ({ name, count }));
    return {
      column: this.#column,
      nulls: this.#nulls,
      trues: this.#trues,
      falses: this.#falses,
      categories: categories.toSorted((one, other) => other.count - one.count),
      numbers: this.#numbers.figures,
      textLengths: this.#textLengths.figures,
      listLengths: this.#listLengths.figures,
    };
  }

  #addCategory(name: string): void {
    this.#categories.set(name, (this.#categories.get(name) ?? 0) + 1);
  }
}

/** Numbers in bins of two significant digits. */
class Bins {
  readonly #counts = new Map<number, number>();
  #minimum = Infinity;
  #maximum = -Infinity;

  add(value: number): void {
    if (!Number.isFinite(value)) return;
    this.#minimum = Math.min(this.#minimum, value);
    this.#maximum = Math.max(this.#maximum, value);
    const bin = twoDigits(value);
    const count = this.#counts.get(bin);
    if (count !== undefined || this.#counts.size < mostBins) this.#counts.set(bin, (count ?? 0) + 1);
  }

  get figures(): ValueBins | null {
    if (this.#counts.size === 0) return null;
    const bins = [...this.#counts].map(([value, count]) => ({ value, count }));
    return {
      minimum: this.#minimum,
      maximum: this.#maximum,
      bins: bins.toSorted((one, other) => one.value - other.value),
    };
  }
}

function twoDigits(value: number): number {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 100) return value + 0; // -0 is 0
  if (Number.isInteger(size) && size < 1000) return Math.sign(value) * 10 * Math.round(size / 10);
  return size >= 0.1 && size < 1 ? Math.round(value * 100) / 100 : Number(value.toPrecision(2));
}
