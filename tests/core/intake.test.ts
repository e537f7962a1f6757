import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { applySchema, primaryKeyOf, refuseDuplicate } from "../../src/core/intake.ts";
import { SeenKeys } from "../../src/core/seen-keys.ts";

test("a key is text, however the source types it", () => {
  const date = new Date("2025-02-02T10:30:00Z");
  const keys = ["enc_1", 7, 0, 12345678901234567890n, true, date, Buffer.from([1, 255])];
  assert.deepEqual(
    keys.map((id) => primaryKeyOf({ id }, "id", 1)),
    ["enc_1", "7", "0", "12345678901234567890", "true", "2025-02-02T10:30:00.000Z", "01ff"],
  );
});

test("what is no key is refused", () => {
  for (const id of [undefined, null, "", " \n", Number.NaN, Infinity, {}, [], Buffer.alloc(0), new Date("no")]) {
    assert.throws(() => primaryKeyOf({ id }, "id", 3), { code: "PRIMARY_KEY_MISSING", message: /^row 3: .*"id"/ });
  }
});

test("a key that an earlier row had is refused, with both row numbers", () => {
  const seen = new SeenKeys();
  refuseDuplicate(seen, "a", "id", 1);
  assert.throws(() => refuseDuplicate(seen, "a", "id", 9), {
    code: "PRIMARY_KEY_DUPLICATE",
    message: /row 9.*"a".*row 1$/,
  });
  seen.close();
});

const Row = z.object({ id: z.string(), age: z.number().max(150), tags: z.array(z.object({ name: z.string() })) });

test("a row is what its schema makes of it", async () => {
  const schema = z.object({ id: z.coerce.string(), on: z.string().transform((text) => new Date(text)) });
  assert.deepEqual(await applySchema(schema, { id: 1, on: "2025-01-01", more: 1 }, 1), {
    id: "1",
    on: new Date("2025-01-01"),
  });
});

test("a row that the schema refuses: path, expected and got; the values in the detail only", async () => {
  const raw = { id: null, age: "secret", tags: [{ name: "x" }, {}] };
  await assert.rejects(applySchema(Row, raw, 4), {
    code: "ROW_SCHEMA_MISMATCH",
    message:
      "row 4: id: Invalid input: expected string, got NULL; age: Invalid input: expected number, got a text of 6 characters; " +
      "tags.1.name: Invalid input: expected string, got nothing",
    detail:
      'row 4: id: Invalid input: expected string, got null; age: Invalid input: expected number, got "secret"; ' +
      "tags.1.name: Invalid input: expected string, got nothing",
  });
});

test("a schema may be asynchronous, and any Standard Schema", async () => {
  const asynchronous = z.object({ id: z.string().refine(async (id) => id !== "no", "is taken") });
  assert.deepEqual(await applySchema(asynchronous, { id: "yes" }, 1), { id: "yes" });
  await assert.rejects(applySchema(asynchronous, { id: "no" }, 1), {
    message: /id: is taken, got a text of 2 characters/,
  });
  const plain = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;
  assert.deepEqual(await applySchema(plain, { id: 1 }, 1), { id: 1 });
});

test("a schema that throws fails the row, not the run", async () => {
  const throwing = z.object({ id: z.string() }).refine(() => {
    throw new Error("bug");
  });
  await assert.rejects(applySchema(throwing, { id: "a" }, 2), { code: "ROW_SCHEMA_MISMATCH", scope: "row" });
});
