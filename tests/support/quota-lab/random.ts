/** A number from 0 up to, but not including, 1. */
export type Random = () => number;

/** Draws one value, such as a latency in milliseconds. */
export type Draw = (random: Random) => number;

/** Seeded random numbers (mulberry32): the same on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function constant(value: number): Draw {
  return () => value;
}

/** Draws around a median; the mean is `median * exp(sigma ** 2 / 2)`. */
export function lognormal(median: number, sigma: number): Draw {
  return (random) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return median * Math.exp(sigma * normal);
  };
}
