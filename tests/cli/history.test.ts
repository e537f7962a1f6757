import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type HistoryOptions, type RunInJournal, withHistory } from "../../src/cli/history.ts";
import { runRecord, writeJournal } from "../support/journal-file.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/pipelines/${name}.ts`, import.meta.url));
const findRuns = async (options: HistoryOptions): Promise<readonly RunInJournal[]> =>
  await withHistory(options, async (history) => await history.runs({ limit: 100 }));
const inJournals = async (...journals: string[]) => await findRuns({ journals, pipelines: [] });

test("the runs of several journals are one list, the newest first, each with its journal; a journal named twice counts once", async () => {
  const [one, other] = [join(folder, "one.db"), join(folder, "other.db")];
  await writeJournal(one, [
    runRecord({ runId: "a", startedAt: new Date(1000) }),
    runRecord({ runId: "c", startedAt: new Date(3000) }),
  ]);
  await writeJournal(other, [runRecord({ runId: "b", startedAt: new Date(2000) })]);
  const runs = await inJournals(one, other, one);
  assert.deepEqual(
    runs.map(({ runId, journal }) => [runId, journal]),
    [
      ["c", one],
      ["b", other],
      ["a", one],
    ],
  );
});

test("with nothing named, the journals are those in .llm-etl below the working directory", async (t) => {
  const place = mkdtempSync(join(folder, "here "));
  t.mock.method(process, "cwd", () => place);
  const refused = {
    code: "JOURNAL_FAILED",
    message: /^there is no journal in .*\.llm-etl: run a pipeline here first, /,
  };
  await assert.rejects(findRuns({ journals: [], pipelines: [] }), refused);
  await writeJournal(join(place, ".llm-etl", "visits.db"), [runRecord({ runId: "a" })]);
  writeFileSync(join(place, ".llm-etl", "notes.txt"), "no journal");
  const runs = await findRuns({ journals: [], pipelines: [] });
  assert.deepEqual(
    runs.map(({ runId }) => runId),
    ["a"],
  );
});

test("a pipeline module stands for its journal; one whose journal is off is refused", async () => {
  const refusal = { code: "INVALID_OPTION", message: /is "off" in fixture, so nothing is known of its runs/ };
  await assert.rejects(findRuns({ journals: [], pipelines: [fixture("good")] }), refusal);
  const missing = { code: "PIPELINE_MODULE_INVALID", message: /there is no file/ };
  await assert.rejects(findRuns({ journals: [], pipelines: [fixture("not-there")] }), missing);
});

test("a journal that is not there, is damaged or something else: an error that names it", async () => {
  const path = (name: string): string => join(folder, name);
  await assert.rejects(inJournals(path("none.db")), {
    code: "JOURNAL_FAILED",
    message: /none\.db does not exist: the pipeline has not run yet/,
  });
  writeFileSync(
    path("text.db"),
    "this is no database, but it is long enough to be taken for the head of one".repeat(20),
  );
  await assert.rejects(
    inJournals(path("text.db")),
    failsWith("JOURNAL_FAILED", { where: path("text.db"), problem: "damaged" }),
  );
});

test("a copy of a journal has the same runs, and each counts once; of all of them the newest are shown", async () => {
  const [one, copy] = [join(folder, "original.db"), join(folder, "copy.db")];
  const runs = ["a", "b", "c"].map((runId, index) => runRecord({ runId, startedAt: new Date(1000 * index) }));
  await writeJournal(one, runs);
  copyFileSync(one, copy);
  const shown = await withHistory({ journals: [one, copy], pipelines: [] }, async (history) => {
    return (await history.runs({ limit: 2 })).map(({ runId }) => runId);
  });
  assert.deepEqual(shown, ["c", "b"]);
});

test("the run that went on from another is found behind a hundred that did not", async () => {
  const path = join(folder, "long.db");
  const first = runRecord({ runId: "first", startedAt: new Date(0) });
  const later = Array.from({ length: 250 }, (_, index) => runRecord({ startedAt: new Date(1000 + index) }));
  await writeJournal(path, [first, ...later]);
  const found = await withHistory({ journals: [path], pipelines: [] }, async (history) => {
    return await history.laterRun({ ...first, journal: path }, ({ runId }) => runId === later[0]?.runId);
  });
  assert.equal(found?.runId, later[0]?.runId);
});
