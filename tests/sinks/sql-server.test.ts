import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { OptionError, Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { quoteIdentifier } from "../../src/sql-server/identifiers.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { sinkContract, type SinkUnderTest } from "../../src/testing/sink-contract.ts";
import {
  constructSink,
  openTarget,
  startTargetServer,
  type TargetServerOptions,
} from "../support/sql-server-target.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

interface State {
  readonly pk: string;
  readonly value: string;
}

const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.value };
const table = "CREATE TABLE dbo.visits (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(200) NULL)";
const connectionString = "Server=Tcp:Host,1433;Database=Clinic;User ID=etl;Password=secret";
const noAbort = new AbortController().signal;

// A fresh target has no row that "update" could change: its promises are tested in tests/sql-server/batch-writer.test.ts.
for (const strategy of ["merge", "update_insert", "insert"] as const) {
  for (const [kind, sql] of Object.entries({
    "a table of NVARCHAR": table,
    "a table of VARCHAR in UTF-8": table.replaceAll(
      /NVARCHAR\((\d+)\)/g,
      "VARCHAR($1) COLLATE Latin1_General_100_CI_AS_SC_UTF8",
    ),
  })) {
    test(`SQLServerSink by ${strategy} into ${kind} keeps what every sink promises`, async (t) => {
      const keys = strategy === "insert" ? {} : { mergeKeys: ["id"] };
      const create = async (): Promise<SinkUnderTest> => {
        const server = await startTargetServer({ sql });
        server.table("dbo.visits").check("CK_refused", (row) => row["id"] !== "refused");
        const options = { connectionString: server.connectionString, strategy, ...keys, columnMap };
        return {
          sink: constructSink({ ...options, targetTable: "visits" }),
          twin: constructSink({ ...options, targetTable: '[DBO]."Visits"' }),
          rowsWritten: async () => server.table("dbo.visits").rows(),
          release: server.close,
        };
      };
      const checks = sinkContract({ create, keyed: strategy !== "insert", refusedRow: { id: "refused", value: "x" } });
      for (const { name, check } of checks) await t.test(name, check);
    });
  }
}

function identityOf(targetTable: string, given = connectionString): string {
  return constructSink({ connectionString: given, targetTable, mergeKeys: ["id"], columnMap }).identity;
}

test("the identity is server, database, schema and table, however they are spelt", () => {
  const expected = "host/clinic/dbo.visits";
  for (const name of ["visits", "dbo.visits", "[dbo].[Visits]", '"DBO"."visits"', " visits "])
    assert.equal(identityOf(name), expected);
  assert.equal(
    identityOf("visits", "Driver={ODBC Driver 18 for SQL Server};Server=HOST;Database={clinic};UID=u;PWD=p"),
    expected,
  );
  assert.equal(identityOf("[my schema].[odd.]]name]"), "host/clinic/[my schema].[odd.]]name]");
  assert.notEqual(identityOf("[a.b].[c]"), identityOf("[a].[b.c]"));
});

test("wrong options fail at construction, with what was expected", () => {
  const good = { connectionString, targetTable: "visits", mergeKeys: ["id"], columnMap };
  const problems: readonly (readonly [object, string, RegExp])[] = [
    [
      { targetTable: "a.b.c" },
      "targetTable",
      /got one with the name of a database; name the database in the connection string/,
    ],
    [
      { targetTable: "my table" },
      "targetTable",
      /expected a table's name: t, dbo\.t or \[my schema\]\.\[odd\]\]name\]/,
    ],
    [{ targetTable: "#temporary" }, "targetTable", /expected a lasting table, got a temporary one/],
    [{ targetTable: "" }, "targetTable", /expected text that is not blank/],
    [{ columnMap: {} }, "columnMap", /an object of functions, with at least one/],
    [{ strategy: "upsert" }, "strategy", /expected "merge" or "update_insert" or "insert" or "update"/],
    [
      { mergeKeys: undefined },
      "mergeKeys",
      /expected at least one column, got none; strategy "merge" finds rows by them/,
    ],
    [{ mergeKeys: ["nothing"] }, "mergeKeys", /expected columns of the columnMap \(id, value\), got "nothing"/],
    [{ mergeKeys: ["id", "id"] }, "mergeKeys", /expected each column once, got one twice/],
    [{ strategy: "insert" }, "mergeKeys", /expected none with strategy "insert", got 1/],
    [{ strategy: "update", mergeKeys: ["id", "value"] }, "mergeKeys", /has nothing to update/],
    [{ sinkTimeoutMs: -1 }, "sinkTimeoutMs", /whole milliseconds from 0/],
    [{ mergeKey: ["id"] }, "mergeKey", /unknown option; did you mean "mergeKeys"\?/],
    [{ connectionString: "Server=h;Pasword=x" }, "connectionString", /./],
  ];
  for (const [wrong, option, message] of problems) {
    const fails = (error: unknown): boolean =>
      error instanceof OptionError && error.option === option && message.test(error.message);
    assert.throws(() => constructSink({ ...good, ...wrong }), fails, JSON.stringify(wrong));
  }
});

