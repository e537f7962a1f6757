import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Journal } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;

/** The names of the checks that a spoiled journal does not pass. */
async function failing(spoil: (journal: Journal) => Partial<Journal>): Promise<string[]> {
  const failures: string[] = [];
  const suite = journalContract({
    create: async () => {
      const path = join(folder, `${(count += 1)}.db`);
      return {
        open: async () => {
          const sound = await SQLiteJournal.open(path);
          return new Proxy<Journal>(sound, {
            get: (_, name) => {
              const spoiled: unknown = Reflect.get(spoil(sound), name);
              const own: unknown = Reflect.get(sound, name);
              return spoiled ?? (typeof own === "function" ? own.bind(sound) : own);
            },
          });
        },
      };
    },
  });
  for (const { name, check } of suite) await check().catch(() => failures.push(name));
  return failures;
}

test("a sound journal passes every check", async () => {
  assert.deepEqual(await failing(() => ({})), []);
});

test("each promise that is broken is found", async () => {
  const spoiled: readonly (readonly [RegExp, (journal: Journal) => Partial<Journal>])[] = [
    [/given back as it was kept/, () => ({ answer: async () => undefined })],
    [/forgotten is not there/, () => ({ forgetAnswers: async () => {} })],
    [/by sink and primary key/, (sound) => ({ writtenRow: async (_, pk) => await sound.writtenRow("sink", pk) })],
    [/counts as not written/, () => ({ keepBadRow: async () => {} })],
    [
      /others are not/,
      (sound) => ({ forgetRows: async () => (await sound.forgetRows("sink"), sound.forgetRows("another")) }),
    ],
    [/different keys/, (sound) => ({ writtenRow: async (sink, pk) => await sound.writtenRow(sink, pk.toLowerCase()) })],
    [/newest first/, (sound) => ({ runs: async () => (await sound.runs()).toReversed() })],
    [/opened again/, () => ({ keepRun: async () => {} })],
    [
      /NUL, emoji/,
      (sound) => ({
        keepAnswer: async (key, answer) => await sound.keepAnswer(key, { ...answer, text: answer.text.toWellFormed() }),
      }),
    ],
  ];
  for (const [expected, spoil] of spoiled) {
    const names = await failing(spoil);
    assert.ok(
      names.some((name) => expected.test(name)),
      `${expected}: ${names.join("; ")}`,
    );
  }
});
