import { test } from "node:test";
import { DeadLetterError, JournalError, JournalInUseError, PayloadLogError } from "../../src/errors/journal.ts";
import { assertSentences } from "../support/error-sentences.ts";

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
