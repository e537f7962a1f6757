import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterError, JournalError, JournalInUseError, PayloadLogError } from "../../src/errors/journal.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("the sentences about the files of a run", async (t) => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  await assertSentences(t, [
    () =>
      new JournalError("/data/run.db", "can't be read", { cause: full, facts: { hint: "look at its permissions" } }),
    () => new JournalInUseError("/data/run.db", "process 7"),
    () => new DeadLetterError("/data/failed.jsonl", full),
    () => new PayloadLogError("/data/payloads.jsonl", full),
  ]);
});

test("the sentences about a file that is no journal", async (t) => {
  const folder = temporaryFolder();
  const look = (name: string, content: string) => async () => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return await new SQLiteJournal({ path }).reader();
  };
  await assertSentences(
    t,
    [
      look("short.db", "too short"),
      look("text.db", "no database".repeat(1000)),
      async () => await new SQLiteJournal({ path: join(folder, "text.db", "below.db") }).preflight(),
    ],
    folder,
  );
});

test("the sentences about a dead letter file that can't be replayed", async (t) => {
  const folder = temporaryFolder();
  const loop = join(folder, "loop.jsonl");
  symlinkSync(loop, loop);
  const replay = (path: string) => async () => await new DeadLetterFile({ path }).replay("visits");
  await assertSentences(
    t,
    [replay(join(folder, "none.jsonl")), replay(folder), replay("/dev/null"), replay(loop)],
    folder,
  );
});
