import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { connectionProblem } from "../../../src/sql-server/connect/connection-errors.ts";

const place = { server: "host,1433", database: "clinic" };

function problem(error: unknown, secrets: readonly string[] = []): string {
  return connectionProblem(error, place, secrets);
}

test("the message names server and database, what was said and what to do", () => {
  const refusedLogin = Object.assign(new Error("Login failed for user 'u'."), { code: "ELOGIN", number: 18456 });
  assert.equal(
    problem(refusedLogin),
    `can't connect to SQL Server at host,1433, database "clinic" (error 18456: Login failed for user 'u'.); ` +
      "check User ID and Password; for Microsoft Entra ID, that the database has a user for the identity",
  );
  assert.match(
    connectionProblem(new Error("odd"), { server: "h", database: undefined }, []),
    /^can't connect to SQL Server at h \(odd\)$/,
  );
});

test("common numbers and codes say what to do", () => {
  const remedies: [object, RegExp][] = [
    [{ number: 4060 }, /check Database, and that the login has a user/],
    [{ number: 40_615 }, /firewall/],
    [{ number: 18_487 }, /must change its password/],
    [{ number: 40_613 }, /run again in a few minutes/],
    [{ code: "ESOCKET", cause: { code: "ENOTFOUND" } }, /check Server: the name is not known here/],
    [{ code: "ESOCKET", cause: { errors: [{ code: "ECONNREFUSED" }] } }, /nothing listens there: check the port/],
    [{ code: "ESOCKET", cause: { code: "ECONNRESET" } }, /check the port, and Encrypt/],
    [{ code: "ETIMEOUT" }, /firewalls on the way, or raise Connect Timeout/],
    [{ code: "EINSTLOOKUP" }, /SQL Server Browser/],
    [{ code: "EENCRYPT" }, /Encrypt don't agree/],
    [
      { code: "ESOCKET", cause: { code: "DEPTH_ZERO_SELF_SIGNED_CERT" } },
      /NODE_EXTRA_CA_CERTS.*TrustServerCertificate=yes/,
    ],
    [{ code: "ESOCKET", cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" } }, /HostNameInCertificate=/],
    [{ originalError: { errors: [{ code: "EFEDAUTH" }] } }, /gave no token/],
  ];
  for (const [facts, message] of remedies) assert.match(problem(Object.assign(new Error("m"), facts)), message);
});

test("the message of an error that has none is that of the errors within", () => {
  const inner = new AggregateError([Object.assign(new Error("no token"), { code: "EFEDAUTH" }), new Error("second")]);
  assert.match(problem(Object.assign(new Error(""), { originalError: inner })), /\(EFEDAUTH: no token\)/);
  assert.match(problem("thrown text"), /\(thrown text\)/);
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
