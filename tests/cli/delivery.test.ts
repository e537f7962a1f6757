import assert from "node:assert/strict";
import { test } from "node:test";
import { awaitDelivery } from "../../src/cli/await-delivery.ts";
import { Delivery } from "../../src/cli/delivery.ts";

/** A stream whose reader takes a chunk when it is told to. */
function slowStream() {
  const chunks: string[] = [];
  const done: ((error?: Error | null) => void)[] = [];
  const stdout = new Delivery({
    write: (text, written = () => {}) => {
      chunks.push(text);
      done.push(written);
    },
  });
  return { stdout, chunks, read: (error?: Error) => done.shift()?.(error), isIdle: () => done.length === 0 };
}

const lines = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `line ${index}: ${"x".repeat(90)}\n`);

test("a reader that is slow gets every line, in order, in chunks that no pipe tears", async () => {
  const { stdout, chunks, read, isIdle } = slowStream();
  const given = [...lines(2000), `${"ä".repeat(5000)}\n`, "last\n"];
  for (const line of given) stdout.write(line);
  assert.equal(chunks.length, 1);
  const delivered = stdout.delivered();
  while (!isIdle()) read();
  await delivered;
  assert.equal(chunks.join(""), given.join(""));
  for (const chunk of chunks) assert.ok(Buffer.byteLength(chunk) <= 4096 || chunk.startsWith("ä"), `${chunk.length}`);
  assert.equal(stdout.lostCount, 0);
});

test("a reader that takes everything at once is written to at once", async () => {
  const written: string[] = [];
  const stdout = new Delivery({
    write: (text, done) => {
      written.push(text);
      done?.();
    },
  });
  for (const line of lines(3)) stdout.write(line);
  assert.deepEqual(written, lines(3));
  assert.equal(stdout.room(), undefined);
  await stdout.delivered();
});

test("there is no room while more than 64 KiB wait, and again when half of it was read", async () => {
  const { stdout, read, isIdle } = slowStream();
  for (const line of lines(600)) stdout.write(line);
  assert.equal(stdout.room(), undefined);
  for (const line of lines(400)) stdout.write(line);
  const room = stdout.room();
  assert.ok(room !== undefined);
  let hasRoom = false;
  void room.then(() => (hasRoom = true));
  read();
  await Promise.resolve();
  assert.equal(hasRoom, false);
  while (!isIdle()) read();
  await room;
});

test("what is given up is counted, and what comes later as well; who waits is let go", async () => {
  const { stdout, chunks, read } = slowStream();
  for (const line of lines(2000)) stdout.write(line);
  read();
  const read1 = chunks[0]?.split("\n").length ?? 0;
  const waits = [stdout.delivered(), stdout.room() ?? assert.fail("there is room")];
  stdout.giveUp();
  await Promise.all(waits);
  assert.equal(stdout.lostCount, 2000 - (read1 - 1));
  stdout.write("later\n");
  assert.equal(stdout.lostCount, 2000 - (read1 - 1) + 1);
  read();
  assert.equal(chunks.length, 2);
  await stdout.delivered();
});

test("all that was delivered can't be given up", () => {
  const { stdout, read } = slowStream();
  stdout.write("line\n");
  read();
  stdout.giveUp();
  assert.equal(stdout.lostCount, 0);
});

test("a reader that has gone holds nothing up, and nothing is lost to nobody", async () => {
  const { stdout, chunks, read } = slowStream();
  for (const line of lines(2000)) stdout.write(line);
  const waits = [stdout.delivered(), stdout.room() ?? assert.fail("there is room")];
  read(Object.assign(new Error("gone"), { code: "EPIPE" }));
  await Promise.all(waits);
  stdout.write("later\n");
  assert.deepEqual([chunks.length, stdout.lostCount], [1, 0]);
});

test("events are waited for without limit; after a signal for the rest of its grace period, after a second one a second", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [stop, stopNow] = [new AbortController(), new AbortController()];
  let leftMs = 30_000;
  const stops = { signal: stop.signal, stopNowSignal: stopNow.signal, leftMs: () => leftMs };
  const waiting = () => {
    const { stdout } = slowStream();
    stdout.write("line\n");
    return { stdout, delivering: awaitDelivery(stdout, stops) };
  };
  const first = waiting();
  t.mock.timers.tick(3_600_000);
  assert.equal(first.stdout.lostCount, 0);
  stop.abort();
  t.mock.timers.tick(29_999);
  assert.equal(first.stdout.lostCount, 0);
  t.mock.timers.tick(1);
  await first.delivering;
  assert.equal(first.stdout.lostCount, 1);

  leftMs = 10_000; // the run itself has used the rest
  const second = waiting();
  t.mock.timers.tick(9_999);
  assert.equal(second.stdout.lostCount, 0);
  stopNow.abort();
  t.mock.timers.tick(1000);
  await second.delivering;
  assert.equal(second.stdout.lostCount, 1);

  const { stdout } = slowStream(); // a signal that came while an error had stopped the run
  stdout.write("line\n");
  const again = awaitDelivery(stdout, { ...stops, signal: new AbortController().signal });
  t.mock.timers.tick(1000);
  await again;
  assert.equal(stdout.lostCount, 1);

  leftMs = -5000; // a run that was given up took longer: its last lines have a moment
  const third = waiting();
  t.mock.timers.tick(1000);
  await third.delivering;
});
