import assert from "node:assert/strict";
import { test } from "node:test";
import { meaningOfBuiltIn, meaningOfCode } from "../../src/excel/number-format.ts";

test("the code of a format tells a number from a date, a time of day and a duration", () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    number: [
      "General",
      "0",
      "#,##0.00",
      "0.00E+00",
      "##0.0E-0",
      "# ?/?",
      "0%",
      "@",
      '0 "days"',
      String.raw`0\d`,
      "[Red]0.00",
      "[Magenta][<100]0;[Yellow]0",
      '_-* #,##0.00 "€"_-;-* #,##0.00 "€"_-',
      "[$USD] #,##0",
      "[DBNum1]0",
      '"Year "0',
      "0_d",
      "",
      ";;;",
    ],
    date: [
      "yyyy-mm-dd",
      "m/d/yy",
      "d. mmmm",
      "mmm-yy",
      "mmmm",
      "ddd",
      "[$-409]mmmm d, yyyy;@",
      "m/d/yy h:mm",
      "dd.mm.yyyy hh:mm:ss AM/PM",
      'yyyy"年"m"月"d"日"',
      "[$-411]ge.m.d",
      "e/m/d",
      "[Red]dd/mm",
      "yyyy;0",
      "B2yyyy",
    ],
    time: ["h:mm", "hh:mm:ss", "mm:ss.0", "h AM/PM", "h:mm a/p", "[$-F400]h:mm:ss AM/PM", 'h"時"mm"分"'],
    duration: ["[h]:mm", "[hh]:mm:ss", "[mm]:ss", "[ss]", "[$-409][h]:mm"],
  };
  for (const [meaning, codes] of Object.entries(cases)) {
    for (const code of codes) assert.equal(meaningOfCode(code), meaning, code);
  }
});

test("formats that a workbook does not define have the meaning of their numbers", () => {
  const meanings = [0, 1, 10, 13, 14, 17, 18, 21, 22, 23, 37, 44, 45, 46, 47, 48, 49, 57, 164].map(meaningOfBuiltIn);
  assert.deepEqual(
    meanings.map((meaning) => meaning[0]),
    ["n", "n", "n", "n", "d", "d", "t", "t", "d", "n", "n", "n", "t", "d", "t", "n", "n", "d", "n"],
  );
  assert.equal(meaningOfBuiltIn(46), "duration");
});
