import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedChoices, checksIn } from "../../src/table/check-choices.ts";
import { checkedLimit } from "../../src/table/choices.ts";

const isColumn = (name: string): boolean => ["status", "odd ] name", "VALUE"].includes(name);
const choicesOf = (check: string): readonly string[] | undefined => checkedChoices(check, isColumn);

test("a check that a value is one of some is read in each form that databases write it", () => {
  const forms = [
    "CHECK (status IN ('a', 'it''s'))",
    "check(status in('a','it''s'))",
    `CHECK ("odd ] name" IN ('a', 'it''s') OR "odd ] name" IS NULL)`,
    "CHECK (status IS NULL OR status IN (N'a', 'it''s')) -- why",
    "([status]='a' OR [status]='it''s')",
    "([odd ]] name]=N'a' OR [odd ]] name]=N'it''s')",
    "CHECK ((status = ANY (ARRAY['a'::text, 'it''s'::text])))",
    "CHECK (((status)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[])))",
    "CHECK (((status IS NULL) OR (status = ANY (ARRAY['a'::bpchar, 'it''s'::bpchar]))))",
    "CHECK ((VALUE = ANY (ARRAY['a'::public.\"My Type\", 'it''s'::varchar(9)])))",
    "CHECK ((status = ANY (ARRAY['a'::text, 'it''s'::text]))) NOT VALID",
    "CHECK ((status = ANY (ARRAY['a'::text, 'it''s'::text]))) NO INHERIT NOT VALID",
    "CHECK (`status` = 'a' /* or */ OR `status` = 'it''s')",
  ];
  for (const form of forms) assert.deepEqual(choicesOf(form), ["a", "it's"], form);
  assert.deepEqual(choicesOf("CHECK ((status = ANY (ARRAY[1, '-2'::integer, 2.5, (3)::numeric])))"), [
    "1",
    "-2",
    "2.5",
    "3",
  ]);
  assert.deepEqual(choicesOf("([status]=(1) OR [status]=(2))"), ["1", "2"]);
  assert.deepEqual(choicesOf(String.raw`CHECK ((status = E'a\\b'::text))`), ["a\\b"]);
});

test("a check that says anything else, or of another column, gives none", () => {
  const others = [
    "CHECK (other IN ('a'))",
    "CHECK (status NOT IN ('a', 'b'))",
    "CHECK (NOT (status IN ('a', 'b')))",
    "CHECK (status IN ('a') AND other IN ('b'))",
    "CHECK (status IN ('a') OR other IN ('b'))",
    "CHECK (status = 'a' OR other = 'b')",
    "CHECK (lower(status) IN ('a'))",
    "CHECK (status IN (other, 'a'))",
    "CHECK (status IN (SELECT 'a'))",
    "CHECK (status > 1)",
    "CHECK (length(status) <= 5)",
    "CHECK (status COLLATE NOCASE IN ('a'))",
    "CHECK (status = 'a' || 'b')",
    "CHECK (status <> ALL (ARRAY['a'::text]))",
    "CHECK ((status = 'a'::text)) NOT ENFORCED",
    "",
    "CHECK (",
  ];
  for (const check of others) assert.equal(choicesOf(check), undefined, check);
});

test("the checks of a CREATE TABLE are cut out of it, whatever is in quotes and comments", () => {
  const sql = `CREATE TABLE t ("check (x)" TEXT CHECK (status IN ('a)', 'b')), -- CHECK (no)
    /* CHECK (no) */ d TEXT DEFAULT 'CHECK (no)', CONSTRAINT c CHECK ((d) > (1)))`;
  assert.deepEqual(checksIn(sql), ["CHECK (status IN ('a)', 'b'))", "CHECK ((d) > (1))"]);
  assert.deepEqual(checksIn("CREATE TABLE t (a, CHECK (a"), []);
});

test("numbers are told where the column holds them; NULL and what is held equal break no limit", () => {
  const numbers = checkedLimit(["CHECK (status IN (0, 1))"], { isColumn, holdsNumbers: true });
  assert.deepEqual(numbers.limit, { enum: [0, 1] });
  assert.deepEqual(
    [0, 1, true, false, "1", null].map((value) => numbers.exceeds?.(value)),
    Array(6).fill(undefined),
  );
  assert.match(numbers.exceeds?.(2) ?? "", /one of 0, 1$/);
  assert.deepEqual(checkedLimit(["CHECK (status IN ('a'))"], { isColumn, holdsNumbers: true }), {});
  const folded = checkedLimit(["CHECK (status IN ('A'))"], {
    isColumn,
    holdsNumbers: false,
    fold: (text) => text.toLowerCase(),
  });
  assert.equal(folded.exceeds?.("a"), undefined);
});

test("of several checks the values count that all of them allow, and of numbers those that JavaScript's hold", () => {
  const both = ["CHECK (status IN ('a', 'b', 'c'))", "CHECK (length(status) < 5)", "CHECK (status IN ('c', 'b', 'd'))"];
  assert.deepEqual(checkedLimit(both, { isColumn, holdsNumbers: false }).limit, { enum: ["b", "c"] });
  const none = ["CHECK (status IN ('a'))", "CHECK (status IN ('b'))"];
  assert.deepEqual(checkedLimit(none, { isColumn, holdsNumbers: false }), {});
  assert.deepEqual(checkedLimit(["CHECK (status IN (9007199254740993))"], { isColumn, holdsNumbers: true }), {});
});
