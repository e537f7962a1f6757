import type { ColumnMap } from "../contracts/sink.ts";
import { ignoreRejection } from "../errors/promised.ts";

/** The place of a column's value in the state: `["processed", "summary", "text"]`. */
export type StatePath = readonly string[];

/** A column function that reads more than this has a loop, which tracing would not end. */
const mostReads = 1000;

/**
 * Finds, for each column that shows a value of the state, the path to that value. Each function runs once, on a proxy that notes what is
 * read; a function that makes a value of its own (a template, a method, arithmetic) or throws has no path. Of one that chooses between
 * values the first choice counts: {@link passesOn} says of which values it is true.
 */
export function tracePaths(columnMap: ColumnMap<never>): ReadonlyMap<string, StatePath> {
  const paths = new Map<string, StatePath>();
  for (const [column, read] of Object.entries(columnMap)) {
    const path = trace(read);
    if (path !== undefined) paths.set(column, path);
  }
  return paths;
}

function trace(read: (state: never) => unknown): StatePath | undefined {
  const pathOf = new Map<unknown, StatePath>();
  const standIn = (path: StatePath): object => {
    const proxy = proxyOf((name) => {
      if (pathOf.size > mostReads) throw new TypeError("it does not end");
      return standIn([...path, name]);
    });
    pathOf.set(proxy, path);
    return proxy;
  };
  try {
    const value = read(standIn([]) as never); // it stands for any state
    ignoreRejection(value);
    return pathOf.get(value);
  } catch {
    return undefined; // what it needs is not in a stand-in
  }
}

/** An object of which nothing is known but what is read of it by name. */
function proxyOf(get: (name: string) => unknown): object {
  return new Proxy(Object.freeze({}), {
    get: (_, name) => {
      if (typeof name === "symbol") throw new TypeError("it makes a value of its own");
      return get(name);
    },
    ownKeys: () => {
      throw new TypeError("it looks at all fields");
    },
    has: () => {
      throw new TypeError("it looks for a field");
    },
  });
}

/** The rest of the state, for a function that reads more than its path: whatever it holds, the value must come through. */
const otherValues: readonly unknown[] = [null, undefined, "", "x", 0, 1, -1, false, true];

/**
 * True if the function gives this value back, unchanged, wherever the state has it at the path and whatever else the state holds. So
 * `(s) => s.processed.x.d ?? "none"` passes on any value but null.
 */
export function passesOn(read: (state: never) => unknown, path: StatePath, value: unknown): boolean {
  let readsOther = false;
  const isPassed = (other: Other): boolean => {
    try {
      const state = stateWith(path, value, (place) => {
        readsOther = true;
        return other(place);
      });
      return Object.is(read(state as never), value); // it stands for any state
    } catch {
      return false;
    }
  };
  if (!isPassed(standIns())) return false;
  return (
    !readsOther || otherValues.every((other) => isPassed((place) => (isPart(place) ? partOf(place, other) : other)))
  );
}

/** Gives what a function finds at a place of the state that is not on its way to the path. */
type Other = (place: StatePath) => unknown;

function stateWith(path: StatePath, value: unknown, other: Other, place: StatePath = []): unknown {
  if (place.length === path.length) return value;
  return proxyOf((name) => {
    const next = [...place, name];
    return name === path[place.length] ? stateWith(path, value, other, next) : other(next);
  });
}

function standIns(): Other {
  let readCount = 0;
  const standIn = (): object => {
    return proxyOf(() => {
      readCount += 1;
      if (readCount > mostReads) throw new TypeError("it does not end");
      return standIn();
    });
  };
  return standIn;
}

/** The row, the outputs and each of them are objects, whatever they hold. */
function isPart([root, ...rest]: StatePath): boolean {
  return rest.length === 0
    ? ["raw", "processed", "run", "lineage"].includes(root ?? "")
    : root === "processed" && rest.length === 1;
}

function partOf(place: StatePath, other: unknown): object {
  return proxyOf((name) => {
    const next = [...place, name];
    return isPart(next) ? partOf(next, other) : other;
  });
}
