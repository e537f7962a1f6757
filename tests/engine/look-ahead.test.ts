import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import fc from "fast-check";
import type { JournalSession } from "../../src/contracts/journal.ts";
import { LookAhead, type LookAheadOptions } from "../../src/engine/look-ahead.ts";
import { ClassifierStep, Pipeline, SummarizerStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { answerOf, badRow, one, other, writtenRow } from "../../src/testing/journal-samples.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { openJournal } from "../support/journal-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type LookUp, watchedJournal } from "../support/watched-journal.ts";

const folder = temporaryFolder();
let fileCount = 0;
const newPath = (): string => join(folder, `journal-${(fileCount += 1)}.db`);

interface Note {
  readonly id: string;
  readonly note: string;
}

interface Finished {
  readonly pk: string;
  readonly raw: Note;
  readonly processed: { readonly summary: { readonly text: string } };
}

const notesOf = (count: number): Note[] =>
  Array.from({ length: count }, (_, index) => ({ id: `n${index}`, note: `note ${index}` }));

interface Setup {
  readonly preserveOrder?: boolean;
  readonly keepsRows?: boolean;
  readonly onLookUp?: (lookUp: LookUp) => Promise<void> | void;
}

/** One journal and one target; each call takes a table through two steps. */
function newSite({ preserveOrder = false, keepsRows = true, onLookUp = () => {} }: Setup = {}) {
  const journal = watchedJournal(new SQLiteJournal({ path: newPath() }), onLookUp);
  const sink = new MemorySink({
    mergeKeys: ["id"],
    preserveOrder,
    columnMap: {
      id: (s: Finished) => s.pk,
      note: (s: Finished) => s.raw.note,
      summary: (s: Finished) => s.processed.summary.text,
    },
  });
  const run = async (rows: readonly object[] | (() => AsyncIterable<object>), options: object = {}, advice = "none") =>
    await new Pipeline({
      name: "ahead",
      source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
      concurrency: 3,
      batchSize: 7,
      payloadLog: "off",
      onRowError: "skip",
      journal,
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [
            { name: "a", definition: "the one" },
            { name: "b", definition: "the other" },
          ],
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
        }),
      )
      .step(
        new SummarizerStep({
          name: "summary",
          rules: [advice],
          inputMap: { focus: (s) => s.processed.kind.category, text: (s) => s.raw.note },
          outputKey: "summary",
        }),
      )
      .to({ ...sink, keepsRows })
      .run(options);
  return { sink, run };
}

test("of unchanged rows each page is looked up at once: one look-up for rows, one for answers", async () => {
  const lookUps: LookUp[] = [];
  const { run } = newSite({ onLookUp: (lookUp) => void lookUps.push(lookUp) });
  const rows = notesOf(1000);
  await run(rows);
  lookUps.length = 0;
  const report = await run(rows);
  assert.deepEqual([report.unchangedCount, report.usage.calls, report.usage.reusedAnswers], [1000, 0, 2000]);
  const of = (name: LookUp["name"]): number[] =>
    lookUps.filter((one) => one.name === name).map(({ keys }) => keys.length);
  const pages = [100, 100, 200, 400, 200]; // two are on their way before how long their answers are is known
  assert.deepEqual(of("rows"), pages);
  assert.deepEqual(
    of("answers").map((keys) => keys / 2),
    pages,
  );
  assert.deepEqual(of("used"), []);
});

test("a sink that keeps no rows has the answers of a page looked up at once", async () => {
  const lookUps: LookUp[] = [];
  const { run } = newSite({ keepsRows: false, onLookUp: (lookUp) => void lookUps.push(lookUp) });
  await run(notesOf(300));
  lookUps.length = 0;
  const report = await run(notesOf(300));
  assert.deepEqual([report.successCount, report.usage.calls], [300, 0]);
  const of = (name: LookUp["name"]): number[] =>
    lookUps.filter((one) => one.name === name).map(({ keys }) => keys.length);
  assert.deepEqual(
    [of("used"), of("answers")],
    [
      [100, 100, 100],
      [200, 200, 200],
    ],
  );
});

test("while the rows of a page are looked up, so are those of the next one", async () => {
  const next = Promise.withResolvers<"looked up">();
  const waited: string[] = [];
  let lookUpCount = -Infinity; // of the second run
  const { run } = newSite({
    onLookUp: async ({ name }) => {
      lookUpCount += 1;
      if (name === "rows" && lookUpCount === 2) next.resolve("looked up");
      if (lookUpCount === 1)
        waited.push(await Promise.race([next.promise, setTimeout(10_000, "in vain", { ref: false })]));
    },
  });
  await run(notesOf(250));
  lookUpCount = 0;
  assert.equal((await run(notesOf(250))).unchangedCount, 250);
  assert.deepEqual(waited, ["looked up"]);
});

