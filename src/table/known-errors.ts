import type { PassingError } from "./retry.ts";

/** All that is known of one error, by its number or state (the server's) or its code (the driver's or Node's). */
export interface KnownError {
  /** The same statement, batch or login may well succeed a little later. */
  readonly passing?: PassingError;
  /** The next step of the person who can't connect because of it. */
  readonly toConnect?: string;
  /** The server's text is made of names of objects and types: it holds no value of a cell. */
  readonly isContentFree?: true;
  /** The meaning for a query, in place of a text that may hold content. */
  readonly ofQuery?: string;
  /** The fault of a row that is written: others may well be written. */
  readonly ofRow?: string;
  /** The reason, or the next step, where a table can't be written because of it. */
  readonly ofTable?: string;
}

type Entry<Name> = readonly [names: readonly Name[], meaning: KnownError];

/** The errors of one database. Of two that an error has, the first of the list says what to do. */
export class KnownErrors<Name extends number | string> {
  readonly #list: readonly Entry<Name>[];
  readonly #byName: ReadonlyMap<Name, KnownError>;

  constructor(list: readonly Entry<Name>[]) {
    this.#list = list;
    this.#byName = new Map(list.flatMap(([names, meaning]) => names.map((name) => [name, meaning] as const)));
  }

  readonly get = (name: Name): KnownError | undefined => this.#byName.get(name);

  /** The first step of the list that one of these asks for. */
  readonly stepToConnect = (names: readonly Name[]): string | undefined => {
    const asked = ([listed, { toConnect }]: Entry<Name>): boolean =>
      toConnect !== undefined && listed.some((name) => names.includes(name));
    return this.#list.find(asked)?.[1].toConnect;
  };

  /** The waits that these ask for, the longest of each; undefined if none of them passes. */
  readonly passing = (names: readonly Name[]): { readonly leastWaitMs: number } | undefined => {
    const found = names.flatMap((name) => this.get(name)?.passing ?? []);
    return found.length === 0
      ? undefined
      : { leastWaitMs: Math.max(...found.map(({ leastWaitMs = 0 }) => leastWaitMs)) };
  };
}

/** The error and those that it was made from, each once. */
export function* errorsIn(error: unknown, seen: Set<unknown> = new Set<unknown>()): Generator<object, void, undefined> {
  if (typeof error !== "object" || error === null || seen.has(error)) return;
  seen.add(error);
  yield error;
  for (const name of ["originalError", "cause", "errors", "precedingErrors"] as const) {
    const inner: unknown = Reflect.get(error, name);
    for (const each of Array.isArray(inner) ? inner : [inner]) yield* errorsIn(each, seen);
  }
}

/** How long the attempt that failed had waited for its database, as its connection took it down; in milliseconds. */
export function waitedFor(error: unknown): number {
  for (const each of errorsIn(error)) if ("waitedMs" in each && typeof each.waitedMs === "number") return each.waitedMs;
  return 0;
}

/** Does `work`, and takes down on an error of waiting how long that took: see {@link waitedFor}. */
export async function timingWaits<Result>(
  work: () => Promise<Result>,
  isOfWait: (error: unknown) => boolean,
): Promise<Result> {
  const startedAt = performance.now();
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && isOfWait(error)) Object.assign(error, { waitedMs: performance.now() - startedAt });
    throw error;
  }
}
