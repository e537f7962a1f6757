/**
 * Peak memory of CSV → classify (mock, no latency) → CSV, at two sizes, each in a process with a capped heap, so that
 * lazy collection does not read as growth. Usage: node benchmarks/memory.ts [rows] [more rows]; run `npm run build` first.
 */
import { spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline as pump } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { ClassifierStep, Pipeline } from "llm-etl";
import { MockProvider } from "llm-etl/llm/providers/mock";
import { CSVSink } from "llm-etl/sinks/csv";
import { CSVSource } from "llm-etl/sources/csv";

const [command, ...values] = process.argv.slice(2);
if (command === "--child") await measure(Number(values[0]), values[1] ?? "");
else compare([Number(command ?? 100_000), Number(values[0] ?? 1_000_000)]);

function compare(sizes: readonly number[]): void {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-memory-"));
  const peaks = sizes.map((rows) => {
    const flags = ["--max-old-space-size=64", "--max-semi-space-size=8"];
    const child = spawnSync(
      process.execPath,
      [...flags, fileURLToPath(import.meta.url), "--child", String(rows), folder],
      {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    if (child.status !== 0) throw new Error(`the run of ${rows} rows ended with ${child.status ?? child.signal}`);
    process.stdout.write(child.stdout);
    return Number(/peak RSS (\d+)/.exec(child.stdout)?.[1]);
  });
  rmSync(folder, { recursive: true });
  process.stdout.write(`ratio ${((peaks[1] ?? Number.NaN) / (peaks[0] ?? Number.NaN)).toFixed(3)}\n`);
}

async function measure(rows: number, folder: string): Promise<void> {
  const input = join(folder, `${rows}.csv`);
  await pump(Readable.from(lines(rows)), createWriteStream(input));
  const startedMs = performance.now();
  const report = await new Pipeline({
    name: "memory",
    source: new CSVSource({ path: input, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "Card", definition: "A lost, stolen or blocked card" },
          { name: "Transfer", definition: "Money sent or received, a transfer" },
          { name: "Account", definition: "Opening, closing or changing an account" },
        ],
        inputMap: { text: (s) => s.raw.text },
        outputKey: "kind",
      }),
    )
    .to(
      new CSVSink({
        path: join(folder, `${rows}-classified.csv`),
        columnMap: { id: (s) => s.pk, category: (s) => s.processed.kind.category },
      }),
    )
    .run();
  if (report.successCount !== rows)
    throw new Error(`only ${report.successCount} of ${rows} rows: ${report.error?.message}`);
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  const seconds = (performance.now() - startedMs) / 1000;
  process.stdout.write(
    `${rows} rows: peak RSS ${peak} MiB, ${seconds.toFixed(1)} s, ${Math.round(rows / seconds)} rows/s\n`,
  );
}

function* lines(rows: number): Generator<string> {
  const texts = ["My card was stolen on the train", "The transfer has not arrived yet", "Please close my account"];
  yield "id,text\n";
  for (let row = 1; row <= rows; row += 1) yield `${row},"${texts[row % 3]}, case ${row * 7919}"\n`;
}
