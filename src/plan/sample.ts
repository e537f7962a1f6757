/** One thing to ask: a distinct request of the first step that has no answer yet. */
export interface Unit {
  /** Its name, distinct among all units: the fingerprint of the request, for example. */
  readonly key: string;
  /** The length of its request, in characters or tokens: one measure for all units. */
  readonly size: number;
  /** The number of rows that it answers: more than one where rows have the same request. */
  readonly rows: number;
}

/** Units of about one size, and those of them that are asked. */
export interface Stratum {
  readonly units: readonly Unit[];
  readonly asked: readonly Unit[];
}

/** So many are drawn from a stratum: they tell how much its units differ. Fewer of them leave more strata to a small sample. */
const mostOfStratum = 10;
const fewestOfStratum = 4;
const strataWanted = 20;

/**
 * Chooses `count` of all units, to estimate totals over all of them. Units are parted by size into strata of equal total size,
 * and as many are drawn at random from each: from few long units as from many short ones, for that is about where the total
 * comes from. A stratum with no more units than are drawn is taken whole, and what it leaves goes to the others.
 *
 * The same units and random numbers give the same sample, whatever the order of the units. As many units as there are, or
 * more, are all of them. Memory: two arrays of all units.
 *
 * Source: Cochran, Sampling Techniques (1977), chapter 5 (allocation) and 5A (where strata part); Särndal, Swensson and Wretman,
 * Model Assisted Survey Sampling (1992), chapter 12 (strata of equal totals).
 *
 * @param count A whole number of units, from 0.
 * @param random Gives numbers from 0 up to, but not including, 1.
 */
export function chooseSample(units: readonly Unit[], count: number, random: () => number): readonly Stratum[] {
  const sorted = units.toSorted((one, other) => other.size - one.size || (one.key < other.key ? -1 : 1));
  const each = Math.min(mostOfStratum, Math.max(fewestOfStratum, Math.floor(count / strataWanted)));
  const strata: Stratum[] = [];
  let sizeLeft = sum(sorted.map(sizeOf));
  let countLeft = Math.min(count, sorted.length);
  for (let from = 0; from < sorted.length;) {
    const isLast = countLeft < 2 * each;
    const wantedSize = isLast ? Infinity : (sizeLeft * each) / countLeft;
    const members = firstUnits(sorted, from, wantedSize);
    const asked = drawn(members, isLast ? countLeft : each, random);
    strata.push({ units: members, asked });
    countLeft -= asked.length;
    sizeLeft -= sum(members.map(sizeOf));
    from += members.length;
  }
  return strata;
}

/** The units to ask, in an order in which the first of them are a sample of all: one that is cut short is a smaller sample. */
export function inRandomOrder(strata: readonly Stratum[], random: () => number): readonly Unit[] {
  return strata
    .flatMap(({ asked }) => asked)
    .map((unit) => ({ unit, place: random() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ unit }) => unit);
}

/** The size as a divisor: at least one, for a request without text too. */
export function sizeOf(unit: Unit | undefined): number {
  return Math.max(1, unit?.size ?? 0);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The units from `from` on that have the wanted size together. The one that crosses it is among them if most of it is. */
function firstUnits(sorted: readonly Unit[], from: number, wantedSize: number): readonly Unit[] {
  let size = 0;
  let to = from;
  for (; to < sorted.length; to += 1) {
    const next = sizeOf(sorted[to]);
    if (to > from && size + next / 2 > wantedSize) break;
    size += next;
  }
  return sorted.slice(from, to);
}

/** So many of them, each set of as many equally likely, in their order (Knuth, The Art of Computer Programming 2, 3.4.2, S). */
function drawn(units: readonly Unit[], count: number, random: () => number): readonly Unit[] {
  let wanted = Math.min(count, units.length);
  return units.filter((_, index) => {
    const isDrawn = wanted === units.length - index || (wanted > 0 && random() * (units.length - index) < wanted);
    if (isDrawn) wanted -= 1;
    return isDrawn;
  });
}
