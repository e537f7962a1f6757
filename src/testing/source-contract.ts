import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { keyAsGiven } from "../engine/primary-key.ts";
import type { AnySource, Parameters, ReadContext, SourceRow } from "../contracts/source.ts";
import type { ContractCheck } from "./base.ts";
import { promisesOfChanges } from "./source-changes-contract.ts";

/** A source without its schema, which no check needs: with it, `new CSVSource({ … })` would be inferred as one of `object`. */
type CheckedSource = Omit<AnySource, "schema">;

export interface SourceContractOptions {
  /** Makes a new source over the same data, for each check. */
  readonly create: () => CheckedSource | Promise<CheckedSource>;
  /** The rows of the source, in its order and before any schema: at least 3, and no bad one. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Counts the files, cursors or connections that are open to the data. With it, three more promises are checked. */
  readonly openCount?: () => number | Promise<number>;
  /** Called after each check. */
  readonly release?: () => void | Promise<void>;
}

type Rows = SourceContractOptions["rows"];

/** A key that is none of any source under test. */
const noSuchKey = "no such key: 7b0d";

/** One promise of a source, and the check of it. */
interface SourcePromise {
  readonly name: string;
  readonly check: (source: CheckedSource) => Promise<void>;
}

function promise(name: string, check: SourcePromise["check"]): SourcePromise {
  return { name, check };
}

/**
 * The promises of every source, as checks for any test runner.
 *
 * @example for (const { name, check } of sourceContract({ create: () => new MySource(), rows })) test(name, check);
 * @throws {RangeError} for fewer than 3 rows, which prove nothing
 */
export function sourceContract({ create, rows, openCount, release }: SourceContractOptions): readonly ContractCheck[] {
  if (rows.length < 3) throw new RangeError(`sourceContract: expected at least 3 rows, got ${rows.length}`);
  const promises = [
    ...promisesOfReading(rows),
    ...promisesOfAborting(rows),
    ...promisesOfCountAndParameters(rows),
    ...promisesOfFinding(rows),
    ...promisesOfChanges(rows),
    ...(openCount === undefined ? [] : promisesOfClosing(openCount)),
  ];
  return promises.map(({ name, check }) => {
    const run = async (): Promise<void> => {
      try {
        await check(await create());
      } finally {
        await release?.();
      }
    };
    return { name, check: async () => await inTime(run()) };
  });
}

function promisesOfReading(rows: Rows): readonly SourcePromise[] {
  return [
    promise("a source has a name, and its primary key column is in every row", async (source) => {
      ok(source.name.trim() !== "", "expected a name that is not blank");
      for (const row of await readAll(source)) {
        const found = Object.hasOwn(rawOf(row), source.primaryKeyColumn);
        ok(found, `expected "${source.primaryKeyColumn}" in row ${row.position}`);
      }
    }),
    promise("rows come in the source's order, as they are, with positions from 1", async (source) =>
      matches(await readAll(source), rows),
    ),
    promise("each read begins anew", async (source) => {
      matches(await readAll(source), rows);
      matches(await readAll(source), rows);
    }),
    promise("a consumer that stops early can read again from the beginning", async (source) => {
      const iterator = read(source)[Symbol.asyncIterator]();
      deepStrictEqual(rawOf(valueOf(await iterator.next())), rows[0]);
      await iterator.return?.();
      equal((await iterator.next()).done, true, "expected no row after the consumer had stopped");
      matches(await readAll(source), rows);
    }),
    promise("two reads at once do not disturb each other", async (source) => {
      const [left, right] = [read(source)[Symbol.asyncIterator](), read(source)[Symbol.asyncIterator]()];
      for (const row of rows) {
        deepStrictEqual(rawOf(valueOf(await left.next())), row);
        deepStrictEqual(rawOf(valueOf(await right.next())), row);
      }
      const ended = [(await left.next()).done, (await right.next()).done];
      deepStrictEqual(ended, [true, true], "expected both reads to end");
    }),
  ];
}

