import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import { GatheredSaves, type Save } from "../../src/journal-tables/gathered-saves.ts";
import type { ChangeGroup } from "../../src/journal-tables/changes.ts";
import type { Store } from "../../src/journal-tables/store.ts";
import { tables } from "../../src/journal-tables/tables.ts";

const put = (fingerprint: string): Save => ({
  changes: [{ kind: "put", table: tables.answers, line: { fingerprint } }],
});

/** A store that takes no line with a `bad` fingerprint, and has what was committed. */
function storeWithout(isBad: (fingerprint: string) => boolean) {
  const saved: string[] = [];
  const numbers: number[] = [];
  const save: Store["save"] = async (number, changes) => {
    numbers.push(number);
    const wanted = changes.flatMap(({ lines }) => lines.map(({ fingerprint }) => String(fingerprint)));
    if (wanted.some(isBad)) throw new Error("a value that the database does not take");
    saved.push(...wanted);
  };
  const transact: Store["transact"] = async ({ number }, work) => {
    const changes: ChangeGroup[] = [];
    await work({
      now: new Date(0),
      find: async () => [],
      sums: async () => [],
      apply: async (group) => void changes.push(group),
    });
    await save(number, changes);
  };
  return { saved, numbers, saves: new GatheredSaves({ save, transact }) };
}

test("saves that come while one is under way go together in the next", async () => {
  const { saves, saved, numbers } = storeWithout(() => false);
  await Promise.all(["a", "b", "c"].map(async (name) => await saves.save(put(name))));
  deepEqual([saved, numbers], [["a", "b", "c"], [1]]);
});

test("texts that are long go in several transactions, in their order", async () => {
  const { saves, saved, numbers } = storeWithout(() => false);
  const text = "x".repeat(6_000_000);
  const save = async (fingerprint: string): Promise<unknown> =>
    await saves.save({ changes: [{ kind: "put", table: tables.answers, line: { fingerprint, text } }] });
  await Promise.all([..."abcde"].map(save));
  deepEqual([saved, numbers], [[..."abcde"], [1, 2, 3]]);
});

test("a save that the database does not take fails alone: the others of its transaction, and later ones, are stored", async () => {
  const { saves, saved, numbers } = storeWithout((name) => name === "bad");
  const names = [..."abcdefgh", "bad", ..."ijkl"];
  const outcomes = await Promise.allSettled(names.map(async (name) => await saves.save(put(name))));
  const failed = names.filter((_, index) => outcomes[index]?.status === "rejected");
  deepEqual(failed, ["bad"]);
  await saves.save(put("later"));
  deepEqual(saved, [..."abcdefgh", ..."ijkl", "later"]);
  equal(new Set(numbers).size, numbers.length, "each transaction has a number of its own");
});

test("a lost store rejects all of a batch, and each later save", async () => {
  const gone = new Error("gone");
  const fails = async (): Promise<never> => {
    throw gone;
  };
  const saves = new GatheredSaves({ save: fails, transact: fails });
  const outcomes = await Promise.allSettled(["a", "b"].map(async (name) => await saves.save(put(name))));
  deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await rejects(saves.save(put("c")), gone);
  await saves.settled();
});
