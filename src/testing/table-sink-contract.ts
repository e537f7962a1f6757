import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import type { ContractCheck } from "./base.ts";
import { groupChecks } from "./table-groups-contract.ts";
import { addsTwins, keyChecks } from "./table-keys-contract.ts";
import { preflightChecks } from "./table-preflight-contract.ts";
import { sinkContract } from "./sink-contract.ts";
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

export interface TableSinkContractOptions {
  /** Called once for each check. */
  readonly create: () => Promise<DatabaseUnderTest>;
  /** All that the sink has. */
  readonly strategies: readonly string[];
  /** The kinds of tables that it writes to, for `TestTable.kind`. */
  readonly kinds: readonly string[];
}

/**
 * The promises of every sink of tables, beside those of every sink. It has the strategies merge, update and insert, and may have more that
 * merge.
 *
 * @example
 * for (const { name, check } of tableSinkContract({ create, strategies: ["merge", "update", "insert"], kinds: ["a table"] }))
 *   test(name, check);
 */
export function tableSinkContract({ create, strategies, kinds }: TableSinkContractOptions): readonly ContractCheck[] {
  const withDatabase = (check: (database: DatabaseUnderTest) => Promise<void>) => async (): Promise<void> => {
    const database = await create();
    try {
      await check(database);
    } finally {
      await database.release?.();
    }
  };
  const checks: ContractCheck[] = [];
  const fresh = strategies.filter((strategy) => strategy !== "update"); // a fresh target has no row that it could change
  for (const strategy of fresh) {
    for (const kind of kinds) {
      const all = sinkContract({
        keyed: strategy !== "insert",
        rejectedRow: { id: "9", value: "rejected" },
        create: async () => {
          const database = await create();
          await database.create({ ...visits, kind, rejects: "rejected" });
          return {
            sink: sinkOver(database, strategy),
            twin: sinkOver(database, strategy, { isTwin: true }),
            rowsWritten: async () => await database.rows("visits"),
            release: database.release,
          };
        },
      });
      checks.push(...all.map(({ name, check }) => ({ name: `${strategy} into ${kind}: ${name}`, check })));
    }
  }
  const perStrategy = (
    some: readonly string[],
    named: Readonly<Record<string, (database: DatabaseUnderTest, strategy: string) => Promise<void>>>,
  ): void => {
    for (const [name, check] of Object.entries(named)) {
      for (const strategy of some) {
        checks.push({ name: `${strategy}: ${name}`, check: withDatabase((database) => check(database, strategy)) });
      }
    }
  };
  perStrategy(strategies, eachStrategy);
  perStrategy(
    fresh.filter((strategy) => strategy !== "insert"),
    { ...keyChecks, ...groupChecks },
  );
  for (const [name, check] of Object.entries({ ...eachTable, ...preflightChecks }))
    checks.push({ name, check: withDatabase(check) });
  return checks;
}

const eachStrategy: Readonly<Record<string, (database: DatabaseUnderTest, strategy: string) => Promise<void>>> = {
  "names and values of any kind are data and never SQL": takesOddNames,
  "columns that are not mapped keep what they hold, and get their default in a new row": leavesOthers,
  "a value that does not fit is rejected also where it was not checked, and nothing is written": rejectsUnchecked,
  "a closed session writes nothing, and can be closed again": staysClosed,
  "a commit whose answer is lost is done again, and the rows are there once": survivesLostCommit,
};

const eachTable: Readonly<Record<string, (database: DatabaseUnderTest) => Promise<void>>> = {
  "check finds what the table can't hold, with the value in the detail only": checksValues,
  "limits say what a column holds, in the words of JSON Schema and for one value": tellsLimits,
  "without merge keys equal rows are two rows": addsTwins,
  "an update changes the rows that are there, and a key that no row has is a row error": updatesOnly,
  "the session knows a row by its key; of an update, one that something was written to": findsRows,
};

async function takesOddNames(database: DatabaseUnderTest, strategy: string): Promise<void> {
  await database.create({ name: "witness", columns: [{ name: "id" }] });
  const odd = [`x"; DROP TABLE witness; --`, `it's [a] "name"`, "]] /* c */ @p ?1", "größe 日本語 \u{1F600}", "select"];
  for (const name of odd) {
    const [key, value] = [`k ${name}`, `c ${name}`];
    await database.create({ name, columns: [{ name: key, isNotNull: true }, { name: value }], key: [key] });
    const row = { [key]: "'; DROP TABLE witness; --", [value]: name };
    if (strategy === "update") await database.insert(name, [{ ...row, [value]: "old" }]);
    const targetTable = `"${name.replaceAll('"', '""')}"`;
    const session = await openSink(
      sinkOver(database, strategy, { name: targetTable, columns: [key, value], mergeKeys: [key] }),
    );
    deepEqual(await checkAndWrite(session, row), []);
    await session.close("completed");
    await expectRows(database, [row], name);
  }
  await expectRows(database, [], "witness");
}

