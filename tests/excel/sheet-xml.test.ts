import assert from "node:assert/strict";
import { test } from "node:test";
import { rowXML } from "../../src/excel/sheet-xml.ts";

test("blanks around a text are marked, for Excel takes others away; an empty cell is left out", () => {
  const cells = [" a", "b\n", "c d", null, true];
  assert.equal(
    rowXML(2, ["A", "B", "C", "D", "E"], cells),
    '<row r="2"><c r="A2" t="inlineStr"><is><t xml:space="preserve"> a</t></is></c>' +
      '<c r="B2" t="inlineStr"><is><t xml:space="preserve">b\n</t></is></c>' +
      '<c r="C2" t="inlineStr"><is><t>c d</t></is></c><c r="E2" t="b"><v>1</v></c></row>',
  );
});
