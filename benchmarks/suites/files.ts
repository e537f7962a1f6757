/** Sources and sinks with nothing around them. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type * as filesModule from "../alone/files.ts";
import { type FileJob, type FileSpeed, parts } from "../alone/files.ts";
import type * as sqlServerModule from "../alone/sql-server.ts";
import type { RoundTrips, SQLServerJob } from "../alone/sql-server.ts";
import { interleave } from "../measure/interleave.ts";
import { inOwnProcess } from "../measure/own-process.ts";
import { median } from "../measure/statistics.ts";
import { atLeast, type Suite, type SuiteOptions } from "./suite.ts";

type Part = Omit<FileJob, "folder">;
type Measured = Part & FileSpeed;

const defaultBatchSize = 500;
const otherBatchSizes = [1, 10, 100, 5000];

export const files: Suite = {
  name: "files",
  minutes: 2,
  tools: [],
  run: async (options) => {
    const rows = options.rows ?? (options.isQuick ? 100 : 100_000);
    const repetitions = options.repetitions ?? (options.isQuick ? 1 : 3);
    const jobs: Part[] = [
      ...parts.map((part) => ({ part, rows, batchSize: defaultBatchSize })),
      // A transaction for each row takes long: fewer rows say as much.
      ...(options.isQuick ? [1] : otherBatchSizes).map((batchSize) => ({
        part: "SQLiteSink" as const,
        rows: Math.min(rows, 2000 * batchSize),
        batchSize,
      })),
    ];
    const all = await interleave(jobs, repetitions, async (job) => await measure(job, options));
    const roundTrips = await countRoundTrips({ rows: Math.min(rows, 5000), batchSize: defaultBatchSize });
    const speedOf = (part: Part): number =>
      median(
        all.filter((one) => one.part === part.part && one.batchSize === part.batchSize).map((one) => one.rowsPerSecond),
      );
    const updatesOf = ({ batchSize }: Part): number =>
      median(
        all
          .filter((one) => one.part === "SQLiteSink" && one.batchSize === batchSize)
          .map((one) => one.updatedPerSecond ?? 0),
      );
    const rowsPerTrip = roundTrips.rows / roundTrips.inserting;
    return {
      about:
        "Notes of 0.3 to 2 KB, each source and sink in a process of its own. SQL Server is the test server, whose speed says nothing: what is counted is how often the sink goes to it; " +
        "row by row would be once a row at best.",
      tables: [
        {
          title: `${rows} rows, batches of ${defaultBatchSize}`,
          columns: ["part", "rows/s"],
          rows: jobs.slice(0, parts.length).map((job) => [job.part, speedOf(job).toFixed(0)]),
        },
        {
          title: "SQLiteSink by batch size (merge; a transaction for each batch)",
          columns: ["batch size", "inserted rows/s", "updated rows/s"],
          rows: jobs
            .slice(parts.length - 1)
            .toSorted((left, right) => left.batchSize - right.batchSize)
            .map((job) => [job.batchSize, speedOf(job).toFixed(0), updatesOf(job).toFixed(0)]),
        },
        {
          title: `SQLServerSink, ${roundTrips.rows} rows, batches of ${roundTrips.batchSize}`,
          columns: ["", "round trips", "rows a round trip"],
          rows: [
            ["inserting", roundTrips.inserting, (roundTrips.rows / roundTrips.inserting).toFixed(0)],
            ["updating", roundTrips.updating, (roundTrips.rows / roundTrips.updating).toFixed(0)],
            ["preflight and end of the run", roundTrips.fixed, ""],
          ],
        },
      ],
      budgets: [
        ...(["CSVSink", "SQLiteSink"] as const).flatMap((part) =>
          atLeast({
            what: `${part}, rows/s`,
            limit: 20_000,
            measured: speedOf({ part, rows, batchSize: defaultBatchSize }),
            digits: 0,
          }),
        ),
        ...atLeast({ what: "SQLServerSink, rows a round trip", limit: 10, measured: rowsPerTrip, digits: 0 }),
      ],
      measurements: [...all, roundTrips],
    };
  },
};

async function measure(part: Part, { folder: parent, log }: SuiteOptions): Promise<Measured> {
  const folder = await mkdtemp(join(parent, "files-"));
  try {
    const job: FileJob = { ...part, folder };
    const { result } = await inOwnProcess<typeof filesModule>(new URL("../alone/files.ts", import.meta.url), job);
    log(`${part.part}, batches of ${part.batchSize}: ${result.rowsPerSecond.toFixed(0)} rows/s`);
    return { ...part, ...result };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function countRoundTrips(job: SQLServerJob): Promise<SQLServerJob & RoundTrips> {
  const { result } = await inOwnProcess<typeof sqlServerModule>(
    new URL("../alone/sql-server.ts", import.meta.url),
    job,
  );
  return { ...job, ...result };
}