test("where nothing was written before, no row is read before there is a place for it", async () => {
  let pulled = 0;
  async function* rows() {
    for (const row of notesOf(100)) {
      pulled += 1;
      yield row;
    }
  }
  const atFirstCall: number[] = [];
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (type === "call-end") atFirstCall.push(pulled);
  };
  const { run } = newSite();
  assert.equal((await run(rows, { onEvent })).successCount, 100);
  assert.equal(atFirstCall[0], 3);
});

test("a limit is the most that is read, in a later run, too", async () => {
  const { run } = newSite();
  await run(notesOf(300));
  let pulled = 0;
  async function* rows() {
    for (const row of notesOf(300)) {
      pulled += 1;
      yield row;
    }
  }
  const report = await run(rows, { limit: 150 });
  assert.deepEqual([report.readCount, report.unchangedCount, pulled], [150, 150, 150]);
});

test("rows that were read ahead of a stop are no rows of the run", async () => {
  const { run } = newSite();
  await run(notesOf(300));
  const controller = new AbortController();
  let ended = 0;
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (type === "row-end" && (ended += 1) === 40) controller.abort();
  };
  const report = await run(notesOf(300), { signal: controller.signal, onEvent });
  const { readCount, unchangedCount, pendingCount } = report;
  assert.equal(report.status, "aborted");
  assert.ok(readCount >= 40 && readCount < 150, `${readCount}`);
  assert.equal(unchangedCount + pendingCount, readCount);
});

test("a source that fails after rows fails once these were taken", async () => {
  const { run } = newSite();
  await run(notesOf(300));
  async function* rows() {
    yield* notesOf(250);
    throw new Error("the connection was cut");
  }
  const report = await run(rows);
  assert.deepEqual([report.error?.code, report.unchangedCount], ["SOURCE_FAILED", 250]);
});

test("whatever changed between two runs, each row ends once, right, and only what changed is asked", async () => {
  const change = fc.constantFrom("same", "note", "new", "gone", "blank", "twice");
  const setup = { changes: fc.array(change, { maxLength: 250 }), preserveOrder: fc.boolean(), keepsRows: fc.boolean() };
  await fc.assert(
    fc.asyncProperty(fc.record(setup), async ({ changes, preserveOrder, keepsRows }) => {
      const { run, sink } = newSite({ preserveOrder, keepsRows });
      const before = notesOf(changes.length).filter((_, index) => changes[index] !== "new");
      await run(before);
      const now = notesOf(changes.length).flatMap((row, index): object[] => {
        const kind = changes[index];
        if (kind === "gone") return [];
        if (kind === "note") return [{ ...row, note: `${row.note}, changed` }];
        if (kind === "blank") return [{ ...row, id: " " }];
        return kind === "twice" ? [row, row] : [row];
      });
      const report = await run(now);
      const count = (...kinds: string[]): number => changes.filter((kind) => kinds.includes(kind)).length;
      const { unchangedCount, successCount, skippedCount, readCount, usage } = report;
      assert.equal(report.error, null);
      assert.equal(readCount, now.length);
      assert.equal(successCount, count("same", "twice", "note", "new"));
      assert.equal(unchangedCount, keepsRows ? count("same", "twice") : 0);
      assert.equal(skippedCount, count("blank", "twice"));
      assert.equal(usage.calls, 2 * count("note", "new"));
      const notes = new Map(sink.rows.map(({ id, note }) => [id, note]));
      notesOf(changes.length).forEach(({ id, note }, index) => {
        if (changes[index] === "note") assert.equal(notes.get(id), `${note}, changed`);
        else assert.equal(notes.get(id), note);
      });
    }),
    { numRuns: 20 },
  );
});

test("a changed prompt asks every row anew, with no more rows in flight than the concurrency", async () => {
  const { run } = newSite();
  await run(notesOf(200));
  let inFlight = 0;
  let peak = 0;
  const onEvent = ({ type }: { readonly type: string }): void => {
    if (type === "row-start") peak = Math.max(peak, (inFlight += 1));
    if (type === "row-end") inFlight -= 1;
  };
  const report = await run(notesOf(200), { onEvent }, "Be brief.");
  assert.deepEqual([report.usage.calls, report.usage.reusedAnswers], [200, 200]);
  assert.ok(peak <= 3 + 1 + 2 * 7, `${peak}`); // a row that waits to be written is in flight, too
});

