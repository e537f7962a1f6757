import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Agent } from "undici";
import type { LLMProvider, RunEvent } from "../../src/index.ts";
import { whileHeld, withLook } from "../../src/journal-upkeep/look.ts";
import { prune, type PruneFinding } from "../../src/journal-upkeep/prune.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  allWritten,
  azureProvider,
  committedFolder,
  createTarget,
  type JournalName,
  moveSink,
  rowsOf,
  someFailed,
} from "./journal-pipelines.ts";

const folder = temporaryFolder();
const committed = (name: JournalName): string => fileURLToPath(new URL(`journal-0.1/${name}`, import.meta.url));

/** A copy of what version 0.1 left behind, whose journal knows the target at its new place. */
function copyOf(name: JournalName): string {
  const copy = mkdtempSync(join(folder, `${name} `));
  cpSync(committed(name), copy, { recursive: true });
  moveSink(join(copy, "journal.db"), committedFolder, copy);
  return copy;
}

/** The events of a run, to be looked at when it has ended. */
function collect(): { readonly events: RunEvent[]; readonly onEvent: (event: RunEvent) => void } {
  const events: RunEvent[] = [];
  return { events, onEvent: (event) => void events.push(event) };
}

const count = (events: readonly RunEvent[], type: RunEvent["type"]): number =>
  events.filter((event) => event.type === type).length;

/** A provider with the settings of that of version 0.1, which lets nobody call it. */
function deaf(name: "all-written-mock" | "all-written-azure"): LLMProvider {
  const provider = name === "all-written-mock" ? new MockProvider() : azureProvider(new Agent());
  const { fingerprint } = provider;
  return { name: provider.name, fingerprint, complete: async () => assert.fail("the model was called") };
}

/** Prunes all that is older than now, and gives what became of the answers. */
async function pruneAll(copy: string): Promise<PruneFinding | undefined> {
  const journal = new SQLiteJournal({ path: join(copy, "journal.db") });
  const request = { before: new Date(), includeCurrent: false, sinkKeys: [] };
  const { signal } = new AbortController();
  const findings = await withLook(journal, async (look) => {
    return await whileHeld(journal, signal, async (upkeep) => await prune({ look, upkeep, request, signal }));
  });
  return findings.find(({ what }) => what === "answers");
}

/** A row as it would be written in any run: without the facts of the run. */
function content({
  run_id: _runId,
  started_at: _startedAt,
  completed_at: _completedAt,
  ...rest
}: object & {
  readonly run_id?: unknown;
  readonly started_at?: unknown;
  readonly completed_at?: unknown;
}): object {
  return rest;
}

for (const name of ["all-written-mock", "all-written-azure"] as const) {
  const rowCount = name === "all-written-mock" ? 60 : 30;

  describe(`the journal of version 0.1 in ${name}`, () => {
    test("a run over the same rows calls nobody and writes nothing: every row is unchanged", async () => {
      const copy = copyOf(name);
      const before = rowsOf(join(copy, "data.db"));
      const { events, onEvent } = collect();
      const report = await allWritten({ folder: copy, llmProvider: deaf(name) }).run({ onEvent });
      assert.deepEqual([report.status, report.error, report.exitCode], ["completed", null, 0]);
      assert.deepEqual([report.readCount, report.unchangedCount, report.successCount], [rowCount, rowCount, rowCount]);
      assert.deepEqual([report.usage.calls, count(events, "call-start"), count(events, "batch-start")], [0, 0, 0]);
      assert.ok(report.usage.reusedAnswers > 3 * rowCount, `${report.usage.reusedAnswers} answers were reused`);
      assert.deepEqual(rowsOf(join(copy, "data.db")), before);
      assert.equal(before.length, rowCount);
    });

    test("prune takes no answer while the rows have not ended since, and then none that they use: no run calls", async () => {
      const copy = copyOf(name);
      const run = async () => await allWritten({ folder: copy, llmProvider: deaf(name) }).run({ fresh: true });
      const before = await pruneAll(copy);
      assert.equal(before?.goes, 0);
      assert.ok((before?.stays.olderVersion ?? 0) > 0);
      assert.equal((await run()).usage.calls, 0);
      const after = await pruneAll(copy);
      assert.equal(after?.stays.olderVersion, undefined);
      assert.ok((after?.stays.used ?? 0) > 0);
      assert.equal((await run()).usage.calls, 0);
    });

    test("a new target is filled with the same rows without a call", async () => {
      const copy = copyOf(name);
      createTarget(join(copy, "new.db"));
      const report = await allWritten({ folder: copy, target: "new.db", llmProvider: deaf(name) }).run();
      assert.deepEqual([report.exitCode, report.successCount, report.unchangedCount], [0, rowCount, 0]);
      assert.equal(report.usage.calls, 0);
      assert.deepEqual(rowsOf(join(copy, "new.db")).map(content), rowsOf(join(copy, "data.db")).map(content));
    });

    test("an emptied target is found out, and filled without a call by a run that is to be fresh", async () => {
      const copy = copyOf(name);
      const before = rowsOf(join(copy, "data.db"));
      const database = new DatabaseSync(join(copy, "data.db"));
      database.exec("DELETE FROM enriched");
      database.close();
      const pipeline = allWritten({ folder: copy, llmProvider: deaf(name) });
      await assert.rejects(pipeline.run(), { code: "TARGET_MISMATCH" });
      const report = await pipeline.run({ fresh: true });
      assert.deepEqual([report.exitCode, report.successCount, report.unchangedCount], [0, rowCount, 0]);
      assert.equal(report.usage.calls, 0);
      assert.deepEqual(rowsOf(join(copy, "data.db")).map(content), before.map(content));
    });

    test("a row that is changed is asked about anew, and it alone is written", async () => {
      const copy = copyOf(name);
      const database = new DatabaseSync(join(copy, "data.db"));
      database.exec("UPDATE notes SET note = 'A card was found.' WHERE id = 'n01'");
      database.close();
      const mock = new MockProvider();
      const { fingerprint } = deaf(name);
      const { events, onEvent } = collect();
      const llmProvider = { name: mock.name, fingerprint, complete: mock.complete };
      const report = await allWritten({ folder: copy, llmProvider }).run({ onEvent });
      assert.deepEqual([report.usage.calls, report.unchangedCount, report.successCount], [3, rowCount - 1, rowCount]);
      assert.deepEqual(
        events.flatMap((event) => (event.type === "row-end" && event.outcome === "written" ? [event.pk] : [])),
        ["n01"],
      );
    });
  });
}

