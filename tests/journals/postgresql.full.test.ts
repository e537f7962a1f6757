// Needs a PostgreSQL server, and a process that is killed; not dist.
import { deepEqual, equal, rejects } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { PostgreSQLJournal } from "../../src/journals/postgresql.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { answerOf, badRow, one, runFacts, runRecord } from "../../src/testing/journal-samples.ts";
import { startCuttableProxy } from "../support/cuttable-proxy.ts";
import { failsWith } from "../support/error-facts.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { journalBehind, journalIn, noSignal, saveMany } from "../support/postgresql/journal.ts";
import { startPostgreSQL } from "../support/postgresql/server.ts";

const database = testDatabase();
const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/postgresql.ts")).href;

const newJournal = async (given: { readonly timeoutMs?: number } = {}) => await journalIn(database, given);

for (const { name, check } of journalContract({
  create: async () => {
    const { journal, options } = await newJournal();
    const moduleText = `import { PostgreSQLJournal } from ${JSON.stringify(module)};
      export default new PostgreSQLJournal(${JSON.stringify(options)});`;
    return { journal, moduleText };
  },
})) {
  test(name, { skip: noPostgreSQL }, check);
}

test(
  "a connection that is cut is made again, the lock with it, and nothing is lost or doubled",
  { skip: noPostgreSQL },
  async () => {
    const { options } = await newJournal();
    const proxy = await startCuttableProxy(new URL(options.connectionString));
    try {
      const session = await journalBehind(proxy, options).open(runFacts("run-1"), noSignal());
      for (let round = 0; round < 5; round += 1) {
        const saving = saveMany(session, 50);
        await setTimeout(round);
        proxy.cut();
        await setTimeout(20);
        await proxy.mend();
        await saving;
      }
      await saveMany(session, 10); // a cut behind all saves of a round is found by the next one, which takes the lock again
      const [counted] = await database.run(`SELECT count(*)::int AS n FROM "${options.schema}".attempts`);
      equal(counted?.["n"], 260);
      await rejects(new PostgreSQLJournal(options).open(runFacts("run-2"), noSignal()), { code: "JOURNAL_IN_USE" });
      await session.close();
    } finally {
      proxy.cut();
    }
  },
);

test("backends that are ended midway, with the one of the lock, are replaced", { skip: noPostgreSQL }, async () => {
  const { journal, options } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  for (let round = 0; round < 5; round += 1) {
    const saving = saveMany(session, 50);
    await database.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    await saving;
  }
  const [counted] = await database.run(`SELECT count(*)::int AS n FROM "${options.schema}".attempts`);
  equal(counted?.["n"], 250);
  await session.close();
});

test(
  "a run whose lock another run has taken meanwhile saves nothing, and says so",
  { skip: noPostgreSQL },
  async () => {
    const { journal, options } = await newJournal();
    const proxy = await startCuttableProxy(new URL(options.connectionString));
    try {
      const session = await journalBehind(proxy, options).open(runFacts("run-1"), noSignal());
      await session.answers.save(one, answerOf("before"));
      proxy.cut();
      const next = await journal.open(runFacts("run-2"), noSignal());
      await proxy.mend();
      await rejects(session.answers.save(one, answerOf("late")), failsWith("JOURNAL_FAILED", { problem: "lock-lost" }));
      equal((await next.answers.find([one])).get(one)?.text, "before");
      await next.close();
      await session.close();
    } finally {
      proxy.cut();
    }
  },
);

test(
  "a run that lost its connection saves nothing while its journal is held to be pruned, nor after that",
  { skip: noPostgreSQL },
  async () => {
    for (const isOver of [false, true]) {
      const { journal, options } = await newJournal();
      const proxy = await startCuttableProxy(new URL(options.connectionString));
      try {
        const session = await journalBehind(proxy, options).open(runFacts("run-1"), noSignal());
        proxy.cut();
        const upkeep = await journal.upkeep(noSignal());
        if (isOver) await upkeep.close();
        await proxy.mend();
        await rejects(
          session.answers.save(one, answerOf("late")),
          failsWith("JOURNAL_FAILED", { problem: "lock-lost" }),
        );
        if (!isOver) await upkeep.close();
        await session.close();
      } finally {
        proxy.cut();
      }
    }
  },
);

test(
  "a database that is away for longer than the timeout ends the saves, with what to do",
  { skip: noPostgreSQL },
  async () => {
    const { options } = await newJournal({ timeoutMs: 300 });
    const proxy = await startCuttableProxy(new URL(options.connectionString));
    const session = await journalBehind(proxy, options).open(runFacts("run-1"), noSignal());
    proxy.cut();
    await rejects(session.answers.save(one, answerOf("late")), failsWith("JOURNAL_FAILED", { problem: "away" }));
    await rejects(session.answers.find([one]), failsWith("JOURNAL_FAILED", { problem: "away" }));
    await session.close();
  },
);

