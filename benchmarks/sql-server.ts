/**
 * Peak memory of reading a large table from SQL Server while the consumer pauses: the test server stands in a process of its own, each
 * reading in another. Usage: node benchmarks/sql-server.ts --source [rows]; run `npm run build` first.
 */
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SQLServerSource } from "llm-etl/sources/sql-server";
import { startSQLServer } from "../tests/support/sql-server.ts";

const [command = "--source", ...values] = process.argv.slice(2);
const script = fileURLToPath(import.meta.url);
const columns = "id, note, department, amount, visited_at";
const readings: Readonly<
  Record<string, { readonly sql: string; readonly paging?: { keyColumn: "id"; pageSize: number } }>
> = {
  "one SELECT": { sql: "SELECT id, note, department, visited_at FROM dbo.visits" },
  "one SELECT, a decimal converted": { sql: `SELECT ${columns} FROM dbo.visits` },
  "pages of 1,000": {
    sql: `SELECT TOP (@page_size) ${columns} FROM dbo.visits WHERE (@after IS NULL OR id > @after) ORDER BY id`,
    paging: { keyColumn: "id", pageSize: 1000 },
  },
};

if (command === "--serve") await serve(Number(values[0]));
else if (command === "--read") await read(values[0] ?? "", values[1] ?? "");
else await compare(Number(values[0] ?? 300_000));

async function compare(rows: number): Promise<void> {
  for (const [name, { paging }] of Object.entries(readings)) {
    // The test server looks through the whole table for each page: a tenth of the rows says as much.
    const server = fork(script, ["--serve", String(paging === undefined ? rows : Math.ceil(rows / 10))]);
    const [connectionString] = await once(server, "message");
    const child = spawnSync(process.execPath, [script, "--read", name, String(connectionString)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    server.kill();
    if (child.status !== 0) throw new Error(`the reading in ${name} ended with ${child.status ?? child.signal}`);
  }
}

async function serve(rows: number): Promise<void> {
  const table =
    "id INT NOT NULL PRIMARY KEY, note NVARCHAR(400) NULL, department NVARCHAR(50) NULL, amount DECIMAL(19,4) NULL, visited_at DATETIME2(7) NULL";
  const server = await startSQLServer({ sql: `CREATE TABLE dbo.visits (${table})` }, { after: () => undefined });
  const note = "The patient came with a sore throat and a fever. ".repeat(6);
  const row = (id: number) => ({
    id,
    note,
    department: "ER",
    amount: `${id}.2500`,
    visited_at: "2026-01-02T03:04:05.1234567",
  });
  const visits = server.table("dbo.visits");
  if (rows <= 100_000) visits.insert(Array.from({ length: rows }, (_, index) => row(index + 1)));
  else
    visits.generate(function* () {
      for (let id = 1; id <= rows; id += 1) yield row(id);
    });
  process.send?.(server.connectionString);
}

async function read(name: string, connectionString: string): Promise<void> {
  const reading = readings[name];
  if (reading === undefined) throw new Error(`there is no reading ${name}`);
  const source = new SQLServerSource<{ id: number }>({ connectionString, primaryKeyColumn: "id", ...reading });
  let rows = 0;
  let pausedMs = 0;
  const startedMs = performance.now();
  for await (const _ of source.read({ signal: new AbortController().signal, parameters: {} })) {
    rows += 1;
    if (rows % 50_000 !== 5_000) continue;
    await setTimeout(1000);
    pausedMs += 1000;
  }
  const seconds = (performance.now() - startedMs - pausedMs) / 1000;
  const peak = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(
    `${name}: ${rows} rows, peak RSS ${peak} MiB, ${Math.round(rows / seconds)} rows/s beside pauses of ${pausedMs / 1000} s\n`,
  );
}
