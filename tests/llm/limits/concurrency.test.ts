import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProviderErrorKind } from "../../../src/index.ts";
import { adaptivePace } from "../../../src/llm/limits/adaptive-pace.ts";
import { concurrency } from "../../../src/llm/limits/concurrency.ts";
import type { CallOutcome, CallSize, LimitEvent } from "../../../src/llm/limits/limiter.ts";
import { runService, seededRandom, type ServiceRun, type Taken } from "../../support/limited-service.ts";

const timeoutMs = 60_000;
const answer: CallOutcome = { type: "answer" };
const failure = (kind: ProviderErrorKind): CallOutcome => ({ type: "failure", kind });

/** A limiter, and the calls in flight: it tells them apart by identity. */
function make(most: number) {
  const limiter = concurrency({ most, timeoutMs, random: () => 0.5 });
  const inFlight: CallSize[] = [];
  return {
    limiter,
    inFlight,
    /** Lets as many go as may. Returns how many are in flight then. */
    fill: (nowMs: number): number => {
      for (;;) {
        const call = { tokens: 100 };
        const waitMs = limiter.waitMs(call, nowMs);
        if (waitMs > 0) {
          assert.equal(waitMs, Infinity);
          return inFlight.length;
        }
        limiter.started(call, nowMs);
        inFlight.push(call);
      }
    },
    /** Ends the call that is longest in flight. */
    end: (outcome: CallOutcome, nowMs: number): readonly LimitEvent[] =>
      limiter.ended(outcome, inFlight.shift() ?? assert.fail("no call is in flight"), nowMs),
  };
}

const limitsOf = ({ events }: ServiceRun): readonly number[] =>
  events.flatMap((event) => (event.type === "limit" ? [event.limit] : []));

/** A server that works on so many calls at a time, and lets the others wait; a call that waits too long times out. */
function queuingServer(slotCount: number, tookMs: number): (nowMs: number) => Taken {
  const freeAtMs = Array.from({ length: slotCount }, () => 0);
  return (nowMs) => {
    freeAtMs.sort((one, other) => one - other);
    const endMs = Math.max(nowMs, freeAtMs[0] ?? 0) + tookMs;
    if (endMs - nowMs > timeoutMs) return { outcome: failure("timeout"), afterMs: timeoutMs };
    freeAtMs[0] = endMs;
    return { outcome: answer, afterMs: endMs - nowMs };
  };
}

test("so many calls go at once, and each that ends makes room for one", () => {
  const { fill, end } = make(3);
  assert.equal(fill(0), 3);
  end({ type: "other" }, 0);
  assert.equal(fill(0), 3);
});

test("it begins with eight calls in flight, and each answer lets one more in, up to the most", () => {
  const { fill, end } = make(12);
  assert.equal(fill(0), 8);
  for (const inFlight of [9, 10, 11, 12, 12]) {
    assert.deepEqual(end(answer, 50_000), [], "the limit that it begins with is no news");
    assert.equal(fill(50_000), inFlight);
  }
});

test("a service that answers quickly is soon given as many as it answers in half a time limit; one quick answer shows nothing", () => {
  const { fill, end } = make(500);
  fill(0);
  assert.deepEqual(end(answer, 100), []);
  assert.equal(fill(100), 9);
  for (let count = 2; count <= 6; count += 1) assert.deepEqual(end(answer, 100), []);
  assert.ok(fill(100) > 200, "six in 100 ms are 3,600 in a minute");
});

test("where answers queue, no more go than are answered in half a time limit", () => {
  const run = runService({
    limits: [concurrency({ most: 64, timeoutMs, random: () => 0.5 })],
    rows: 64,
    seconds: 600,
    take: queuingServer(1, 5000),
  });
  const late = run.sent.filter(({ atMs }) => atMs > 100_000);
  assert.ok(late.length >= 98 && late.every(({ type }) => type === "answer"), `${late.length} calls`);
  assert.ok(run.mostInFlight <= 10, `${run.mostInFlight} in flight`);
  const limit = limitsOf(run).at(-1) ?? assert.fail("the limit that was found is not told");
  assert.ok(limit >= 4 && limit <= 7, `${limit}: six are answered in half a minute`);
});

test("a server that has slots enough is given all the calls, however slow it is", () => {
  const run = runService({
    limits: [concurrency({ most: 64, timeoutMs, random: () => 0.5 })],
    rows: 64,
    seconds: 600,
    take: () => ({ outcome: answer, afterMs: 25_000 }),
  });
  assert.deepEqual([run.mostInFlight, limitsOf(run)], [64, []]);
});

test("a call that times out because the server has more calls than it answers lowers the limit, and uses up no retry", () => {
  const run = runService({
    limits: [concurrency({ most: 8, timeoutMs, random: () => 0.5 })],
    rows: 8,
    seconds: 600,
    take: queuingServer(1, 11_000),
  });
  const ends = run.sent.map(({ type }) => type);
  assert.ok(ends.slice(0, 8).includes("failure"));
  assert.ok(!ends.slice(12).includes("failure"), ends.join(" "));
  assert.ok(run.events.some((event) => event.type === "again" && event.afterMs === 500));
  const limit = limitsOf(run).at(-1) ?? assert.fail("the limit that was found is not told");
  assert.ok(limit <= 3, `${limit}`);
});

