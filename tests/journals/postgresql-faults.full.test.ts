// Needs a PostgreSQL server, whose processes are of another program; not dist.
import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { Pipeline } from "../../src/builder/pipeline.ts";
import type { Journal, JournalSession } from "../../src/contracts/journal.ts";
import type { RunReport } from "../../src/contracts/report.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { RunError } from "../../src/errors/llm-etl-error.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { PostgreSQLJournal } from "../../src/journals/postgresql.ts";
import {
  answerOf,
  badRow,
  one,
  other,
  runAttempt,
  runFacts,
  runRecord,
  valueCounts,
} from "../../src/testing/journal-samples.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { PostgreSQLConnection } from "../../src/postgresql/connect/connection.ts";
import { openLockConnection } from "../../src/postgresql/journal/lock-connection.ts";
import { SummarizerStep } from "../../src/steps/summarizer.ts";
import { startCuttableProxy } from "../support/cuttable-proxy.ts";
import { failsWith } from "../support/error-facts.ts";
import { startCommitProxy } from "../support/postgresql/commit-proxy.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { journalBehind, journalIn, noSignal, saveMany } from "../support/postgresql/journal.ts";
import { noPgbouncer, startPgbouncer } from "../support/postgresql/pgbouncer.ts";
import { startPostgreSQL } from "../support/postgresql/server.ts";

const skip = noPostgreSQL;
const database = testDatabase(
  ["wants_password", "wants_tls"]
    .map(
      (role) =>
        `DO $$ BEGIN CREATE ROLE ${role} LOGIN PASSWORD 'right'; EXCEPTION WHEN duplicate_object THEN NULL; END $$;`,
    )
    .join(" "),
);

const openRun = async (journal: Journal, runId = "run-1", role?: "worker"): Promise<JournalSession> =>
  await journal.open({ ...runFacts(runId), role }, noSignal());

/** What `check` and `run` ask of the journal fails in one way, and they end before the first row. */
async function isDenied(journal: PostgreSQLJournal, facts: ErrorFacts): Promise<RunError> {
  const failures = await Promise.all(
    [journal.preflight(noSignal()), openRun(journal)].map(async (asked) => {
      const [outcome] = await Promise.allSettled([asked]);
      ok(outcome.status === "rejected" && outcome.reason instanceof RunError, "it is not denied");
      failsWith("JOURNAL_FAILED", facts)(outcome.reason);
      return outcome.reason;
    }),
  );
  const [failure] = failures;
  ok(failure !== undefined && typeof failure.facts["hint"] === "string");
  equal(failures[1]?.message, failure.message);
  let readCount = 0;
  const rows = function* () {
    readCount += 1;
    yield { id: "1" };
  };
  const sink = new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } });
  const source = new MemorySource<{ id: string }>({ rows, primaryKeyColumn: "id" });
  const pipeline = new Pipeline({
    name: "visits",
    source,
    journal,
    llmProvider: new MockProvider(),
    payloadLog: "off",
  }).to(sink);
  await rejects(pipeline.run(), failsWith("JOURNAL_FAILED", facts));
  equal(readCount, 0);
  const { wouldRun, findings } = await pipeline.check();
  deepEqual([wouldRun, findings.find(({ code }) => code === "JOURNAL_FAILED")?.message], [false, failure.message]);
  return failure;
}

test("a journal that can't be reached is told before the first row, with what to do", { skip }, async () => {
  const { options } = await journalIn(database);
  const tells = async (change: (url: URL) => void, said: string): Promise<void> => {
    const url = new URL(options.connectionString);
    change(url);
    const journal = new PostgreSQLJournal({ ...options, connectionString: url.href });
    const { message, facts } = await isDenied(journal, {});
    ok(JSON.stringify(facts).includes(said), JSON.stringify(facts));
    ok(!message.includes("wr0ng"));
    await rejects(journal.reader(), { code: "JOURNAL_FAILED" });
  };
  await tells((url) => {
    url.username = "wants_password";
    url.password = "wr0ng";
  }, "28P01");
  await tells((url) => (url.pathname = "/nowhere"), "3D000");
  await tells((url) => url.searchParams.set("sslmode", "verify-full"), "EUNTRUSTED");
  await tells((url) => (url.username = "wants_tls"), "sslmode=");
  await tells((url) => (url.port = "1"), "ECONNREFUSED");
});

