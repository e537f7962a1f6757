import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { DeadLetter } from "../../src/contracts/dead-letter.ts";
import type { Journal } from "../../src/contracts/journal.ts";
import type { Sink } from "../../src/contracts/sink.ts";
import type { Source } from "../../src/contracts/source.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { Pipeline, type PipelineOptions, RunError, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
/** Counts what has begun and never ends. */
const hanging = { count: 0 };
const never = async (): Promise<never> => {
  hanging.count += 1;
  return await new Promise<never>(() => {});
};
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

/** A part of a run of which one function never ends. */
function hangingIn<Part extends object>(part: Part, name: string, isHanging: boolean): Part {
  return isHanging ? { ...part, [name]: never } : part;
}

/** A journal and dead letters of which one function never ends. */
function hangingStores(place: string) {
  const office = Object.assign(Object.create(letters), {
    open: async (run: Parameters<DeadLetter["open"]>[0]) =>
      hangingIn(await letters.open(run), "add", place === "dead letters: add"),
    replay: async (pipeline: string) => {
      if (place === "replay: open") return await never();
      const replay = await letters.replay(pipeline);
      const noRow = { [Symbol.asyncIterator]: () => ({ next: never }) };
      if (place === "replay: rows") return { ...replay, rows: () => noRow };
      if (place === "replay: close") return { ...replay, close: async () => await stuckAfter(replay.close) };
      return hangingIn(replay, "finish", place === "replay: finish");
    },
  }) as DeadLetter;
  const stuckJournal = Object.assign(Object.create(journal), {
    open: async (...given: Parameters<Journal["open"]>) => {
      const session = await journal.open(...given);
      const runs: typeof session.runs = {
        ...session.runs,
        save: async (run) => {
          if (place === "journal: begin" && run.endedAt === null) await never();
          if (place === "journal: abort" && run.status === "refused") await never();
          await session.runs.save(run);
        },
      };
      return { ...session, rows: hangingIn(session.rows, "find", place === "journal: find"), runs };
    },
  }) as Journal;
  return { journal: stuckJournal, deadLetter: office, onRowError: "dead_letter" } as const;
}

const { setTimeout: realSetTimeout } = globalThis;
const limitMs = 3_600_000;

for (const [kind, place] of [
  ["run", "journal: begin"],
  ["run", "dead letters: add"],
  ["replay", "journal: begin"],
  ["replay", "journal: find"],
  ["replay", "replay: open"],
  ["replay", "replay: rows"],
  ["replay", "replay: finish"],
  ["replay", "replay: close"],
] as const) {
  test(`a ${kind} that is stopped ends long before limits of an hour, whatever hangs (${place})`, async (t) => {
    const line = {
      pk: "a",
      pipeline: "limits",
      error_code: "STEP_FAILED",
      raw_data: { id: "a" },
      timestamp: new Date(),
    };
    writeFileSync(letters.identity, `${JSON.stringify(line)}\n`);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let nowMs = 0;
    t.mock.method(performance, "now", () => nowMs);
    hanging.count = 0;
    const stop = new AbortController();
    const source: Source<{ id: string }> = {
      name: "broken",
      primaryKeyColumn: "id",
      read: async function* () {
        yield { position: 1, raw: { id: "a" } };
        throw new TypeError("the connection broke");
      },
    };
    const options = { ...hangingStores(place), openTimeoutMs: limitMs, closeTimeoutMs: limitMs };
    const pipeline = pipelineWith({}, kind === "run" ? { ...options, source } : options);
    const state = { isOver: false };
    const running = pipeline[kind]({ signal: stop.signal }).then(
      () => (state.isOver = true),
      () => (state.isOver = true), // stopped before its first row
    );
    while (hanging.count === 0) await setImmediate();
    stop.abort(new RunError("ABORTED", "a signal stopped the run"));
    while (!state.isOver && nowMs < limitMs) {
      await new Promise((resolve) => realSetTimeout(resolve, 5)); // files take their time
      nowMs += 2000;
      t.mock.timers.tick(2000);
    }
    assert.ok(nowMs < limitMs / 2, `${nowMs} ms`);
    await running;
  });
}

test("a check waits no longer than a run for what a sink says of its rows, and for its end", async () => {
  for (const [place, where, other] of [
    ["isEmpty", "openTimeoutMs", "closeTimeoutMs"],
    ["close", "closeTimeoutMs", "openTimeoutMs"],
  ] as const) {
    const path = join(folder, `${place}.db`);
    const ownJournal = { journal: new SQLiteJournal({ path }) };
    await pipelineWith({ keepsRows: true }, { ...ownJournal, openTimeoutMs: 60_000, closeTimeoutMs: 60_000 }).run();
    const open: Sink<{ pk: string }>["open"] = async (context) => ({ ...(await memory.open(context)), [place]: never });
    const { findings } = await pipelineWith(
      { keepsRows: true, open },
      { ...ownJournal, [where]: 50, [other]: 60_000 },
    ).check();
    const problems = findings.filter(({ status }) => status === "problem");
    assert.deepEqual(
      problems.map(({ code, facts }) => [code, facts?.where]),
      [["SINK_FAILED", where]],
    );
  }
});

test("an option that is no time is rejected", () => {
  for (const wrong of [0, -1, 1.5, 2 ** 31, "60 s" as never])
    for (const option of ["openTimeoutMs", "closeTimeoutMs"])
      assert.throws(() => pipelineWith({}, { [option]: wrong }), failsWith("INVALID_OPTION", { where: option }));
});
