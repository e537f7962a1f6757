import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServerAddress, type ServerAddress } from "../../../src/sql-server/connect/server-address.ts";

const read = (text: string): ServerAddress => parseServerAddress(text, (problem) => new Error(problem));

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

test("an address that is not one of TCP is refused with what to write", () => {
  const refusals: [string, RegExp][] = [
    ["np:host", /only TCP is spoken.*write tcp:<host>,<port>/],
    ["\\\\host\\pipe\\sql\\query", /only TCP is spoken/],
    ["lpc:host", /only TCP is spoken/],
    ["admin:host", /take out admin:/],
    ["(localdb)\\MSSQLLocalDB", /LocalDB listens at no port/],
    ["host:1433", /a port stands behind a comma/],
    ["host,port", /expected a port from 1 to 65535/],
    ["host,0", /expected a port/],
    ["host,70000", /expected a port/],
    ["host,", /expected a port/],
    ["host,1,2", /expected tcp:/],
    ["host\\a\\b", /expected tcp:/],
    ["host\\", /expected an instance's name/],
    ["tcp:", /got no host/],
    ["a host", /no host's name/],
    ["https://host", /no host's name/],
    ["user@host", /no host's name/],
  ];
  for (const [text, message] of refusals) assert.throws(() => read(text), { message }, text);
});