function promisesOfAborting(rows: Rows): readonly SourcePromise[] {
  return [
    promise("an aborted signal gives no row", async (source) => {
      const given = await countUntilEnd(read(source, AbortSignal.abort())[Symbol.asyncIterator]());
      equal(given, 0, `expected no row, got ${given}`);
    }),
    promise("reading ends soon after the signal aborts", async (source) => {
      const controller = new AbortController();
      const iterator = read(source, controller.signal)[Symbol.asyncIterator]();
      valueOf(await iterator.next());
      controller.abort();
      const given = 1 + (await countUntilEnd(iterator));
      ok(given < rows.length, `aborted after the first row, but all ${given} rows came`);
    }),
  ];
}

function promisesOfCountAndParameters(rows: Rows): readonly SourcePromise[] {
  return [
    promise("the count, if the source has one, is that of its rows", async (source) => {
      const count = await countRows(source);
      ok(count === undefined || count === rows.length, `expected a count of ${rows.length}, got ${String(count)}`);
    }),
    promise("a parameter that the source does not know is rejected, not ignored", async (source) => {
      const parameters = { no_such_parameter_of_any_source: 1 };
      await rejects(readAll(source, parameters), LLMEtlError, "expected an llm-etl error for an unknown parameter");
    }),
  ];
}

function promisesOfFinding(rows: Rows): readonly SourcePromise[] {
  return [
    promise("rows that are found by key, if the source can, are those that a read gives", async (source) => {
      const keyed = rows.map((raw) => ({ pk: keyAsGiven(raw, source.primaryKeyColumn) ?? "", raw }));
      const asked = keyed.toReversed().filter((_, index) => index !== 1);
      const pks = [...asked.map(({ pk }) => pk), noSuchKey];
      const found = await find(source, pks);
      if (found === undefined) return;
      const rowOf = new Map(found.map((row) => [keyAsGiven(rawOf(row), source.primaryKeyColumn), rawOf(row)]));
      const expected = new Map(asked.map(({ pk, raw }) => [pk, raw]));
      equal(found.length, expected.size, `expected ${expected.size} rows, got ${found.length}`);
      for (const [pk, raw] of expected) deepStrictEqual(rowOf.get(pk), raw);
      equal((await find(source, [noSuchKey]))?.length, 0, "expected no row for a key that no row has");
      equal((await find(source, []))?.length, 0, "expected no row for no key");
    }),
    promise("a parameter that the source does not know is rejected when rows are found by key, too", async (source) => {
      const pks = keysOf(source, rows);
      const finding = find(source, pks, { parameters: { no_such_parameter_of_any_source: 1 } });
      const ending = await finding.catch((error: unknown) => error);
      const isRejected = ending === undefined || ending instanceof LLMEtlError;
      ok(isRejected, "expected an llm-etl error for an unknown parameter");
    }),
    promise("an aborted signal finds no row", async (source) => {
      const pks = keysOf(source, rows);
      const found = await find(source, pks, { signal: AbortSignal.abort() }).catch(() => []);
      equal(found?.length ?? 0, 0, "expected no row");
    }),
  ];
}

