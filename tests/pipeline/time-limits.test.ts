import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { DeadLetter } from "../../src/contracts/dead-letter.ts";
import type { Journal } from "../../src/contracts/journal.ts";
import type { Sink } from "../../src/contracts/sink.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { Pipeline, type PipelineOptions, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const never = async (): Promise<never> => await new Promise<never>(() => {});
/** Never ends, though the work in it does. */
const stuckAfter = async (work: () => Promise<void>): Promise<never> => {
  await work();
  return await never();
};
const memory = new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } });
const { name, identity, keepsRows, columnMap } = memory;
const journal = new SQLiteJournal({ path: join(folder, "journal.db") });
const letters = new DeadLetterFile({ path: join(folder, "failed.jsonl") });

function pipelineWith(sink: Partial<Sink<{ pk: string }>>, options: Partial<PipelineOptions<{ id: string }>> = {}) {
  return new Pipeline<{ id: string }>({
    name: "limits",
    source: new MemorySource<{ id: string }>({ rows: [{ id: "a" }], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
    openTimeoutMs: 50,
    closeTimeoutMs: 50,
    ...options,
  })
    .step(new TransformStep({ name: "work", outputKey: "work", transform: () => 1 }))
    .to({ name, identity, keepsRows, columnMap, open: memory.open, ...sink });
}

const openLimit = { where: "openTimeoutMs" };

test("a sink that does not open ends the run before its start, and a check", async () => {
  await assert.rejects(pipelineWith({ open: never }).run(), failsWith("SINK_FAILED", openLimit));
  for (const sink of [{ open: never }, { preflight: never }]) {
    const { wouldRun, findings } = await pipelineWith(sink).check();
    assert.equal(wouldRun, false);
    assert.deepEqual(
      findings.filter(({ status }) => status === "problem").map(({ area, code }) => [area, code]),
      [["sink", "SINK_FAILED"]],
    );
  }
});

test("a sink that does not close fails the run, whose report has every row", async () => {
  const open: Sink<{ pk: string }>["open"] = async (context) => ({ ...(await memory.open(context)), close: never });
  const report = await pipelineWith({ open }).run();
  assert.deepEqual(
    [report.status, report.error?.code, report.error?.facts.where, report.successCount],
    ["failed", "SINK_FAILED", "closeTimeoutMs", 1],
  );
});

test("a journal or dead letters that do not open abort the run, and are a problem of a check", async () => {
  const stuckJournal: Journal = Object.assign(Object.create(journal), { open: never, preflight: never });
  const stuckLetters: DeadLetter = Object.assign(Object.create(letters), { open: never, preflight: never });
  for (const [options, code] of [
    [{ journal: stuckJournal }, "JOURNAL_FAILED"],
    [{ deadLetter: stuckLetters, onRowError: "dead_letter" }, "DEAD_LETTER_FAILED"],
  ] as const) {
    await assert.rejects(pipelineWith({}, options).run(), failsWith(code, openLimit));
    const { findings } = await pipelineWith({}, options).check();
    assert.deepEqual(
      findings.flatMap(({ status, code: found }) => (status === "problem" ? [found] : [])),
      [code],
    );
  }
});

test("a journal or dead letters that do not close hold no report back", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const stuckJournal: Journal = Object.assign(Object.create(journal), {
    open: async (...given: Parameters<Journal["open"]>) => {
      const session = await journal.open(...given);
      return { ...session, close: async () => await stuckAfter(session.close) };
    },
  });
  const stuckLetters: DeadLetter = Object.assign(Object.create(letters), {
    open: async (run: Parameters<DeadLetter["open"]>[0]) => {
      const session = await letters.open(run);
      return { ...session, close: async () => await stuckAfter(session.close) };
    },
  });
  const ended = Promise.withResolvers<void>();
  const stuck = { journal: stuckJournal, deadLetter: stuckLetters, onRowError: "dead_letter" } as const;
  const running = pipelineWith({}, { ...stuck, openTimeoutMs: 60_000, closeTimeoutMs: 30_000 }).run({
    onEvent: ({ type }) => (type === "run-end" ? ended.resolve() : undefined),
  });
  await ended.promise;
  const state = { isOver: false };
  void running.then(() => (state.isOver = true));
  while (!state.isOver) {
    await setImmediate();
    t.mock.timers.tick(30_000);
  }
  assert.equal((await running).exitCode, 0);
});

test("an abort ends an opening that does not heed it, within seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const abort = new AbortController();
  const running = pipelineWith({ open: never }, { openTimeoutMs: 600_000 }).run({ signal: abort.signal });
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
  abort.abort();
  t.mock.timers.tick(5000);
  const report = await running;
  assert.deepEqual([report.status, report.exitCode], ["aborted", 3]);
});

test("an option that is no time is rejected", () => {
  for (const wrong of [0, -1, 1.5, 2 ** 31, "60 s" as never])
    for (const option of ["openTimeoutMs", "closeTimeoutMs"])
      assert.throws(() => pipelineWith({}, { [option]: wrong }), failsWith("INVALID_OPTION", { where: option }));
});
