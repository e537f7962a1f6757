import assert from "node:assert/strict";
import { test } from "node:test";
import { driverFacts, noteWait, passingAtFirst, passingError } from "../../src/sql-server/error-meaning.ts";

const byNumber = (number: number): Error => Object.assign(new Error(`error ${number}`), { code: "EREQUEST", number });
const byCode = (code: string): Error => Object.assign(new Error(code), { code });

const isPassing = (error: unknown): boolean => passingError(error) !== undefined;

test("errors that pass are known by the server's number before the driver's code", () => {
  for (const number of [1205, 1222, 3960, 40501, 40613, 49918, 10928, 64, 121, 10054, 41302, 4060, 18456]) {
    assert.equal(isPassing(byNumber(number)), true, String(number));
  }
  for (const number of [2627, 547, 515, 8152, 2628, 208, 102, 229]) {
    assert.equal(isPassing(byNumber(number)), false, String(number));
  }
  for (const code of ["ESOCKET", "ECONNRESET", "ETIMEOUT", "ECONNCLOSED", "ENOTOPEN", "EAI_AGAIN", "EINVALIDSTATE"]) {
    assert.equal(isPassing(byCode(code)), true, code);
  }
  for (const error of [byCode("EARGS"), new Error("x"), undefined, null, "ESOCKET"]) {
    assert.equal(isPassing(error), false);
  }
  assert.equal(isPassing(Object.assign(byNumber(547), { cause: byCode("ESOCKET") })), false);
});

test("a certificate that is not trusted does not pass, though it breaks the socket", () => {
  const certificates = [
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "EPROTO",
  ];
  for (const code of certificates) {
    assert.equal(isPassing(Object.assign(byCode("ESOCKET"), { cause: byCode(code) })), false, code);
  }
});

test("a connection that ends in the middle of an answer passes, though the driver gives that no code", () => {
  for (const message of ["unexpected end of message stream", "unexpected end of data"]) {
    const error = Object.assign(new Error(message), { code: "EREQUEST", originalError: new Error(message) });
    assert.equal(isPassing(error), true, message);
  }
  assert.equal(isPassing(Object.assign(new Error("unexpected end of input"), { code: "EREQUEST" })), false);
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

test("a busy server asks for ten seconds, and what was waited for a connection is known", () => {
  assert.deepEqual(passingError(byNumber(40_501)), { leastWaitMs: 10_000, waitedMs: 0 });
  const both = Object.assign(byNumber(1205), { precedingErrors: [byNumber(40_501), byNumber(4060)] });
  assert.deepEqual(passingError(both), { leastWaitMs: 10_000, waitedMs: 0 });
  const [silent, answered] = [byCode("ETIMEOUT"), byNumber(4060)];
  for (const error of [silent, answered]) noteWait(error, 500);
  assert.equal(passingError(new Error("outer", { cause: silent }))?.waitedMs, 500);
  assert.equal(passingError(answered)?.waitedMs, 0);
});

test("a restart or a failover is waited out: also by a login that is denied, once one has worked", () => {
  for (const number of [4060, 4064, 18_456, 18_401, 18_451, 6005, 921, 922, 983, 976, 979, 982, 596, 17_142]) {
    const error = byNumber(number);
    assert.deepEqual(passingError(error), { leastWaitMs: 0, waitedMs: 0 }, String(number));
    const login = Object.assign(byCode("ELOGIN"), { originalError: Object.assign(byCode("ELOGIN"), { number }) });
    assert.notEqual(passingError(login), undefined, String(number));
  }
  for (const number of [18_452, 18_470, 18_486, 18_487, 18_488, 916, 40_615]) {
    assert.equal(passingError(byNumber(number)), undefined, String(number));
  }
  assert.notEqual(passingError(byCode("ELOGIN")), undefined, "of a pool of the user's the number is not known");
});

test("before the first login a denial is reported at once, and a database that is not there after two more attempts", () => {
  for (const error of [byNumber(18_456), byCode("ELOGIN"), byCode("ECONNREFUSED"), byCode("ENOTFOUND")]) {
    assert.equal(passingAtFirst(error), undefined);
  }
  for (const number of [4060, 4064]) assert.equal(passingAtFirst(byNumber(number))?.mostRetries, 2);
  for (const number of [921, 983, 6005, 18_401, 40_613]) {
    const found = passingAtFirst(byNumber(number));
    assert.ok(found !== undefined && found.mostRetries === undefined, String(number));
  }
});

test("a pool in which no connection came free in its time is busy, though the driver gives that no code", () => {
  const message = "Failed to acquire a connection from the pool: operation timed out for an unknown reason";
  assert.equal(isPassing(new Error(message)), true);
});