test("the types refuse a merge key that is no column, and keys where rows are only added", () => {
  const good = { connectionString, targetTable: "t", columnMap };
  // @ts-expect-error "vlaue" is no column of the map
  assert.throws(() => new SQLServerSink({ ...good, mergeKeys: ["vlaue"] }), OptionError);
  // @ts-expect-error "insert" takes no keys
  assert.throws(() => new SQLServerSink({ ...good, strategy: "insert", mergeKeys: ["id"] }), OptionError);
  assert.equal(new SQLServerSink({ ...good, mergeKeys: ["id"] }).name, "sql-server");
});

async function refusalOf(t: TestContext, options: TargetServerOptions, sinkOptions: object = {}): Promise<Error> {
  const server = await startTargetServer(options, t);
  const given = {
    connectionString: server.connectionString,
    targetTable: "visits",
    mergeKeys: ["id"],
    columnMap,
    ...sinkOptions,
  };
  const [opening] = await Promise.allSettled([constructSink(given).open({ signal: noAbort })]);
  assert.ok(opening.status === "rejected" && opening.reason instanceof Error, "it was opened");
  return opening.reason;
}

test("what does not fit is refused before the first row, and the connection is closed", async (t) => {
  const absent = await refusalOf(t, { sql: table }, { targetTable: "visit" });
  assert.equal(absent.name, "TargetError");
  assert.match(
    absent.message,
    /there is no table "dbo\.visit" in 127\.0\.0\.1,\d+\/clinic, or the login may not see it; closest: "dbo\.visits"$/,
  );
  assert.match(
    (await refusalOf(t, { sql: table.replace(" PRIMARY KEY", "") })).message,
    /has no primary key or unique index/,
  );
  assert.match(
    (await refusalOf(t, { sql: table.replace("value", "walue") })).message,
    /has no column "value"; .*closest: "walue"$/,
  );
});

test("a server without MERGE is told before the first row, with the strategy that it takes", async (t) => {
  const refuses = [/\bMERGE\b/];
  const refused = await refusalOf(t, { sql: table, refuses });
  assert.equal(
    refused.message,
    `sql-server: [dbo].[visits] can't be written (error 102): the server does not know the statement; where it has no MERGE, use strategy "update_insert"`,
  );
  const { session } = await openTarget(t, { sql: table, refuses }, ["id", "value"], {
    targetTable: "visits",
    strategy: "update_insert",
  });
  await session.write(groupsOf([{ id: "1", value: "x" }]));
});

test("a catalog that can't be read is the sink's failure, without the server's text", async (t) => {
  const server = await startTargetServer({ sql: table }, t);
  server.faults.add({ on: /llm-etl:target/, error: { number: 229, message: "secret" } });
  const sink = constructSink({
    connectionString: server.connectionString,
    targetTable: "visits",
    mergeKeys: ["id"],
    columnMap,
  });
  await assert.rejects(sink.open({ signal: noAbort }), {
    name: "SinkError",
    message: /^sql-server: the catalog of 127\.0\.0\.1,\d+ can't be read \(error 229\)$/,
  });
  server.faults.add({ on: /llm-etl:target/, error: 1205 });
  await (await sink.open({ signal: noAbort })).close("completed");
});

test("a server that is not there is the sink's failure, and no secret is told", async () => {
  const sink = constructSink({
    connectionString: "Server=127.0.0.1,1;Database=d;User ID=u;Password=hunter2;Connect Timeout=5",
    targetTable: "t",
    mergeKeys: ["id"],
    columnMap,
  });
  await assert.rejects(sink.open({ signal: noAbort }), (error: Error) => {
    return (
      error.name === "SinkError" &&
      /can't connect to SQL Server at 127\.0\.0\.1,1/.test(error.message) &&
      !/hunter2/.test(error.message)
    );
  });
});

