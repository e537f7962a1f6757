import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { parseConnectionString } from "../../../src/sql-server/connect/connection-string.ts";
import { failsWith } from "../../support/error-facts.ts";
import { invalid } from "../../support/sql-server-errors.ts";

const read = (text: string): Record<string, string> =>
  Object.fromEntries(parseConnectionString(text, invalid).pairs.map(({ key, value }) => [key, value]));

test("ODBC quotes with braces, and doubles the closing one", () => {
  const text = "Driver={ODBC Driver 18 for SQL Server};Server=tcp:host,1433;UID=u;PWD={p@;s}}s=\"'};Encrypt=yes";
  assert.deepEqual(read(text), {
    Driver: "ODBC Driver 18 for SQL Server",
    Server: "tcp:host,1433",
    UID: "u",
    PWD: "p@;s}s=\"'",
    Encrypt: "yes",
  });
  assert.equal(parseConnectionString(text, invalid).form, "odbc");
});

test("ADO.NET quotes with either quote, doubled within, and doubles a = in a key", () => {
  const text = ` Data Source = host ; Password = "a;""b'" ; Application Name='it''s "here"';; odd==key = v=w ; `;
  assert.deepEqual(read(text), {
    "Data Source": "host",
    Password: `a;"b'`,
    "Application Name": `it's "here"`,
    "odd=key": "v=w",
  });
  assert.equal(parseConnectionString(text, invalid).form, "ado-net");
});

test("a blank value is blank, and swallows nothing that follows", () => {
  assert.deepEqual(read("Server=h;;Pwd=;UID=u;Database="), { Server: "h", Pwd: "", UID: "u", Database: "" });
});

test("text that is no connection string is rejected, and nothing of it is shown", () => {
  const rejected: [string, ErrorFacts][] = [
    ["hunter2", {}],
    ["=hunter2", {}],
    ["Server=h;PWD=p@;hunter2;Encrypt=yes", { after: "PWD" }],
    ["Driver={x};PWD=p@;hunter2;Encrypt=yes", { after: "PWD" }],
    ["Server=h;PWD==hunter2", { after: "Server" }],
    ['Server=h;PWD="hunter2', { key: "PWD" }],
    ["Server=h;PWD='hunter2;UID=u", { key: "PWD" }],
    ["Driver={x};PWD={hunter2;UID=u", { key: "PWD" }],
    ['Server=h;PWD="hunter2"x;UID=u', { key: "PWD", hint: 'write a " within it twice' }],
    ["Driver={x};PWD={hunter2}x}", { key: "PWD", hint: "write a } within it twice" }],
    ["Server=h;PWD={hunter2}", { key: "PWD" }],
    ['Driver={x};PWD="hunter2"', { key: "PWD" }],
    ['Server=h;hunter2="x', {}],
    ["Server=h;PWD=hunter2\0", {}],
    ["mssql://sa:hunter2@host/db?encrypt=true", {}],
    ["jdbc:sqlserver://host;password=hunter2", {}],
  ];
  for (const [text, facts] of rejected) {
    assert.throws(
      () => read(text),
      (error: Error) => {
        assert.doesNotMatch(JSON.stringify(error), /hunter2/, text);
        return failsWith("INVALID_OPTION", facts)(error);
      },
    );
  }
  assert.deepEqual(read(""), {});
});

const password = fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter((text) => !text.includes("\0"));

test("any password survives the quoting of both forms, wherever it stands", () => {
  fc.assert(
    fc.property(password, fc.boolean(), (text, first) => {
      const odbc = ["Driver={ODBC Driver 18 for SQL Server}", `PWD={${text.replaceAll("}", "}}")}}`];
      const rest = "Server=h;UID=u";
      const [before, after] = first ? odbc : odbc.toReversed();
      const parsed = parseConnectionString(`${before};${rest};${after};Encrypt=yes`, invalid);
      assert.equal(parsed.form, "odbc");
      assert.equal(parsed.pairs.find(({ key }) => key === "PWD")?.value, text);
      assert.equal(parsed.pairs.length, 5);
      for (const quote of ['"', "'"]) {
        const quoted = `PWD=${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
        const adoNet = read(first ? `${quoted};${rest}` : `${rest};${quoted}`);
        assert.deepEqual(adoNet, { PWD: text, Server: "h", UID: "u" });
      }
    }),
    { seed: 5, numRuns: 500 },
  );
});

test("a password that spells keys, drivers and quotes does not change the form", () => {
  for (const text of [
    ";Driver={x};",
    '";Driver={x};a="',
    "';Server=evil;PWD='",
    "};Driver={y};UID={",
    ';k="',
    "{a}",
    '"',
    "=",
    "==",
    " x ",
  ]) {
    assert.equal(read(`Server=h;PWD="${text.replaceAll('"', '""')}"`)["PWD"], text);
    assert.equal(read(`PWD={${text.replaceAll("}", "}}")}};Server=h;Driver={x}`)["PWD"], text);
  }
});