async function leavesOthers(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const note = { name: "note", isNotNull: true, default: "new" };
  await database.create({ ...visits, columns: [...visits.columns, note] });
  await database.insert("visits", [{ id: "1", value: "a", note: "old" }]);
  const session = await openSink(sinkOver(database, strategy));
  if (strategy !== "insert") await write(session, { id: "1", value: "b" });
  if (strategy !== "update") await write(session, { id: "2", value: "c" });
  await session.close("completed");
  await expectRows(database, [
    { id: "1", value: strategy === "insert" ? "a" : "b", note: "old" },
    ...(strategy === "update" ? [] : [{ id: "2", value: "c", note: "new" }]),
  ]);
}

async function rejectsUnchecked(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const session = await openOver(database, strategy);
  const error = await errorOf(
    write(session, { id: "1", value: "x" }, { id: "2", value: () => "secret" }),
    "SinkDataError",
  );
  match(error.message, /the column "value"/);
  ok(!error.message.includes("secret"), "the message holds the value");
  await session.close("stopped");
  await expectRows(database, []);
}

async function staysClosed(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const session = await openOver(database, strategy);
  await session.close("completed");
  await session.close("completed");
  await session.write([]);
  await errorOf(write(session, { id: "1", value: "x" }), "SinkError");
}

async function survivesLostCommit(database: DatabaseUnderTest, strategy: string): Promise<void> {
  const { loseCommit } = database;
  if (loseCommit === undefined) return;
  const rows = [
    { id: "1", value: "x" },
    { id: "2", value: "y" },
  ];
  const session = await openOver(database, strategy);
  for (const when of ["before", "after"] as const) {
    const batch = rows.map(({ id, value }) => ({ id: `${when} ${id}`, value }));
    if (strategy === "update") await database.insert("visits", batch);
    loseCommit(when);
    await write(session, ...batch);
  }
  await session.close("completed");
  const ids = ["before", "after"].flatMap((when) => rows.map(({ id, value }) => ({ id: `${when} ${id}`, value })));
  await expectRows(database, ids);
}

async function checksValues(database: DatabaseUnderTest): Promise<void> {
  const value = { name: "value", isNotNull: true };
  const session = await openOver(database, "merge", { ...visits, columns: [{ name: "id", isNotNull: true }, value] });
  const wrong = session.check?.({ id: "1", value: new Map([["secret", "secret"]]) }) ?? [];
  deepEqual(
    wrong.map(({ column }) => column),
    ["value"],
  );
  ok(
    wrong.every(({ message }) => !message.includes("secret")),
    "a message holds the value",
  );
  const absent = session.check?.({}) ?? [];
  deepEqual(
    absent.map(({ column }) => column),
    ["id", "value"],
    "a merge key and a column that is NOT NULL take no NULL",
  );
  deepEqual(session.check?.({ id: "1", value: "x" }), [], "a row that was rejected has used up its key");
  await session.close("stopped");
}

async function tellsLimits(database: DatabaseUnderTest): Promise<void> {
  const value = { name: "value", maxLength: 5 };
  const session = await openOver(database, "merge", { ...visits, columns: [{ name: "id", isNotNull: true }, value] });
  const limit = session.limits?.["value"];
  deepEqual(limit?.schema, { maxLength: 5 });
  equal(limit?.problemOf("12345"), undefined);
  equal(limit?.problemOf(null), undefined);
  const problem = limit?.problemOf("secret") ?? { message: "", detail: "" };
  match(problem.message, /5 characters, got 6/);
  ok(problem.detail.includes("secret") && !problem.message.includes("secret"));
  notEqual(session.limits?.["id"]?.problemOf(null), undefined);
  await session.close("stopped");
}

async function updatesOnly(database: DatabaseUnderTest): Promise<void> {
  await database.create(visits);
  await database.insert("visits", [
    { id: "a", value: "old" },
    { id: "b", value: "old" },
  ]);
  const session = await openSink(sinkOver(database, "update"));
  await write(session, { id: "a", value: "new" });
  const error = await errorOf(write(session, { id: "b", value: "new" }, { id: "secret", value: "x" }), "SinkDataError");
  deepEqual(error.facts.where, ["id"]);
  match(error.detail, /: "secret"$/);
  await session.close("completed");
  await expectRows(database, [
    { id: "a", value: "new" },
    { id: "b", value: "old" },
  ]);
}

async function findsRows(database: DatabaseUnderTest): Promise<void> {
  await database.create(visits);
  await database.insert("visits", [{ id: "it's", value: null }]);
  const merging = await openSink(sinkOver(database, "merge"));
  equal(await merging.holds?.({ id: "it's", value: "whatever" }), true);
  equal(await merging.holds?.({ id: "other", value: "whatever" }), false);
  equal(await merging.holds?.({ id: null, value: "whatever" }), false);
  await merging.close("stopped");
  const updating = await openSink(sinkOver(database, "update"));
  equal(await updating.holds?.({ id: "it's", value: "x" }), false, "nothing was written to the row yet");
  await write(updating, { id: "it's", value: "x" });
  equal(await updating.holds?.({ id: "it's", value: "x" }), true);
  await updating.close("stopped");
  const inserting = await openSink(sinkOver(database, "insert"));
  equal(await inserting.holds?.({ id: "other", value: "x" }), true, "without keys any row will do");
  await inserting.close("stopped");
}
