import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import * as fc from "fast-check";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { OptionError, SinkError } from "../../src/index.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { tableSinkContract } from "../../src/testing/table-sink-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { sqlServerKinds, sqlServerUnderTest } from "../support/sql-server-under-test.ts";
import { constructSink, openTarget, startTargetServer } from "../support/sql-server-target.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";

interface State {
  readonly pk: string;
  readonly value: string;
}

const columnMap = { id: (state: State) => state.pk, value: (state: State) => state.value };
const table = "CREATE TABLE dbo.visits (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(200) NULL)";
const connectionString = "Server=Tcp:Host,1433;Database=Clinic;User ID=etl;Password=secret";
const noAbort = new AbortController().signal;

const suite = tableSinkContract({
  create: async () => {
    const cleanUps: (() => Promise<void>)[] = [];
    const database = await sqlServerUnderTest({ after: (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp) });
    return { ...database, release: async () => void (await Promise.all(cleanUps.map((cleanUp) => cleanUp()))) };
  },
  strategies: ["merge", "update_insert", "update", "insert"],
  kinds: sqlServerKinds,
});
for (const { name, check } of suite) test(`SQLServerSink: ${name}`, check);

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
  const problems: readonly (readonly [object, string, ErrorFacts?])[] = [
    [{ targetTable: "a.b.c" }, "targetTable", { got: "one with the name of a database" }],
    [{ targetTable: "my table" }, "targetTable"],
    [{ targetTable: "#temporary" }, "targetTable", { got: "a temporary one" }],
    [{ targetTable: "" }, "targetTable"],
    [{ columnMap: {} }, "columnMap"],
    [{ strategy: "upsert" }, "strategy"],
    [{ mergeKeys: undefined }, "mergeKeys", { got: "none" }],
    [{ mergeKeys: ["nothing"] }, "mergeKeys", { got: '"nothing"' }],
    [{ mergeKeys: ["id", "id"] }, "mergeKeys", { got: "one twice" }],
    [{ strategy: "insert" }, "mergeKeys", { got: 1 }],
    [{ strategy: "update", mergeKeys: ["id", "value"] }, "mergeKeys"],
    [{ sinkTimeoutMs: -1 }, "sinkTimeoutMs"],
    [{ mergeKey: ["id"] }, "mergeKey"],
    [{ connectionString: "Server=h;Pasword=x" }, "connectionString", { key: "Pasword" }],
  ];
  for (const [wrong, where, facts] of problems) {
    assert.throws(() => constructSink({ ...good, ...wrong }), failsWith("INVALID_OPTION", { where, ...facts }));
  }
});

test("the types reject a merge key that is no column, and keys where rows are only added", () => {
  const good = { connectionString, targetTable: "t", columnMap };
  // @ts-expect-error "vlaue" is no column of the map
  assert.throws(() => new SQLServerSink({ ...good, mergeKeys: ["vlaue"] }), OptionError);
  // @ts-expect-error "insert" takes no keys
  assert.throws(() => new SQLServerSink({ ...good, strategy: "insert", mergeKeys: ["id"] }), OptionError);
  assert.equal(new SQLServerSink({ ...good, mergeKeys: ["id"] }).name, "sql-server");
});

test("a server without MERGE is found before the first row, with the strategy that it takes", async (t) => {
  const refuses = [/\bMERGE\b/];
  const server = await startTargetServer({ sql: table, refuses }, t);
  const sink = constructSink({
    connectionString: server.connectionString,
    targetTable: "visits",
    mergeKeys: ["id"],
    columnMap,
  });
  await assert.rejects(sink.open({ signal: noAbort }), (error) => {
    failsWith("SINK_FAILED", { errorNumbers: [102], where: "dbo.visits" })(error);
    assert.ok(error instanceof SinkError);
    assert.match(error.facts.hint ?? "", /strategy "update_insert"$/);
    return true;
  });
  const { session } = await openTarget(t, { sql: table, refuses }, ["id", "value"], {
    targetTable: "visits",
    strategy: "update_insert",
  });
  await session.write(groupsOf([{ id: "1", value: "x" }]));
});

test("a sink that does not open closes its connection", { timeout: 60_000 }, async (t) => {
  const server = await startTargetServer({ sql: table }, t);
  const { connectionString } = server;
  const sink = constructSink({ connectionString, targetTable: "visit", mergeKeys: ["id"], columnMap });
  await assert.rejects(sink.open({ signal: noAbort }), failsWith("TARGET_MISMATCH", { where: "dbo.visit" }));
  while (server.connections() > 0) await setImmediate(); // until the server has seen it
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
  await assert.rejects(sink.open({ signal: noAbort }), (error) => {
    assert.ok(error instanceof SinkError && !error.message.includes("secret"));
    return failsWith("SINK_FAILED", { errorNumbers: [229] })(error);
  });
  server.faults.add({ on: /llm-etl:target/, error: 1205 });
  await (await sink.open({ signal: noAbort })).close("completed");
});

test("a server that is not there is the sink's failure, and no secret is shown", async () => {
  const sink = constructSink({
    connectionString: "Server=127.0.0.1,1;Database=d;User ID=u;Password=hunter2;Connect Timeout=5",
    targetTable: "t",
    mergeKeys: ["id"],
    columnMap,
  });
  await assert.rejects(sink.open({ signal: noAbort }), (error) => {
    assert.ok(error instanceof SinkError && error.message.includes("127.0.0.1,1"));
    assert.ok(!error.message.includes("hunter2"));
    return failsWith("SINK_FAILED", { errorCodes: ["ESOCKET", "ECONNREFUSED"] })(error);
  });
});

test("values of any signs are stored as they are, or rejected: never run", async (t) => {
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
