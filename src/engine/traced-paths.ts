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

/**
 * True if the function gives this value back, unchanged, wherever the state has it at the path. So `(s) => s.processed.x.d ?? "none"` passes on any
 * value but null. One that reads more of the state passes on none: what it compares with can't be known.
 */
export function passesOn(read: (state: never) => unknown, path: StatePath, value: unknown): boolean {
  const found = shownFor(read, path, value);
  return found !== undefined && Object.is(found.shown, value);
}

/** The result of the function where the state has the value at the path; undefined if it reads more of the state, or throws. */
export function shownFor(
  read: (state: never) => unknown,
  path: StatePath,
  value: unknown,
): { readonly shown: unknown } | undefined {
  let readsOther = false;
  const state = stateWith(path, value, () => {
    readsOther = true;
  });
  try {
    const shown = read(state as never); // it stands for any state
    return readsOther ? undefined : { shown };
  } catch {
    return undefined;
  }
}

/** A state that has the value at the path. `onOther` is called where anything else is read of it. */
function stateWith(path: StatePath, value: unknown, onOther: () => void, place: StatePath = []): unknown {
  const isOnPath = place.every((name, index) => name === path[index]);
  if (isOnPath && place.length === path.length) return value;
  if (!isOnPath && !isPart(place)) return onOther();
  return proxyOf((name) => stateWith(path, value, onOther, [...place, name]));
}

/** The row, the outputs and each of them are objects, whatever they hold. */
function isPart([root, ...rest]: StatePath): boolean {
  return rest.length === 0
    ? ["raw", "processed", "run", "lineage"].includes(root ?? "")
    : root === "processed" && rest.length === 1;
}
