// Full lane: processes of its own that write into the journal, and seconds of CPU for the server of the tests; not dist.
import assert from "node:assert/strict";
import { hash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import mssql from "mssql";
import type { JournalSession } from "../../src/contracts/journal.ts";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import { copyJournal } from "../../src/journal-upkeep/copy.ts";
import { whileHeld, withLook } from "../../src/journal-upkeep/look.ts";
import { prune } from "../../src/journal-upkeep/prune.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { SQLServerJournal, type SQLServerJournalOptions } from "../../src/journals/sql-server.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import {
  answerOf,
  badRow,
  one,
  runAttempt,
  runFacts,
  runRecord,
  writtenRow,
} from "../../src/testing/journal-samples.ts";
import { type CuttableProxy, startCuttableProxy } from "../support/cuttable-proxy.ts";
import { failsWith } from "../support/error-facts.ts";
import { resultSet, startSQLServer, type TableRow } from "../support/sql-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import type { SQLType, Value } from "../support/tds/sql-type.ts";

const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/sql-server.ts")).href;
const server = await startSQLServer();
const bit: SQLType = { name: "bit" };
const int: SQLType = { name: "int" };
const nvarchar: SQLType = { name: "nvarchar", length: 60 };

async function newJournal(given: Pick<SQLServerJournalOptions, "timeoutMs" | "answers" | "encryptionKey"> = {}) {
  const schema = `journal_${randomBytes(4).toString("hex")}`;
  const options = { connectionString: server.connectionString, schema, ...given };
  const journal = new SQLServerJournal(options);
  await server.run(journal.createStatements());
  return { journal, options };
}

const encrypted = { answers: "encrypted", encryptionKey: "k".repeat(43) } as const;

for (const [kept, given] of [
  ["plain", {}],
  ["encrypted", encrypted],
] as const) {
  const contract = journalContract({
    create: async () => {
      const { journal, options } = await newJournal(given);
      const moduleText = `import { SQLServerJournal } from ${JSON.stringify(module)};
        export default new SQLServerJournal(${JSON.stringify(options)});`;
      return { journal, moduleText };
    },
  });
  for (const { name, check } of contract) test(`${kept}: ${name} (not on a real server)`, check);
}

test("of an encrypted answer nothing is in the tables, and without the key it is told", async () => {
  const { journal, options } = await newJournal(encrypted);
  const session = await journal.open(runFacts("run-1"), noSignal());
  await session.answers.save(one, answerOf("a secret word"));
  assert.equal((await session.answers.find([one])).get(one)?.text, "a secret word");
  await session.close();
  const [answer] = rowsOf(options.schema, "answers");
  assert.doesNotMatch(JSON.stringify(answer?.["text"]), /secret|word/);
  const { connectionString, schema } = options;
  await assert.rejects(new SQLServerJournal({ connectionString, schema }).preflight(noSignal()), {
    code: "JOURNAL_FAILED",
  });
});

const noSignal = (): AbortSignal => new AbortController().signal;

function rowsOf(schema: string, table: string): readonly TableRow[] {
  return server.table(`[${schema}].[${table}]`).rows();
}

/** The same journal, by way of a proxy. */
function behind({ port }: CuttableProxy, { connectionString, ...options }: SQLServerJournalOptions): SQLServerJournal {
  return new SQLServerJournal({
    ...options,
    connectionString: connectionString?.replace(`,${server.port}`, `,${port}`),
  });
}

async function proxyToServer(t: TestContext): Promise<CuttableProxy> {
  const proxy = await startCuttableProxy(new URL(`tds://127.0.0.1:${server.port}`));
  t.after(proxy.cut);
  return proxy;
}

/** Saves that are under way at once: an answer each, and an attempt, which no key keeps from being doubled. */
async function saveMany(session: JournalSession, round: string, count: number): Promise<void> {
  const keys = Array.from({ length: count }, (_, index) => `${round}${index.toString(16)}`.padStart(64, "0"));
  await Promise.all(
    keys.flatMap((key, index) => [
      session.answers.save(key, answerOf(key)),
      session.runs.saveAttempts("run-1", [runAttempt({ waitMs: index })]),
    ]),
  );
  assert.equal((await session.answers.find(keys)).size, count);
}

test("a journal is opened though its first statements fail in passing", async () => {
  const { journal } = await newJournal();
  for (const on of [/journal_version/, /llm-etl:journal/, /WHERE 1 = 0/, /pipelines/, /sessions/]) {
    for (const fault of [{ error: 1205 }, { drop: "before" }] as const) {
      const armed = server.faults.add({ on, ...fault });
      const session = await journal.open(runFacts("run-1"), noSignal());
      await session.close();
      assert.equal(armed.hits, 1, `${String(on)} ${JSON.stringify(fault)}`);
      server.faults.clear();
    }
  }
});

test("a statement that fails in passing, or whose answer is lost, is repeated, and nothing is lost or doubled", async () => {
  const { journal, options } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  const statements = [/^BEGIN/, /UPDATE .*sessions/, /INSERT INTO .*attempts/, /UPDATE t .*answers/s, /^COMMIT/];
  const faults = [{ error: 1205 }, { error: 40_197 }, { error: 3906 }, { drop: "before" }, { drop: "after" }] as const;
  let rounds = 0;
  for (const on of statements) {
    for (const fault of faults) {
      const armed = server.faults.add({ on, ...fault });
      await saveMany(session, `${(rounds += 1)}`, 3);
      assert.equal(armed.hits, 1, `${String(on)} ${JSON.stringify(fault)}`);
      server.faults.clear();
    }
  }
  assert.equal(rowsOf(options.schema, "attempts").length, rounds * 3);
  assert.equal(rowsOf(options.schema, "answers").length, rounds * 3);
  await session.close();
});

test("a login that is no longer valid midway is told with what to do", async () => {
  const { journal } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  server.faults.add({ on: /UPDATE .*sessions/, error: 18_486 });
  await assert.rejects(session.answers.save(one, answerOf("late")), (error) => {
    failsWith("JOURNAL_FAILED", { errorNumbers: [18_486] })(error);
    assert.match(error instanceof LLMEtlError ? (error.facts.hint ?? "") : "", /locked/);
    return true;
  });
  server.faults.clear();
  await session.close();
});

test("a thousand answers, and all that is saved with them, go in one round trip, and are found in one", async () => {
  const { journal } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  const keys = Array.from({ length: 1000 }, (_, index) => index.toString(16).padStart(64, "0"));
  server.forget();
  await Promise.all([
    ...keys.map(async (key) => await session.answers.save(key, answerOf(key))),
    session.runs.saveAttempts("run-1", [runAttempt()]),
    session.answers.forget([one]),
  ]);
  assert.equal(server.roundTrips(), 1);
  server.forget();
  const found = await Promise.all(keys.map(async (key) => await session.answers.find([key])));
  assert.deepEqual([found.filter(({ size }) => size === 1).length, server.roundTrips()], [1000, 1]);
  await session.close();
});

test("all connections that break are made again, the one of the lock with them", async () => {
  const { journal, options } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  for (let round = 0; round < 5; round += 1) {
    const saving = saveMany(session, `${round}`, 50);
    await setTimeout(round);
    server.kill();
    await saving;
  }
  assert.equal(rowsOf(options.schema, "attempts").length, 250);
  await setTimeout(50); // the end of a connection is an event
  await saveMany(session, "a", 1);
  await assert.rejects(journal.open(runFacts("run-2"), noSignal()), { code: "JOURNAL_IN_USE" });
  await session.close();
});

test("a run whose lock another run has taken meanwhile saves nothing, and says so", async (t) => {
  const { journal, options } = await newJournal();
  const proxy = await proxyToServer(t);
  const session = await behind(proxy, options).open(runFacts("run-1"), noSignal());
  await session.answers.save(one, answerOf("before"));
  proxy.cut();
  const next = await journal.open(runFacts("run-2"), noSignal());
  await proxy.mend();
  const lost = failsWith("JOURNAL_FAILED", { problem: "lock-lost" });
  await assert.rejects(session.answers.save(one, answerOf("late")), lost);
  assert.equal((await next.answers.find([one])).get(one)?.text, "before");
  await next.close();
  await session.close();
});

test("a database that is away for longer than the timeout ends the saves, with what to do", async (t) => {
  const { options } = await newJournal({ timeoutMs: 300 });
  const proxy = await proxyToServer(t);
  const session = await behind(proxy, options).open(runFacts("run-1"), noSignal());
  proxy.cut();
  const away = failsWith("JOURNAL_FAILED", { problem: "away" });
  await assert.rejects(session.answers.save(one, answerOf("late")), away);
  await assert.rejects(session.answers.find([one]), away);
  await session.close();
});

test("a journal that is missing, newer, not permitted, read-only, or not durable is told before the first row, with the command", async (t) => {
  const own = await startSQLServer({}, t);
  const { connectionString } = own;
  const journal = new SQLServerJournal({ connectionString });
  const told = async (problem: string, hint: RegExp, each: SQLServerJournal = journal): Promise<void> => {
    for (const look of [each.open.bind(each, runFacts("run-1")), each.preflight]) {
      await assert.rejects(look(noSignal()), (error) => {
        failsWith("JOURNAL_FAILED", { problem })(error);
        assert.match(error instanceof LLMEtlError ? (error.facts.hint ?? "") : "", hint);
        return true;
      });
    }
  };
  await told("missing", /sql create-journal/);
  await own.run(journal.createStatements());
  await own.run(journal.createStatements()); // again: nothing changes
  assert.equal(await journal.preflight(noSignal()), true);
  own.faults.add({ on: /WHERE 1 = 0/, error: 207, times: 2 });
  await told("incomplete", /sql create-journal/);
  const state = { may_write: bit, updateability: nvarchar, delayed_durability: int };
  const cases: readonly (readonly [problem: string, hint: RegExp, row: readonly Value[]])[] = [
    ["permission", /^GRANT .* ON SCHEMA::\[llm_etl\]/, [false, "READ_WRITE", 0]],
    ["permission", /^GRANT /, [null, "READ_WRITE", 0]],
    ["read-only", /takes writes/, [true, "READ_ONLY", 0]],
    ["delayed-durability", /SET DELAYED_DURABILITY = ALLOWED/, [true, "READ_WRITE", 2]],
  ];
  for (const [problem, hint, row] of cases) {
    own.on(/llm-etl:journal/, () => [resultSet(state, [row])]);
    await told(problem, hint);
  }
  own.faults.add({ on: /llm-etl:journal/, error: 208, times: 2 });
  await told("compatibility", /SET COMPATIBILITY_LEVEL = 130/);
  own.faults.add({ on: /journal_version/, error: 229, times: 2 });
  await told("permission", /^GRANT /);
  await own.run("UPDATE llm_etl.journal_version SET version = 99");
  await told("newer", /update llm-etl/);
  await own.run("UPDATE llm_etl.journal_version SET version = 0");
  await told("older", /sql create-journal/);
});

test("a wrong password, database or server is told before the first row", async (t) => {
  const own = await startSQLServer({}, t);
  const wrong = [
    own.connectionString.replace("User ID=etl", "User ID=other"),
    own.connectionString.replace("Database=clinic", "Database=clnic"),
    own.connectionString.replace(`${own.port}`, "1"),
  ];
  for (const connectionString of wrong) {
    const journal = new SQLServerJournal({ connectionString });
    for (const look of [journal.open.bind(journal, runFacts("run-1")), journal.preflight, journal.reader]) {
      await assert.rejects(look(noSignal()), (error) => {
        assert.ok(error instanceof LLMEtlError && error.code === "JOURNAL_FAILED" && error.facts.hint !== undefined);
        assert.doesNotMatch(error.message, /Pa;ss/);
        return true;
      });
    }
  }
});

test("a pool of the user's serves session and lock, and stays open; one of a single connection is told", async (t) => {
  const { options } = await newJournal();
  const config = { ...server.config, pool: { max: 3 }, arrayRowMode: true, stream: true };
  const pool = await new mssql.ConnectionPool(config).connect();
  t.after(() => pool.close());
  const journal = new SQLServerJournal({ pool, schema: options.schema });
  const session = await journal.open(runFacts("run-1"), noSignal());
  await session.answers.save(one, answerOf("kept"));
  await assert.rejects(journal.open(runFacts("run-2"), noSignal()), { code: "JOURNAL_IN_USE" });
  await session.close();
  await (await journal.open(runFacts("run-2"), noSignal())).close();
  const request = pool.request();
  request.stream = false;
  assert.deepEqual(Array.from((await request.query("SELECT @@TRANCOUNT")).recordset), [[0]]);
  const single = new mssql.ConnectionPool({ ...server.config, pool: { max: 1 } });
  t.after(() => single.close());
  const opening = new SQLServerJournal({ pool: single, schema: options.schema }).open(runFacts("run-3"), noSignal());
  await assert.rejects(opening, failsWith("JOURNAL_FAILED", { problem: "pool" }));
});

test("a pool with a connection that is in a transaction already is rejected: nothing of it would be kept", async (t) => {
  const { options } = await newJournal();
  const pool = await new mssql.ConnectionPool({ ...server.config, pool: { max: 2 } }).connect();
  t.after(() => pool.close());
  const journal = new SQLServerJournal({ pool, schema: options.schema });
  const rejected = failsWith("JOURNAL_FAILED", { problem: "pool", where: "pool" });
  const session = await journal.open(runFacts("run-1"), noSignal());
  await pool.request().batch("BEGIN TRANSACTION"); // on the connection that the lock leaves
  await assert.rejects(session.answers.save(one, answerOf("lost")), rejected);
  await session.close();
  await pool.request().batch("BEGIN TRANSACTION");
  await assert.rejects(journal.open(runFacts("run-2"), noSignal()), rejected);
});

test("a run of another epoch saves nothing, though its session is there yet", async () => {
  const { journal, options } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  await session.answers.save(one, answerOf("before"));
  await server.run(`UPDATE [${options.schema}].[pipelines] SET epoch = epoch + 1`);
  const lost = failsWith("JOURNAL_FAILED", { problem: "lock-lost" });
  await assert.rejects(session.answers.save(one, answerOf("late")), lost);
  assert.equal(rowsOf(options.schema, "answers")[0]?.["text"], "before");
  await session.close();
});

test("names that are long, or differ in a blank or in case, are different names", async () => {
  const { journal } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  const long = "n".repeat(600);
  const names = [
    "n",
    "n ",
    "N",
    "n  ",
    "",
    " ",
    "n\u0001",
    long,
    `${long} `,
    `${long}n`,
    `\0${long}`,
    `\u0001${long}`,
    "ß",
    "ss",
  ];
  for (const name of names) {
    await session.watermarks.save({ pipeline: name, name, value: `of ${name}`, basis: "b", savedAt: new Date(0) });
  }
  for (const name of names) {
    assert.deepEqual((await session.watermarks.find(name, name))?.value, `of ${name}`, JSON.stringify(name));
  }
  const reader = await journal.reader();
  const listed = (await reader?.watermarks.list({ limit: 99 }))?.items.map((watermark) => watermark.name);
  assert.deepEqual(listed, names);
  await reader?.close();
  await session.close();
});

test("a schema and a pipeline may have any name", async () => {
  const schema = `odd ]'" ${randomBytes(4).toString("hex")}`;
  const journal = new SQLServerJournal({ connectionString: server.connectionString, schema });
  await server.run(journal.createStatements());
  for (const pipeline of ["it's a [name]", "p ".repeat(300), "\0\ud800", "é😀"]) {
    const run = { ...runFacts(pipeline), pipeline };
    const session = await journal.open(run, noSignal());
    await session.runs.save({ ...runRecord(pipeline, { status: "running", endedAt: null }), pipeline });
    const reader = await journal.reader();
    const { items } = (await reader?.runs.list({ limit: 9, pipeline })) ?? { items: [] };
    assert.deepEqual(
      items.map(({ runId, pipeline: name, status }) => [runId, name, status]),
      [[pipeline, pipeline, "running"]],
    );
    await reader?.close();
    await assert.rejects(journal.open({ ...run, runId: "other" }, noSignal()), { code: "JOURNAL_IN_USE" });
    await session.close();
  }
  for (const wrong of ["", " ", "n".repeat(129), "a\0b"]) {
    assert.throws(() => new SQLServerJournal({ schema: wrong }), failsWith("INVALID_OPTION", { where: "schema" }));
  }
});

test("people find runs, failed rows and figures of steps in views", async () => {
  const { journal, options } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  await session.runs.save(runRecord("run-1"));
  await session.rows.saveFailed("sink", [badRow(7)]);
  await session.close();
  const view = async (name: string, columns: string): Promise<readonly TableRow[]> =>
    await server.run(`SELECT ${columns} FROM [${options.schema}].[${name}]`);
  assert.deepEqual(await view("runs", "status, started_at, ended_at, read_count, calls, cost, currency"), [
    {
      status: "completed",
      started_at: "2026-01-02 03:04:05.006",
      ended_at: "2026-01-02 03:05:00.000",
      read_count: 3n,
      calls: 1n,
      cost: 0.25,
      currency: "USD",
    },
  ]);
  const failed = { pipeline: "visits", pk: "7", error_code: "REFUSAL", failed_at: "2026-01-02 03:04:06.007" };
  assert.deepEqual(await view("failed_rows", "pipeline, pk, error_code, failed_at"), [failed]);
  assert.deepEqual(await view("step_figures", "step, calls, p95_ms"), [{ step: "kind", calls: 7n, p95_ms: 340 }]);
});

test("a network that is silent for a while is waited for, one that stays so ends the saves in time", async (t) => {
  const { options } = await newJournal({ timeoutMs: 3000 });
  const proxy = await proxyToServer(t);
  const session = await behind(proxy, options).open(runFacts("run-1"), noSignal());
  await saveMany(session, "a", 3);
  proxy.silence();
  const saving = saveMany(session, "b", 3);
  await setTimeout(500);
  await proxy.mend();
  await saving;
  assert.equal(rowsOf(options.schema, "attempts").length, 6);
  proxy.silence();
  const startedAt = performance.now();
  await assert.rejects(session.answers.save(one, answerOf("late")), failsWith("JOURNAL_FAILED", { problem: "away" }));
  assert.ok(performance.now() - startedAt < 40_000);
  await session.close();
  await proxy.mend();
});

test("what a journal in a file has is copied, once, and pruned as there (not on a real server)", async () => {
  const { journal } = await newJournal(encrypted);
  const file = new SQLiteJournal({ path: join(temporaryFolder(), "journal.db") });
  const session = await file.open(runFacts("filling"), noSignal());
  const startedAt = new Date("2026-01-01");
  await session.runs.save(runRecord("run-1", { startedAt, endedAt: startedAt }));
  await session.runs.saveAttempts("run-1", [runAttempt(), runAttempt()]);
  await session.rows.saveFailed("memory", [badRow(2)]);
  for (const text of ["used", "unused"]) await session.answers.save(hash("sha256", text), answerOf(text));
  await session.rows.saveWritten("memory", [{ ...writtenRow("1"), fingerprints: [hash("sha256", "used")] }]);
  const reservation = { pipeline: "visits", runId: "run-1", currency: "USD", amount: 9n, fingerprint: one };
  const wanted = ["settled", "open"].map((id) => Object.assign({ id }, reservation));
  await session.spending.reserve(wanted, () => []);
  await session.spending.settle([{ id: "settled", amount: 7n }]);
  await session.close();
  const part = { pipeline: "visits", sinks: ["memory"] };
  const signal = noSignal();
  await withLook(file, async (from) => {
    await whileHeld(journal, signal, async (upkeep) => {
      await withLook(journal, async (look) => {
        const copy = async () => await copyJournal({ from: { ...from, part }, to: { upkeep, look, part }, signal });
        const copied = (await copy()).map((finding) => finding.copied);
        assert.deepEqual(copied, [1, 2, 2, 0, 0, 0, 2, 0]);
        assert.ok((await copy()).every((finding) => finding.copied === 0));
        assert.equal((await look.runs.attempts("run-1", "1", { limit: 5 })).items.length, 2);
        const request = { before: new Date(), includeCurrent: false, sinkKeys: [] };
        const [answers] = await prune({ look, upkeep, request, signal });
        assert.deepEqual([answers?.goes, answers?.stays], [1, { used: 1 }]);
        assert.equal((await upkeep.answers.find([hash("sha256", "used")])).size, 1);
      });
    });
  });
});
