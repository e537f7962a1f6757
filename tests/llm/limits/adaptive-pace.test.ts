import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { adaptivePace } from "../../../src/llm/limits/adaptive-pace.ts";
import { defaultLimits } from "../../../src/llm/limits/default-limits.ts";
import type { CallOutcome, CallSize, Limiter } from "../../../src/llm/limits/limiter.ts";
import { resolveAdmission } from "../../../src/llm/limits/options.ts";
import { callsBetween, type CallSent, runService, seededRandom, type Taken } from "../../support/limited-service.ts";

const answer: CallOutcome = { type: "answer" };
const rejection = (retryAfterMs?: number): CallOutcome => ({ type: "failure", kind: "rate-limit", retryAfterMs });
const pace = (): readonly Limiter[] => [adaptivePace({ random: seededRandom(7) })];

/** All the limiters of a provider. */
function allLimits(concurrency: number): readonly Limiter[] {
  const random = seededRandom(7);
  return defaultLimits({ concurrency, quota: {}, timeoutMs: 60_000, options: resolveAdmission(), random });
}

type Tell = (waitMs: number) => number | undefined;

/** How services tell a wait: as it is, in whole seconds, as none at all, and as zero. */
const tellings: Readonly<Record<string, Tell>> = {
  "exact waits": (waitMs) => Math.ceil(waitMs),
  "whole seconds": (waitMs) => 1000 * Math.ceil(waitMs / 1000),
  "no wait": () => undefined,
  "a wait of zero": () => 0,
};

/** A quota that fills steadily up to a burst, and of which rejected calls use nothing. */
function bucket(perSecondAt: (nowMs: number) => number, burst: number, tell: Tell): (nowMs: number) => Taken {
  const random = seededRandom(11);
  let level = burst;
  let filledAtMs = 0;
  return (nowMs) => {
    const perMs = perSecondAt(nowMs) / 1000;
    level = Math.min(burst, level + (nowMs - filledAtMs) * perMs);
    filledAtMs = nowMs;
    if (level < 1) return { outcome: rejection(tell((1 - level) / perMs)), afterMs: 5 };
    level -= 1;
    return { outcome: answer, afterMs: 200 + 100 * random() };
  };
}

/** A quota of so many calls in each window; a rejected call is told to wait for the next one. */
function windows(lengthMs: number, quota: number): (nowMs: number) => Taken {
  let number = -1;
  let count = 0;
  return (nowMs) => {
    if (Math.floor(nowMs / lengthMs) !== number) {
      number = Math.floor(nowMs / lengthMs);
      count = 0;
    }
    count += 1;
    if (count <= quota) return { outcome: answer, afterMs: 200 };
    return { outcome: rejection((number + 1) * lengthMs - nowMs), afterMs: 10 };
  };
}

/** Answers the first calls and rejects all others, for ever. */
function rejectAfter(answeredCount: number, retryAfterMs: number | undefined): () => Taken {
  let count = 0;
  return () => {
    count += 1;
    return count <= answeredCount ? { outcome: answer, afterMs: 20 } : { outcome: rejection(retryAfterMs), afterMs: 3 };
  };
}

const answered = (sent: readonly CallSent[]): number => sent.filter(({ type }) => type === "answer").length;
const rejected = (sent: readonly CallSent[]): number => sent.length - answered(sent);

for (const [name, tell] of Object.entries(tellings)) {
  test(`the quota of a bucket is found, and all of it is used: ${name}`, () => {
    for (const burst of [20, 100]) {
      const { sent } = runService({ limits: pace(), rows: 64, seconds: 60, take: bucket(() => 100, burst, tell) });
      const late = callsBetween(sent, 20, 60);
      const share = answered(late) / 4000;
      assert.ok(share >= 0.95 && share <= 1.02, `${share} of the quota with a burst of ${burst}`);
      assert.ok(rejected(late) <= 0.03 * answered(late), `${rejected(late)} calls rejected late`);
      assert.ok(rejected(sent) <= 5 * 64, `${rejected(sent)} calls rejected`);
    }
  });
}

