/** What the journal costs, and what it saves. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type * as journalModule from "../alone/journal.ts";
import { createTables, type JournalJob, type JournalOutcome } from "../alone/journal.ts";
import { inOwnProcess } from "../measure/own-process.ts";
import { median } from "../measure/statistics.ts";
import { atLeast, type Suite, type SuiteOptions } from "./suite.ts";

type RunName = (typeof runs)[number];

const runs = ["no journal", "journal, first run", "journal, second run", "second run, 1 ms a look-up"] as const;

interface Measured extends JournalOutcome {
  readonly run: RunName;
  readonly repetition: number;
  readonly cpuMsPerRow: number;
  readonly rowsPerSecond: number;
}

export const journal: Suite = {
  name: "journal",
  minutes: 2,
  tools: [],
  run: async (options) => {
    const rows = options.rows ?? (options.isQuick ? 100 : 50_000);
    const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
    const all: Measured[] = [];
    for (let repetition = 1; repetition <= repetitions; repetition += 1) {
      all.push(...(await measureAll(rows, repetition, options)));
    }
    const of = (run: RunName, figure: (one: Measured) => number): number =>
      median(all.filter((one) => one.run === run).map(figure));
    const cpu = ({ cpuMsPerRow }: Measured): number => cpuMsPerRow;
    const speed = ({ rowsPerSecond }: Measured): number => rowsPerSecond;
    return {
      about:
        "SQLite → classify → summarize (mock provider, no latency, no payload log) → SQLite, 64 in flight, each run in a process of its own, from the first row on. " +
        "The second run finds all answers and rows in the journal: no call, no write. Over a network it looks pages of rows up ahead of their turn.",
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
          what: "the same with 1 ms added to each look-up, by it without",
          limit: 0.5,
          measured: of("second run, 1 ms a look-up", speed) / of("journal, second run", speed),
          digits: 2,
        }),
      ],
      measurements: all,
    };
  },
};

/** A target without a journal; then another one, with its journal: twice, and once more as over a network. */
async function measureAll(rows: number, repetition: number, options: SuiteOptions): Promise<Measured[]> {
  const plain = await mkdtemp(join(options.folder, "plain-"));
  const kept = await mkdtemp(join(options.folder, "kept-"));
  const journalPath = join(kept, "journal.db");
  const jobs: Readonly<Record<RunName, JournalJob>> = {
    "no journal": { folder: plain },
    "journal, first run": { folder: kept, journalPath },
    "journal, second run": { folder: kept, journalPath },
    "second run, 1 ms a look-up": { folder: kept, journalPath, roundTripMs: 1 },
  };
  const results: Measured[] = [];
  try {
    for (const folder of [plain, kept]) createTables(folder, rows);
    for (const run of runs) {
      const module = new URL("../alone/journal.ts", import.meta.url);
      const name = run.replaceAll(/\W+/g, "-");
      const profile = options.profileFolder === undefined ? undefined : { folder: options.profileFolder, name };
      const { result, figures } = await inOwnProcess<typeof journalModule>(module, jobs[run], { profile });
      requireRight(run, rows, result);
      const cpuMsPerRow = (figures.cpuSeconds * 1000) / rows;
      const rowsPerSecond = rows / figures.wallSeconds;
      options.log(
        `${run} (${repetition}): ${cpuMsPerRow.toFixed(4)} ms of CPU a row, ${rowsPerSecond.toFixed(0)} rows/s`,
      );
      results.push({ run, repetition, ...result, cpuMsPerRow, rowsPerSecond });
    }
  } finally {
    await Promise.all([plain, kept].map(async (folder) => await rm(folder, { recursive: true })));
  }
  return results;
}

function requireRight(run: RunName, rows: number, { written, unchanged, calls }: JournalOutcome): void {
  const isSecond = run === "journal, second run" || run === "second run, 1 ms a look-up";
  const isRight = isSecond ? unchanged === rows && calls === 0 : written === rows && calls === 2 * rows;
  if (!isRight) throw new Error(`${run}: ${JSON.stringify({ rows, written, unchanged, calls })}`);
}
