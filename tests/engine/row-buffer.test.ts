import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import fc from "fast-check";
import type { SourceRow } from "../../src/contracts/source.ts";
import { RowBuffer } from "../../src/engine/row-buffer.ts";

const rowOf = (position: number, text = "x"): SourceRow => ({ position, raw: { id: `r${position}`, text } });

/** A source of so many rows; `wait` says how it makes its reader wait. */
async function* source(count: number, wait: (position: number) => unknown = () => {}, error?: Error) {
  for (let position = 1; position <= count; position += 1) {
    await wait(position);
    yield rowOf(position);
  }
  if (error !== undefined) throw error;
}

async function allPages(buffer: RowBuffer, most: number, size = Infinity): Promise<number[][]> {
  const pages: number[][] = [];
  for (;;) {
    const { rows } = await buffer.take(most, size);
    if (rows.length === 0) return pages;
    pages.push(rows.map(({ position }) => position));
  }
}

test("each row comes once and in order, however the source waits; no page is larger than asked for", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3), { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.nat(70),
      async (waits, most, limit) => {
        const wait = async (position: number): Promise<void> => {
          for (let turn = 0; turn < (waits[position - 1] ?? 0); turn += 1) await setImmediate();
        };
        const pages = await allPages(new RowBuffer(source(waits.length, wait), limit), most);
        const expected = Array.from({ length: Math.min(limit, waits.length) }, (_, index) => index + 1);
        assert.deepEqual(pages.flat(), expected);
        assert.ok(pages.every((page) => page.length <= most));
      },
    ),
    { numRuns: 50 },
  );
});

test("a source that does not wait fills pages; no more than one is read ahead of its use", async () => {
  let read = 0;
  const rows = source(1000, () => void (read += 1));
  const buffer = new RowBuffer(rows, Infinity);
  for (let page = 1; page <= 5; page += 1) {
    assert.equal((await buffer.take(10, Infinity)).rows.length, 10);
    await setImmediate();
    assert.equal(read, 10 * (page + 1));
  }
  await buffer.close();
});

test("a page ends with the row that fills its budget", async () => {
  const texts = ["aaaa", "b", "cccccccccccc", "d"];
  async function* rows() {
    for (const [index, text] of texts.entries()) yield { position: index + 1, raw: { text } };
  }
  assert.deepEqual(await allPages(new RowBuffer(rows(), Infinity), 100, 5), [[1, 2], [3], [4]]);
});

test("a row is not held back until others have come", async () => {
  const more = Promise.withResolvers<undefined>();
  const buffer = new RowBuffer(
    source(2, (position) => position === 2 && more.promise),
    Infinity,
  );
  assert.equal((await buffer.take(100, Infinity)).rows.length, 1);
  more.resolve(undefined);
  assert.equal((await buffer.take(100, Infinity)).rows.length, 1);
});

test("the error of a source comes after its rows", async () => {
  const buffer = new RowBuffer(
    source(3, () => {}, new Error("cut")),
    Infinity,
  );
  assert.equal((await buffer.take(100, Infinity)).rows.length, 3);
  await assert.rejects(buffer.take(100, Infinity), /cut/);
});

test("a buffer that is closed lets the source end, and whoever waits", async () => {
  let hasEnded = false;
  async function* rows() {
    try {
      yield rowOf(1);
      yield rowOf(2);
      yield rowOf(3);
    } finally {
      hasEnded = true;
    }
  }
  const buffer = new RowBuffer(rows(), Infinity);
  await buffer.take(1, Infinity);
  await setTimeout(1);
  await buffer.close();
  assert.ok(hasEnded);
  const never = new RowBuffer({ next: async () => await new Promise<never>(() => {}) }, Infinity);
  const taking = never.take(1, Infinity);
  await never.close();
  assert.deepEqual((await taking).rows, []);
});
