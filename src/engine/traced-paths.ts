import type { ColumnMap } from "../contracts/sink.ts";

/** Where in the state a column's value stands: `["processed", "summary", "text"]`. */
export type StatePath = readonly string[];

/** A column function that reads more than this has a loop, which a recording would not end. */
const mostReads = 1000;

/**
 * For each column whose value is something that stands in the state as it is, where. Each function is run once, on a
 * stand-in that notes what is read; one that makes a value of its own (a template, a method, arithmetic) or throws has
 * no path.
 */
export function recordColumns(columnMap: ColumnMap<never>): ReadonlyMap<string, StatePath> {
  const paths = new Map<string, StatePath>();
  for (const [column, read] of Object.entries(columnMap)) {
    const path = record(read);
    if (path !== undefined) paths.set(column, path);
  }
  return paths;
}

function record(read: (state: never) => unknown): StatePath | undefined {
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
    return pathOf.get(read(standIn([]) as never)); // it stands for any state
  } catch {
    return undefined; // what it needs is not in a stand-in
  }
}
