import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { connectionProblem } from "../../../src/sql-server/connect/connection-errors.ts";

const place = { server: "host,1433", database: "clinic" };

function problem(error: unknown, secrets: readonly string[] = []): string {
  return connectionProblem(error, place, secrets).problem;
}

test("the problem names server and database and what was said; the facts have the numbers and the next step", () => {
  const denied = Object.assign(new Error("Login failed for user 'u'."), { code: "ELOGIN", number: 18456 });
  const { problem: text, facts } = connectionProblem(denied, place, []);
  for (const part of ["host,1433", '"clinic"', "18456", "Login failed for user 'u'."]) assert.ok(text.includes(part));
  assert.partialDeepStrictEqual(facts, { where: "host,1433", database: "clinic", errorNumbers: [18456] });
  assert.match(facts.hint ?? "", /User ID and Password/);
  const unknown = connectionProblem(new Error("odd"), { server: "h", database: undefined }, []);
  assert.ok(unknown.problem.includes("odd"));
  assert.equal(unknown.facts.hint, undefined);
});

test("common numbers and codes have a next step", () => {
  const steps: [object, RegExp][] = [
    [{ number: 4060 }, /Database/],
    [{ number: 40_615 }, /firewall/],
    [{ number: 18_487 }, /password/],
    [{ number: 40_613 }, /in a few minutes/],
    [{ code: "ESOCKET", cause: { code: "ENOTFOUND" } }, /Server.*name/],
    [{ code: "ESOCKET", cause: { errors: [{ code: "ECONNREFUSED" }] } }, /nothing listens.*port/],
    [{ code: "ESOCKET", cause: { code: "ECONNRESET" } }, /port, and Encrypt/],
    [{ code: "ETIMEOUT" }, /Connect Timeout/],
    [{ code: "EINSTLOOKUP" }, /SQL Server Browser/],
    [{ code: "EENCRYPT" }, /Encrypt/],
    [
      { code: "ESOCKET", cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } },
      /NODE_EXTRA_CA_CERTS.*TrustServerCertificate=yes/,
    ],
    [{ code: "ESOCKET", cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" } }, /HostNameInCertificate=/],
    [{ originalError: { errors: [{ code: "EFEDAUTH" }] } }, /tokenCredential/],
  ];
  for (const [facts, step] of steps) {
    const { hint } = connectionProblem(Object.assign(new Error("m"), facts), place, []).facts;
    assert.match(hint ?? "", step);
  }
});

test("the message of an error that has none is that of the errors within", () => {
  const inner = new AggregateError([Object.assign(new Error("no token"), { code: "EFEDAUTH" }), new Error("second")]);
  assert.ok(problem(Object.assign(new Error(""), { originalError: inner })).includes("(EFEDAUTH: no token)"));
  assert.ok(problem("thrown text").includes("(thrown text)"));
});

test("no message holds a password, whatever the driver says", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 8, maxLength: 40, unit: "binary" }), (password) => {
      assert.ok(!problem(new Error(`failed with ${password} twice ${password}`), [password]).includes(password));
    }),
    { seed: 3, numRuns: 300 },
  );
  assert.doesNotMatch(problem(new Error("failed for Server=h;Password=hunter2;x")), /hunter2/);
});