test("a call that times out says nothing where the server has none of the others waiting, or has never answered", () => {
  const never = make(8);
  never.fill(0);
  assert.deepEqual(never.end(failure("timeout"), timeoutMs), []);
  const quick = make(8);
  quick.fill(0);
  for (let count = 0; count < 7; count += 1) quick.end(answer, 100);
  quick.fill(100);
  for (let atMs = 1000; atMs <= timeoutMs; atMs += 100) {
    const hanging = quick.inFlight.shift() ?? assert.fail("no call is in flight");
    quick.end(answer, atMs);
    quick.inFlight.unshift(hanging);
    quick.fill(atMs);
  }
  assert.deepEqual(quick.end(failure("timeout"), timeoutMs), []);
});

test("a fifth of the newest calls turned away as overload lowers it by 0.7, at most once a second", () => {
  const { fill, end, inFlight } = make(8);
  const overload = (nowMs: number) => {
    fill(nowMs);
    return end(failure("overload"), nowMs);
  };
  for (let count = 0; count < 4; count += 1) assert.deepEqual(overload(0), []);
  assert.deepEqual(overload(0), [{ type: "limit", limit: 5 }]);
  assert.deepEqual(overload(999), []);
  assert.deepEqual(overload(1000), [{ type: "limit", limit: 3 }]);
  while (inFlight.length > 0) end({ type: "other" }, 1000);
  for (let second = 2; second < 20; second += 1) overload(second * 1000);
  assert.equal(fill(20_000), 1, "it never falls below one");
});

test("a limit that fell for overload grows back by one a round", () => {
  const { fill, end, inFlight } = make(8);
  fill(0);
  for (let count = 0; count < 5; count += 1) end(failure("overload"), 0);
  const limits: number[] = [];
  for (let count = 0; count < 40; count += 1) {
    fill(2000);
    for (const event of end(answer, 2000)) if (event.type === "limit") limits.push(event.limit);
  }
  assert.deepEqual(limits, [6, 7, 8]);
  assert.equal(inFlight.length, 7);
});

test("sporadic 503s lower nothing, nor does any other failure", () => {
  const { fill, end } = make(8);
  for (let count = 0; count < 200; count += 1) {
    fill(count);
    assert.deepEqual(end(count % 10 === 0 ? failure("overload") : answer, count), []);
  }
  for (const kind of ["server", "network", "unreadable"] as const) {
    for (let count = 0; count < 30; count += 1) {
      fill(count);
      assert.deepEqual(end(failure(kind), 1000), []);
    }
  }
});

test("429s cost no call in flight, be they few, or nearly all", () => {
  for (const share of [0.03, 0.3, 0.95]) {
    const draw = seededRandom(7);
    const run = runService({
      limits: [concurrency({ most: 32, timeoutMs, random: () => 0.5 })],
      rows: 32,
      seconds: 10,
      take: () => ({ outcome: draw() < share ? failure("rate-limit") : answer, afterMs: 100 }),
    });
    assert.deepEqual([share, limitsOf(run), run.mostInFlight], [share, [], 32]);
  }
});

test("a service that takes so many calls at a time is given so many", () => {
  const draw = seededRandom(7);
  const run = runService({
    limits: [concurrency({ most: 32, timeoutMs, random: draw }), adaptivePace({ random: draw })],
    rows: 32,
    seconds: 60,
    take: (_, inFlight) =>
      inFlight > 10
        ? { outcome: failure("rate-limit"), afterMs: 10 }
        : { outcome: answer, afterMs: 200 + 200 * draw() },
  });
  assert.equal(limitsOf(run)[0], 10);
  const late = run.sent.filter(({ atMs }) => atMs > 20_000);
  const rejected = late.filter(({ type }) => type === "failure").length;
  assert.ok(late.length > 1000 && rejected < 0.02 * late.length, `${rejected} of ${late.length}`);
});

test("whatever outcomes come, no more than the most are in flight, and one may go when none is", () => {
  const outcome = fc.constantFrom(
    answer,
    answer,
    { type: "other" } as const,
    ...(["rate-limit", "overload", "timeout", "server", "network"] as const).map(failure),
  );
  const end = fc.record({ outcome, afterMs: fc.nat(70_000) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.array(end, { maxLength: 150 }), (most, ends) => {
      const bench = make(most);
      let nowMs = 0;
      for (const one of ends) {
        const inFlight = bench.fill(nowMs);
        assert.ok(inFlight >= 1 && inFlight <= most, `${inFlight} of ${most}`);
        nowMs += one.afterMs;
        for (const event of bench.end(one.outcome, nowMs))
          if (event.type === "limit") assert.ok(event.limit >= 1 && event.limit <= most, `${event.limit}`);
      }
      while (bench.inFlight.length > 0) bench.end(failure("overload"), nowMs);
      assert.ok(bench.fill(nowMs) >= 1);
    }),
    { numRuns: 100, seed: 5 },
  );
});
