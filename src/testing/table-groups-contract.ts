import { deepEqual, rejects } from "node:assert/strict";
import type { ColumnValues, SinkSession } from "../contracts/sink.ts";
import { OptionError } from "../errors/option.ts";
import { type DatabaseUnderTest, errorOf, expectRows, openSink, sinkOver, type TestTable } from "./table-under-test.ts";

/** The promises of a sink whose rows of the source may have several rows: with strategies that merge. */
export const groupChecks: Readonly<Record<string, (database: DatabaseUnderTest, strategy: string) => Promise<void>>> = {
  "rows that are gone are deleted with the write, and others of their group stay": deletesGone,
  "a row is there whose key is that of a row that is gone, in other letters": replacesTwin,
  "of a batch that is rejected nothing is deleted": deletesNothing,
  "a group without rows, and one of which all are gone, are written": writesEmpty,
  "a group's key is a part of the merge keys": wantsPart,
};

const lines: TestTable = {
  name: "lines",
  columns: [{ name: "invoice", isNotNull: true }, { name: "line", isNotNull: true }, { name: "value" }],
  key: ["invoice", "line"],
};

const names = {
  name: "lines",
  columns: ["invoice", "line", "value"],
  mergeKeys: ["invoice", "line"],
  groupKey: ["invoice"],
};

async function withLines(
  database: DatabaseUnderTest,
  strategy: string,
  work: (session: SinkSession) => Promise<void>,
): Promise<void> {
  await database.create({ ...lines, rejects: "rejected" });
  await database.insert("lines", [
    { invoice: "1", line: "a", value: "old" },
    { invoice: "1", line: "b", value: "old" },
    { invoice: "1", line: "z", value: "of another" },
    { invoice: "2", line: "b", value: "old" },
  ]);
  const session = await openSink(sinkOver(database, strategy, names));
  try {
    await work(session);
  } finally {
    await session.close("completed");
  }
}

async function deletesGone(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const rows = [{ invoice: "1", line: "a", value: "new" }];
  await withLines(database, strategy, async (session) => {
    const gone = ["b", "never there"].map((line) => ({ invoice: "1", line }));
    await session.write([{ pk: "1", rows, gone }]);
    await session.write([{ pk: "1", rows, gone }]); // as after a crash
  });
  await expectRows(
    database,
    [...rows, { invoice: "1", line: "z", value: "of another" }, { invoice: "2", line: "b", value: "old" }],
    "lines",
  );
}

/** A target that ignores case may delete "b" first, or take it for "B". */
async function replacesTwin(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const columns = lines.columns.map((column) => (column.name === "line" ? { ...column, ignoresCase: true } : column));
  await database.create({ ...lines, columns });
  await database.insert("lines", [{ invoice: "1", line: "b", value: "old" }]);
  const session = await openSink(sinkOver(database, strategy, names));
  const row = { invoice: "1", line: "B", value: "new" };
  await session.write([{ pk: "1", rows: [row], gone: [{ invoice: "1", line: "b" }] }]);
  await session.close("completed");
  const [found, ...others] = await database.rows("lines");
  deepEqual({ ...found, line: String(found?.["line"]).toUpperCase() }, row);
  deepEqual(others, []);
}

async function deletesNothing(database: DatabaseUnderTest, strategy: string): Promise<void> {
  let before: readonly ColumnValues[] = [];
  await withLines(database, strategy, async (session) => {
    before = await database.rows("lines");
    const rejected = {
      pk: "1",
      rows: [{ invoice: "1", line: "c", value: "rejected" }],
      gone: [{ invoice: "1", line: "a" }],
    };
    await errorOf(session.write([rejected]), "SinkDataError");
  });
  await expectRows(database, before, "lines");
}

async function writesEmpty(database: DatabaseUnderTest, strategy: string): Promise<void> {
  await withLines(database, strategy, async (session) => {
    await session.write([{ pk: "2", rows: [], gone: [{ invoice: "2", line: "b" }] }]);
    await session.write([{ pk: "3", rows: [], gone: [] }]);
  });
  const left = (await database.rows("lines")).filter(({ invoice }) => invoice !== "1");
  deepEqual(left, []);
}

async function wantsPart(database: DatabaseUnderTest, strategy: string): Promise<void> {
  for (const groupKey of [["value"], ["invoice", "line"], [], ["invoice", "invoice"]]) {
    await rejects(async () => sinkOver(database, strategy, { ...names, groupKey }), OptionError);
  }
  for (const other of ["insert", "update"]) {
    await rejects(async () => sinkOver(database, other, names), OptionError);
  }
}