test(
  "a pooler in transaction mode is told before the first row",
  { skip: skip === false ? noPgbouncer : skip },
  async () => {
    const { options } = await journalIn(database);
    for (const connections of [1, 4]) {
      const pooler = await startPgbouncer(database.url(), connections);
      try {
        await isDenied(journalBehind({ port: Number(new URL(pooler.url).port) }, options), { problem: "pooler" });
      } finally {
        await pooler.stop();
      }
    }
  },
);

test("an older journal names the command; its statements bring it up to date", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  await database.run(`UPDATE "${options.schema}".journal_version SET version = 0`);
  const { facts } = await isDenied(journal, { problem: "older", version: 0 });
  match(String(facts["hint"]), /llm-etl sql create-journal/);
  await database.run(journal.createStatements());
  await (await openRun(journal)).close();
});

test("one who owns the schema alone makes its tables, whatever its name", { skip }, async () => {
  const schema = `their "own" o'schema`;
  const role = `owner_${database.name}`;
  await database.run(`CREATE ROLE ${role} LOGIN; CREATE SCHEMA "their ""own"" o'schema" AUTHORIZATION ${role}`);
  try {
    const url = new URL(database.url());
    url.username = role;
    const { journal } = await journalIn({ url: () => url.href, run: async (sql) => await asOwner(sql) }, { schema });
    await asOwner(journal.createStatements()); // again: nothing changes
    await (await openRun(journal)).close();

    async function asOwner(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      try {
        return (await client.query<Record<string, unknown>>(sql)).rows;
      } finally {
        await client.end();
      }
    }
  } finally {
    await database.run(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test("other tables of its schema are not its concern", { skip }, async () => {
  const { options } = await journalIn(database);
  const { schema } = options;
  const role = `writer_${schema}`;
  await database.run(`CREATE ROLE "${role}" LOGIN; GRANT USAGE ON SCHEMA "${schema}" TO "${role}";
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "${schema}" TO "${role}"; CREATE TABLE "${schema}".others (a int)`);
  try {
    const url = new URL(options.connectionString);
    url.username = role;
    const session = await openRun(new PostgreSQLJournal({ ...options, connectionString: url.href }));
    await saveMany(session, 2);
    await session.close();
  } finally {
    await database.run(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`);
  }
});

test("a database whose encoding lacks some letters is told before the first row", { skip }, async () => {
  const name = `latin_${database.name}`;
  await database.run(`CREATE DATABASE ${name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`);
  try {
    const url = new URL(database.url());
    url.pathname = `/${name}`;
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    const journal = new PostgreSQLJournal({ connectionString: url.href });
    await client.query(journal.createStatements());
    await client.end();
    await isDenied(journal, { problem: "encoding" });
  } finally {
    await database.run(`DROP DATABASE ${name} WITH (FORCE)`);
  }
});

test("a login that is no longer valid midway is told with what to do", { skip }, async () => {
  const { options } = await journalIn(database);
  const { schema } = options;
  const role = `rotated_${schema}`;
  await database.run(`CREATE ROLE "${role}" LOGIN SUPERUSER`);
  try {
    const url = new URL(options.connectionString);
    url.username = role;
    const session = await openRun(new PostgreSQLJournal({ ...options, connectionString: url.href }));
    await database.run(`ALTER ROLE "${role}" NOLOGIN`);
    await database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", [role]);
    const saved = session.answers.save(one, answerOf("late"));
    await rejects(saved, (error: RunError) => {
      failsWith("JOURNAL_FAILED", { errorStates: ["28000"] })(error);
      match(error.facts.hint ?? "", /check user/);
      return true;
    });
    await session.close();
  } finally {
    await database.run(`DROP ROLE "${role}"`);
  }
});

test(
  "two pipelines that keep the same answers at the same time never wait for each other in a circle",
  { skip },
  async () => {
    const { journal, options } = await journalIn(database);
    const keys = Array.from({ length: 300 }, (_, index) => index.toString(16).padStart(64, "0"));
    const sessions = await Promise.all(
      ["ann", "bob"].map(async (pipeline) => await journal.open({ ...runFacts(pipeline), pipeline }, noSignal())),
    );
    const deadlocks = async (): Promise<unknown> =>
      (await database.run("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))[0];
    await database.run(`ALTER TABLE "${options.schema}".answers ADD CHECK (pg_sleep(0.001)::text = '')`);
    const before = await deadlocks();
    await Promise.all(
      sessions.map(async (session, index) => {
        const ordered = index === 0 ? keys : keys.toReversed();
        await Promise.all(ordered.map(async (key) => await session.answers.save(key, answerOf("same"))));
      }),
    );
    await setTimeout(100);
    for (const session of sessions) await session.close();
    await setTimeout(1_200); // statistics are told when a connection ends, and a second later at the latest
    deepEqual(await deadlocks(), before);
  },
);

test("names and texts may be any: of the schema, pipelines, models, steps, errors", { skip }, async () => {
  const odd = `a"b c'\\ $1 \0 \ud800 \u0001 ü%_`;
  for (const [schema, text] of [
    ['odd "schema" c\'s', odd],
    ["Upper $1", `\u0001${odd}`],
  ] as const) {
    const { journal } = await journalIn(database, { schema });
    const facts = { ...runFacts(text), pipeline: text, sink: text, host: text };
    const session = await journal.open(facts, noSignal());
    await rejects(journal.open({ ...facts, runId: "run-2" }, noSignal()), { code: "JOURNAL_IN_USE" });
    const answer = { ...answerOf(text), model: text, runId: text };
    await session.answers.save(one, answer);
    const bad = badRow(7, { pk: text, step: text, errorMessage: text, runId: text });
    await session.rows.saveFailed(text, [bad]);
    const run = { ...runRecord(text), ...facts, error: { code: "RUN", message: text } };
    await session.runs.save(run);
    await session.runs.saveAttempts(text, [runAttempt({ pk: text, step: text })]);
    const lease = await session.leases.claim(text, text, text, 60_000);
    equal(lease?.range, text);
    await session.close();
    const reader = await journal.reader();
    ok(reader !== undefined);
    deepEqual((await reader.answers.find([one])).get(one), answer);
    deepEqual((await reader.runs.failures(text, { limit: 9 })).items, [bad]);
    deepEqual((await reader.runs.list({ limit: 9, pipeline: text })).items[0], run);
    equal((await reader.runs.attempts(text, text, { limit: 9 })).items[0]?.step, text);
    await reader.close();
    const name = `"${schema.replaceAll('"', '""')}"`;
    for (const view of ["runs", "failed_rows", "step_figures"]) {
      equal((await database.run(`SELECT * FROM ${name}.${view}`)).length, 1, view);
    }
  }
});

test("names are longer than the key of an index may be", { skip }, async () => {
  const { journal } = await journalIn(database);
  const letters = randomBytes(4_000).toString("base64"); // which nothing makes shorter
  const names = [letters, `${letters} `, `\0${letters}`];
  for (const name of names) {
    const session = await journal.open({ ...runFacts("run-1"), pipeline: name }, noSignal());
    const steps = runRecord("run-1").steps.map((each) => ({ ...each, step: name }));
    await session.runs.save(runRecord("run-1", { pipeline: name, steps }));
    deepEqual(
      await Promise.all(
        names.map(
          async (each) => await session.runs.hasAnswered(name, each, runRecord("").steps[0]?.promptHashes[0] ?? ""),
        ),
      ),
      names.map((each) => each === name),
    );
    await session.watermarks.save({ pipeline: name, name, value: name, basis: "b", savedAt: new Date(0) });
    equal((await session.watermarks.find(name, name))?.value, name);
    equal((await session.leases.claim("run-1", name, "ann", 60_000))?.range, name);
    await session.runs.saveValues(
      "run-1",
      names.map((each) => valueCounts(each)),
    );
    await session.close();
  }
  const reader = await journal.reader();
  ok(reader !== undefined);
  const first = await reader.runs.values("run-1", { limit: 2 });
  const rest = await reader.runs.values("run-1", { limit: 2, from: first.next ?? "" });
  const columns = [...first.items, ...rest.items];
  deepEqual(columns.map(({ column }) => column).toSorted(), names.toSorted());
  deepEqual(new Set(columns.map(({ trues }) => trues)), new Set([3 * valueCounts("").trues])); // of three sessions
  equal((await reader.runs.list({ limit: 9, pipeline: letters })).items.length, 0); // the run's last pipeline is another
  await reader.close();
});

test(
  "the settings that free a dead machine's locks are those of the lock's connection, and of all others",
  { skip },
  async () => {
    const { journal } = await journalIn(database);
    const connection = new PostgreSQLConnection("PostgreSQLJournal", { connectionString: database.url() });
    const { pool } = await connection.open({ signal: noSignal(), fail: (problem) => new Error(problem) });
    const lock = await openLockConnection(connection, pool, noSignal(), journal.identity);
    const names = ["tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"];
    const rows = await lock.ask("SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", [
      [...names, "idle_session_timeout"],
    ]);
    deepEqual(Object.fromEntries(rows.map(({ name, setting }) => [name, setting])), {
      tcp_keepalives_idle: "20",
      tcp_keepalives_interval: "10",
      tcp_keepalives_count: "3",
      tcp_user_timeout: "50000",
      idle_session_timeout: "0",
    });
    const { rows: others } = await pool.query("SELECT setting FROM pg_settings WHERE name = ANY ($1) ORDER BY name", [
      names.slice(0, 3),
    ]);
    deepEqual(
      others.map(({ setting }) => setting),
      ["3", "20", "10"],
      "a transaction of a machine that is gone has locks, too",
    );
    await lock.end();
    await connection.close();
  },
);

test("a value that the database does not take is the error of its own save, without content", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  await database.run(`ALTER TABLE "${options.schema}".answers ADD CONSTRAINT no_secret CHECK (text <> 'the secret')`);
  const session = await openRun(journal);
  const saves = Array.from({ length: 20 }, async (_, index) => {
    const text = index === 13 ? "the secret" : `${index}`;
    await session.answers.save(`${index}`.padStart(64, "0"), answerOf(text));
  });
  const outcomes = await Promise.allSettled([session.runs.saveAttempts("run-1", [runAttempt()]), ...saves]);
  const failed = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  equal(failed.length, 1);
  const [error] = failed;
  failsWith("JOURNAL_FAILED", { problem: "failed", errorStates: ["23514"] })(error);
  ok(!String(error).includes("secret"));
  await session.answers.save(other, answerOf("later"));
  await session.close();
  equal((await database.run(`SELECT FROM "${options.schema}".answers`)).length, 20);
  equal(
    (await database.run(`SELECT FROM "${options.schema}".attempts`)).length,
    1,
    "what is saved with it is saved once",
  );
});

for (const when of ["before", "after"] as const) {
  test(`a commit whose ${when === "before" ? "request" : "answer"} is lost is made once`, { skip }, async () => {
    for (const commit of ["1 / count(*)", "COMMIT\0"]) {
      const { options } = await journalIn(database);
      const proxy = await startCommitProxy(options.connectionString, commit);
      const session = await openRun(new PostgreSQLJournal({ ...options, connectionString: proxy.url }));
      const lease = await session.leases.claim("run-1", "1-100", "ann", 60_000);
      ok(lease !== undefined);
      const { runs } = commit === "COMMIT\0" ? session.leases.under(lease) : session;
      const lost = proxy.loseCommit(when);
      await runs.saveAttempts("run-1", [runAttempt()]);
      equal(lost.hits, 1);
      equal((await database.run(`SELECT FROM "${options.schema}".attempts`)).length, 1);
      await session.close();
      proxy.close();
    }
  });
}

test("all that is saved at once, of several tables, goes in one round trip", { skip }, async () => {
  const { options } = await journalIn(database);
  const proxy = await startCuttableProxy(new URL(options.connectionString));
  const session = await openRun(journalBehind(proxy, options));
  await session.answers.save(one, answerOf("before"));
  proxy.silence("answers");
  const saving = Promise.all([
    session.answers.save(other, answerOf("kept")),
    session.answers.forget([one]),
    session.runs.saveAttempts("run-1", [runAttempt()]),
    session.runs.saveValues("run-1", [valueCounts("age")]),
  ]);
  const answers = async (): Promise<unknown> => await database.run(`SELECT text FROM "${options.schema}".answers`);
  for (let tries = 0; tries < 600 && JSON.stringify(await answers()) !== '[{"text":"kept"}]'; tries += 1) {
    await setTimeout(20); // though not a word of the server's has arrived
  }
  deepEqual(await answers(), [{ text: "kept" }]);
  await proxy.mend();
  await saving;
  equal((await database.run(`SELECT FROM "${options.schema}".attempts`)).length, 1);
  await session.close();
  proxy.cut();
});

test(
  "a network that is silent for a while is waited for, one that stays so ends the saves in time",
  { skip },
  async () => {
    const { options } = await journalIn(database, { timeoutMs: 4_000 });
    const proxy = await startCuttableProxy(new URL(options.connectionString));
    const session = await openRun(journalBehind(proxy, options));
    proxy.silence();
    const saving = saveMany(session, 20);
    await setTimeout(1_500);
    await proxy.mend();
    await saving;
    equal((await database.run(`SELECT FROM "${options.schema}".attempts`)).length, 20);
    proxy.silence();
    const startedAt = performance.now();
    const away = failsWith("JOURNAL_FAILED", { problem: "away" });
    await Promise.all([rejects(saveMany(session, 20), away), rejects(session.answers.find([one]), away)]);
    await rejects(session.answers.find([one]), away);
    await session.close();
    ok(performance.now() - startedAt < 15_000, "within the timeout, and the time of one attempt");
    proxy.cut();
  },
);

test(
  "a commit is on the server's disk, and a save that goes silent ends, whatever the database's settings",
  { skip },
  async () => {
    const { options } = await journalIn(database);
    await database.run(
      `ALTER TABLE "${options.schema}".answers ADD CHECK (current_setting('synchronous_commit') = 'on'
      AND current_setting('idle_in_transaction_session_timeout') = '30s')`,
    );
    const url = new URL(options.connectionString);
    url.searchParams.set("options", "-c synchronous_commit=off -c default_transaction_isolation=serializable");
    const session = await openRun(new PostgreSQLJournal({ ...options, connectionString: url.href }));
    await saveMany(session, 20);
    await session.close();
  },
);

test("what is being saved when a session is closed is saved; what comes later is not", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const session = await openRun(journal);
  const saving = Promise.allSettled([saveMany(session, 100)]); // of each answer the attempt is saved afterwards
  await session.close();
  await session.close();
  await saving;
  equal((await database.run(`SELECT FROM "${options.schema}".answers`)).length, 100);
  await rejects(session.answers.save(one, answerOf("late")), failsWith("JOURNAL_FAILED"));
  await rejects(session.answers.find([one]), failsWith("JOURNAL_FAILED"));
});

test("a close while the network is silent gives saves some seconds, not the whole timeout", { skip }, async () => {
  const { options } = await journalIn(database);
  const proxy = await startCuttableProxy(new URL(options.connectionString));
  const session = await openRun(journalBehind(proxy, options));
  proxy.silence();
  const saving = rejects(session.answers.save(one, answerOf("late")), failsWith("JOURNAL_FAILED"));
  const startedAt = performance.now();
  await session.close();
  await saving;
  ok(performance.now() - startedAt < 25_000, "of 60 s");
  proxy.cut();
});

test("the epoch alone denies a save, whoever has the lock", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const session = await openRun(journal);
  await session.answers.save(one, answerOf("before"));
  await database.run(`UPDATE "${options.schema}".pipelines SET epoch = epoch + 1`);
  const lost = failsWith("JOURNAL_FAILED", { problem: "lock-lost" });
  await rejects(session.answers.save(one, answerOf("late")), lost);
  await rejects(session.answers.save(one, answerOf("later")), lost);
  const [answer] = await database.run(`SELECT text FROM "${options.schema}".answers`);
  deepEqual(answer, { text: "before" });
  await session.close();
});

test("another run is denied with its holder by a journal that waits for nothing, too", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const session = await openRun(journal);
  const impatient = new PostgreSQLJournal({ ...options, timeoutMs: 0 });
  await rejects(openRun(impatient, "run-2"), { code: "JOURNAL_IN_USE" });
  await session.close();
  const next = await openRun(impatient, "run-2");
  await saveMany(next, 5);
  await next.close();
});

test("a lock whose connection ends is taken again without a save", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const session = await openRun(journal);
  const holders = `SELECT l.pid FROM pg_locks l JOIN "${options.schema}".pipelines p
    ON lpad(to_hex(l.classid::bigint), 8, '0') || lpad(to_hex(l.objid::bigint), 8, '0') = p.lock_name WHERE l.locktype = 'advisory'`;
  const [first] = await database.run(holders);
  await database.run("SELECT pg_terminate_backend($1)", [first?.["pid"]]);
  const again = async (): Promise<unknown> => (await database.run(holders))[0]?.["pid"] ?? first?.["pid"];
  for (let tries = 0; tries < 600 && (await again()) === first?.["pid"]; tries += 1) await setTimeout(50);
  await rejects(openRun(journal, "run-2"), { code: "JOURNAL_IN_USE" });
  await session.answers.save(one, answerOf("kept"));
  await session.close();
});

test("a lock that the server still gives to the lost connection keeps no save waiting", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const session = await openRun(journal);
  const lost = new pg.Client({ connectionString: options.connectionString });
  await lost.connect();
  await database.run(
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
  );
  await lost.query(`SELECT pg_advisory_lock(('x' || lock_name)::bit(64)::bigint) FROM "${options.schema}".pipelines`);
  await saveMany(session, 5);
  await rejects(openRun(journal, "run-2"), { code: "JOURNAL_IN_USE" });
  await lost.end();
  await saveMany(session, 5);
  await session.close();
  equal((await database.run(`SELECT FROM "${options.schema}".attempts`)).length, 10);
});

test("a worker that comes while the connections of the others are broken joins them", { skip }, async () => {
  const { journal, options } = await journalIn(database);
  const proxy = await startCuttableProxy(new URL(options.connectionString));
  const ann = await openRun(journalBehind(proxy, options), "run-1", "worker");
  await saveMany(ann, 2);
  proxy.cut();
  const bob = await openRun(journal, "run-1", "worker");
  await saveMany(bob, 2);
  await proxy.mend();
  await saveMany(ann, 2);
  await rejects(openRun(journal, "run-2"), { code: "JOURNAL_IN_USE" });
  await ann.close();
  await saveMany(bob, 2);
  await bob.close();
  const next = await openRun(journal, "run-2");
  equal((await database.run(`SELECT FROM "${options.schema}".attempts`)).length, 8);
  await next.close();
  proxy.cut();
});

test("a server that takes no writes for a while is waited for, also where its connections stay", { skip }, async () => {
  const server = await startPostgreSQL();
  const run = async (sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    const client = new pg.Client({ connectionString: server.url() });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  try {
    const { journal, options } = await journalIn({ url: () => server.url(), run });
    const session = await openRun(journal);
    await saveMany(session, 5);
    await run("ALTER SYSTEM SET default_transaction_read_only = on");
    await run("SELECT pg_reload_conf()");
    await setTimeout(200);
    const saving = saveMany(session, 5);
    await setTimeout(500);
    equal((await run(`SELECT FROM "${options.schema}".attempts`)).length, 5);
    await run("ALTER SYSTEM RESET default_transaction_read_only");
    await run("SELECT pg_reload_conf()");
    await saving;

    await server.stop();
    await server.start("standby");
    await isDenied(new PostgreSQLJournal(options), { problem: "read-only" });
    const waiting = saveMany(session, 5);
    await setTimeout(500);
    await run("SELECT pg_promote()");
    await waiting;
    equal((await run(`SELECT FROM "${options.schema}".attempts`)).length, 15);
    await session.close();
  } finally {
    await server.remove();
  }
});

/** Fifty rows, two at a time, each with a call of 30 ms. */
function pipelineOver(journal: PostgreSQLJournal) {
  const rows = Array.from({ length: 50 }, (_, index) => ({ id: `${index}`, notes: `Chest pain ${index}.` }));
  return new Pipeline({
    name: "visits",
    source: new MemorySource<{ id: string; notes: string }>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({ latencyMs: 30 }),
    journal,
    payloadLog: "off",
    concurrency: 2,
  })
    .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.notes }, outputKey: "summary" }))
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }));
}

