import assert from "node:assert/strict";
import { test } from "node:test";
import { driverFacts, passingError } from "../../src/sql-server/error-meaning.ts";

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
  for (const error of [byCode("ELOGIN"), byCode("EARGS"), new Error("x"), undefined, null, "ESOCKET"]) {
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

test("a busy server asks for ten seconds, and a login is tried twice more at most", () => {
  assert.deepEqual(passingError(byNumber(40_501)), { leastWaitMs: 10_000, mostRetries: undefined });
  for (const number of [4060, 18_456])
    assert.deepEqual(passingError(byNumber(number)), { leastWaitMs: 0, mostRetries: 2 });
  const both = Object.assign(byNumber(1205), { precedingErrors: [byNumber(40_501), byNumber(4060)] });
  assert.deepEqual(passingError(both), { leastWaitMs: 10_000, mostRetries: 2 });
});
