import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import {
  checkAndWrite,
  type DatabaseUnderTest,
  errorOf,
  expectRows,
  openOver,
  openSink,
  sinkOver,
  visits,
  write,
} from "./table-under-test.ts";

/** How a sink that merges tells one key from another. */
export const keyChecks: Readonly<Record<string, (database: DatabaseUnderTest, strategy: string) => Promise<void>>> = {
  "two rows of a run with one key: the first is written, whether in one batch or in two": keepsFirstTwin,
  "keys that the table holds equal are one key, and others are not": foldsKeys,
  "a row's key is the same for keys that the table holds equal; rows that are only added have none": tellsKeys,
  "a table of keys alone is merged, too": mergesKeysAlone,
};

async function keepsFirstTwin(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const session = await openOver(database, strategy);
  const twin = { id: "secret", value: "second" };
  const inBatch = await checkAndWrite(session, { id: "secret", value: "first" }, twin);
  const later = await checkAndWrite(session, twin, { id: "other", value: "third" });
  for (const violations of [inBatch, later]) {
    deepEqual(
      violations.map(({ column }) => column),
      ["id"],
    );
    match(violations[0]?.message ?? "", /^another row of this run has the same merge key$/);
    match(violations[0]?.detail ?? "", /: "secret"$/);
  }
  await session.close("completed");
  await expectRows(database, [
    { id: "secret", value: "first" },
    { id: "other", value: "third" },
  ]);
}

/** The sink may find a twin before the write or in it. */
async function foldsKeys(database: DatabaseUnderTest, strategy: string): Promise<void> {
  for (const ignoresCase of [true, false]) {
    const name = ignoresCase ? "folded" : "exact";
    await database.create({
      ...visits,
      name,
      columns: [{ name: "id", isNotNull: true, ignoresCase }, { name: "value" }],
    });
    const session = await openSink(sinkOver(database, strategy, { name }));
    deepEqual(await checkAndWrite(session, { id: "Key", value: "1" }), []);
    const twin = { id: "KEY", value: "2" };
    const [violation] = session.check?.(twin) ?? [];
    if (!ignoresCase) {
      equal(violation, undefined);
      await write(session, twin);
    } else if (violation === undefined) {
      const error = await errorOf(write(session, { id: "new", value: "3" }, twin), "SinkDataError");
      match(error.message, /another row of this run has the same merge key/);
      match(error.detail, /: "KEY"$/);
    }
    await session.close("completed");
    await expectRows(database, [{ id: "Key", value: "1" }, ...(ignoresCase ? [] : [twin])], name);
  }
}

async function tellsKeys(database: DatabaseUnderTest, strategy: string): Promise<void> {
  await database.create({
    ...visits,
    columns: [{ name: "id", isNotNull: true, ignoresCase: true }, { name: "value" }],
  });
  const { keyOf, close } = await openSink(sinkOver(database, strategy));
  const keyOfId = (id: string): string | undefined => keyOf?.({ id, value: "x" });
  notEqual(keyOfId("Key"), undefined);
  equal(keyOfId("Key"), keyOfId("KEY"));
  notEqual(keyOfId("Key"), keyOfId("Key 2"));
  await close("stopped");
  const inserting = await openSink(sinkOver(database, "insert"));
  equal(inserting.keyOf?.({ id: "1", value: "x" }), undefined);
  await inserting.close("stopped");
}

export async function addsTwins(database: DatabaseUnderTest): Promise<void> {
  const session = await openOver(database, "insert", { name: "visits", columns: visits.columns });
  const row = { id: "1", value: "x" };
  deepEqual(await checkAndWrite(session, row, { ...row }), []);
  await session.close("completed");
  await expectRows(database, [row, row]);
}

async function mergesKeysAlone(database: DatabaseUnderTest, strategy: string): Promise<void> {
  await database.create({ name: "visits", columns: [{ name: "id", isNotNull: true }], key: ["id"] });
  const session = await openSink(sinkOver(database, strategy, { columns: ["id"] }));
  await write(session, { id: "1" });
  await write(session, { id: "1" }, { id: "2" });
  await session.close("completed");
  await expectRows(database, [{ id: "1" }, { id: "2" }]);
}