for (const [name, tell] of Object.entries(tellings)) {
  test(`a quota of about one call a second is found by few rejections beyond those of the first calls: ${name}`, () => {
    const counts = [0.5, 0.75, 1, 1.5].map((perSecond) => {
      const take = bucket(() => perSecond, 1, tell);
      const { sent } = runService({ limits: allLimits(12), rows: 12, seconds: 120, take });
      const late = answered(callsBetween(sent, 60, 120)) / (60 * perSecond);
      assert.ok(late >= 0.6, `${late} of ${perSecond} a second`);
      return rejected(callsBetween(sent, 0, 20));
    });
    const sum = counts.reduce((all, count) => all + count, 0);
    assert.ok(sum <= 4 * (12 + 8), `${counts.join(", ")} calls rejected`);
  });
}

test("a run that begins when a quota is all but used up loses hardly more time than until there is room, and none where others used it up", () => {
  for (const [kind, answeredCount, untilSeconds, mostLost] of [
    ["rate-limit", 0, 3, 3],
    ["rate-limit", 0, 8, 3],
    ["rate-limit", 1, 8, 10],
    ["rate-limit", 2, 8, 10],
    ["rate-limit", 1, 30, 30],
    ["rate-limit", 2, 30, 30],
    ["overload", 1, 3, 4], // an outage is no quota
    ["overload", 1, 8, 4],
  ] as const) {
    for (const retryAfterMs of [undefined, 0]) {
      let count = 0;
      const take = (nowMs: number): Taken => {
        count += 1;
        if (count <= answeredCount || nowMs >= untilSeconds * 1000) return { outcome: answer, afterMs: 200 };
        return { outcome: { type: "failure", kind, retryAfterMs }, afterMs: 10 };
      };
      const { sent } = runService({ limits: allLimits(12), rows: 12, seconds: 150, take });
      const lost = 150 - untilSeconds - answered(sent) / 60; // 12 rows at 200 ms
      assert.ok(lost <= mostLost, `${lost} s lost: ${kind}, ${answeredCount} answered, ${untilSeconds} s`);
    }
  }
});

test("a quota that becomes smaller, or larger, is found anew", () => {
  const perSecondAt = (nowMs: number): number => (nowMs < 20_000 || nowMs >= 60_000 ? 100 : 50);
  const take = bucket(perSecondAt, 20, () => undefined);
  const { sent } = runService({ limits: pace(), rows: 64, seconds: 100, take });
  const small = answered(callsBetween(sent, 40, 60)) / 1000;
  const large = answered(callsBetween(sent, 80, 100)) / 2000;
  assert.ok(small >= 0.95 && small <= 1.02, `${small} of the smaller quota`);
  assert.ok(large >= 0.9 && large <= 1.02, `${large} of the larger quota`);
});

test("rejections that have nothing to do with the pace cost none, and close nothing", () => {
  const meanMs = 0.97 * 100 + 0.03 * 205; // of a row's calls: a rejected one waits for itself
  const most = (32 * 30_000 * 0.97) / meanMs;
  const shares = [1, 2, 3, 4, 5, 6].map((seed) => {
    const draw = seededRandom(seed);
    const take = (): Taken =>
      draw() < 0.03 ? { outcome: rejection(200), afterMs: 5 } : { outcome: answer, afterMs: 100 };
    const { sent, events } = runService({ limits: pace(), rows: 32, seconds: 30, take });
    assert.ok(events.every(({ type }) => type === "again"));
    return answered(sent) / most;
  });
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  assert.ok(mean >= 0.95 && Math.min(...shares) >= 0.9, shares.join(", "));
});

