import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { fieldValue, outputFields } from "../../src/pipeline/output-fields.ts";
import { ValueTally } from "../../src/pipeline/value-tally.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

test("numbers are counted in bins of two significant digits, a bounded number of them, with exact extremes", () => {
  const tally = new ValueTally("n");
  for (const value of [0, -0, 7, 99, 123.4, -0.004_56, 0.756, 1e300, Number.NaN, Infinity, 12n])
    tally.add(value, false);
  assert.deepEqual(tally.counts.numbers, {
    minimum: -0.004_56,
    maximum: 1e300,
    bins: [-0.0046, 0, 0.76, 7, 12, 99, 120, 1e300].map((value) => ({ value, count: value === 0 ? 2 : 1 })),
  });
  for (let exponent = -200; exponent < 200; exponent += 1) tally.add(3 * 10 ** exponent, false);
  const { numbers } = tally.counts;
  assert.deepEqual([numbers?.bins.length, numbers?.minimum], [200, -0.004_56]);
});

test("the fields of an output are those that its schema declares, through unions, nullables and nesting", () => {
  const schema = z.object({
    category: z.enum(["A", "B"]).nullable(),
    constant: z.literal("only"),
    inner: z.object({ tone: z.union([z.enum(["x"]), z.enum(["y"])]), free: z.string() }).nullable(),
    list: z.array(z.enum(["A"])),
  });
  const step = { outputKey: "out", outputSchema: toStrictSchema(schema).full };
  const fields = outputFields([step, { outputKey: "own" }]);
  assert.deepEqual(
    fields.map(({ column, categories }) => [column, [...categories]]),
    [
      ["out.category", ["A", "B"]],
      ["out.constant", ["only"]],
      ["out.inner.tone", ["x", "y"]],
      ["out.inner.free", []],
      ["out.list", []],
      ["own", []],
    ],
  );
  const processed = { out: { category: "A", inner: { tone: "y" }, more: 1 }, own: 5 };
  assert.deepEqual(
    fields.map((field) => fieldValue(field, processed)),
    ["A", undefined, "y", undefined, undefined, 5],
  );
  const prototypes = { out: "text", own: undefined };
  assert.deepEqual(
    fields.map((field) => fieldValue(field, prototypes)),
    fields.map(() => undefined),
  );
});
