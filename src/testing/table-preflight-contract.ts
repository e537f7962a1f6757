import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { ErrorFacts } from "../errors/facts.ts";
import { Pipeline } from "../index.ts";
import { MockProvider } from "../llm/providers/mock.ts";
import { MemorySource } from "./memory-source.ts";
import {
  type DatabaseUnderTest,
  errorOf,
  expectRows,
  openSink,
  sinkOver,
  type TestTable,
  visits,
} from "./table-under-test.ts";

interface Finished {
  readonly pk: string;
  readonly completedAt: Date;
}

type TableCheck = (database: DatabaseUnderTest) => Promise<void>;

/** The promises of the preflight, and of whole runs. */
export const preflightChecks: Readonly<Record<string, TableCheck>> = {
  "a table that is not there is named, with the nearest ones or all": async (database) => {
    match(String((await rejected(database)).where), /^(?:\w+\.)?visits$/);
    await database.create({ ...visits, name: "other" });
    match((await rejected(database)).hint ?? "", /"(?:\w+\.)?other"$/);
    await database.create({ ...visits, name: "visit" });
    match((await rejected(database)).hint ?? "", /"(?:\w+\.)?visit"$/);
  },
  "a column that is not there is named, with all that are and the nearest ones": async (database) => {
    await database.create(visits);
    const { where, hint = "" } = await rejected(database, { columns: ["id", "valeu"] });
    equal(where, "valeu");
    match(hint, /"id", "value".*; .*"value"$/);
  },
  "a column that the database computes is rejected": async (database) => {
    const computed = { name: "value", computedFrom: "id" };
    await database.create({ ...visits, columns: [{ name: "id", isNotNull: true }, computed] });
    equal((await rejected(database)).where, "value");
  },
  "a view is no table to write to": async (database) => {
    if (database.createView === undefined) return;
    await database.createView("visits");
    match(String((await rejected(database)).where), /visits$/);
  },
  "columns that a new row would lack are named, but an update needs none": async (database) => {
    const more = [
      { name: "needed", isNotNull: true },
      { name: "filled", isNotNull: true, default: "x" },
    ];
    await database.create({ ...visits, columns: [...visits.columns, ...more] });
    deepEqual((await rejected(database)).where, ["needed"]);
    await (await openSink(sinkOver(database, "update"))).close("stopped");
  },
  "merge keys without a unique index of their own are rejected, with the statement that makes one": async (
    database,
  ) => {
    const names = { columns: ["id", "value"], mergeKeys: ["id", "value"] };
    const columns = visits.columns.map((column) => ({ ...column, isNotNull: true, maxLength: 100 }));
    for (const table of [
      { name: "visits", columns },
      { ...visits, name: "by_id", columns },
    ]) {
      await database.create(table);
      // A merge of keys alone; all else of the two sinks is the same.
      const sink = sinkOver(database, "merge", { ...names, name: table.name });
      const { facts } = await errorOf(openSink(sink), "TargetError");
      deepEqual(facts.where, ["id", "value"]);
      const [create] = /CREATE UNIQUE INDEX .*;$/.exec(facts.hint ?? "") ?? [];
      ok(create !== undefined, "the hint has no statement");
      await database.execute(create);
      await (await openSink(sink)).close("stopped");
    }
  },
  "a target that is rejected, or only looked at, is left as it is": async (database) => {
    await database.create(visits);
    const { open, preflight = open } = sinkOver(database, "merge");
    const session = await preflight({ signal: new AbortController().signal });
    await session.close("stopped");
    await rejected(database, { columns: ["id", "other"] });
    await expectRows(database, []);
  },
  "the table that the sink's dialect creates fits": async (database) => {
    const definition = new Pipeline({
      name: "created",
      source: new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
    });
    const columnMap = { id: (state: Finished) => state.pk, at: (state: Finished) => state.completedAt };
    const sink = database.sink<Finished>({ targetTable: "visits", columnMap, strategy: "merge", mergeKeys: ["id"] });
    const description = definition.to(sink).describeTarget();
    await database.execute(description.dialect?.createTable(description, "visits") ?? "");
    await (await openSink(sink)).close("stopped");
  },
  "of a batch with bad rows the good ones are written, and each bad one is a row error": async (database) => {
    await halves(database, { ...visits, rejects: "bad" });
  },
};

/** The facts of the error with which a merge does not begin. */
async function rejected(database: DatabaseUnderTest, names: Parameters<typeof sinkOver>[2] = {}): Promise<ErrorFacts> {
  return (await errorOf(openSink(sinkOver(database, "merge", names)), "TargetError")).facts;
}

interface Read {
  readonly raw: { readonly id: string; readonly value: string };
}

/** A run whose batches hold rows that the database rejects, and rows with the key of another. */
async function halves(database: DatabaseUnderTest, table: TestTable): Promise<void> {
  await database.create(table);
  const rows = Array.from({ length: 50 }, (_, n) => ({
    n: `${n}`,
    id: n === 30 ? "4" : `${n}`,
    value: n % 10 === 7 ? "bad" : "good",
  }));
  const report = await new Pipeline({
    name: "halves",
    source: new MemorySource<(typeof rows)[number]>({ rows, primaryKeyColumn: "n" }),
    llmProvider: new MockProvider(),
    batchSize: 20,
    concurrency: 1,
    onRowError: "skip",
    journal: "off",
    payloadLog: "off",
  })
    .to(
      database.sink<Read>({
        targetTable: "visits",
        columnMap: { id: (state: Read) => state.raw.id, value: (state: Read) => state.raw.value },
        strategy: "merge",
        mergeKeys: ["id"],
      }),
    )
    .run();
  equal(report.successCount, 44);
  const good = rows.filter(({ n, value }) => value === "good" && n !== "30");
  await expectRows(
    database,
    good.map(({ id, value }) => ({ id, value })),
  );
}
