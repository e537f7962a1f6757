import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sink, SinkSession } from "../../src/contracts/sink.ts";
import { tableSinkContract } from "../../src/testing/table-sink-contract.ts";
import type { DatabaseUnderTest } from "../../src/testing/table-under-test.ts";
import { sqliteUnderTest } from "../support/sqlite-under-test.ts";

type Change = (session: SinkSession) => Partial<SinkSession>;

/** SQLite's sink with a fault; what it promises without one is tested in tests/sinks/sqlite.test.ts. */
function faulty(change: Change, isForgiving: boolean): () => Promise<DatabaseUnderTest> {
  return async () => {
    const cleanUps: (() => void)[] = [];
    const database = sqliteUnderTest({ after: (cleanUp: () => void) => void cleanUps.push(cleanUp) });
    return {
      ...database,
      sink: (options) => withFault(database.sink(options), change, isForgiving),
      release: async () => cleanUps.forEach((cleanUp) => cleanUp()),
    };
  };
}

function withFault<State>(sink: Sink<State>, change: Change, isForgiving: boolean): Sink<State> {
  const { name, identity, keepsRows, columnMap, table } = sink;
  const open: Sink<State>["open"] = async (context) => {
    try {
      const session = await sink.open(context);
      const { check, keyOf, isEmpty, holds, limits, write, close } = session;
      return {
        check,
        isEmpty,
        holds,
        limits,
        write,
        close,
        ...(keyOf && { keyOf }),
        ...change(session),
      } as SinkSession;
    } catch (error) {
      if (!isForgiving) throw error;
      return { write: async () => {}, close: async () => {} };
    }
  };
  return { name, identity, keepsRows, columnMap, table, open };
}

const isTwin = (message: string): boolean => message.startsWith("another row");
const forgiving: Change = ({ write }) => ({ write: async (batch) => await write(batch).catch(() => {}) });
const detectedBy: Readonly<Record<string, Change>> = {
  "check finds what the table can't hold, with the value in the detail only": () => ({ check: () => [] }),
  "limits say what a column holds, in the words of JSON Schema and for one value": () => ({ limits: {} }),
  "merge: two rows of a run with one key: the first is written, whether in one batch or in two": ({ check }) => ({
    check: (values) => check?.(values).filter(({ message }) => !isTwin(message)) ?? [],
  }),
  "merge: keys that the table holds equal are one key, and others are not": ({ check }) => ({
    check: (values) => check?.({ ...values, id: String(values["id"]).toLowerCase() }) ?? [],
  }),
  "merge: a row's key is the same for keys that the table holds equal; rows that are only added have none": () => ({
    keyOf: ({ id }) => String(id),
  }),
  "merge: a value that does not fit is rejected also where it was not checked, and nothing is written": forgiving,
  "merge: a closed session writes nothing, and can be closed again": forgiving,
  "an update changes the rows that are there, and a key that no row has is a row error": forgiving,
  "the session knows a row by its key; of an update, one that something was written to": () => ({
    holds: async () => true,
  }),
  "insert: names and values of any kind are data and never SQL": () => ({ write: async () => {} }),
  "update: columns that are not mapped keep what they hold, and get their default in a new row": () => ({
    write: async () => {},
  }),
  "merge: a table of keys alone is merged, too": () => ({ write: async () => {} }),
  "without merge keys equal rows are two rows": ({ write }) => ({
    write: async (batch) => await write(batch.slice(1)),
  }),
  "of a batch with bad rows the good ones are written, and each bad one is a row error": forgiving,
};
const openForgives = [
  "a table that is not there is named, with the nearest ones or all",
  "a column that is not there is named, with all that are and the nearest ones",
  "a column that the database computes is rejected",
  "a view is no table to write to",
  "columns that a new row would lack are named, but an update needs none",
  "merge keys without a unique index of their own are rejected, with the statement that makes one",
  "a target that is rejected, or only looked at, is left as it is",
];

async function fails(name: string, change: Change, isForgiving = false): Promise<boolean> {
  const suite = tableSinkContract({
    create: faulty(change, isForgiving),
    strategies: ["merge", "update", "insert"],
    kinds: ["a table"],
  });
  const { check } = suite.find((one) => one.name === name) ?? assert.fail(`no check is named "${name}"`);
  return await check().then(
    () => false,
    () => true,
  );
}

for (const [name, change] of Object.entries(detectedBy)) {
  test(`a sink that breaks it fails the check "${name}"`, async () => {
    assert.equal(await fails(name, () => ({})), false);
    assert.equal(await fails(name, change), true);
  });
}

for (const name of openForgives) {
  test(`a sink that opens whatever is there fails the check "${name}"`, async () => {
    assert.equal(await fails(name, () => ({}), true), true);
  });
}