test("names and values that look like SQL are names and values", async (t) => {
  const odd = ["x]; DROP TABLE dbo.victim; --", 'it\'s [a] "name"', "/* c */ @p", "-- \n;", "日本\u{1F600}"];
  for (const name of odd) {
    const [schema, column] = ["dbo", `c ${name}`];
    const target = `${schema}.${quoteIdentifier(name)}`;
    const sql = `CREATE TABLE dbo.victim (id INT); CREATE TABLE ${target} (${quoteIdentifier(`k ${name}`)} NVARCHAR(200) NOT NULL PRIMARY KEY, ${quoteIdentifier(column)} NVARCHAR(MAX))`;
    for (const strategy of ["merge", "update_insert", "insert", "update"] as const) {
      const { session, rows, server } = await openTarget(t, { sql }, [`k ${name}`, column], {
        targetTable: target,
        strategy,
        ...(strategy === "insert" ? {} : { mergeKeys: [`k ${name}`] }),
      });
      const row = { [`k ${name}`]: "'; DROP TABLE dbo.victim; --", [column]: "x" };
      if (strategy === "update") server.table(target).insert([row]);
      await session.write(groupsOf([row]));
      assert.deepEqual(rows(), [row]);
      assert.deepEqual(server.table("dbo.victim").rows(), []);
    }
  }
});

test("values of any signs are stored as they are, or refused: never run", async (t) => {
  const sql =
    "CREATE TABLE dbo.t (id NVARCHAR(100) NOT NULL PRIMARY KEY, value NVARCHAR(MAX)); CREATE TABLE dbo.victim (id INT)";
  const { session, rows, server } = await openTarget(t, { sql }, ["id", "value"]);
  const sign = fc.constantFrom(
    "'",
    '"',
    "[",
    "]",
    "--",
    ";",
    "DROP TABLE dbo.victim",
    "\0",
    "\uD800",
    "\uDC00",
    "{",
    "}",
    "\\",
    "\n",
    "@p1",
    "é",
    "%",
  );
  const text = fc.oneof(
    fc.array(sign, { maxLength: 30 }).map((signs) => signs.join("")),
    fc.string({ unit: "binary" }),
  );
  const values = [...fc.sample(text, { seed: 5, numRuns: 200 }), "'; --".repeat(20_000)];
  const expected = new Map<string, string>();
  for (const [index, value] of values.entries()) {
    const row = { id: `${index} ${value.slice(0, 50)}`, value };
    if (value.isWellFormed() && row.id.isWellFormed()) expected.set(row.id, value);
    const violations = session.check?.(row) ?? [];
    assert.equal(violations.length > 0, !expected.has(row.id));
    for (const { message } of violations) assert.match(message, /half of a surrogate pair$/);
  }
  assert.ok(expected.size > 50 && expected.size < values.length);
  await session.write(groupsOf(Array.from(expected, ([id, value]) => ({ id, value }))));
  assert.deepEqual(new Map(rows().map(({ id, value }) => [id, value])), expected);
  assert.deepEqual(server.table("dbo.victim").rows(), []);
});

test("two rows of a run with one merge key: the first is written, the second is a row error", async (t) => {
  const server = await startTargetServer({ sql: table }, t);
  const keys = ["a", "b", "A", "c", "B", "d"];
  const source = new MemorySource<{ n: string; key: string }>({
    rows: keys.map((key, n) => ({ n: `${n}`, key })),
    primaryKeyColumn: "n",
  });
  const report = await new Pipeline({
    name: "twice",
    source,
    llmProvider: new MockProvider(),
    batchSize: 4,
    concurrency: 1,
    onRowError: "skip",
    journal: "off",
    payloadLog: "off",
  })
    .to(
      new SQLServerSink({
        connectionString: server.connectionString,
        targetTable: "visits",
        mergeKeys: ["id"],
        columnMap: { id: (state) => state.raw.key, value: (state) => state.pk },
      }),
    )
    .run();
  assert.deepEqual(server.table("dbo.visits").rows(), [
    { id: "a", value: "0" },
    { id: "b", value: "1" },
    { id: "c", value: "3" },
    { id: "d", value: "5" },
  ]);
  assert.equal(report.successCount, 4);
});
