import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Fit, StagedValue } from "../../src/table/fit.ts";
import { fitCodePage } from "../../src/sql-server/write/code-page-fit.ts";
import { fitBinary, fitGUID, fitMarkup, fitUnicode } from "../../src/table/text-fit.ts";

function staged(fit: Fit, value: unknown): StagedValue {
  const fitted = fit(value);
  assert.ok(fitted.ok, fitted.ok ? "" : fitted.problem);
  return fitted.value;
}

function problem(fit: Fit, value: unknown): string {
  const fitted = fit(value);
  assert.ok(!fitted.ok, "it fits");
  return fitted.problem;
}

test("NVARCHAR counts UTF-16 code units, as the server does", () => {
  const fit = fitUnicode("NVARCHAR(4)", 4);
  assert.equal(staged(fit, "\u{1F600}ab"), "\u{1F600}ab");
  assert.equal(problem(fit, "\u{1F600}abc"), "the column is NVARCHAR(4): expected at most 4 characters, got 5");
  assert.equal(staged(fitUnicode("NVARCHAR(MAX)", undefined), "x".repeat(100_000)), "x".repeat(100_000));
});

test("half of a surrogate pair is refused, a NUL is not", () => {
  const fit = fitUnicode("NVARCHAR(9)", 9);
  assert.match(problem(fit, "a\uD83D"), /expected text, got a text of 2 characters with half of a surrogate pair$/);
  assert.equal(staged(fit, "a\0b"), "a\0b");
});

test("VARCHAR counts bytes of its code page, and refuses what that lacks instead of storing question marks", () => {
  const fit = fitCodePage("VARCHAR(5)", 5, 1252);
  assert.equal(staged(fit, "Grüße"), "Grüße");
  assert.equal(problem(fit, "Grüße!"), "the column is VARCHAR(5): expected at most 5 bytes, got 6 characters");
  assert.equal(
    problem(fit, "Łódź"),
    "the column is VARCHAR(5) of code page 1252, which lacks characters of the text; make the column NVARCHAR, or replace them in the columnMap",
  );
  const utf8 = fitCodePage("VARCHAR(5)", 5, 65_001);
  assert.equal(staged(utf8, "€uo"), "€uo");
  assert.equal(problem(utf8, "€uro"), "the column is VARCHAR(5): expected at most 5 bytes, got 6 bytes");
});

test("of a code page that is not known here only the length that any text has is checked", () => {
  const fit = fitCodePage("VARCHAR(3)", 3, 936);
  assert.equal(staged(fit, "中文"), "中文");
  assert.match(problem(fit, "中文中文"), /expected at most 3 bytes, got 4 characters/);
});

test("numbers, booleans and dates become text, objects and arrays JSON", () => {
  const fit = fitUnicode("NVARCHAR(MAX)", undefined);
  assert.equal(staged(fit, 1.5), "1.5");
  assert.equal(staged(fit, 12n), "12");
  assert.equal(staged(fit, true), "true");
  assert.equal(staged(fit, new Date(0)), "1970-01-01T00:00:00.000Z");
  assert.equal(
    staged(fit, { a: [1n, new Date(0), Buffer.from("x")] }),
    '{"a":["1","1970-01-01T00:00:00.000Z","eA=="]}',
  );
  assert.equal(staged(fit, ["é"]), '["é"]');
});

test("what has no text is refused", () => {
  const fit = fitUnicode("NVARCHAR(MAX)", undefined);
  for (const value of [
    Number.NaN,
    Infinity,
    new Date(Number.NaN),
    Buffer.from("secret"),
    new Map(),
    () => 1,
    Symbol("s"),
  ]) {
    assert.match(problem(fit, value), /^the column is NVARCHAR\(MAX\): expected text, got /);
  }
  assert.match(problem(fit, new Date(Number.NaN)), /an invalid date/);
});

test("a GUID is taken in braces or not, in any case, and nothing after it is cut off", () => {
  const guid = "6F9619FF-8B86-D011-B42D-00C04FC964FF";
  assert.equal(staged(fitGUID("UNIQUEIDENTIFIER"), guid.toLowerCase()), guid);
  assert.equal(staged(fitGUID("UNIQUEIDENTIFIER"), ` {${guid}} `), guid);
  for (const value of ["", `${guid}x`, guid.replaceAll("-", ""), `{${guid}`, 5, `${guid}\n--`]) {
    assert.match(problem(fitGUID("UNIQUEIDENTIFIER"), value), /expected 32 hexadecimal digits as 8-4-4-4-12, got /);
  }
});

test("bytes are copied as they are, up to the column's length", () => {
  const fit = fitBinary("VARBINARY(3)", 3);
  assert.deepEqual(staged(fit, new Uint8Array([0, 1, 255]).subarray(1)), Buffer.from([1, 255]));
  assert.equal(problem(fit, Buffer.alloc(4)), "the column is VARBINARY(3): expected at most 3 bytes, got 4");
  assert.match(problem(fit, "secret"), /expected bytes, got a text of 6 characters/);
  assert.deepEqual(staged(fitBinary("VARBINARY(MAX)", undefined), Buffer.alloc(9000)), Buffer.alloc(9000));
});

test("XML is left to the server, but for half of a surrogate pair", () => {
  assert.equal(staged(fitMarkup("XML"), "<a"), "<a");
  assert.match(problem(fitMarkup("XML"), "\uDC00"), /half of a surrogate pair/);
});

test("no value makes a text's check throw, and what fits is well formed", () => {
  const all = [
    fitUnicode("NVARCHAR(9)", 9),
    fitCodePage("VARCHAR(9)", 9, 1252),
    fitGUID("UNIQUEIDENTIFIER"),
    fitBinary("BINARY(9)", 9),
    fitMarkup("XML"),
  ];
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }), (value) => {
      for (const fit of all) {
        const fitted = fit(value);
        if (fitted.ok && typeof fitted.value === "string") assert.ok(fitted.value.isWellFormed());
      }
    }),
    { seed: 5, numRuns: 300 },
  );
});