test("the quota of a window is used up, then no call goes until the next one, which is used up, too", () => {
  for (const lengthMs of [10_000, 60_000]) {
    const { sent, events } = runService({ limits: pace(), rows: 32, seconds: 180, take: windows(lengthMs, 500) });
    const count = 180_000 / lengthMs;
    assert.equal(answered(sent), count * 500);
    const pauses = events.filter((event) => event.type === "pause");
    assert.equal(pauses.length, count, "it closes once a window");
    for (const { atMs, durationMs } of pauses) {
      const reopensMs = (atMs + durationMs) % lengthMs;
      assert.ok(reopensMs < 50, `${reopensMs} ms after the window began`);
      assert.ok(atMs % lengthMs < 0.5 * lengthMs, "the window is used up as fast as it can be");
    }
    assert.ok(rejected(sent) <= count * 32, `${rejected(sent)} calls rejected`);
  }
});

/** Of a quota that comes anew each second, the share that is used from the 20th second on: the median of five seeds. */
function shareOfSlices(tell: Tell, quota: number): number {
  const shares = [11, 12, 13, 14, 15].map((seed) => shareOfSlicesWith(tell, quota, seed));
  return shares.toSorted((first, second) => first - second)[2] ?? Number.NaN;
}

function shareOfSlicesWith(tell: Tell, quota: number, seed: number): number {
  const random = seededRandom(seed);
  const slices = windows(1000, quota);
  const take = (nowMs: number): Taken => {
    const { outcome, afterMs } = slices(nowMs);
    if (outcome.type === "answer") return { outcome, afterMs: afterMs + 100 * random() };
    return { outcome: rejection(tell(1000 - (nowMs % 1000))), afterMs };
  };
  const { sent } = runService({ limits: allLimits(64), rows: 64, seconds: 40, take });
  return answered(callsBetween(sent, 20, 40)) / (20 * quota);
}

test("a quota that is counted in slices of a second is used up, where 429s tell the exact wait or none", () => {
  for (const name of ["exact waits", "no wait"]) {
    const share = shareOfSlices(tellings[name] ?? assert.fail(name), 100);
    assert.ok(share >= 0.93, `${share}, ${name}`);
  }
});

test("where 429s tell a whole second, most of such a quota is used", () => {
  for (const quota of [20, 50, 100, 200]) {
    const share = shareOfSlices(() => 1000, quota);
    assert.ok(share >= 0.8, `${share} of ${quota} a second`);
  }
});

test("a service that rejects all calls for ever gets ten a second at most, from the start or after one answer", () => {
  for (const answeredCount of [0, 1]) {
    for (const retryAfterMs of [0, 5, 100, undefined, 1000]) {
      for (const limits of [pace(), allLimits(12)]) {
        const { sent } = runService({ limits, rows: 12, seconds: 120, take: rejectAfter(answeredCount, retryAfterMs) });
        for (let second = 2; second < 120; second += 1) {
          const count = callsBetween(sent, second, second + 1).length;
          assert.ok(count <= 10, `${count} calls in second ${second}, told ${retryAfterMs}`);
        }
        assert.ok(callsBetween(sent, 0, 2).length <= 60);
        assert.ok(callsBetween(sent, 100, 120).length >= 1, "it is still looked at");
      }
    }
  }
});

test("a rejected call goes again after the wait that it is told, and no sooner than in 100 ms", () => {
  const againAfter = (retryAfterMs: number | undefined): number => {
    const limiter = adaptivePace({ random: () => 0.5 });
    const call = { tokens: 100 };
    limiter.started(call, 0);
    const [event, ...others] = limiter.ended(rejection(retryAfterMs), call, 10);
    assert.deepEqual(others, []);
    assert.equal(limiter.waitMs({ tokens: 100 }, 10), 0, "the others may go");
    return event?.type === "again" ? event.afterMs : assert.fail("it does not go again");
  };
  for (const [toldMs, afterMs] of [
    [0, 100],
    [-5, 100],
    [3, 100],
    [700, 700],
    [86_400_000, 600_000],
    [undefined, 350],
  ] as const) {
    assert.equal(againAfter(toldMs), afterMs, `told ${toldMs}`);
  }
});

