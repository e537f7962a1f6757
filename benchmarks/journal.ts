/**
 * What the journal costs, and what it saves: SQLite → classify → summarize (mock, no latency) → SQLite, without a journal,
 * with a new one, and a second time over unchanged rows; interleaved, medians of the repetitions. With `--memory`, the
 * peak RSS of a first run at two sizes, each in a process with a capped heap.
 * Usage: node benchmarks/journal.ts [rows] [repetitions] | --memory [rows] [more rows]; run `npm run build` first.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { ClassifierStep, Pipeline, type RunReport, SummarizerStep } from "llm-etl";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { SQLiteSink } from "llm-etl/sinks/sqlite";
import { SQLiteSource } from "llm-etl/sources/sqlite";

const [command, ...values] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "llm-etl-journal-"));
try {
  if (command === "--memory") comparePeaks([Number(values[0] ?? 10_000), Number(values[1] ?? 1_000_000)]);
  else if (command === "--child") await measurePeak(Number(values[0]));
  else await compareCost(Number(command ?? 20_000), Number(values[0] ?? 5));
} finally {
  rmSync(folder, { recursive: true });
}

interface Cost {
  readonly cpuMsPerRow: number;
  readonly rowsPerSecond: number;
}

async function compareCost(rows: number, repetitions: number): Promise<void> {
  createRows(rows);
  const costs: Record<"warm-up" | "no journal" | "journal, first run" | "journal, second run", Cost[]> = {
    "warm-up": [],
    "no journal": [],
    "journal, first run": [],
    "journal, second run": [],
  };
  costs["warm-up"].push(await measure(rows, undefined));
  for (let repetition = 0; repetition < repetitions; repetition += 1) {
    const journalPath = join(folder, `journal-${repetition}.db`);
    costs["no journal"].push(await measure(rows, undefined));
    costs["journal, first run"].push(await measure(rows, journalPath));
    costs["journal, second run"].push(await measure(rows, journalPath));
  }
  for (const [name, all] of Object.entries(costs)) {
    const cpu = median(all.map(({ cpuMsPerRow }) => cpuMsPerRow));
    const speed = median(all.map(({ rowsPerSecond }) => rowsPerSecond));
    process.stdout.write(`${name.padEnd(20)} ${cpu.toFixed(4)} ms of CPU a row, ${Math.round(speed)} rows/s\n`);
  }
  const [without, first] = [costs["no journal"], costs["journal, first run"]];
  const added = first.map(({ cpuMsPerRow }, index) => cpuMsPerRow - (without[index]?.cpuMsPerRow ?? Number.NaN));
  process.stdout.write(
    `the journal adds ${median(added).toFixed(4)} ms of CPU a row (median of ${repetitions} pairs)\n`,
  );
}

async function measure(rows: number, journalPath: string | undefined): Promise<Cost> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const report = await run(journalPath);
  const { user, system } = process.cpuUsage(before);
  if (report.successCount !== rows) throw new Error(`${report.successCount} of ${rows} rows: ${report.error?.message}`);
  return { cpuMsPerRow: (user + system) / 1000 / rows, rowsPerSecond: rows / ((performance.now() - startedMs) / 1000) };
}

function comparePeaks(sizes: readonly number[]): void {
  const peaks = sizes.map((rows) => {
    const flags = ["--max-old-space-size=64", "--max-semi-space-size=8"];
    const child = spawnSync(process.execPath, [...flags, fileURLToPath(import.meta.url), "--child", String(rows)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
    if (child.status !== 0) throw new Error(`the run of ${rows} rows ended with ${child.status ?? child.signal}`);
    process.stdout.write(child.stdout);
    return Number(/peak RSS (\d+)/.exec(child.stdout)?.[1]);
  });
  process.stdout.write(`ratio ${((peaks[1] ?? Number.NaN) / (peaks[0] ?? Number.NaN)).toFixed(3)}\n`);
}

async function measurePeak(rows: number): Promise<void> {
  createRows(rows);
  const startedMs = performance.now();
  const report = await run(join(folder, "journal.db"));
  if (report.successCount !== rows) throw new Error(`${report.successCount} of ${rows} rows: ${report.error?.message}`);
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  const seconds = (performance.now() - startedMs) / 1000;
  process.stdout.write(
    `${rows} rows: peak RSS ${peak} MiB, ${seconds.toFixed(1)} s, ${Math.round(rows / seconds)} rows/s\n`,
  );
}

async function run(journalPath: string | undefined): Promise<RunReport> {
  return await new Pipeline<{ id: string; text: string }>({
    name: "journal_benchmark",
    source: new SQLiteSource({
      databasePath: join(folder, "a.db"),
      sql: "SELECT * FROM notes",
      primaryKeyColumn: "id",
    }),
    llmProvider: new MockProvider(),
    concurrency: 64,
    payloadLog: "off",
    ...(journalPath === undefined ? { journal: "off" as const } : { journalPath }),
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "Card", definition: "A lost, stolen or blocked card" },
          { name: "Transfer", definition: "Money sent or received, a transfer" },
        ],
        inputMap: { text: (s) => s.raw.text },
        outputKey: "kind",
      }),
    )
    .step(
      new SummarizerStep({
        name: "summary",
        inputMap: { text: (s) => s.raw.text, focus: (s) => s.processed.kind.category },
        outputKey: "summary",
      }),
    )
    .to(
      new SQLiteSink({
        databasePath: join(folder, "a.db"),
        targetTable: "enriched",
        mergeKeys: ["id"],
        columnMap: {
          id: (s) => s.pk,
          category: (s) => s.processed.kind.category,
          summary: (s) => s.processed.summary.text,
          processed_at: (s) => s.completedAt,
        },
      }),
    )
    .run();
}

/** Notes of about 500 characters, no two alike. */
function createRows(rows: number): void {
  const database = new DatabaseSync(join(folder, "a.db"));
  database.exec(`
    CREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT);
    CREATE TABLE enriched (id TEXT PRIMARY KEY, category TEXT, summary TEXT, processed_at TEXT);
    BEGIN`);
  const insert = database.prepare("INSERT INTO notes VALUES (?, ?)");
  for (let row = 0; row < rows; row += 1) {
    insert.run(`note-${row}`, `Case ${row * 7919}: the card was lost, and a transfer has not arrived. `.repeat(8));
  }
  database.exec("COMMIT");
  database.close();
}

function median(all: readonly number[]): number {
  return all.toSorted((left, right) => left - right)[Math.floor(all.length / 2)] ?? Number.NaN;
}
