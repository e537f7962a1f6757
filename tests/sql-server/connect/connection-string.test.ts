import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseConnectionString } from "../../../src/sql-server/connect/connection-string.ts";

const refuse = (problem: string): Error => new Error(problem);
const read = (text: string): Record<string, string> =>
  Object.fromEntries(parseConnectionString(text, refuse).pairs.map(({ key, value }) => [key, value]));

test("ODBC quotes with braces, and doubles the closing one", () => {
  const text = "Driver={ODBC Driver 18 for SQL Server};Server=tcp:host,1433;UID=u;PWD={p@;s}}s=\"'};Encrypt=yes";
  assert.deepEqual(read(text), {
    Driver: "ODBC Driver 18 for SQL Server",
    Server: "tcp:host,1433",
    UID: "u",
    PWD: "p@;s}s=\"'",
    Encrypt: "yes",
  });
  assert.equal(parseConnectionString(text, refuse).form, "odbc");
});

test("ADO.NET quotes with either quote, doubled within, and doubles a = in a key", () => {
  const text = ` Data Source = host ; Password = "a;""b'" ; Application Name='it''s "here"';; odd==key = v=w ; `;
  assert.deepEqual(read(text), {
    "Data Source": "host",
    Password: `a;"b'`,
    "Application Name": `it's "here"`,
    "odd=key": "v=w",
  });
  assert.equal(parseConnectionString(text, refuse).form, "ado-net");
});

test("a blank value is blank, and swallows nothing that follows", () => {
  assert.deepEqual(read("Server=h;;Pwd=;UID=u;Database="), { Server: "h", Pwd: "", UID: "u", Database: "" });
});

test("text that is no connection string is refused, and nothing of it is shown", () => {
  const refusals: [string, RegExp][] = [
    ["", /^$/],
    ["hunter2", /does not begin with a key/],
    ["=hunter2", /does not begin with a key/],
    ["Server=h;PWD=p@;hunter2;Encrypt=yes", /the text after "PWD" is no key with "="; .*in double quotes/],
    ["Driver={x};PWD=p@;hunter2;Encrypt=yes", /the text after "PWD" is no key with "="; .*in braces/],
    ["Server=h;PWD==hunter2", /the text after "Server" is no key/],
    ['Server=h;PWD="hunter2', /the value of "PWD" begins with " and has no " at its end/],
    ["Server=h;PWD='hunter2;UID=u", /begins with ' and has no ' at its end/],
    ["Driver={x};PWD={hunter2;UID=u", /begins with \{ and has no \} at its end/],
    ['Server=h;PWD="hunter2"x;UID=u', /the value of "PWD" goes on after its closing "; a " within it is written twice/],
    ["Driver={x};PWD={hunter2}x}", /goes on after its closing \}; a \} within it is written twice/],
    ["Server=h;PWD={hunter2}", /begins with a brace: if that is a quote of ODBC, .*Driver=/],
    ['Driver={x};PWD="hunter2"', /begins with a quote, .*put the value in braces/],
    ['Server=h;hunter2="x', /the value of an unknown key begins with "/],
    ["Server=h;PWD=hunter2\0", /NUL/],
    ["mssql://sa:hunter2@host/db?encrypt=true", /a URL can't be read here; write Server=/],
    ["jdbc:sqlserver://host;password=hunter2", /a URL can't be read here/],
  ];
  for (const [text, expected] of refusals.slice(1)) {
    assert.throws(
      () => read(text),
      (error: Error) => {
        assert.match(error.message, expected, text);
        assert.doesNotMatch(error.message, /hunter2/, text);
        return true;
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
      const parsed = parseConnectionString(`${before};${rest};${after};Encrypt=yes`, refuse);
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
