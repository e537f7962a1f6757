// Needs a PostgreSQL server, and the contract suite kills processes; not dist.
import { deepEqual, doesNotReject, equal, ok, rejects, throws } from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { inspect } from "node:util";
import type { Journal, JournalSession } from "../../src/contracts/journal.ts";
import type { Override } from "../../src/contracts/journal-work.ts";
import { Pipeline, SummarizerStep } from "../../src/index.ts";
import type { AnswersOptions } from "../../src/journal-answers/options.ts";
import { PostgreSQLJournal } from "../../src/journals/postgresql.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { answerOf, one, other, runFacts, runRecord } from "../../src/testing/journal-samples.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const database = testDatabase();
const variable = "LLM_ETL_JOURNAL_KEY";
const encryptionKey = randomBytes(32).toString("base64");

/** One journal, as often as it is wanted, with other options for its answers. */
interface Place {
  readonly with: (answers: AnswersOptions) => Journal;
  /** The same for another process: an ES module. */
  readonly moduleText: (answers: AnswersOptions) => string;
  /** All bytes that are kept, while a run is going on, too. */
  readonly bytes: () => Promise<Buffer>;
  /** Changes what is kept, behind the journal's back. */
  readonly execute: (sql: (table: string) => string) => Promise<void>;
}

const moduleOf = (name: string): string =>
  JSON.stringify(pathToFileURL(join(import.meta.dirname, `../../src/journals/${name}.ts`)).href);

async function newSQLite(): Promise<Place> {
  const path = join(folder, randomBytes(4).toString("hex"), "journal.db");
  return {
    with: (answers) => new SQLiteJournal({ path, ...answers }),
    moduleText: (answers) => `import { SQLiteJournal } from ${moduleOf("sqlite")};
      export default new SQLiteJournal(${JSON.stringify({ path, ...answers })});`,
    bytes: async () =>
      Buffer.concat(["", "-wal", "-shm"].flatMap((end) => (existsSync(path + end) ? [readFileSync(path + end)] : []))),
    execute: async (sql) => {
      const file = new DatabaseSync(path);
      file.exec(sql("answers"));
      file.close();
    },
  };
}

async function newPostgreSQL(): Promise<Place> {
  const options = { connectionString: database.url(), schema: `journal_${randomBytes(4).toString("hex")}` };
  const { schema } = options;
  await database.run(new PostgreSQLJournal(options).createStatements());
  return {
    with: (answers) => new PostgreSQLJournal({ ...options, ...answers }),
    moduleText: (answers) => `import { PostgreSQLJournal } from ${moduleOf("postgresql")};
      export default new PostgreSQLJournal(${JSON.stringify({ ...options, ...answers })});`,
    bytes: async () => {
      const tables = await database.run("SELECT tablename FROM pg_tables WHERE schemaname = $1", [schema]);
      const lines: unknown[] = [];
      for (const { tablename } of tables) {
        lines.push(await database.run(`SELECT t::text AS line FROM "${schema}"."${String(tablename)}" t`));
      }
      return Buffer.from(JSON.stringify(lines));
    },
    execute: async (sql) => void (await database.run(sql(`"${schema}".answers`))),
  };
}

const encrypted = { answers: "encrypted", encryptionKey } as const;
const open = async (journal: Journal, runId = "run-1"): Promise<JournalSession> =>
  await journal.open(runFacts(runId), new AbortController().signal);
const preflight = async (journal: Journal): Promise<unknown> => await journal.preflight?.(new AbortController().signal);
const decision: Override = {
  ...{ pipeline: "visits", step: "kind", inputHash: one, output: '{"category":"Ward 7"}', pk: "1" },
  ...{ reviewer: "Dr. Grey", decidedAt: new Date(0) },
};

async function fill(journal: Journal, text: string, key = one): Promise<void> {
  const session = await open(journal);
  await session.runs.save(runRecord("run-1"));
  await session.answers.save(key, answerOf(text));
  await session.close();
}

async function textOf(journal: Journal, key = one): Promise<string | undefined> {
  const session = await open(journal, "run-2");
  try {
    return (await session.answers.find([key])).get(key)?.text;
  } finally {
    await session.close();
  }
}