describe("the journal and the dead letter file of version 0.1 in some-failed", () => {
  /** The mock, and by step how often it was asked. */
  function counting(): { readonly llmProvider: LLMProvider; readonly calls: Record<string, number> } {
    const { name, fingerprint, complete } = new MockProvider();
    const calls: Record<string, number> = {};
    const llmProvider: LLMProvider = {
      name,
      fingerprint,
      complete: async (request, signal) => {
        calls[request.schema.name] = (calls[request.schema.name] ?? 0) + 1;
        return await complete(request, signal);
      },
    };
    return { llmProvider, calls };
  }

  test("a run asks anew at the step at which a row failed, and nowhere else; blank rows fail again without a call", async () => {
    const { llmProvider, calls } = counting();
    const report = await someFailed({ folder: copyOf("some-failed"), llmProvider }).run();
    // One was never valid, one declined, one filtered and one cut off twice: by the second step, so the first is not paid again.
    assert.deepEqual(calls, { summary: 4 });
    assert.deepEqual([report.readCount, report.successCount, report.unchangedCount], [10, 8, 4]);
    assert.deepEqual(report.failuresByCode, { EMPTY_INPUT: 2 });
  });

  test("a replay takes the failed rows alone to the target; the blank ones stay in the file", async () => {
    const copy = copyOf("some-failed");
    const { llmProvider, calls } = counting();
    const report = await someFailed({ folder: copy, llmProvider }).replay();
    assert.deepEqual(calls, { summary: 4 });
    assert.deepEqual([report.readCount, report.successCount, report.unchangedCount], [6, 4, 0]);
    assert.deepEqual(report.failuresByCode, { EMPTY_INPUT: 2 });
    assert.equal(rowsOf(join(copy, "data.db")).length, 8);
    const lines = readFileSync(join(copy, "dead-letter.jsonl"), "utf8").trimEnd().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).pk),
      ["n02", "n09"],
    );
  });
});

describe("the command line", () => {
  const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
  const names: readonly JournalName[] = ["all-written-mock", "all-written-azure", "some-failed"];

  for (const name of names) {
    test(`lists and shows the runs of version 0.1 in ${name}`, () => {
      const journal = join(copyOf(name), "journal.db");
      const llmEtl = (...words: string[]): string => {
        const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], { encoding: "utf8" });
        assert.equal(status, 0, stderr);
        return stdout;
      };
      const golden: readonly { readonly runId: string }[] = JSON.parse(
        readFileSync(join(committed(name), "runs.json"), "utf8"),
      );
      const listed: unknown[] = llmEtl("runs", "--journal", journal, "--json")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.equal(listed.length, golden.length);
      assert.partialDeepStrictEqual(listed, golden);
      const shown: unknown = JSON.parse(llmEtl("show", golden[0]?.runId ?? "", "--journal", journal, "--json"));
      assert.partialDeepStrictEqual(shown, golden[0]);
      assert.match(llmEtl("show", "--journal", journal), new RegExp(`${golden[0]?.runId}`));
    });
  }
});

test("the committed files are as large as they were: whoever opens one works on a copy", () => {
  const sizes = (["all-written-mock", "all-written-azure", "some-failed"] as const).map((name) => {
    return statSync(join(committed(name), "journal.db")).size;
  });
  assert.deepEqual(sizes, [110_592, 73_728, 32_768]);
});

for (const name of ["all-written-mock", "all-written-azure"] as const) {
  test(`a plan over the journal of 0.1 finds every answer, and asks nothing (${name})`, async () => {
    const plan = await allWritten({ folder: copyOf(name), llmProvider: deaf(name) }).plan();
    assert.ok(plan.rows.read > 0);
    assert.deepEqual([plan.rows.answered, plan.rows.toAsk], [plan.rows.read, 0]);
    assert.deepEqual(plan.run.calls, { estimate: 0, low: 0, high: 0 });
  });
}