test("near a quota that is known, a rejected call waits a quarter of a second that it is told, and longer waits in full", () => {
  const waits = new Set<number>();
  const limiter = adaptivePace({ random: () => 0.5 });
  const watched: Limiter = {
    ...limiter,
    ended: (outcome, call, nowMs) => {
      const events = limiter.ended(outcome, call, nowMs);
      if (nowMs > 20_000) for (const event of events) if (event.type === "again") waits.add(event.afterMs);
      return events;
    },
  };
  let toldMs = 1000;
  const take = bucket(
    () => 200,
    200,
    () => toldMs,
  );
  runService({
    limits: [watched],
    rows: 64,
    seconds: 60,
    take: (nowMs) => {
      toldMs = nowMs < 40_000 ? 1000 : 2500;
      return take(nowMs);
    },
  });
  assert.deepEqual([...waits].toSorted(), [250, 2500]);
});

test("a lone call is not sent again within 100 ms, whatever it is told", () => {
  for (const retryAfterMs of [0, 1, 99, undefined]) {
    const { sent } = runService({
      limits: allLimits(1),
      rows: 1,
      seconds: 60,
      take: () => ({ outcome: rejection(retryAfterMs), afterMs: 0 }),
    });
    const gaps = sent.slice(1).map(({ atMs }, index) => atMs - (sent[index]?.atMs ?? 0));
    assert.ok(gaps.length > 5 && Math.min(...gaps) >= 100, `${Math.min(...gaps)} ms`);
  }
});

test("other failures say nothing of the quota", () => {
  const limiter = adaptivePace({ random: () => 0.5 });
  for (let index = 0; index < 100; index += 1) {
    const call = { tokens: 100 };
    limiter.started(call, index);
    const outcome: CallOutcome =
      index % 2 === 0 ? { type: "failure", kind: "server", retryAfterMs: 5000 } : { type: "other" };
    assert.deepEqual(limiter.ended(outcome, call, index), []);
    assert.equal(limiter.waitMs({ tokens: 100 }, index), 0);
  }
});

const ends = fc.array(
  fc.record({
    afterMs: fc.oneof(fc.nat(50), fc.nat(120_000)),
    startedCount: fc.nat(20),
    tokens: fc.integer({ min: 1, max: 200_000 }),
    outcome: fc.oneof(
      fc.constant(answer),
      fc.constant<CallOutcome>({ type: "other" }),
      fc.constant<CallOutcome>({ type: "failure", kind: "timeout" }),
      fc.option(fc.double({ min: 0, max: 600_000, noNaN: true }), { nil: undefined }).map(rejection),
    ),
  }),
  { minLength: 1, maxLength: 150 },
);

test("whatever outcomes come, a wait is a number from 0 up, and a call is let in again within minutes", () => {
  fc.assert(
    fc.property(ends, fc.double({ min: 0, max: 0.999, noNaN: true }), (all, chance) => {
      const limiter = adaptivePace({ random: () => chance });
      const inFlight: CallSize[] = [];
      let nowMs = 0;
      const waitMs = (): number => {
        const wait = limiter.waitMs({ tokens: 1 }, nowMs);
        assert.ok(wait >= 0 && wait < Infinity, `${wait}`);
        return wait;
      };
      for (const { afterMs, startedCount, tokens, outcome } of all) {
        for (let count = 0; count < startedCount && waitMs() === 0; count += 1) {
          const call = { tokens };
          limiter.started(call, nowMs);
          inFlight.push(call);
        }
        nowMs += afterMs;
        const call = inFlight.shift();
        if (call !== undefined) limiter.ended(outcome, call, nowMs);
        waitMs();
      }
      for (const call of inFlight) limiter.ended(answer, call, nowMs);
      const endedMs = nowMs;
      let looks = 0;
      for (let wait = waitMs(); wait > 0; wait = waitMs()) {
        nowMs += wait;
        looks += 1;
        assert.ok(looks < 10, "it waits on and on");
      }
      assert.ok(nowMs - endedMs <= 1_200_000, `${nowMs - endedMs} ms`);
    }),
    { numRuns: 200, seed: 5 },
  );
});
