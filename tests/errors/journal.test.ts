import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterError, JournalError, JournalInUseError, PayloadLogError } from "../../src/errors/journal.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { KeptTexts } from "../../src/journal-answers/kept-texts.ts";
import type { AnswersOptions } from "../../src/journal-answers/options.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { runFacts } from "../../src/testing/journal-samples.ts";
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

test("the sentences about encrypted answers", async (t) => {
  const folder = temporaryFolder();
  const key = "k".repeat(43);
  const at = (options: AnswersOptions) => new SQLiteJournal({ path: join(folder, "run.db"), ...options });
  const open = async (options: AnswersOptions) => await at(options).open(runFacts("1"), new AbortController().signal);
  await (await open({ answers: "encrypted", encryptionKey: key })).close();
  const texts = new KeptTexts("/data/run.db", undefined);
  const before = process.env["LLM_ETL_JOURNAL_KEY"];
  delete process.env["LLM_ETL_JOURNAL_KEY"];
  t.after(() => {
    if (before !== undefined) process.env["LLM_ETL_JOURNAL_KEY"] = before;
  });
  await assertSentences(
    t,
    [
      async () => await open({ answers: "encrypted" }),
      async () => await open({ answers: "encrypted", encryptionKey: "short" }),
      async () => await open({ encryptionKey: key }),
      async () => await open({ answers: "encrypted", encryptionKey: "l".repeat(43) }),
      async () => await open({}),
      () => texts.fromKept("\u0010a1:", ["answer", "0".repeat(64), "stop"]),
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