test(
  "a schema that is missing, newer, incomplete, not permitted or read-only is told before the first row",
  { skip: noPostgreSQL },
  async () => {
    const { journal, options } = await newJournal();
    const problems = async (each: PostgreSQLJournal, problem: string): Promise<void> => {
      await rejects(each.open(runFacts("run-1"), noSignal()), failsWith("JOURNAL_FAILED", { problem }));
      await rejects(each.preflight(noSignal()), failsWith("JOURNAL_FAILED", { problem }));
    };
    await problems(new PostgreSQLJournal({ ...options, schema: "no such schema" }), "missing");
    equal(await journal.preflight(noSignal()), true);
    await database.run(journal.createStatements()); // again: nothing changes
    await database.run(`CREATE ROLE "reader_${options.schema}" LOGIN; GRANT USAGE ON SCHEMA "${options.schema}" TO "reader_${options.schema}";
    GRANT SELECT ON ALL TABLES IN SCHEMA "${options.schema}" TO "reader_${options.schema}"`);
    try {
      const other = new URL(options.connectionString);
      other.username = `reader_${options.schema}`;
      await problems(new PostgreSQLJournal({ ...options, connectionString: other.href }), "permission");
      const readOnly = new URL(options.connectionString);
      readOnly.searchParams.set("options", "-c default_transaction_read_only=on");
      await problems(new PostgreSQLJournal({ ...options, connectionString: readOnly.href }), "read-only");
      await database.run(`ALTER TABLE "${options.schema}".answers DROP COLUMN model CASCADE`);
      await problems(journal, "incomplete");
      await database.run(`DROP TABLE "${options.schema}".answers CASCADE`);
      await problems(journal, "incomplete");
      await database.run(journal.createStatements()); // makes it anew
      equal(await journal.preflight(noSignal()), true);
      await database.run(`UPDATE "${options.schema}".journal_version SET version = 99`);
      await problems(journal, "newer");
    } finally {
      await database.run(`DROP OWNED BY "reader_${options.schema}"; DROP ROLE "reader_${options.schema}"`);
    }
  },
);

test("people find runs, failed rows and figures of steps in views", { skip: noPostgreSQL }, async () => {
  const { journal, options } = await newJournal();
  const session = await journal.open(runFacts("run-1"), noSignal());
  await session.runs.save(runRecord("run-1"));
  await session.rows.saveFailed("sink", [badRow(7)]);
  await session.close();
  const [run] = await database.run(`SELECT status, read_count::int, calls::int FROM "${options.schema}".runs`);
  deepEqual(run, { status: "completed", read_count: 3, calls: 1 });
  const [failed] = await database.run(`SELECT pipeline, pk, error_code FROM "${options.schema}".failed_rows`);
  deepEqual(failed, { pipeline: "visits", pk: "7", error_code: "REFUSAL" });
  const [step] = await database.run(`SELECT step, calls::int FROM "${options.schema}".step_figures`);
  deepEqual(step, { step: "kind", calls: 7 });
});

test("what a process that is killed had saved is there, in each of five rounds", { skip: noPostgreSQL }, async () => {
  const { journal, options } = await newJournal();
  const script = `
    const { PostgreSQLJournal } = await import(${JSON.stringify(module)});
    const run = { ...${JSON.stringify(runFacts("run-1"))}, runId: process.argv[1], startedAt: new Date(0) };
    const session = await new PostgreSQLJournal(${JSON.stringify(options)}).open(run, new AbortController().signal);
    for (let index = 0; ; index += 1) {
      const key = (process.argv[1] + index.toString(16)).padStart(64, "0");
      await session.answers.save(key, ${JSON.stringify(answerOf("{}"))});
      process.stdout.write(key + "\\n");
    }`;
  for (let round = 1; round <= 5; round += 1) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, `a${round}b`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (bytes: Buffer) => (said += bytes.toString()));
    while (said.split("\n").length < 5 * round) await once(child.stdout, "data");
    child.kill("SIGKILL");
    await once(child, "close");
    const keys = said.split("\n").filter((line) => line.length === 64);
    const session = await journal.open(runFacts("run-2"), noSignal());
    equal((await session.answers.find(keys)).size, keys.length);
    await session.close();
  }
});

test(
  "a server that crashes and comes back while a run saves loses and doubles nothing",
  { skip: noPostgreSQL },
  async () => {
    const server = await startPostgreSQL();
    try {
      const journal = new PostgreSQLJournal({ connectionString: server.url() });
      const client = new pg.Client({ connectionString: server.url() });
      client.on("error", () => undefined);
      await client.connect();
      await client.query(journal.createStatements());
      await client.end();
      const session = await journal.open(runFacts("run-1"), noSignal());
      for (const how of ["kill", undefined] as const) {
        const saving = saveMany(session, 100);
        await server.stop(how);
        await server.start();
        await saving;
      }
      const reader = await journal.reader();
      const attempts = await reader?.runs.attempts("run-1", "1", { limit: 1000 });
      equal(attempts?.items.length, 200);
      await reader?.close();
      await session.close();
    } finally {
      await server.remove();
    }
  },
);

test("a pipeline that runs again asks nothing and writes nothing", { skip: noPostgreSQL }, async (t) => {
  const before = process.env["DATABASE_URL"];
  t.after(() => {
    if (before === undefined) delete process.env["DATABASE_URL"];
    else process.env["DATABASE_URL"] = before;
  });
  process.env["DATABASE_URL"] = database.url();
  const { default: pipeline } = await import("../fixtures/pipelines/postgresql-journal.ts");
  await database.run(new PostgreSQLJournal({ schema: "visits_journal" }).createStatements());
  const first = await pipeline.run();
  deepEqual([first.status, first.successCount, first.usage.calls], ["completed", 2, 2]);
  const second = await pipeline.run();
  deepEqual([second.status, second.unchangedCount, second.usage.calls], ["completed", 2, 0]);
});
