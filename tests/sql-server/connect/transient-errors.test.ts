import assert from "node:assert/strict";
import { test } from "node:test";
import {
  driverFacts,
  isTransient,
  type RetryOptions,
  retryTransient,
} from "../../../src/sql-server/connect/transient-errors.ts";

const byNumber = (number: number): Error => Object.assign(new Error(`error ${number}`), { code: "EREQUEST", number });
const byCode = (code: string): Error => Object.assign(new Error(code), { code });

/** A clock that only sleeping moves, and what was slept. */
function clock(maxWaitMs: number): RetryOptions & { readonly slept: number[] } {
  const slept: number[] = [];
  let time = 0;
  return {
    slept,
    signal: new AbortController().signal,
    maxWaitMs,
    now: () => time,
    random: () => 1,
    sleep: async (delayMs) => {
      slept.push(delayMs);
      time += delayMs;
    },
  };
}

/** Fails with each of the errors in turn, then succeeds. */
function failing(...errors: readonly unknown[]): (() => Promise<string>) & { attempts: number } {
  const attempt = async (): Promise<string> => {
    attempt.attempts += 1;
    if (attempt.attempts <= errors.length) throw errors[attempt.attempts - 1];
    return "done";
  };
  attempt.attempts = 0;
  return attempt;
}

test("what passes is told from what does not, by the server's number before the driver's code", () => {
  for (const number of [1205, 1222, 3960, 40501, 40613, 49918, 10928, 64, 121, 10054, 41302, 4060, 18456]) {
    assert.equal(isTransient(byNumber(number)), true, String(number));
  }
  for (const number of [2627, 547, 515, 8152, 2628, 208, 102, 229]) {
    assert.equal(isTransient(byNumber(number)), false, String(number));
  }
  for (const code of ["ESOCKET", "ECONNRESET", "ETIMEOUT", "ECONNCLOSED", "ENOTOPEN", "EAI_AGAIN", "EINVALIDSTATE"]) {
    assert.equal(isTransient(byCode(code)), true, code);
  }
  for (const error of [byCode("ELOGIN"), byCode("EARGS"), new Error("x"), undefined, null, "ESOCKET"]) {
    assert.equal(isTransient(error), false);
  }
  assert.equal(isTransient(Object.assign(byNumber(547), { cause: byCode("ESOCKET") })), false);
});

test("a certificate that is not trusted does not pass, though it breaks the socket", () => {
  const certificates = [
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "EPROTO",
  ];
  for (const code of certificates) {
    assert.equal(isTransient(Object.assign(byCode("ESOCKET"), { cause: byCode(code) })), false, code);
  }
});

test("a connection that ends in the middle of an answer is transient, though the driver gives that no code", () => {
  for (const message of ["unexpected end of message stream", "unexpected end of data"]) {
    const error = Object.assign(new Error(message), { code: "EREQUEST", originalError: new Error(message) });
    assert.equal(isTransient(error), true, message);
  }
  assert.equal(isTransient(Object.assign(new Error("unexpected end of input"), { code: "EREQUEST" })), false);
});

test("numbers and codes are found in the errors that an error was made from, however they lead to each other", () => {
  const inner = Object.assign(new AggregateError([byCode("ECONNREFUSED"), byNumber(64)]), { code: "ESOCKET" });
  const outer: Error = Object.assign(new Error("outer"), { number: "ETIMEOUT", originalError: inner });
  Object.assign(inner, { cause: outer, precedingErrors: [byNumber(1205)] });
  assert.deepEqual(driverFacts(outer), {
    numbers: [64, 1205],
    codes: ["ESOCKET", "ECONNREFUSED", "EREQUEST", "EREQUEST"],
    untrusted: false,
  });
});

test("the wait doubles up to the longest, is jittered in full, and the last attempt begins when the time is up", async () => {
  const options = clock(10_000);
  const attempt = failing(...Array.from({ length: 9 }, () => byNumber(1205)));
  await assert.rejects(retryTransient(attempt, { ...options, longestDelayMs: 3000 }), /error 1205/);
  assert.deepEqual(options.slept, [100, 200, 400, 800, 1600, 3000, 3000, 900]);
  const halved = clock(10_000);
  await retryTransient(failing(byNumber(1205), byNumber(1205)), { ...halved, random: () => 0.5 });
  assert.deepEqual(halved.slept, [50, 100]);
});

test("a server that is busy is left alone for ten seconds, and given up at once where there is less time", async () => {
  const options = clock(60_000);
  assert.equal(await retryTransient(failing(byNumber(40_501)), options), "done");
  assert.deepEqual(options.slept, [10_100]);
  const hurried = clock(5000);
  await assert.rejects(retryTransient(failing(byNumber(40_501)), hurried), /40501/);
  assert.deepEqual(hurried.slept, []);
});

test("a refused login is tried twice more, whatever time is left", async () => {
  for (const number of [4060, 18_456]) {
    const attempt = failing(...Array.from({ length: 9 }, () => byNumber(number)));
    await assert.rejects(retryTransient(attempt, clock(3_600_000)), new RegExp(String(number)));
    assert.equal(attempt.attempts, 3);
  }
});

test("what does not pass is thrown at once, and each wait is reported", async () => {
  const attempt = failing(byNumber(1205), byNumber(547));
  const told: unknown[] = [];
  const onRetry = (error: unknown, delayMs: number): void => {
    told.push(error instanceof Error && error.message, delayMs);
  };
  await assert.rejects(retryTransient(attempt, { ...clock(1000), onRetry }), /error 547/);
  assert.deepEqual(told, ["error 1205", 100]);
});

test("an abort ends the wait with its own reason, but does not stop an attempt that need not wait", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const options = { signal: controller.signal, maxWaitMs: 60_000, shortestDelayMs: 30_000, random: () => 1 };
  const waiting = retryTransient(failing(byNumber(1205)), options);
  setImmediate(() => controller.abort(reason));
  await assert.rejects(waiting, reason);
  assert.equal(await retryTransient(failing(), options), "done");
  await assert.rejects(retryTransient(failing(byNumber(1205)), options), reason);
  await assert.rejects(retryTransient(failing(byNumber(547)), options), /error 547/);
});
