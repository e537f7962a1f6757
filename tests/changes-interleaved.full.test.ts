// Full lane: it needs a PostgreSQL server, in a process of its own. LLM_ETL_INTERLEAVINGS=1000 tries as many; LLM_ETL_SEED begins with another one.
import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { type GlobalState, Pipeline, TransformStep } from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import type { RunOptions } from "../src/pipeline/options.ts";
import { SQLiteSink } from "../src/sinks/sqlite.ts";
import { PostgreSQLSource } from "../src/sources/postgresql.ts";
import { randomNumbers } from "./support/random-numbers.ts";
import { noPostgreSQL, testDatabase } from "./support/postgresql/database.ts";
import { execute, query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const skip = noPostgreSQL;
const count = Number(process.env["LLM_ETL_INTERLEAVINGS"] ?? 10);
const firstSeed = Number(process.env["LLM_ETL_SEED"] ?? 1);
const lagSeconds = 60;
const writerCount = 4;

const database = testDatabase(`
  CREATE TABLE source (id int PRIMARY KEY, note text NOT NULL, changed_at timestamptz);
  CREATE INDEX source_by_change ON source (changed_at, id);
`);

interface Row {
  readonly id: number;
  readonly note: string;
}

/** A transaction that a writer has begun. */
interface Writer {
  readonly client: pg.Client;
  /** The time that its open transaction wrote, in milliseconds; undefined while none is open. */
  wroteMs: number | undefined;
}

/** Writers with a transaction each, and runs over what they commit, by a clock that stands still between two events. */
class Site {
  readonly #t: TestContext;
  readonly #random: () => number;
  readonly #folder = mkdtempSync(join(temporaryFolder(), "interleaved "));
  readonly #targetPath = join(this.#folder, "target.db");
  readonly #writers: readonly Writer[];
  #nowMs = Date.UTC(2026, 5, 1, 12);
  #writeCount = 0;
  #events: Promise<void> = Promise.resolve();
  isFailing = false;
  onRow: () => Promise<void> = async () => await Promise.resolve();

  constructor(t: TestContext, clients: readonly pg.Client[], seed: number) {
    execute(this.#targetPath, "CREATE TABLE target (id INTEGER PRIMARY KEY, note TEXT NOT NULL)");
    this.#t = t;
    this.#random = randomNumbers(seed);
    this.#writers = clients.map((client) => ({ client, wroteMs: undefined }));
    t.mock.timers.reset();
    t.mock.timers.enable({ apis: ["Date"], now: this.#nowMs });
  }

  chance(of: number): boolean {
    return this.#random() < of;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    this.#t.mock.timers.setTime(this.#nowMs);
  }

  /** Writes rows of its own, in a transaction that stays open: it may change one, add one, or take a time away. */
  async write(index: number): Promise<void> {
    const writer = this.#writers[index] ?? assert.fail();
    writer.wroteMs = this.#nowMs;
    await writer.client.query("BEGIN");
    for (let number = 0; number < 1 + this.#random() * 3; number += 1) {
      this.#writeCount += 1;
      const id = writerCount * Math.floor(this.#random() * 8) + index;
      const time = this.chance(0.05) ? null : new Date(this.#nowMs).toISOString();
      await writer.client.query(
        "INSERT INTO source VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET note = excluded.note, changed_at = excluded.changed_at",
        [id, `note ${this.#writeCount}`, time],
      );
    }
  }

  async commit(index: number): Promise<void> {
    const writer = this.#writers[index] ?? assert.fail();
    await writer.client.query("COMMIT");
    writer.wroteMs = undefined;
  }

  async commitAll(): Promise<void> {
    for (const [index, { wroteMs }] of this.#writers.entries()) if (wroteMs !== undefined) await this.commit(index);
  }

  /** One after the other: a writer begins or commits, or time goes by, as far as no transaction gets older than the lag. */
  async event(): Promise<void> {
    this.#events = this.#events.then(async () => await this.#event());
    await this.#events;
  }

  /** Events beside a run, until it is over. */
  async events(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      if (this.chance(0.3)) await this.event();
      await setTimeout(2); // of the run's own work
    }
  }

  async #event(): Promise<void> {
    const index = Math.floor(this.#random() * writerCount);
    const writer = this.#writers[index] ?? assert.fail();
    if (this.chance(0.3)) {
      const oldestMs = Math.min(...this.#writers.map(({ wroteMs }) => wroteMs ?? this.#nowMs));
      const leftMs = oldestMs + lagSeconds * 1000 - this.#nowMs;
      this.advance(this.chance(0.2) ? leftMs : Math.floor(this.#random() * leftMs));
    } else if (writer.wroteMs === undefined) await this.write(index);
    else await this.commit(index);
  }

  async run(options: RunOptions = {}, given: { readonly lagSeconds?: number } = {}): Promise<number> {
    const pipeline = new Pipeline<Row>({
      name: "interleaved",
      source: new PostgreSQLSource<Row>({
        connectionString: database.url(),
        sql: "SELECT id, note, changed_at FROM source",
        primaryKeyColumn: "id",
        pageSize: 2,
        changes: { by: "column", column: "changed_at", lagSeconds: given.lagSeconds ?? lagSeconds },
      }),
      llmProvider: new MockProvider(),
      onRowError: "skip",
      maxRowErrors: "never",
      concurrency: 3,
      batchSize: 4,
      flushIntervalMs: 1,
      payloadLog: "off",
      journal: new SQLiteJournal({ path: join(this.#folder, "journal.db") }),
    })
      .step(
        new TransformStep({
          name: "loud",
          outputKey: "loud",
          transform: async (s: GlobalState<Row>) => {
            await this.onRow();
            if (this.isFailing && this.chance(0.2)) throw new Error("it fails");
            return `${s.raw.note}!`;
          },
        }),
      )
      .to(
        new SQLiteSink({
          databasePath: this.#targetPath,
          targetTable: "target",
          mergeKeys: ["id"],
          columnMap: { id: (s) => Number(s.pk), note: (s) => s.processed.loud },
        }),
      );
    const report = await pipeline.run(options);
    assert.equal(report.error, null);
    return report.readCount;
  }

  async missed(): Promise<readonly unknown[]> {
    const rows = await database.run("SELECT id, note FROM source ORDER BY id");
    const found = new Map(query(this.#targetPath, "SELECT id, note FROM target").map(({ id, note }) => [id, note]));
    return rows.filter(({ id, note }) => found.get(id) !== `${String(note)}!`).map(({ id }) => id);
  }
}

/** Those of the writers: opened once the database is there. */
const clients: pg.Client[] = [];

async function newSite(t: TestContext, seed: number): Promise<Site> {
  while (clients.length < writerCount) {
    const client = new pg.Client({ connectionString: database.url() });
    client.on("error", () => undefined); // the database is dropped before its connections end
    await client.connect();
    clients.push(client);
  }
  await database.run("TRUNCATE source");
  await database.run(
    "INSERT INTO source SELECT n, 'old ' || n, timestamptz '2026-06-01' + n / 3 * interval '1 second' FROM generate_series(0, 15) n",
  );
  return new Site(t, clients, seed);
}

test(
  `writers that commit in any order before, during and after the reads: one more run has all, ${count} times`,
  { skip },
  async (t) => {
    let readCount = 0;
    for (let seed = firstSeed; seed < firstSeed + count; seed += 1) {
      const site = await newSite(t, seed);
      for (let round = 0; round < 3; round += 1) {
        while (site.chance(0.8)) await site.event();
        site.isFailing = site.chance(0.3);
        site.onRow = async () => await (site.chance(0.4) ? site.event() : Promise.resolve());
        const limit = site.chance(0.3) ? 5 : Infinity;
        const ended = site.run(limit === Infinity ? {} : { limit });
        const over = new AbortController();
        const racing = site.events(over.signal);
        readCount += await ended.finally(() => over.abort());
        await racing;
      }
      site.onRow = async () => await Promise.resolve();
      site.isFailing = false;
      await site.commitAll();
      readCount += await site.run();
      assert.deepEqual(await site.missed(), [], `LLM_ETL_SEED=${seed} LLM_ETL_INTERLEAVINGS=1`);
    }
    t.diagnostic(`${count} interleavings, ${readCount} rows read`);
  },
);

test(
  "a transaction that takes longer than lagSeconds is missed; a full run, or a lag that is long enough, has it",
  { skip },
  async (t) => {
    for (const lag of [10, 300]) {
      const site = await newSite(t, 1);
      await site.run({}, { lagSeconds: lag });
      await site.write(0);
      site.advance(10_000);
      await site.write(1);
      await site.commit(1);
      site.advance(60_000);
      await site.run({}, { lagSeconds: lag });
      assert.deepEqual(await site.missed(), []);
      await site.commit(0);
      await site.run({}, { lagSeconds: lag });
      const missed = await site.missed();
      assert.equal(missed.length > 0, lag === 10);
      await site.run({ full: true }, { lagSeconds: lag });
      assert.deepEqual(await site.missed(), []);
    }
  },
);
