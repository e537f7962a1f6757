/** Parquet in and out: whether memory grows with the files. */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type * as parquetModule from "../alone/parquet.ts";
import type { ParquetOutcome } from "../alone/parquet.ts";
import { inOwnProcess, type ProcessFigures } from "../measure/own-process.ts";
import { atMost, type Suite } from "./suite.ts";

/** With a small heap, lazy collection does not read as growth. */
const flags = ["--max-old-space-size=64", "--max-semi-space-size=8"];
const sampleEvery = 200_000;

interface Measured extends ParquetOutcome, ProcessFigures {
  readonly rows: number;
  readonly fromMiB: number;
  readonly toMiB: number;
}

export const parquet: Suite = {
  name: "parquet",
  minutes: 6,
  tools: [],
  run: async ({ rows = 1_000_000, isQuick, folder: parent, log }) => {
    const folder = await mkdtemp(join(parent, "parquet-"));
    try {
      const measured = await measure(folder, isQuick ? 200 : rows);
      const { samplesMiB, peakMiB, wallSeconds, fromMiB, toMiB } = measured;
      log(`${measured.rows} rows in ${wallSeconds.toFixed(0)} s, peak ${peakMiB.toFixed(0)} MiB`);
      const looks = samplesMiB.map((sample, index) => [(index + 1) * sampleEvery, sample.toFixed(0)] as const);
      const [first = Number.NaN, last = Number.NaN] = [samplesMiB[0], samplesMiB.at(-1)];
      return {
        about:
          `Four Parquet files of clinical notes (0.3 KB each, a decimal and a time) → classify by the mock → one Parquet file, 64 rows in flight, without journal and payload log, ` +
          `in a process of its own (${flags.join(" ")}). Node itself, with the types of these files stripped, has about 70 MiB.`,
        tables: [
          {
            title: `${measured.rows} rows, ${fromMiB.toFixed(1)} MiB to ${toMiB.toFixed(1)} MiB, ${(measured.rows / wallSeconds).toFixed(0)} rows/s`,
            columns: ["rows ended", "RSS in MiB"],
            rows: [...looks, ["peak", peakMiB.toFixed(0)]],
          },
        ],
        budgets: [
          ...atMost({
            what: `peak RSS at ${measured.rows} rows`,
            limit: 286, // 300 MB
            measured: peakMiB,
            digits: 0,
            unit: " MiB",
          }),
          ...atMost({
            what: `RSS at the last look, by that at ${sampleEvery} rows`,
            limit: 1.1,
            measured: samplesMiB.length < 2 ? undefined : last / first,
            digits: 2,
          }),
        ],
        measurements: [measured],
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

async function measure(folder: string, rows: number): Promise<Measured> {
  const pattern = join(folder, "notes *.parquet");
  const fromMiB = (await writeNotes(folder, rows)) / 2 ** 20;
  const to = join(folder, "classified.parquet");
  const job = { from: quoted(pattern), to, sampleEvery };
  const module = new URL("../alone/parquet.ts", import.meta.url);
  const { result, figures } = await inOwnProcess<typeof parquetModule>(module, job, { flags });
  const [count, sum] = await factsOf(`SELECT count(*), sum(id)::BIGINT FROM ${quoted(to)} WHERE topic IS NOT NULL`);
  if (result.written !== rows || count !== BigInt(rows) || sum !== (BigInt(rows) * BigInt(rows - 1)) / 2n) {
    throw new Error(`${String(count)} of ${rows} rows are right`);
  }
  return { rows, fromMiB, toMiB: (await stat(to)).size / 2 ** 20, ...result, ...figures };
}

/** Four files; returns their size in bytes. */
async function writeNotes(folder: string, rows: number): Promise<number> {
  let bytes = 0;
  for (const part of [0, 1, 2, 3]) {
    const path = join(folder, `notes ${part}.parquet`);
    const bounds = [0, 1].map((next) => Math.floor((rows * (part + next)) / 4)).join(", ");
    const words = "md5(range::VARCHAR) || ' knee pain since ' || (range % 90) || ' days; '";
    await factsOf(`COPY (SELECT range AS id, repeat(${words}, 5) AS note, CAST((range % 100000) / 4 AS DECIMAL(18,2)) AS amount,
      TIMESTAMP '2026-01-01' + INTERVAL (range) SECOND AS noted_at FROM range(${bounds})) TO ${quoted(path)} (FORMAT parquet, COMPRESSION zstd)`);
    bytes += (await stat(path)).size;
  }
  return bytes;
}

/** The first row of a statement's result. */
async function factsOf(sql: string): Promise<readonly unknown[]> {
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "512MiB", threads: "2" });
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows()[0] ?? [];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
