import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServerAddress, type ServerAddress } from "../../../src/sql-server/connect/server-address.ts";
import { failsWith } from "../../support/error-facts.ts";
import { invalid } from "../../support/sql-server-errors.ts";

const read = (text: string): ServerAddress => parseServerAddress(text, invalid);

test("a server is read in each of its spellings", () => {
  const spellings: [string, string, number | undefined, string | undefined][] = [
    ["host", "host", 1433, undefined],
    ["tcp:host.example.com,1444", "host.example.com", 1444, undefined],
    [" TCP: host , 1433 ", "host", 1433, undefined],
    [".", "localhost", 1433, undefined],
    ["(local)", "localhost", 1433, undefined],
    ["(.)", "localhost", 1433, undefined],
    [".\\SQLEXPRESS", "localhost", undefined, "SQLEXPRESS"],
    ["host\\inst", "host", undefined, "inst"],
    ["host\\inst,1450", "host", 1450, undefined],
    ["host\\MSSQLSERVER", "host", 1433, undefined],
    ["10.0.0.5,1433", "10.0.0.5", 1433, undefined],
    ["::1", "::1", 1433, undefined],
    ["tcp:[fe80::1],1444", "fe80::1", 1444, undefined],
    ["größe_1-x.example", "größe_1-x.example", 1433, undefined],
  ];
  for (const [text, host, port, instanceName] of spellings) {
    assert.deepEqual(read(text), { host, port, instanceName }, text);
  }
});

test("an address that is not one of TCP is rejected, and nothing of it is shown", () => {
  const rejected = [
    "np:s3cret",
    "\\\\s3cret\\pipe\\sql\\query",
    "lpc:s3cret",
    "admin:s3cret",
    "(localdb)\\s3cret",
    "s3cret:1433",
    "s3cret,port",
    "s3cret,0",
    "s3cret,70000",
    "s3cret,",
    "s3cret,1,2",
    "s3cret\\a\\b",
    "s3cret\\",
    "tcp:",
    "a s3cret",
    "https://s3cret",
    "user@s3cret",
  ];
  for (const text of rejected) {
    assert.throws(
      () => read(text),
      (error: Error) => failsWith("INVALID_OPTION")(error) && !error.message.includes("s3cret"),
      text,
    );
  }
  assert.throws(() => read("tcp:"), failsWith("INVALID_OPTION", { got: "no host" }));
});
