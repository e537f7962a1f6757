import assert from "node:assert/strict";
import { test } from "node:test";
import { closestKey, foldKey, isKnownKey, meaningOf } from "../../../src/sql-server/connect/connection-keys.ts";

test("a key is known in each of its spellings, whatever its case, spaces and underscores", () => {
  for (const key of ["Server", "DATA SOURCE", "addr", "Network Address", "data_source"]) {
    assert.deepEqual(meaningOf(key), { kind: "mapped", name: "server" }, key);
  }
  assert.deepEqual(meaningOf("trust server certificate"), { kind: "mapped", name: "trustServerCertificate" });
  assert.equal(meaningOf("Trusted_Connection")?.kind, "rejected");
  assert.equal(meaningOf("MultipleActiveResultSets")?.kind, "ignored");
  assert.equal(foldKey("Trusted_Connection"), "trustedconnection");
});

test("no key has two meanings", () => {
  assert.equal(meaningOf("Driver")?.kind, "ignored");
  assert.equal(meaningOf("DSN")?.kind, "rejected");
  assert.equal(isKnownKey("Pasword"), false);
  assert.equal(meaningOf("constructor"), undefined);
});

test("the nearest known key is offered for a misspelt one", () => {
  assert.equal(closestKey("Pasword"), "Password");
  assert.equal(closestKey("Encript"), "Encrypt");
  assert.equal(closestKey("zzzzzzzzzzzz"), undefined);
});
