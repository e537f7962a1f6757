import type { ColumnMap } from "../contracts/sink.ts";
import { ignoreRejection } from "../errors/promised.ts";

/** The place of a column's value in the state: `["processed", "summary", "text"]`. */
export type StatePath = readonly string[];

/** A column function that reads more than this has a loop, which tracing would not end. */
const mostReads = 1000;

/**
 * Finds, for each column that shows a value of the state unchanged, the path to that value. Each function runs once, on a
 * proxy that notes what is read; a function that makes a value of its own (a template, a method, arithmetic) or throws
 * has no path.
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
    const proxy = new Proxy(Object.freeze({}), {
      get: (_, name) => {
        if (typeof name === "symbol" || pathOf.size > mostReads) throw new TypeError("it makes a value of its own");
        return standIn([...path, name]);
      },
      ownKeys: () => {
        throw new TypeError("it looks at all fields");
      },
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
