import { hash } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { JournalError } from "../../errors/journal.ts";

/** Marks a SQLite file as a journal of ours: "llet" in ASCII (https://www.sqlite.org/pragma.html#pragma_application_id). */
const applicationId = 0x6c6c6574;

/**
 * The migrations, each from one version of a journal to the next; the first makes an empty database a journal. Never change one
 * that was released: add another.
 */
const migrations: readonly string[] = [
  `CREATE TABLE answers (
     number INTEGER PRIMARY KEY,       -- greater than that of any answer that is indexed
     fingerprint BLOB NOT NULL,        -- SHA-256 of the request
     text NOT NULL,                    -- UTF-16 bytes where SQLite's text can't hold it
     finish_reason TEXT NOT NULL,
     model TEXT NOT NULL,
     input_tokens INTEGER NOT NULL,
     cached_tokens INTEGER NOT NULL,
     output_tokens INTEGER NOT NULL,
     reasoning_tokens INTEGER NOT NULL,
     run_id TEXT NOT NULL              -- the run that paid for it
   );
   -- The index of answers, up to and including the one in "indexed": filled many at a time, see answers.ts.
   CREATE TABLE fingerprints (beginning BLOB, answer INTEGER, PRIMARY KEY (beginning, answer)) WITHOUT ROWID;
   CREATE TABLE indexed (answer INTEGER NOT NULL);
   INSERT INTO indexed VALUES (0);
   CREATE TABLE rows (
     sink BLOB NOT NULL,               -- the first 16 bytes of the SHA-256 of the sink's identity
     pk NOT NULL,
     outcome TEXT NOT NULL,            -- written, or failed (also where it was skipped)
     run_id TEXT NOT NULL,             -- the run in which it ended so
     error_code TEXT,
     target_key,                       -- what tells it from others in the target, where that is not its pk
     values_hash BLOB,                 -- SHA-256 of the values written; this and what follows: of written rows only
     started_at INTEGER,               -- milliseconds since 1970, like all times
     completed_at INTEGER,
     lineage TEXT,
     PRIMARY KEY (sink, pk)
   ) WITHOUT ROWID;
   CREATE INDEX rows_by_target_key ON rows (sink, target_key) WHERE target_key IS NOT NULL;
   CREATE TABLE runs (number INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
   PRAGMA application_id = ${applicationId};`,
  `CREATE TABLE failures (
     number INTEGER PRIMARY KEY,       -- in the order of failing
     run_id TEXT NOT NULL,
     position INTEGER NOT NULL,        -- of the row in its source
     pk,                               -- NULL where the key itself was wrong
     owns_key INTEGER NOT NULL,        -- 0 where the key was another row's
     step TEXT,
     error_code TEXT NOT NULL,
     error_message TEXT NOT NULL,
     retry_count INTEGER NOT NULL,
     failed_at INTEGER NOT NULL
   );
   CREATE INDEX failures_by_run ON failures (run_id);`,
  `-- Of the answers that the row used in its last run, 32 bytes each; NULL where that is not known. A row of which nothing else is known any more
   -- has the outcome "known".
   ALTER TABLE rows ADD COLUMN fingerprints BLOB;
   -- Of a run, by the number that it has here.
   CREATE TABLE run_numbers (number INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE);
   CREATE TABLE run_rows (             -- in blocks, see run-rows.ts
     number INTEGER PRIMARY KEY,
     run INTEGER NOT NULL,
     marks TEXT NOT NULL,              -- a JSON array: what a filter may ask for that a row of the block has
     block BLOB NOT NULL
   );
   CREATE INDEX run_rows_by_run ON run_rows (run);
   CREATE TABLE attempts (
     number INTEGER PRIMARY KEY,
     run INTEGER NOT NULL,
     pk NOT NULL,
     step TEXT NOT NULL,
     kind TEXT NOT NULL,
     started_at INTEGER NOT NULL,
     wait_ms INTEGER NOT NULL,
     latency_ms INTEGER NOT NULL,
     issue_codes TEXT,                 -- a JSON array; NULL where there is none
     error_code TEXT,
     input_tokens INTEGER NOT NULL,
     cached_tokens INTEGER NOT NULL,
     output_tokens INTEGER NOT NULL,
     reasoning_tokens INTEGER NOT NULL,
     cost REAL
   );
   CREATE INDEX attempts_by_row ON attempts (run, pk);
   CREATE TABLE time_slices (run INTEGER, started_at INTEGER, slice TEXT NOT NULL, PRIMARY KEY (run, started_at)) WITHOUT ROWID;
   CREATE TABLE value_counts (run INTEGER, name TEXT, counts TEXT NOT NULL, PRIMARY KEY (run, name)) WITHOUT ROWID;
   CREATE TABLE submitted_work (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
   CREATE TABLE submitted_fingerprints (fingerprint BLOB PRIMARY KEY, work TEXT NOT NULL) WITHOUT ROWID;
   CREATE INDEX submitted_fingerprints_by_work ON submitted_fingerprints (work, fingerprint);
   CREATE TABLE watermarks (
     number INTEGER PRIMARY KEY,
     pipeline TEXT NOT NULL,
     name TEXT NOT NULL,
     value NOT NULL,
     basis TEXT NOT NULL,
     saved_at INTEGER NOT NULL,
     UNIQUE (pipeline, name)
   );
   CREATE TABLE evaluations (
     number INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     pipeline TEXT NOT NULL,
     started_at INTEGER NOT NULL,
     findings NOT NULL
   );
   CREATE TABLE overrides (
     number INTEGER PRIMARY KEY,
     pipeline TEXT NOT NULL,
     step TEXT NOT NULL,
     input_hash TEXT NOT NULL,
     output NOT NULL,
     pk NOT NULL,
     reviewer TEXT,
     decided_at INTEGER NOT NULL,
     UNIQUE (pipeline, step, input_hash)
   );
   CREATE TABLE leases (
     number INTEGER PRIMARY KEY,
     run_id TEXT NOT NULL,
     range TEXT NOT NULL,
     owner TEXT,                       -- NULL where nobody holds it
     lease INTEGER NOT NULL,
     expires_at INTEGER,
     progress TEXT,
     is_done INTEGER NOT NULL,
     UNIQUE (run_id, range)
   );`,
  `-- One answer for each fingerprint: earlier versions left those in whose place a newer one is.
   DELETE FROM answers WHERE number NOT IN (SELECT max(number) FROM answers GROUP BY fingerprint);`,
  `-- The rows of a target that a row has there, where it may have several: a JSON array of texts.
   CREATE TABLE children (sink BLOB, pk, children TEXT NOT NULL, PRIMARY KEY (sink, pk)) WITHOUT ROWID;`,
  `-- All else about an answer's tokens, in JSON; NULL where there is nothing.
   ALTER TABLE answers ADD COLUMN usage_details TEXT;`,
  `-- Money of runs with a budget, in billionths of a unit of its currency.
   CREATE TABLE spending (
     number INTEGER PRIMARY KEY,
     currency TEXT NOT NULL,
     starts_at INTEGER NOT NULL,       -- of a quarter of an hour
     pipeline TEXT NOT NULL,
     settled INTEGER NOT NULL,
     UNIQUE (currency, starts_at, pipeline)
   );
   CREATE TABLE reservations (         -- of calls whose cost is not known yet
     number INTEGER PRIMARY KEY,
     id TEXT NOT NULL UNIQUE,
     pipeline TEXT NOT NULL,
     run_id TEXT NOT NULL,
     currency TEXT NOT NULL,
     reserved_at INTEGER NOT NULL,
     amount INTEGER NOT NULL,
     fingerprint BLOB NOT NULL         -- of the request
   );
   CREATE INDEX reservations_by_time ON reservations (currency, reserved_at);`,
];

