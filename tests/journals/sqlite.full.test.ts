import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { JournalSession, StoredAnswer } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { answerOf } from "../../src/testing/journal-samples.ts";
import { openJournal, runRecord } from "../support/journal-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;
const newPath = (): string => join(folder, `${(count += 1)}`, "journal.db");
const stored = answerOf("{}");
const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/sqlite.ts")).href;

for (const { name, check } of journalContract({
  create: async () => {
    const path = newPath();
    const moduleText = `import { SQLiteJournal } from ${JSON.stringify(module)};
      export default new SQLiteJournal({ path: ${JSON.stringify(path)} });`;
    return { journal: new SQLiteJournal({ path }), moduleText };
  },
})) {
  test(name, check);
}

async function answerIn(journal: JournalSession, key: string): Promise<StoredAnswer | undefined> {
  return (await journal.answers.find([key])).get(key);
}

test("a write that fails rejects with what to do, and what was kept before is still there", async () => {
  const path = newPath();
  // A process may be given a largest size of its files: to SQLite that is a disk that takes no more.
  const script = `
    const { SQLiteJournal } = await import(${JSON.stringify(module)});
    const run = ${JSON.stringify(runRecord())};
    const journal = await new SQLiteJournal({ path: ${JSON.stringify(path)} }).open(run, new AbortController().signal);
    let kept = 0;
    try {
      for (; kept < 5000; kept += 1) {
        await journal.answers.save(kept.toString(16).padStart(64, "0"), { ...${JSON.stringify(stored)}, text: "x".repeat(500) });
      }
    } catch (error) {
      console.log(JSON.stringify({ kept, code: error.code, problem: error.facts.problem }));
    }
    process.exit(0);`;
  const child = spawn("sh", ["-c", 'ulimit -f 6000; exec "$0" --input-type=module -e "$1"', process.execPath, script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = await once(child.stdout, "data");
  await once(child, "exit");
  const { kept, code, problem } = JSON.parse(String(output));
  assert.equal(code, "JOURNAL_FAILED");
  assert.equal(problem, "full");
  assert.ok(kept > 100);
  const journal = await openJournal(path);
  for (let index = 0; index < kept; index += 1) {
    assert.ok(await answerIn(journal, index.toString(16).padStart(64, "0")), `answer ${index}`);
  }
  await journal.close();
});
