import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { failsWith } from "../support/error-facts.ts";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import { acceptRow as accept } from "../../src/engine/accept-row.ts";
import type { AnyState } from "../../src/engine/state.ts";
import { KeySet } from "../../src/files/key-set.ts";
import type { RowSchema, SourceRow } from "../../src/contracts/source.ts";

async function acceptRow(...given: Parameters<typeof accept>): Promise<AnyState> {
  return await accept(...given);
}

const secret = "Jane Roe, HIV+";

/** A row as a source in JavaScript may give it: of any type. */
function rowOf(raw: unknown, position: number): SourceRow {
  return { position, raw: raw as never };
}

/** Accepts one row, as the first of a run. */
async function take(raw: unknown, schema?: RowSchema<object>, position = 1): Promise<AnyState> {
  const seen = new KeySet();
  try {
    return await acceptRow(rowOf(raw, position), { primaryKeyColumn: "id", schema }, seen, { pk: null });
  } finally {
    seen.close();
  }
}

/** The error of a row that is not taken on, and the key that was known of it. */
async function refusalOf(raw: unknown, schema?: RowSchema<object>): Promise<{ error: LLMEtlError; pk: string | null }> {
  const seen = new KeySet();
  const passage: { pk: string | null } = { pk: null };
  const error: unknown = await acceptRow(rowOf(raw, 4), { primaryKeyColumn: "id", schema }, seen, passage).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  seen.close();
  assert.ok(error instanceof LLMEtlError, String(error));
  assert.equal(error.scope, "row");
  return { error, pk: passage.pk };
}

test("a key is text, however the source types it", async () => {
  const date = new Date("2025-02-02T10:30:00Z");
  const keys = ["enc_1", 7, 0, 12345678901234567890n, true, date, Buffer.from([1, 255])];
  assert.deepEqual(await Promise.all(keys.map(async (id) => (await take({ id })).pk)), [
    "enc_1",
    "7",
    "0",
    "12345678901234567890",
    "true",
    "2025-02-02T10:30:00.000Z",
    "01ff",
  ]);
});

test("what is no key is refused", async () => {
  for (const id of [undefined, null, "", " \n", Number.NaN, Infinity, {}, [], Buffer.alloc(0), new Date("no")]) {
    const { error, pk } = await refusalOf({ id });
    failsWith("PRIMARY_KEY_MISSING", { where: "id", position: 4 })(error);
    assert.equal(pk, null);
  }
});

test("a key that an earlier row had is refused, with both row numbers", async () => {
  const seen = new KeySet();
  const source = { primaryKeyColumn: "id" };
  await acceptRow({ position: 1, raw: { id: "a" } }, source, seen, { pk: null });
  await assert.rejects(
    acceptRow({ position: 9, raw: { id: "a" } }, source, seen, { pk: null }),
    failsWith("PRIMARY_KEY_DUPLICATE", { where: "id", position: 9, first: 1 }),
  );
  seen.close();
});

test("a row that is taken on is frozen", async () => {
  assert.ok(Object.isFrozen((await take({ id: "a" })).raw));
  assert.ok(Object.isFrozen((await take({ id: "a" }, z.object({ id: z.string() }))).raw));
});

const Row = z.object({ id: z.string(), age: z.number().max(150), tags: z.array(z.object({ name: z.string() })) });

test("a row is what its schema makes of it", async () => {
  const schema = z.object({ id: z.coerce.string(), on: z.string().transform((text) => new Date(text)) });
  const { pk, raw } = await take({ id: 1, on: "2025-01-01", more: 1 }, schema);
  assert.deepEqual(
    { pk, raw },
    {
      pk: "1",
      raw: { id: "1", on: new Date("2025-01-01") },
    },
  );
});

describe("the key of a row with a schema is that of the schema's output", () => {
  const trimmed = z.object({ id: z.string().trim().toLowerCase() });

  test("keys that the schema makes equal are one key", async () => {
    const seen = new KeySet();
    const source = { primaryKeyColumn: "id", schema: trimmed };
    const passage: { pk: string | null } = { pk: null };
    const { pk, raw } = await acceptRow({ position: 1, raw: { id: " AB " } }, source, seen, passage);
    assert.deepEqual({ pk, raw }, { pk: "ab", raw: { id: "ab" } });
    assert.equal(passage.pk, "ab");
    await assert.rejects(acceptRow({ position: 2, raw: { id: "ab" } }, source, seen, passage), {
      code: "PRIMARY_KEY_DUPLICATE",
    });
    seen.close();
  });

  test("a schema may rename the column, or make the key", async () => {
    const renamed = z.object({ ID: z.string() }).transform(({ ID }) => ({ id: ID }));
    assert.equal((await take({ ID: "1" }, renamed)).pk, "1");
    const made = z.object({ a: z.string(), b: z.string() }).transform((row) => ({ id: `${row.a}/${row.b}` }));
    assert.equal((await take({ a: "x", b: "y" }, made)).pk, "x/y");
  });

  test("a key that is NULL or blank as it is read is missing, whatever the schema says of it", async () => {
    for (const id of [null, "", " "]) {
      const { error } = await refusalOf({ id, age: "no" }, Row);
      assert.equal(error.code, "PRIMARY_KEY_MISSING");
    }
  });

  test("a key that the schema's output lacks is missing", async () => {
    const { error, pk } = await refusalOf(
      { id: "a" },
      z.object({ id: z.string() }).transform(() => ({ ID: "a" })),
    );
    assert.equal(error.code, "PRIMARY_KEY_MISSING");
    assert.equal(pk, "a");
    assert.match(
      (
        await refusalOf(
          { id: "a" },
          z.object({ id: z.string() }).transform(() => "a" as never),
        )
      ).error.message,
      /the row is a text/,
    ); // for JavaScript
  });

  test("a row that the schema refuses keeps the key that it was read with, where it has one", async () => {
    assert.equal((await refusalOf({ id: "a", age: 1 }, Row)).pk, "a");
    assert.equal((await refusalOf({ age: 1 }, Row)).pk, null);
    assert.equal((await refusalOf({ id: {}, age: 1 }, Row)).pk, null);
  });
});