test("a fresh run writes everything, and pays for nothing", async () => {
  const { run } = newSite();
  await run(notesOf(150));
  const report = await run(notesOf(150), { fresh: true });
  assert.deepEqual([report.successCount, report.unchangedCount, report.usage.calls], [150, 0, 0]);
});

test("a look-up that fails ahead is made again by the rows, and the journal's own error ends the run", async () => {
  let isDown = false;
  const { run } = newSite({
    onLookUp: () => {
      if (isDown) throw new Error("the journal is gone");
    },
  });
  await run(notesOf(150));
  isDown = true;
  const report = await run(notesOf(150));
  assert.notEqual(report.error?.code, "SOURCE_FAILED");
  isDown = false;
  assert.equal((await run(notesOf(150))).usage.calls, 0);
});

const rows = ["1", "2"].map((id) => ({ id }));
const session: JournalSession = await openJournal(newPath());
test.after(async () => await session.close());

/** A look-ahead over two rows that were written, of which the second has its place in the target under another key. */
async function newLookAhead(given: Partial<LookAheadOptions> = {}) {
  const identity = `sink-${(fileCount += 1)}`;
  await session.answers.save(one, answerOf("one"));
  await session.answers.save(other, answerOf("other"));
  await session.rows.saveWritten(identity, [writtenRow("1"), { ...writtenRow("2"), targetKey: "place" }]);
  const source = new MemorySource<{ id: string }>({ rows, primaryKeyColumn: "id" });
  const lookAhead = new LookAhead({
    source,
    sinks: [{ identity, keepsRows: true }],
    journal: session,
    pageRows: 1000,
    limit: Infinity,
    fresh: false,
    ...given,
  });
  const reading = lookAhead.source.read({ signal: new AbortController().signal, parameters: {} });
  return { lookAhead, identity, first: reading[Symbol.asyncIterator]().next() };
}

type Change = (journal: JournalSession, identity: string) => Promise<void>;
const changes: readonly { readonly what: string; readonly change: Change; readonly gone: string }[] = [
  { what: "an answer is forgotten", change: async ({ answers }) => await answers.forget([one]), gone: "answer" },
  { what: "an answer is saved", change: async ({ answers }) => await answers.save(one, answerOf("x")), gone: "answer" },
  {
    what: "the row is written",
    change: async ({ rows: written }, sink) => await written.saveWritten(sink, [writtenRow("1", other)]),
    gone: "1",
  },
  {
    what: "another row takes its place in the target",
    change: async ({ rows: written }, sink) =>
      await written.saveWritten(sink, [{ ...writtenRow("3"), targetKey: "place" }]),
    gone: "2",
  },
  {
    what: "another row takes its place, which is its own key",
    change: async ({ rows: written }, sink) =>
      await written.saveWritten(sink, [{ ...writtenRow("3"), targetKey: "1" }]),
    gone: "1",
  },
  {
    what: "the row fails",
    change: async ({ rows: failed }, sink) => await failed.saveFailed(sink, [badRow(1)]),
    gone: "1",
  },
  {
    what: "the answers of the row are saved",
    change: async ({ answers }, sink) => await answers.saveUsed(sink, [{ pk: "1", fingerprints: [] }]),
    gone: "1",
  },
];

for (const { what, change, gone } of changes) {
  const found = ({ row, answer }: LookAhead, sink: string): string[] => [
    ...["1", "2"].filter((pk) => row(sink, pk) !== undefined),
    ...(answer(one) === undefined ? [] : ["answer"]),
  ];
  const left = ["1", "2", "answer"].filter((name) => name !== gone);

  test(`nothing found ahead is believed once ${what}`, async () => {
    const { lookAhead, identity, first } = await newLookAhead();
    await first;
    assert.deepEqual(found(lookAhead, identity), ["1", "2", "answer"]);
    await change(lookAhead.journal, identity);
    assert.deepEqual(found(lookAhead, identity), left);
  });

  test(`nothing found ahead is believed where ${what} while it is looked up`, async () => {
    const mayEnd = Promise.withResolvers<undefined>();
    const late = async <Found>(finding: Promise<Found>): Promise<Found> => {
      const found = await finding;
      await mayEnd.promise;
      return found;
    };
    const { answers: stored, rows: written } = session;
    const journal: JournalSession =
      gone === "answer"
        ? { ...session, answers: { ...stored, find: async (keys) => await late(stored.find(keys)) } }
        : { ...session, rows: { ...written, find: async (sink, pks) => await late(written.find(sink, pks)) } };
    const { lookAhead, identity, first } = await newLookAhead({ journal });
    await setImmediate();
    await setImmediate();
    await change(lookAhead.journal, identity);
    mayEnd.resolve(undefined);
    await first;
    assert.deepEqual(found(lookAhead, identity), left);
  });
}