function promisesOfClosing(
  openCount: Exclude<SourceContractOptions["openCount"], undefined>,
): readonly SourcePromise[] {
  return [
    promise("a read opens nothing before its first row is pulled", async (source) => {
      const before = await openCount();
      const iterator = read(source)[Symbol.asyncIterator]();
      await turnOfTheEventLoop();
      equal(await openCount(), before, "expected read() alone to open nothing");
      await iterator.return?.();
    }),
    promise("a read leaves nothing open, whether it ends, is stopped or is aborted", async (source) => {
      const before = await openCount();
      await readAll(source);
      equal(await openCount(), before, "expected nothing open after the last row");
      const stopped = read(source)[Symbol.asyncIterator]();
      await stopped.next();
      await stopped.return?.();
      equal(await openCount(), before, "expected nothing open after the consumer had stopped");
      const controller = new AbortController();
      const aborted = read(source, controller.signal)[Symbol.asyncIterator]();
      await aborted.next();
      controller.abort();
      await countUntilEnd(aborted);
      equal(await openCount(), before, "expected nothing open after the signal had aborted");
    }),
    promise("finding rows opens nothing that stays open, whether it ends or is stopped", async (source) => {
      const before = await openCount();
      const pks = keysOf(source, (await readAll(source)).map(rawOf));
      const context = { signal: new AbortController().signal, parameters: {} };
      const found = await source.find?.(pks, context);
      equal(await openCount(), before, "expected nothing open before the first row is pulled");
      const iterator = found?.[Symbol.asyncIterator]();
      await iterator?.next();
      await iterator?.return?.();
      equal(await openCount(), before, "expected nothing open after the consumer had stopped");
      await find(source, pks);
      equal(await openCount(), before, "expected nothing open after the last row");
    }),
    promise("counting leaves nothing open", async (source) => {
      const before = await openCount();
      await countRows(source);
      equal(await openCount(), before, "expected nothing open after counting");
    }),
  ];
}

async function countRows(source: CheckedSource): Promise<number | undefined> {
  return await source.count?.({ signal: new AbortController().signal, parameters: {}, limit: Infinity });
}

function keysOf({ primaryKeyColumn }: CheckedSource, rows: Rows): string[] {
  return rows.map((raw) => keyAsGiven(raw, primaryKeyColumn) ?? "");
}

/** The rows with these keys; undefined where the source can't tell. */
async function find(
  source: CheckedSource,
  pks: readonly string[],
  given: Partial<ReadContext> = {},
): Promise<SourceRow[] | undefined> {
  const found = await source.find?.(pks, { signal: new AbortController().signal, parameters: {}, ...given });
  if (found === undefined) return undefined;
  const rows: SourceRow[] = [];
  for await (const row of found) rows.push(row);
  return rows;
}

function read(
  source: CheckedSource,
  signal: AbortSignal = new AbortController().signal,
  parameters: Parameters = {},
): AsyncIterable<SourceRow> {
  return source.read({ signal, parameters });
}

async function readAll(source: CheckedSource, parameters: Parameters = {}): Promise<SourceRow[]> {
  const rows: SourceRow[] = [];
  for await (const row of read(source, undefined, parameters)) rows.push(row);
  return rows;
}

function matches(given: readonly SourceRow[], rows: Rows): void {
  deepStrictEqual(
    given.map((row) => ({ position: row.position, raw: rawOf(row) })),
    rows.map((raw, index) => ({ position: index + 1, raw })),
  );
}

/** A copy of the row: drivers give rows their own prototypes, which are no part of the promise. */
function rawOf(row: SourceRow): Record<string, unknown> {
  if ("error" in row) throw row.error;
  return { ...row.raw };
}

function valueOf(result: IteratorResult<SourceRow, unknown>): SourceRow {
  if (result.done === true) throw new Error("expected a row, but the source had ended");
  return result.value;
}

/** Counts the rows that still come. An aborted source may end by returning or by throwing. */
async function countUntilEnd(iterator: AsyncIterator<SourceRow, unknown>): Promise<number> {
  let count = 0;
  for (;;) {
    const ended = await iterator.next().then(
      (result) => result.done === true,
      () => true,
    );
    if (ended) return count;
    count += 1;
  }
}

async function turnOfTheEventLoop(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

const longestCheckMs = 30_000;

/** Rejects a check that never ends, so that it does not hold up the test run. */
async function inTime(check: Promise<void>): Promise<void> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`expected the check to end, but it was still waiting after ${longestCheckMs / 1000} s`));
  }, longestCheckMs);
  try {
    await Promise.race([check, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