for (const [kind, newPlace, skip] of [
  ["SQLite", newSQLite, false],
  ["PostgreSQL", newPostgreSQL, noPostgreSQL],
] as const) {
  describe(`${kind}, with encrypted answers`, { skip }, () => {
    let before: string | undefined;
    beforeEach(() => {
      before = process.env[variable];
      delete process.env[variable];
    });
    afterEach(() => {
      if (before === undefined) delete process.env[variable];
      else process.env[variable] = before;
    });

    for (const { name, check } of journalContract({
      create: async () => {
        const place = await newPlace();
        return { journal: place.with(encrypted), moduleText: place.moduleText(encrypted) };
      },
    })) {
      test(name, check);
    }

    test("no answer, decision or finding can be read where they are kept, while a run is on or after it", async () => {
      const place = await newPlace();
      const session = await open(place.with(encrypted));
      const secrets = ["Ward 7", "chest pain", "F1 of 0.93"];
      await session.answers.save(one, answerOf('{"summary":"chest pain"}'));
      await session.leases
        .under((await session.leases.claim("run-1", "1", "me", 60_000)) ?? fail())
        .answers.save(other, answerOf("chest pain"));
      await session.overrides.save([decision]);
      await session.evaluations.save({ id: "e", pipeline: "visits", startedAt: new Date(0), findings: '"F1 of 0.93"' });
      const during = await place.bytes();
      await session.close();
      const after = await place.bytes();
      ok(after.includes("Dr. Grey"), "the bytes were not found");
      for (const bytes of [during, after])
        for (const text of [...secrets, encryptionKey]) {
          const hex = Buffer.from(text).toString("hex"); // as columns of bytes are shown
          deepEqual([bytes.includes(text), bytes.includes(hex)], [false, false], text);
        }
      const reader = await place.with(encrypted).reader();
      deepEqual((await reader?.overrides.list({ limit: 9 }))?.items, [decision]);
      equal((await reader?.evaluations.list({ limit: 9 }))?.items[0]?.findings, '"F1 of 0.93"');
      equal((await reader?.answers.find([other]))?.get(other)?.text, "chest pain");
      await reader?.close();
      const plain = await place.with({}).reader();
      await rejects(
        plain?.overrides.list({ limit: 9 }) ?? fail(),
        failsWith("JOURNAL_FAILED", { problem: "encrypted" }),
      );
      await plain?.close();
    });

    test("a key that is missing, malformed or another one is told before the first row, wherever it is asked for", async () => {
      const place = await newPlace();
      const journal = place.with({ answers: "encrypted" });
      deepEqual([journal.requirements?.environment?.includes(variable)], [true]);
      const allFail = async (
        code: "SETTING_MISSING" | "INVALID_OPTION" | "JOURNAL_FAILED",
        facts: object,
      ): Promise<void> => {
        for (const each of [() => open(journal), () => preflight(journal), () => journal.reader()]) {
          await rejects(each(), failsWith(code, { ...facts }));
        }
      };
      await allFail("SETTING_MISSING", { variable });
      process.env[variable] = "  ";
      await allFail("SETTING_MISSING", { variable });
      for (const wrong of ["secret", encryptionKey.slice(2), `${encryptionKey}AAAA`, `é${encryptionKey.slice(1)}`]) {
        process.env[variable] = wrong;
        await allFail("INVALID_OPTION", { where: variable, got: `a text of ${wrong.length} characters` });
      }
      process.env[variable] = encryptionKey;
      await fill(journal, "kept");
      process.env[variable] = `${Buffer.from(encryptionKey, "base64").toString("hex")}\n`;
      equal(await textOf(journal), "kept", "the same key in another form");
      equal(await preflight(journal), true);
      process.env[variable] = randomBytes(32).toString("hex");
      await allFail("JOURNAL_FAILED", { problem: "wrong-key" });
      delete process.env[variable];
      await allFail("SETTING_MISSING", { variable });
      await doesNotReject(
        open(place.with(encrypted)).then(async (session) => await session.close()),
        "no lock was left",
      );
    });

    test("one that was made encrypted and is opened plain says so, and its runs can be looked at", async () => {
      const place = await newPlace();
      await fill(place.with(encrypted), "kept");
      const plain = place.with({});
      const problem = failsWith("JOURNAL_FAILED", { problem: "encrypted" });
      await rejects(open(plain), problem);
      await rejects(preflight(plain), problem);
      const reader = await plain.reader();
      equal(await reader?.runs.count({}), 1);
      await rejects(reader?.answers.find([one]) ?? fail(), problem);
      await reader?.close();
    });

    test("a pipeline that runs again asks nothing, and what the model said can't be read in its journal", async () => {
      const place = await newPlace();
      const said = "an answer that nobody else reads";
      const pipeline = new Pipeline({
        name: "visits",
        source: new MemorySource<{ id: string }>({ rows: [{ id: "1" }, { id: "2" }], primaryKeyColumn: "id" }),
        llmProvider: new MockProvider({ responses: () => JSON.stringify({ reasoning: "why", text: said }) }),
        journal: place.with(encrypted),
        payloadLog: "off",
      })
        .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.pk }, outputKey: "summary" }))
        .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }));
      const reports = [await pipeline.run(), await pipeline.run()];
      deepEqual(
        reports.map(({ status, usage }) => [status, usage.calls, usage.reusedAnswers]),
        [
          ["completed", 2, 0],
          ["completed", 0, 2],
        ],
      );
      const shown = inspect(pipeline, { depth: 9, showHidden: true }) + JSON.stringify([pipeline, reports]);
      equal(shown.includes(encryptionKey), false);
      const bytes = await place.bytes();
      deepEqual([bytes.includes("visits"), bytes.includes(said)], [true, false]);
    });

    test("plain answers stay readable when it is encrypted from now on, and new ones are encrypted", async () => {
      const place = await newPlace();
      await fill(place.with({}), "an old answer");
      equal(await textOf(place.with(encrypted)), "an old answer");
      await fill(place.with(encrypted), "a new answer", other);
      equal(await textOf(place.with(encrypted)), "an old answer");
      equal(await textOf(place.with(encrypted), other), "a new answer");
      equal((await place.bytes()).includes("a new answer"), false);
      await rejects(open(place.with({})), failsWith("JOURNAL_FAILED", { problem: "encrypted" }));
      // As docs/journal.md says:
      const character = kind === "SQLite" ? "char(16)" : "chr(16)";
      await place.execute((table) => `DELETE FROM ${table} WHERE substr(text, 1, 1) <> ${character}`);
      equal(await textOf(place.with(encrypted)), undefined);
      equal(await textOf(place.with(encrypted), other), "a new answer");
    });

    test("a way of encrypting that is not known yet is told", async () => {
      const place = await newPlace();
      const session = await open(place.with(encrypted));
      const later = { pipeline: "", name: "answers", value: "x", basis: "a later one", savedAt: new Date(0) };
      await session.watermarks.save(later);
      await session.close();
      await rejects(open(place.with(encrypted)), failsWith("JOURNAL_FAILED", { problem: "newer", got: "a later one" }));
    });

    test("an answer that is damaged, cut, swapped or replaced is an error, and never another answer or none", async () => {
      const changes = [
        (table: string) => `UPDATE ${table} SET text = replace(text, substr(text, 9, 1), '~')`,
        (table: string) => `UPDATE ${table} SET text = substr(text, 1, 40)`,
        (table: string) => `UPDATE ${table} SET text = ''`,
        (table: string) => `UPDATE ${table} SET text = '{"category":"Card"}'`,
        (table: string) => `UPDATE ${table} SET model = 'gpt-4o'`,
        (table: string) => `UPDATE ${table} SET finish_reason = 'length'`,
        (table: string) => `UPDATE ${table} SET text = (SELECT max(text) FROM ${table})`,
        (table: string) => `UPDATE ${table} SET text = (SELECT min(text) FROM ${table})`,
      ];
      for (const change of changes) {
        const place = await newPlace();
        await fill(place.with(encrypted), "first");
        await fill(place.with(encrypted), "second", other);
        await place.execute(change);
        const read = [one, other].map(async (key, index) => {
          const journal = place.with(encrypted);
          const reader = await journal.reader();
          try {
            const text = (await reader?.answers.find([key]))?.get(key)?.text;
            equal(text, ["first", "second"][index]);
            return "right";
          } catch (error) {
            failsWith("JOURNAL_FAILED", { problem: "damaged", what: "answer" })(error);
            return "error";
          } finally {
            await reader?.close();
          }
        });
        ok((await Promise.all(read)).includes("error"), String(change));
      }
    });

    test("the proof of the key is no watermark that a look shows", async () => {
      const place = await newPlace();
      const session = await open(place.with(encrypted));
      for (const name of ["a", "b", "c"]) {
        await session.watermarks.save({ pipeline: "visits", name, value: "1", basis: one, savedAt: new Date(0) });
      }
      await session.close();
      for (const answers of [encrypted, {}]) {
        const reader = await place.with(answers).reader();
        const first = await reader?.watermarks.list({ limit: 2 });
        const second = await reader?.watermarks.list({ limit: 2, from: first?.next ?? undefined });
        await reader?.close();
        deepEqual(
          [...(first?.items ?? []), ...(second?.items ?? [])].map(({ name }) => name),
          ["a", "b", "c"],
        );
        deepEqual([first?.items.length, second?.next], [2, null]);
      }
    });

    test("the key is in nothing that is shown", async () => {
      const place = await newPlace();
      const journal = place.with(encrypted);
      const shown = [inspect(journal, { depth: 9, showHidden: true }), JSON.stringify(journal), journal.identity];
      const session = await open(journal);
      shown.push(inspect(session, { depth: 9, showHidden: true }), JSON.stringify(journal.requirements));
      await session.close();
      for (const text of shown) equal(text.includes(encryptionKey), false);
    });

    test("a key in an option that is wrong or of no use is rejected at construction, and not shown", async () => {
      const place = await newPlace();
      for (const wrong of ["short", encryptionKey.slice(1), randomBytes(32), 7] as unknown[]) {
        const answers = { answers: "encrypted", encryptionKey: wrong } as AnswersOptions; // as a user of JavaScript could
        throws(
          () => place.with(answers),
          (error: Error) => {
            failsWith("INVALID_OPTION", { where: "encryptionKey" })(error);
            return !error.message.includes(String(wrong));
          },
        );
      }
      throws(() => place.with({ encryptionKey }), failsWith("INVALID_OPTION", { where: "encryptionKey" }));
      throws(() => place.with({ answers: "aes" as "plain" }), failsWith("INVALID_OPTION", { where: "answers" }));
    });
  });
}

function fail(): never {
  throw new Error("it is not there");
}