/**
 * Brings a journal to the newest version, each step in one transaction.
 *
 * @throws {JournalError} if it is no journal, or one of a version that is not known yet
 */
export function migrate(database: DatabaseSync, path: string, steps: readonly string[] = migrations): void {
  requireJournal(database, path, steps.length);
  for (let version = versionOf(database); version < steps.length; version += 1) {
    database.exec(`BEGIN IMMEDIATE; ${steps[version]}; PRAGMA user_version = ${version + 1}; COMMIT`);
  }
}

/** @throws {JournalError} if it is no journal, or one of a version that is not known yet */
export function requireJournal(database: DatabaseSync, path: string, newest: number = migrations.length): void {
  const version = versionOf(database);
  if (version > newest) {
    const facts = { problem: "newer", version, newest, hint: "update llm-etl, or give the journal another path" };
    throw new JournalError(path, `has version ${version} of its format, and this llm-etl knows up to ${newest}`, {
      facts,
    });
  }
  if (version > 0 && numberIn(database, "application_id") === applicationId) return;
  const isEmpty = database.prepare("SELECT 1 FROM sqlite_schema").get() === undefined;
  if (version === 0 && isEmpty) return;
  const facts = { problem: "foreign", hint: "give the journal a path of its own" };
  throw new JournalError(path, "is some other SQLite database", { facts });
}

/** How rows name their sink: by the first 16 bytes of the SHA-256 of its identity. */
export function keyOfSink(identity: string): Buffer {
  return hash("sha256", identity, "buffer").subarray(0, 16);
}

/** The version of a journal's format; 0 of an empty database. */
export function versionOf(database: DatabaseSync): number {
  return numberIn(database, "user_version");
}

function numberIn(database: DatabaseSync, pragma: string): number {
  return Number(database.prepare(`PRAGMA ${pragma}`).get()?.[pragma]);
}