/** Resolves when a run has saved some answers. */
async function midway(running: Promise<RunReport>, schema: string): Promise<void> {
  while ((await database.run(`SELECT FROM "${schema}".answers`)).length < 3) {
    equal(await Promise.race([running.then(({ error }) => String(error)), setTimeout(20)]), undefined);
  }
}

test("a run that is stopped while the database is away ends within its grace", { skip }, async () => {
  const { options } = await journalIn(database);
  const proxy = await startCuttableProxy(new URL(options.connectionString));
  const stop = new AbortController();
  const running = pipelineOver(journalBehind(proxy, options)).run({ signal: stop.signal, gracePeriodMs: 500 });
  await midway(running, options.schema);
  proxy.silence();
  await setTimeout(200);
  const startedAt = performance.now();
  stop.abort();
  const { status, exitCode } = await running;
  deepEqual([status, exitCode], ["aborted", 3]);
  ok(performance.now() - startedAt < 20_000, "0.5 s of grace, and 8 s to end: not a minute");
  proxy.cut();
});

test(
  "a run whose journal is away for too long, or another run's, stops; the next one pays for what was in flight",
  { skip },
  async () => {
    for (const problem of ["away", "lock-lost"] as const) {
      const { journal, options } = await journalIn(database, { timeoutMs: 500 });
      const proxy = await startCuttableProxy(new URL(options.connectionString));
      const running = pipelineOver(journalBehind(proxy, options)).run();
      await midway(running, options.schema);
      if (problem === "away") proxy.cut();
      else await database.run(`UPDATE "${options.schema}".pipelines SET epoch = epoch + 1`);
      const { status, exitCode, error, usage } = await running;
      deepEqual([status, exitCode], ["failed", 3]);
      failsWith("JOURNAL_FAILED", { problem })(error);
      const next = await pipelineOver(journal).run();
      deepEqual([next.status, next.successCount], ["completed", 50]);
      ok(usage.calls + next.usage.calls <= 50 + 2, `${usage.calls} and ${next.usage.calls} calls`);
      if (problem !== "away") proxy.cut();
    }
  },
);

test("a schema's name that the server would cut off is an error of the option", () => {
  for (const schema of ["s".repeat(64), "ü".repeat(32), "a\0b", " "]) {
    throws(() => new PostgreSQLJournal({ schema }), failsWith("INVALID_OPTION", { where: "schema" }));
  }
});

test("without a connection a journal can be defined, and prints its statements", () => {
  const before = { ...process.env };
  for (const name of ["DATABASE_URL", "PGHOST", "PGDATABASE"]) delete process.env[name];
  try {
    const journal = new PostgreSQLJournal({ schema: "a" });
    equal(journal.identity, "postgresql:///a");
    deepEqual(journal.requirements.environment, ["DATABASE_URL"]);
    match(journal.createStatements(), /CREATE SCHEMA "a"/);
    process.env["DATABASE_URL"] = "postgresql://me:secret@DB.example:5432/clinic";
    equal(journal.identity, "postgresql://db.example/clinic/a");
  } finally {
    Object.assign(process.env, before);
    if (before["DATABASE_URL"] === undefined) delete process.env["DATABASE_URL"];
  }
});
