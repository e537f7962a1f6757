import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticationFor, type DriverAuthentication } from "../../../src/sql-server/connect/authentication.ts";
import { parseConnectionString } from "../../../src/sql-server/connect/connection-string.ts";
import { connectionValues } from "../../../src/sql-server/connect/connection-values.ts";
import { failsWith } from "../../support/error-facts.ts";
import { invalid } from "../../support/sql-server-errors.ts";

function read(text: string, encrypted = true): DriverAuthentication {
  const values = connectionValues(parseConnectionString(text, invalid).pairs, invalid);
  return authenticationFor(values, { tokenCredential: undefined, encrypted, invalid });
}

test("a form of Entra ID is known with and without its spaces", () => {
  for (const form of ["Active Directory Default", "ActiveDirectoryDefault", "active directory default"]) {
    assert.deepEqual(read(`Authentication=${form}`), { type: "azure-active-directory-default", options: {} }, form);
  }
});

test("a login goes unencrypted where the text asks for it, a token never", () => {
  assert.equal(read("UID=u;PWD=p", false).type, "default");
  assert.throws(
    () => read("Authentication=ActiveDirectoryMsi", false),
    failsWith("INVALID_OPTION", { key: "encrypt" }),
  );
});

test("the identity among several is named by User ID or Client Id", () => {
  const expected = { type: "azure-active-directory-msi-vm", options: { clientId: "id" } };
  assert.deepEqual(read("Authentication=ActiveDirectoryMsi;UID=id"), expected);
  assert.deepEqual(read("Authentication=ActiveDirectoryMsi;Client Id=id"), expected);
});
