import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { acceptRow } from "../../src/engine/accept-row.ts";
import type { RowSchema } from "../../src/contracts/source.ts";
import { RowSchemaError } from "../../src/errors/source.ts";
import { KeySet } from "../../src/files/key-set.ts";
import { declaredPath } from "../../src/json/schema-fields.ts";
import { describeIssues } from "../../src/validation/issues.ts";

async function rejectionOf(schema: RowSchema<object>, raw: Readonly<Record<string, unknown>>, namesAreData = false) {
  const seen = new KeySet();
  try {
    await acceptRow({ position: 1, raw }, { primaryKeyColumn: "id", schema, namesAreData }, seen, { pk: null });
  } catch (error) {
    if (error instanceof RowSchemaError) return error;
    throw error;
  } finally {
    seen.close();
  }
  return assert.fail("the row was accepted");
}

const tree = z.object({
  get children() {
    return z.array(tree).optional();
  },
  size: z.number(),
});

test("a path of a row's issue has the names that its schema declares; the key of a record is content", async () => {
  const schema = z.object({
    id: z.string(),
    scores: z.record(z.string(), z.number()).optional(),
    list: z
      .array(z.object({ size: z.number() }))
      .nullable()
      .default(null),
    either: z.union([z.object({ a: z.number() }), z.object({ b: z.object({ c: z.number() }) })]).optional(),
    piped: z.string().transform(Number).pipe(z.number()).optional(),
    pair: z.tuple([z.string(), z.object({ n: z.number() })], z.boolean()).optional(),
    both: z.intersection(z.object({ x: z.number() }), z.object({ y: z.number() })).optional(),
    tree: tree.optional(),
  });
  const rows: readonly (readonly [object, string])[] = [
    [{ scores: { "Jane Doe": "x" } }, "scores.…"],
    [{ list: [{ size: "x" }] }, "list.0.size"],
    [{ either: 5 }, "either"],
    [{ piped: "x" }, "piped"],
    [{ pair: ["x", { n: "x" }] }, "pair.1.n"],
    [{ pair: ["x", { n: 1 }, "x"] }, "pair.2"],
    [{ both: { x: "x", y: 1 } }, "both.x"],
    [{ tree: { size: 1, children: [{ size: "x" }] } }, "tree.children.0.size"],
  ];
  for (const [row, path] of rows) {
    const { message, detail } = await rejectionOf(schema, { id: "1", ...row });
    assert.ok(message.startsWith(`row 1: ${path}: `), message);
    assert.doesNotMatch(message, /Jane/);
    if (path.includes("…")) assert.match(detail, /Jane Doe/);
  }
});

test("of a schema of another library the first name is shown, unless names are data", async () => {
  const path = ["meta", "Jane Doe", 3];
  const schema: RowSchema<object> = {
    "~standard": { version: 1, vendor: "own", validate: () => ({ issues: [{ message: "no", path }] }) },
  };
  const row = { id: "1" };
  assert.match((await rejectionOf(schema, row)).message, /^row 1: meta\.…\.3: /);
  assert.match((await rejectionOf(schema, row, true)).message, /^row 1: …\.…\.3: /);
});

test("a rule of the user's own may put a value into the path of its issue: the model reads it, a message does not", () => {
  const own = z.object({ text: z.string() }).superRefine(({ text }, context) => {
    context.addIssue({ code: "custom", message: "no", path: [text] });
  });
  const answer = { text: "Jane Doe" };
  const [issue] = describeIssues(own.safeParse(answer).error?.issues ?? [], answer, z.toJSONSchema(own));
  assert.deepEqual([issue?.path, issue?.shownPath], ["Jane Doe", "…"]);
  const nested = z.toJSONSchema(z.object({ a: z.array(z.object({ b: z.string().nullable() }).nullable()) }));
  assert.deepEqual(declaredPath(nested, ["a", 0, "b"]), ["a", "0", "b"]);
  assert.deepEqual(declaredPath(nested, ["a", 0, "Jane"]), ["a", "0", "…"]);
});
