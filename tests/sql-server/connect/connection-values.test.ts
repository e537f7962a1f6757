import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { parseConnectionString } from "../../../src/sql-server/connect/connection-string.ts";
import { type ConnectionValues, connectionValues } from "../../../src/sql-server/connect/connection-values.ts";
import { failsWith } from "../../support/error-facts.ts";
import { invalid } from "../../support/sql-server-errors.ts";

const valuesOf = (text: string): ConnectionValues =>
  connectionValues(parseConnectionString(text, invalid).pairs, invalid);

test("values are found by what they are for, and a blank one counts as not given", () => {
  const values = valuesOf("Addr=h;Initial Catalog=;Encrypt=TRUE;Connect Timeout=5;Packet Size=512;APP=x");
  assert.equal(values.text("server"), "h");
  assert.equal(values.text("database"), undefined);
  assert.equal(values.boolean("encrypt"), true);
  assert.equal(values.seconds("connectTimeout", 1), 5000);
  assert.equal(values.count("packetSize", 512, 32_767), 512);
  assert.equal(values.oneOf("applicationName", { X: 1 }), 1);
});

test("a value of the wrong kind is rejected by its key, and not shown", () => {
  const rejected: [() => unknown, ErrorFacts][] = [
    [() => valuesOf("Encrypt=s3cret").boolean("encrypt"), { key: "Encrypt", expected: ["yes", "no", "true", "false"] }],
    [() => valuesOf("Timeout=s3cret").seconds("connectTimeout", 1), { key: "Timeout" }],
    [() => valuesOf("Timeout=0").seconds("connectTimeout", 1), { key: "Timeout" }],
    [() => valuesOf("Timeout=1.5").seconds("connectTimeout", 1), { key: "Timeout" }],
    [() => valuesOf(`APP=s3cret${"x".repeat(123)}`).text("applicationName"), { key: "APP", got: 129 }],
  ];
  for (const [read, facts] of rejected) {
    assert.throws(read, (error: Error) => {
      return failsWith("INVALID_OPTION", facts)(error) && !JSON.stringify(error).includes("s3cret");
    });
  }
});

test("a key that is unknown or given twice is rejected", () => {
  const rejected: [string, ErrorFacts][] = [
    ["Server=h;Data Source=i", { key: ["Server", "Data Source"] }],
    ["PWD=a;PWD=b", { key: ["PWD", "PWD"] }],
    ["Server=h;Pasword=x", { key: "Pasword", hint: 'did you mean "Password"?' }],
    ["Server=h;TDS_Version=7.4", { key: "TDS_Version" }],
    ["Integrated Security=SSPI", { key: "Integrated Security" }],
  ];
  for (const [text, facts] of rejected) assert.throws(() => valuesOf(text), failsWith("INVALID_OPTION", facts));
});

test("a key behind a password without quotes may be its rest, and is not named", () => {
  for (const text of ["UID=u;PWD=abc;zebrafishes=q", "PWD=abc;Databse=d"]) {
    assert.throws(
      () => valuesOf(text),
      (error: Error) => {
        return failsWith("INVALID_OPTION", { after: "PWD" })(error) && !/zebra|Databse/.test(JSON.stringify(error));
      },
    );
  }
  assert.throws(() => valuesOf('PWD="abc";zebra=q'), failsWith("INVALID_OPTION", { key: "zebra" }));
});

test("a key with odd signs is not named either", () => {
  assert.throws(
    () => valuesOf("s3cr3t/+x=y;Server=h"),
    (error: Error) => failsWith("INVALID_OPTION")(error) && !JSON.stringify(error).includes("s3cr3t"),
  );
});

test("a key that asks for nothing is accepted", () => {
  const values = valuesOf(
    "Integrated Security=false;Pooling=true;Network Library=DBMSSOCN;MARS_Connection=yes;Enlist=x",
  );
  assert.equal(values.text("server"), undefined);
});
