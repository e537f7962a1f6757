import type { Stratum, Unit } from "./sample.ts";

/** Units of which those that were measured stand for the others. */
export interface Group {
  readonly measured: readonly Unit[];
  /** The units that were not measured. */
  readonly rest: readonly Unit[];
}

/**
 * The strata by what was measured of them: a sample may have been stopped before all that were chosen were asked. A stratum
 * with units left and fewer than two measured becomes one with the next, of the size nearest to its own.
 */
export function groupsOf(strata: readonly Stratum[], isMeasured: (unit: Unit) => boolean): readonly Group[] {
  const groups: Group[] = [];
  let waiting: Group = { measured: [], rest: [] };
  for (const { units } of strata) {
    const group = joined(waiting, {
      measured: units.filter((unit) => isMeasured(unit)),
      rest: units.filter((unit) => !isMeasured(unit)),
    });
    const isEnough = group.rest.length === 0 || group.measured.length >= 2;
    if (isEnough) groups.push(group);
    waiting = isEnough ? { measured: [], rest: [] } : group;
  }
  while (waiting.rest.length > 0 && waiting.measured.length < 2) {
    const last = groups.pop();
    if (last === undefined) break;
    waiting = joined(last, waiting);
  }
  return waiting.rest.length > 0 ? [...groups, waiting] : groups;
}

function joined(one: Group, other: Group): Group {
  return { measured: [...one.measured, ...other.measured], rest: [...one.rest, ...other.rest] };
}
