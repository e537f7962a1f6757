import { deepStrictEqual, equal, ok, rejects } from "node:assert/strict";
import type { AnySource, ChangedRow, ChangeReading, Parameters } from "../contracts/source.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";

type Raw = Readonly<Record<string, unknown>>;

/** One promise about the changes of a source, and the check of it: nothing is checked of a source that can't tell them. */
export interface ChangesPromise {
  readonly name: string;
  readonly check: (source: Omit<AnySource, "schema">) => Promise<void>;
}

/** The promises of a source that can tell which of these rows changed. */
export function promisesOfChanges(rows: readonly Raw[]): readonly ChangesPromise[] {
  return [
    promise("a source that can tell changes can find rows by key", async (_, { find }) => {
      ok(find !== undefined, "expected find: rows that failed are read by key");
    }),
    promise(
      "changes since nothing are all rows, with positions from 1, those without a place last",
      async (changes) => {
        const read = await readChanges(changes);
        deepStrictEqual(new Set(read.map(textOf)), new Set(rows.map((raw) => textOf({ raw }))));
        equal(read.length, rows.length, `expected each row once, got ${read.length}`);
        deepStrictEqual(
          read.map(({ position }) => position),
          rows.map((_, index) => index + 1),
        );
        const ranks = read.map(({ place }) => (place === null ? 2 : place.isSettled ? 0 : 1));
        deepStrictEqual(
          ranks,
          ranks.toSorted((one, other) => one - other),
          "expected settled places first, and rows without a place last",
        );
      },
    ),
    promise("changes are read on behind each settled place, in the same order", async (changes) => {
      const read = await readChanges(changes);
      for (const [index, { place }] of read.entries()) {
        if (place?.isSettled !== true) continue;
        const rest = await readChanges(changes, place.exact);
        deepStrictEqual(rest.map(textOf), read.slice(index + 1).map(textOf));
      }
    }),
    promise("what changes are based on is told alike each time", async (changes) => {
      equal(await changes.basis({}), await changes.basis({}));
      ok(changes.by.trim() !== "", "expected a name of what tells the changes");
    }),
    promise("an aborted signal gives no changed row", async (changes) => {
      const given = await readChanges(changes, undefined, { signal: AbortSignal.abort() }).catch(() => []);
      equal(given.length, 0, "expected no row");
    }),
    promise("a parameter that the source does not know is rejected when changes are read, too", async (changes) => {
      const parameters = { no_such_parameter_of_any_source: 1 };
      await rejects(readChanges(changes, undefined, { parameters }), LLMEtlError, "expected an llm-etl error");
    }),
  ];
}

function promise(
  name: string,
  check: (changes: ChangeReading, source: Omit<AnySource, "schema">) => Promise<void>,
): ChangesPromise {
  return {
    name,
    check: async (source) => {
      if (source.changes !== undefined) await check(source.changes, source);
    },
  };
}

async function readChanges(
  changes: ChangeReading,
  since?: string,
  given: { readonly signal?: AbortSignal; readonly parameters?: Parameters } = {},
): Promise<ChangedRow[]> {
  const { signal = new AbortController().signal, parameters = {} } = given;
  const rows: ChangedRow[] = [];
  for await (const row of changes.read(since, { signal, parameters })) rows.push(row);
  return rows;
}

/** A text of a row that is equal for equal rows: their order is that of the changes, which is not known here. */
function textOf({ raw }: { readonly raw?: unknown }): string {
  const entries = typeof raw === "object" && raw !== null ? Object.entries(raw) : [];
  return JSON.stringify(entries.map(([name, value]: [string, unknown]) => [name, typeof value, String(value)]));
}