test("a row that the schema refuses: path, expected and got; the values in the detail only", async () => {
  const { error } = await refusalOf({ id: 5n, age: "secret", tags: [{ name: "x" }, {}] }, Row);
  assert.equal(error.code, "ROW_SCHEMA_MISMATCH");
  assert.equal(
    error.message,
    "row 4: id: must be a string, got a bigint; age: must be a number, got a text of 6 characters; " +
      "tags.1.name: must be a string, got nothing",
  );
  assert.equal(
    error.detail,
    'row 4: id: must be a string, got "5"; age: must be a number, got "secret"; ' +
      "tags.1.name: must be a string, got nothing",
  );
});

test("the words of a rule stand in the detail only, for they may quote the cell", async () => {
  const quoting = z.object({
    id: z.string(),
    note: z.string().superRefine((value, context) => context.addIssue({ code: "custom", message: `bad ${value}` })),
    more: z.string().max(3, { error: ({ input }) => `too long: ${JSON.stringify(input)}` }),
  });
  const { error } = await refusalOf({ id: "a", note: secret, more: secret }, quoting);
  assert.equal(
    error.message,
    "row 4: note: breaks a rule of the schema, got a text of 14 characters; more: must have at most 3 characters, got 14",
  );
  assert.match(error.detail, /note: bad Jane Roe, HIV\+, got "Jane Roe, HIV\+"/);
});

test("what a schema of another library says stands in the detail only", async () => {
  const other: RowSchema<object> = {
    "~standard": {
      version: 1,
      vendor: "other",
      validate: () => ({
        issues: [{ message: `Expected a number but received "${secret}"`, path: [{ key: "note" }] }],
      }),
    },
  };
  const { error } = await refusalOf({ id: "a", note: secret }, other);
  assert.equal(error.message, "row 4: note: breaks a rule of the schema, got a text of 14 characters");
  assert.ok(error.detail.includes(`received "${secret}"`));
});

test("a schema may be asynchronous, and any Standard Schema", async () => {
  const asynchronous = z.object({ id: z.string().refine(async (id) => id !== "no", "is taken") });
  assert.equal((await take({ id: "yes" }, asynchronous)).pk, "yes");
  assert.match((await refusalOf({ id: "no" }, asynchronous)).error.detail, /id: is taken, got "no"/);
  const plain: RowSchema<object> = {
    "~standard": { version: 1, vendor: "test", validate: (value) => ({ value: { ...Object(value) } }) },
  };
  const { pk, raw } = await take({ id: 1 }, plain);
  assert.deepEqual({ pk, raw }, { pk: "1", raw: { id: 1 } });
});

test("a schema that throws fails the row, not the run, and its words are in the detail only", async () => {
  const throwing = z.object({ id: z.string() }).refine(() => {
    throw new Error(secret);
  });
  const { error } = await refusalOf({ id: "a" }, throwing);
  assert.equal(error.code, "ROW_SCHEMA_MISMATCH");
  assert.match(error.message, /^row 4: the schema threw Error at .*accept-row\.test\.ts:\d+$/);
  assert.ok(error.detail.includes(`the schema threw Error: ${secret}`), error.detail);
});

describe("a row that can't be looked at is a row error without the thrower's words", () => {
  const thrower = (): never => {
    throw new Error(secret);
  };
  const getter = Object.defineProperty({}, "id", { get: thrower, enumerable: true });
  const other = Object.defineProperty({ id: "a" }, "note", { get: thrower, enumerable: true });
  const cases: readonly (readonly [string, unknown, RowSchema<object> | undefined, string])[] = [
    ["a key that throws", getter, undefined, "PRIMARY_KEY_MISSING"],
    ["a key that throws, before a schema", getter, Row, "PRIMARY_KEY_MISSING"],
    ["a proxy", new Proxy({}, { get: thrower, has: thrower }), Row, "PRIMARY_KEY_MISSING"],
    ["another column that throws", other, z.object({ id: z.number(), note: z.string() }), "ROW_SCHEMA_MISMATCH"],
    ["a column that throws when the issue is worded", other, z.object({ id: z.number() }), "ROW_SCHEMA_MISMATCH"],
    ["no row at all", undefined, undefined, "PRIMARY_KEY_MISSING"],
    [
      "a row that can't be frozen",
      new Proxy({ id: "a" }, { preventExtensions: thrower }),
      undefined,
      "ROW_SCHEMA_MISMATCH",
    ],
  ];
  for (const [name, raw, schema, code] of cases) {
    test(name, async () => {
      const { error } = await refusalOf(raw, schema);
      assert.equal(error.code, code);
      assert.ok(!error.message.includes(secret), error.message);
    });
  }
});
