import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConnectionString } from "../../../src/sql-server/connect/connection-string.ts";
import { type ConnectionValues, connectionValues } from "../../../src/sql-server/connect/connection-values.ts";

const refuse = (problem: string): Error => new Error(problem);
const valuesOf = (text: string): ConnectionValues =>
  connectionValues(parseConnectionString(text, refuse).pairs, refuse);

test("values are found by what they are for, and a blank one counts as not given", () => {
  const values = valuesOf("Addr=h;Initial Catalog=;Encrypt=TRUE;Connect Timeout=5;Packet Size=512;APP=x");
  assert.equal(values.text("server"), "h");
  assert.equal(values.text("database"), undefined);
  assert.equal(values.boolean("encrypt"), true);
  assert.equal(values.seconds("connectTimeout", 1), 5000);
  assert.equal(values.count("packetSize", 512, 32_767), 512);
  assert.equal(values.oneOf("applicationName", { X: 1 }), 1);
});

test("a value of the wrong kind is refused by its key, and not shown", () => {
  const refusals: [() => unknown, string][] = [
    [() => valuesOf("Encrypt=perhaps").boolean("encrypt"), '"Encrypt": expected yes or no or true or false'],
    [
      () => valuesOf("Timeout=soon").seconds("connectTimeout", 1),
      '"Timeout": expected a whole number from 1 to 2147483',
    ],
    [() => valuesOf("Timeout=0").seconds("connectTimeout", 1), '"Timeout": expected a whole number from 1 to 2147483'],
    [
      () => valuesOf("Timeout=1.5").seconds("connectTimeout", 1),
      '"Timeout": expected a whole number from 1 to 2147483',
    ],
    [
      () => valuesOf(`APP=${"x".repeat(129)}`).text("applicationName"),
      '"APP": expected at most 128 characters, got 129',
    ],
  ];
  for (const [read, message] of refusals) assert.throws(read, { message });
});

test("a key that is unknown or given twice is refused", () => {
  const refusals: [string, RegExp][] = [
    ["Server=h;Data Source=i", /^"Server" and "Data Source" are one setting; keep one of them$/],
    ["PWD=a;PWD=b", /^"PWD" and "PWD" are one setting; keep one of them$/],
    ["Server=h;Pasword=x", /^the key "Pasword" is unknown; did you mean "Password"\?$/],
    ["Server=h;TDS_Version=7.4", /^the key "TDS_Version" is unknown; take it out$/],
    [
      "Integrated Security=SSPI",
      /^"Integrated Security" can't be honoured: .*Authentication=Active Directory Default$/,
    ],
  ];
  for (const [text, message] of refusals) assert.throws(() => valuesOf(text), { message });
});

test("a key behind a password without quotes may be its rest, and is not named", () => {
  const rest = 'the key after "PWD" is unknown: if it belongs to the value, put the value in quotes';
  assert.throws(() => valuesOf("UID=u;PWD=abc;zebrafishes=q"), { message: rest });
  assert.throws(() => valuesOf("PWD=abc;Databse=d"), { message: `${rest}; or did you mean "Database"?` });
  assert.throws(() => valuesOf('PWD="abc";zebra=q'), { message: 'the key "zebra" is unknown; take it out' });
});

test("a key with odd signs is not named either", () => {
  assert.throws(() => valuesOf("s3cr3t/+x=y;Server=h"), { message: "a key is unknown; take it out" });
});

test("a key that asks for nothing is accepted", () => {
  const values = valuesOf(
    "Integrated Security=false;Pooling=true;Network Library=DBMSSOCN;MARS_Connection=yes;Enlist=x",
  );
  assert.equal(values.text("server"), undefined);
});
