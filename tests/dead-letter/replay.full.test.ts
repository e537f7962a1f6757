import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { execute, query } from "../support/sqlite.ts";
import { readLines } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

const source = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);

/** A pipeline of 40 rows into SQLite, and a replay that is killed where `KILL` says. */
const replayThatIsKilled = `
  import fs from "node:fs/promises";
  import { syncBuiltinESMExports } from "node:module";
  import { Pipeline, ClassifierStep } from ${source("index.ts")};
  import { MockProvider } from ${source("llm/providers/mock.ts")};
  import { SQLiteSink } from ${source("sinks/sqlite.ts")};
  import { MemorySource } from ${source("testing/memory-source.ts")};

  const { KILL: moment = "" } = process.env;
  const rows = Array.from({ length: 40 }, (_, index) => ({ id: "r" + index, note: "Note " + index }));
  export const pipeline = new Pipeline({
    name: "killed", source: new MemorySource({ rows, primaryKeyColumn: "id" }), llmProvider: new MockProvider({ latencyMs: 1 }),
    onRowError: "dead_letter", deadLetterPath: "failed.jsonl", payloadLog: "off", journalPath: "journal.db", concurrency: 4, batchSize: 5,
  })
    .step(new ClassifierStep({ name: "kind", taxonomy: [{ name: "Only", definition: "all" }], inputMap: { text: (s) => s.raw.note }, outputKey: "kind" }))
    .to(new SQLiteSink({ databasePath: "target.db", targetTable: "rows", mergeKeys: ["id"], columnMap: { id: (s) => s.pk, kind: (s) => s.processed.kind.category } }));

  const kill = () => process.kill(process.pid, "SIGKILL");
  const { link, rename } = fs;
  if (moment === "before link") fs.link = kill;
  if (moment === "after link") fs.link = async (...paths) => { await link(...paths); kill(); };
  if (moment === "after rename") fs.rename = async (...paths) => { await rename(...paths); if (paths[1].endsWith("failed.jsonl")) kill(); };
  syncBuiltinESMExports();
  let ended = 0;
  const report = await pipeline.replay({ onEvent: ({ type }) => { if (type === "row-end" && (ended += 1) === Number(moment)) kill(); } });
  console.log(JSON.stringify(report));
`;

test("a replay that is killed at any moment loses nothing: the file is the old one or the new one, whole", async () => {
  for (const moment of ["1", "7", "23", "40", "before link", "after link", "after rename"]) {
    const own = mkdtempSync(join(folder, "killed "));
    const failed = Array.from({ length: 40 }, (_, index) => {
      const raw = { id: `r${index}`, note: `Note ${index}` };
      return { pk: raw.id, error_code: "TIMEOUT", raw_data: raw, timestamp: "2001-01-01T00:00:00.000Z" };
    });
    const before = failed.map((line) => `${JSON.stringify(line)}\n`).join("");
    writeFileSync(join(own, "failed.jsonl"), before);
    writeFileSync(join(own, "replay.ts"), replayThatIsKilled);
    execute(join(own, "target.db"), "CREATE TABLE rows (id TEXT PRIMARY KEY, kind TEXT)");
    const replay = async (KILL?: string): Promise<{ signal: unknown; stdout: string }> => {
      const child = spawn(process.execPath, [join(own, "replay.ts")], {
        cwd: own,
        env: { ...process.env, NODE_V8_COVERAGE: "", ...(KILL !== undefined && { KILL }) },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const output = text(child.stdout);
      const [, signal] = await once(child, "exit");
      return { signal, stdout: await output };
    };
    assert.equal((await replay(moment)).signal, "SIGKILL", moment);
    const left = readFileSync(join(own, "failed.jsonl"), "utf8");
    assert.ok(
      left === (moment === "after rename" ? "" : before),
      `${moment}: the file is neither the old nor the new one`,
    );
    const written = query(join(own, "target.db"), "SELECT id FROM rows").length;
    assert.ok(written + readLines(join(own, "failed.jsonl")).length >= 40, moment);

    const report = JSON.parse((await replay()).stdout);
    assert.deepEqual([report.status, report.remainingCount], ["completed", 0], moment);
    assert.equal(report.writtenSinceCount + report.successCount, moment === "after rename" ? 0 : 40, moment);
    assert.equal(query(join(own, "target.db"), "SELECT id FROM rows WHERE kind = 'Only'").length, 40, moment);
    assert.equal(readFileSync(join(own, "failed.jsonl"), "utf8"), "", moment);
    assert.equal(existsSync(join(own, "failed.jsonl.partial")), false, moment);
  }
});
