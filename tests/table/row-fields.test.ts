import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { rowFields } from "../../src/table/row-fields.ts";
import type { RowSchema } from "../../src/contracts/source.ts";

test("the rows are those that come out of the schema, with dates and bigints", () => {
  const schema = z.object({
    id: z.string().default("none"),
    seen: z.date().nullable(),
    size: z.bigint(),
    length: z.string().transform((value) => value.length),
  });
  const { properties, required } = rowFields(schema) ?? assert.fail();
  assert.deepEqual(properties, {
    id: { type: "string", default: "none" },
    seen: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] },
    size: { type: "integer" },
    length: {},
  });
  assert.deepEqual(required, ["id", "seen", "size", "length"]);
});

test("a schema that is not made with Zod says nothing", () => {
  const validate = (value: unknown) => ({ value: Object(value) });
  const schema: RowSchema<object> = { "~standard": { version: 1, vendor: "own", validate } };
  assert.equal(rowFields(schema), undefined);
});
