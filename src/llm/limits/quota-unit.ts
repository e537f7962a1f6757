/** Rejections with fewer calls between them are of one moment. */
const fewestCalls = 8;

/** So many moments, and so many standard errors of their sum, change the unit. */
const fewestMoments = 4;
const convincing = 2.5;

/** The most that one moment counts, in standard deviations. */
const highestScore = 2;

/** The weight that is left of the moments before, with each one. */
const kept = 0.95;

/** The lead shrinks by this share of a mean call with each call: what is long past does not matter. */
const forgotten = 0.05;

/** Sizes that differ by less than this share of their mean say nothing about the unit. */
const smallestSpread = 0.1;

/**
 * Finds whether a service counts tokens or calls, where the sizes of calls differ. Calls that go at an even pace in one unit
 * get ahead in the other one, and fall back again. The service counts in the other one if it rejects calls when they are ahead.
 */
export class QuotaUnit {
  #countsCalls = false;
  readonly #sizes = new Spread();
  /** How far the calls are ahead in the other unit, in mean calls. */
  #lead = 0;
  #leads = new Spread();
  #callsSinceMoment = 0;
  #score = 0;
  #momentCount = 0;

  /** Notes that a call goes. Returns what it costs, in tokens: those of a mean call where the service counts calls. */
  costOf(tokens: number): number {
    this.#sizes.add(tokens);
    const size = tokens / this.#sizes.mean;
    this.#leads.add(this.#lead);
    this.#lead = Math.max(0, this.#lead + (this.#countsCalls ? size - 1 : 1 - size) - forgotten);
    this.#callsSinceMoment += 1;
    return this.#countsCalls ? this.#sizes.mean : tokens;
  }

  /** Notes that a call was rejected which went at an even pace. */
  rejected(): void {
    const isOneSize = this.#sizes.deviation < smallestSpread * this.#sizes.mean;
    if (this.#callsSinceMoment < fewestCalls || isOneSize || this.#leads.deviation === 0) return;
    this.#callsSinceMoment = 0;
    const score = (this.#lead - this.#leads.mean) / this.#leads.deviation;
    this.#score = kept * this.#score + Math.min(highestScore, score);
    this.#momentCount += 1;
    const knownMoments = (1 - kept ** this.#momentCount) / (1 - kept);
    if (this.#momentCount >= fewestMoments && this.#score >= convincing * Math.sqrt(knownMoments)) this.#change();
  }

  #change(): void {
    this.#countsCalls = !this.#countsCalls;
    this.#lead = 0;
    this.#leads = new Spread();
    this.#score = 0;
    this.#momentCount = 0;
  }
}

/** The mean of values, and how far they are from it. */
class Spread {
  mean = 0;
  #count = 0;
  #squares = 0;

  add(value: number): void {
    this.#count += 1;
    const before = this.mean;
    this.mean += (value - before) / this.#count;
    this.#squares += (value - before) * (value - this.mean);
  }

  get deviation(): number {
    return Math.sqrt(this.#squares / this.#count);
  }
}
