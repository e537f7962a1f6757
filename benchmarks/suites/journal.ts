/** What the journal costs, and what it saves. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { startDelayingProxy } from "../../tests/support/delaying-proxy.ts";
import { startPostgreSQL } from "../../tests/support/postgresql/server.ts";
import type * as journalModule from "../alone/journal.ts";
import { createTables, journalAt, type JournalJob, type JournalOutcome } from "../alone/journal.ts";
import { inOwnProcess } from "../measure/own-process.ts";
import { median } from "../measure/statistics.ts";
import { atLeast, type Suite, type SuiteOptions } from "./suite.ts";

type RunName = (typeof runs)[number];

const runs = [
  "no journal",
  "journal, first run",
  "journal, second run",
  "PostgreSQL journal, first run",
  "PostgreSQL journal, second run",
] as const;

/** In milliseconds: added to each round trip to PostgreSQL. */
const delayMs = 1;

interface Measured extends JournalOutcome {
  readonly run: RunName;
  readonly repetition: number;
  readonly cpuMsPerRow: number;
  readonly rowsPerSecond: number;
}

export const journal: Suite = {
  name: "journal",
  minutes: 3,
  tools: [],
  run: async (options) => {
    const rows = options.rows ?? (options.isQuick ? 100 : 50_000);
    const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
    const all: Measured[] = [];
    for (let repetition = 1; repetition <= repetitions; repetition += 1) {
      all.push(...(await measureEach(rows, repetition, options)));
    }
    const of = (run: RunName, figure: (one: Measured) => number): number =>
      median(all.filter((one) => one.run === run).map(figure));
    const cpu = ({ cpuMsPerRow }: Measured): number => cpuMsPerRow;
    const speed = ({ rowsPerSecond }: Measured): number => rowsPerSecond;
    return {
      about:
        "SQLite → classify → summarize (mock provider, no latency, no payload log) → SQLite, 64 in flight, each run in a process of its own, from the first row on. " +
        `The second run finds all answers and rows in the journal: no call, no write. To PostgreSQL each round trip takes ${delayMs} ms more than it would on this machine.`,
      tables: [
        {
          title: `${rows} rows`,
          columns: ["run", "ms of CPU a row", "rows/s"],
          rows: runs.map((run) => [run, of(run, cpu).toFixed(4), of(run, speed).toFixed(0)]),
        },
      ],
      budgets: [
        ...atLeast({
          what: "second run over unchanged data, rows/s",
          limit: 10_000,
          measured: of("journal, second run", speed),
          digits: 0,
        }),
        ...atLeast({
          what: `second run over unchanged data, journal in PostgreSQL, ${delayMs} ms away, rows/s`,
          limit: 10_300,
          measured: of("PostgreSQL journal, second run", speed),
          digits: 0,
        }),
      ],
      measurements: all,
    };
  },
};

/** A target without a journal; then two others, twice with their journals. */
async function measureEach(rows: number, repetition: number, options: SuiteOptions): Promise<Measured[]> {
  const [plain, kept, away] = await Promise.all(
    ["plain-", "kept-", "away-"].map(async (name) => await mkdtemp(join(options.folder, name))),
  );
  if (plain === undefined || kept === undefined || away === undefined) throw new Error("no folder");
  const server = await startPostgreSQL();
  const url = new URL(server.url());
  const proxy = await startDelayingProxy(url, delayMs);
  const direct = url.href;
  url.port = `${proxy.port}`;
  const jobs: Readonly<Record<RunName, JournalJob>> = {
    "no journal": { folder: plain },
    "journal, first run": { folder: kept, journal: join(kept, "journal.db") },
    "journal, second run": { folder: kept, journal: join(kept, "journal.db") },
    "PostgreSQL journal, first run": { folder: away, journal: url.href },
    "PostgreSQL journal, second run": { folder: away, journal: url.href },
  };
  const results: Measured[] = [];
  try {
    await makeJournal(direct);
    for (const folder of [plain, kept, away]) createTables(folder, rows);
    for (const run of runs) results.push(await measure(run, repetition, { rows, job: jobs[run], options }));
  } finally {
    proxy.close();
    await server.remove();
    await Promise.all([plain, kept, away].map(async (folder) => await rm(folder, { recursive: true })));
  }
  return results;
}

async function measure(
  run: RunName,
  repetition: number,
  { rows, job, options }: { readonly rows: number; readonly job: JournalJob; readonly options: SuiteOptions },
): Promise<Measured> {
  const module = new URL("../alone/journal.ts", import.meta.url);
  const name = run.replaceAll(/\W+/g, "-");
  const profile = options.profileFolder === undefined ? undefined : { folder: options.profileFolder, name };
  const { result, figures } = await inOwnProcess<typeof journalModule>(module, job, { profile });
  requireRight(run, rows, result);
  const cpuMsPerRow = (figures.cpuSeconds * 1000) / rows;
  const rowsPerSecond = rows / figures.wallSeconds;
  options.log(`${run} (${repetition}): ${cpuMsPerRow.toFixed(4)} ms of CPU a row, ${rowsPerSecond.toFixed(0)} rows/s`);
  return { run, repetition, ...result, cpuMsPerRow, rowsPerSecond };
}

async function makeJournal(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const journal = journalAt(url);
  if ("createStatements" in journal) await client.query(journal.createStatements());
  await client.end();
}

function requireRight(run: RunName, rows: number, { written, unchanged, calls }: JournalOutcome): void {
  const isSecond = run.endsWith("second run");
  const isRight = isSecond ? unchanged === rows && calls === 0 : written === rows && calls === 2 * rows;
  if (!isRight) throw new Error(`${run}: ${JSON.stringify({ rows, written, unchanged, calls })}`);
}
