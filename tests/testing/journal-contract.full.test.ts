import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Journal, JournalReader, JournalSession } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;

/** Breaks a promise of a sound journal. */
interface Spoiling {
  readonly answers?: (sound: JournalSession["answers"]) => Partial<JournalSession["answers"]>;
  readonly rows?: (sound: JournalSession["rows"]) => Partial<JournalSession["rows"]>;
  readonly runs?: () => Partial<JournalSession["runs"]>;
  readonly close?: () => Promise<void>;
  readonly reader?: (sound: JournalReader) => Partial<JournalReader>;
  /** Whether a second run gets a journal of its own. */
  readonly sharesNothing?: boolean;
}

function spoiled({ answers, rows, runs, close, reader, sharesNothing = false }: Spoiling): Journal {
  const path = join(folder, `${(count += 1)}.db`);
  const journal = new SQLiteJournal({ path });
  let opened = 0;
  return {
    name: journal.name,
    identity: journal.identity,
    open: async (run, signal) => {
      opened += 1;
      const own = sharesNothing ? new SQLiteJournal({ path: `${path}.${opened}` }) : journal;
      const sound = await own.open(run, signal);
      return {
        answers: { ...sound.answers, ...answers?.(sound.answers) },
        rows: { ...sound.rows, ...rows?.(sound.rows) },
        runs: { ...sound.runs, ...runs?.() },
        close: close ?? sound.close,
      };
    },
    reader: async () => {
      const sound = await journal.reader();
      return sound === undefined ? undefined : { ...sound, ...reader?.(sound) };
    },
  };
}

/** The names of the checks that a spoiled journal does not pass. */
async function failing(spoiling: Spoiling): Promise<string[]> {
  const failures: string[] = [];
  const suite = journalContract({ create: async () => ({ journal: spoiled(spoiling) }) });
  for (const { name, check } of suite) await check().catch(() => failures.push(name));
  return failures;
}

test("a sound journal passes every check", async () => {
  assert.deepEqual(await failing({}), []);
});

test("each promise that is broken is found", async () => {
  const nothing = async (): Promise<void> => {};
  const broken: readonly (readonly [RegExp, Spoiling])[] = [
    [/given back as it was saved/, { answers: () => ({ find: async () => new Map() }) }],
    [/forgotten is not there/, { answers: () => ({ forget: nothing }) }],
    [/found in one look-up/, { answers: ({ find }) => ({ find: async (keys) => await find(keys.slice(0, 500)) }) }],
    [
      /NUL, emoji/,
      {
        answers: ({ save }) => ({
          save: async (key, answer) => await save(key, { ...answer, text: answer.text.toWellFormed() }),
        }),
      },
    ],
    [/by sink and primary key/, { rows: ({ find }) => ({ find: async (_, pks) => await find("sink", pks) }) }],
    [/counts as not written/, { rows: () => ({ saveFailed: nothing }) }],
    [
      /leaves that row as it was/,
      {
        rows: ({ saveFailed }) => ({
          saveFailed: async (sink, rows) =>
            await saveFailed(
              sink,
              rows.map((row) => ({ ...row, ownsKey: true })),
            ),
        }),
      },
    ],
    [
      /of others are not/,
      {
        rows: ({ forgetAll }) => ({
          forgetAll: async () => {
            await forgetAll("sink");
            await forgetAll("another");
          },
        }),
      },
    ],
    [
      /different keys/,
      {
        rows: ({ find }) => ({
          find: async (sink, pks) =>
            await find(
              sink,
              pks.map((pk) => pk.toLowerCase()),
            ),
        }),
      },
    ],
    [/opened again/, { runs: () => ({ save: nothing }) }],
    [/opened again/, { sharesNothing: true }],
    [/denied the journal/, { sharesNothing: true }],
    [
      /newest first/,
      {
        reader: ({ runs }) => ({
          runs: async (request) => {
            const { items, next } = await runs(request);
            return { items: items.toReversed(), next };
          },
        }),
      },
    ],
    [
      /by pipeline, by start/,
      { reader: ({ runs }) => ({ runs: async ({ limit, from }) => await runs({ limit, from }) }) },
    ],
    [
      /runs are given page by page/,
      { reader: ({ runs }) => ({ runs: async (one) => ({ ...(await runs(one)), next: null }) }) },
    ],
    [
      /was interrupted otherwise/,
      {
        reader: ({ runs }) => ({
          runs: async (request) => {
            const { items, next } = await runs(request);
            const alive = items.map((run) =>
              run.status === "interrupted" ? { ...run, status: "running" as const } : run,
            );
            return { items: alive, next };
          },
        }),
      },
    ],
    [/failures of a run/, { reader: () => ({ failures: async () => ({ items: [], next: null }) }) }],
    [/those that are written are counted/, { reader: () => ({ writtenCount: async () => 0 }) }],
    [/while it goes on/, { reader: () => ({ holder: async () => undefined }) }],
  ];
  for (const [expected, spoiling] of broken) {
    const names = await failing(spoiling);
    assert.ok(
      names.some((name) => expected.test(name)),
      `${expected}: ${names.join("; ")}`,
    );
  }
});
