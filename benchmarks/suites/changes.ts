/** A table of which little changed since the last run. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import pg from "pg";
import { noPostgreSQL } from "../../tests/support/postgresql/binaries.ts";
import { startPostgreSQL } from "../../tests/support/postgresql/server.ts";
import type * as changesModule from "../alone/changes.ts";
import type { ChangesOutcome } from "../alone/changes.ts";
import { inOwnProcess } from "../measure/own-process.ts";
import { atMost, type Suite, type SuiteOptions } from "./suite.ts";

type RunName = (typeof runs)[number];

const runs = ["first run", "again, nothing changed", "after changes", "again with --full"] as const;
const dueCount = 10;

interface Measured extends ChangesOutcome {
  readonly database: string;
  readonly run: RunName;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** A database with the tables `source` and `target`. */
interface Place {
  readonly database: string;
  readonly place: string;
  readonly change: (count: number) => Promise<void>;
  /** The rows of the source that were looked at without an index, where the database counts them. */
  readonly scanned: () => Promise<number>;
}

export const changes: Suite = {
  name: "changes",
  minutes: 8,
  tools: [],
  run: async (options) => {
    const rows = options.rows ?? (options.isQuick ? 500 : 1_000_000);
    const changedCount = options.isQuick ? 20 : 100;
    const all: Measured[] = [];
    const folder = await mkdtemp(join(options.folder, "changes-"));
    const server = noPostgreSQL === false ? await startPostgreSQL() : undefined;
    try {
      const places = [
        sqlitePlace(folder, rows),
        ...(server === undefined ? [] : [await serverPlace(server.url(), rows)]),
      ];
      for (const place of places) all.push(...(await measureEach(place, { rows, changedCount, folder, options })));
    } finally {
      await server?.remove();
      await rm(folder, { recursive: true });
    }
    const ofRun = (name: RunName): readonly Measured[] => all.filter(({ run }) => run === name);
    return {
      about:
        `A table of ${rows} rows with an index on the column of the changes → a plain function → a table of the same database; the journal is a file. ` +
        `${dueCount} rows fail in each run; ${changedCount} are changed before the third. Each run in a process of its own, its connections included.`,
      tables: [
        {
          title: `${rows} rows, ${changedCount} changed`,
          columns: ["database", "run", "rows read", "of these due", "written", "seconds", "s of CPU"],
          rows: all.map(({ database, run, read, due, written, seconds, cpuSeconds }) => [
            ...[database, run, read, due, written],
            ...[seconds.toFixed(2), cpuSeconds.toFixed(2)],
          ]),
        },
      ],
      budgets: ofRun("after changes").flatMap(({ database, read }) =>
        atMost({
          what: `${database}: rows read of ${rows}, ${changedCount} changed and ${dueCount} due`,
          limit: changedCount + dueCount,
          measured: read,
          digits: 0,
        }),
      ),
      measurements: all,
    };
  },
};

interface Measuring {
  readonly rows: number;
  readonly changedCount: number;
  readonly folder: string;
  readonly options: SuiteOptions;
}

async function measureEach(
  { database, place, change, scanned }: Place,
  { rows, changedCount, folder, options }: Measuring,
): Promise<Measured[]> {
  const journal = join(folder, `${database}.journal.db`);
  const module = new URL("../alone/changes.ts", import.meta.url);
  const results: Measured[] = [];
  for (const run of runs) {
    if (run === "after changes") await change(changedCount);
    const before = await scanned();
    const full = run === "again with --full";
    const { result, figures } = await inOwnProcess<typeof changesModule>(module, { place, journal, full });
    const changed = run === "after changes" ? changedCount : 0;
    const isWhole = full || run === "first run";
    const read = isWhole ? rows : changed + dueCount;
    const written = run === "first run" ? rows - dueCount : changed;
    const isScanned = !isWhole && !options.isQuick && (await scanned()) > before; // a server scans a small table
    if (result.read !== read || result.written !== written || result.skipped !== dueCount || isScanned) {
      throw new Error(`${database}, ${run}: ${JSON.stringify({ ...result, isScanned })}`);
    }
    const { wallSeconds: seconds, cpuSeconds } = figures;
    options.log(`${database}, ${run}: ${result.read} rows read in ${seconds.toFixed(2)} s`);
    results.push({ database, run, ...result, seconds, cpuSeconds });
  }
  return results;
}

function sqlitePlace(folder: string, rows: number): Place {
  const place = join(folder, "changes.db");
  const database = new DatabaseSync(place);
  database.exec(`
    PRAGMA journal_mode = WAL;
    CREATE TABLE source (id INTEGER PRIMARY KEY, note TEXT, changed_at TEXT);
    CREATE TABLE target (id INTEGER PRIMARY KEY, note TEXT);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO source SELECT i, iif(i <= ${dueCount}, 'bad ', 'note ') || i || ${filler("printf('%.*c', 200, 'x')")}, datetime('2026-01-01', '+' || i || ' seconds') FROM n;
    CREATE INDEX source_by_change ON source (changed_at, id)`);
  database.close();
  return {
    database: "SQLite",
    place,
    change: async (count) => {
      const changing = new DatabaseSync(place);
      changing.exec(
        `UPDATE source SET note = 'changed ' || id, changed_at = datetime('now', '-10 minutes') WHERE id % ${Math.floor(rows / count)} = ${dueCount + 1}`,
      );
      changing.close();
      await Promise.resolve();
    },
    scanned: async () => await Promise.resolve(0),
  };
}

async function serverPlace(url: string, rows: number): Promise<Place> {
  const run = async (sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  await run(`
    CREATE TABLE source (id int PRIMARY KEY, note text, changed_at timestamptz);
    CREATE TABLE target (id int PRIMARY KEY, note text);
    INSERT INTO source SELECT i, CASE WHEN i <= ${dueCount} THEN 'bad ' ELSE 'note ' END || i || ${filler("repeat('x', 200)")}, timestamptz '2026-01-01' + i * interval '1 second'
      FROM generate_series(1, ${rows}) i;
    CREATE INDEX source_by_change ON source (changed_at, id);
    ANALYZE source`);
  return {
    database: "PostgreSQL",
    place: url,
    change: async (count) => {
      await run(
        `UPDATE source SET note = 'changed ' || id, changed_at = now() - interval '10 minutes' WHERE id % ${Math.floor(rows / count)} = ${dueCount + 1}`,
      );
    },
    scanned: async () => {
      const [line] = await run("SELECT seq_tup_read::int AS n FROM pg_stat_user_tables WHERE relname = 'source'");
      return Number(line?.["n"]);
    },
  };
}

/** A note of some length. */
function filler(text: string): string {
  return `' ' || ${text}`;
}
