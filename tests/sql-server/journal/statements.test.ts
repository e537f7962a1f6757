import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import { tables } from "../../../src/journal-tables/tables.ts";
import { changesAtOnce, dialect } from "../../../src/sql-server/journal/dialect.ts";
import { groupsOf } from "../../../src/journal-tables/changes.ts";
import type { Statement } from "../../../src/journal-tables/database.ts";
import { statementOf } from "../../../src/journal-tables/statements.ts";
import { createStatements } from "../../../src/sql-server/journal/schema.ts";
import { fromKept, toName } from "../../../src/journal-tables/texts.ts";
import { stateOf } from "../../../src/sql-server/journal/state.ts";

const odd = "odd]'name";
const one = "0a".repeat(32);

function statementsOf({ key, columns, name }: (typeof tables)["rows"]): readonly string[] {
  const kinds = Object.entries(columns);
  const sql = dialect.lines(kinds, [], []);
  const table = `${dialect.quote(odd)}.${dialect.quote(name)}`;
  const names = kinds.map(([column]) => column);
  return [
    `SELECT t.* FROM ${sql} JOIN ${table} AS t ON t.[number] = k.[number];`,
    ...dialect.put(table, key, names, sql).split(/(?<=;)\n/),
    ...(key.length === 0 ? [] : dialect.put(table, key, key, sql).split(/(?<=;)\n/)),
  ];
}

test("every statement of the journal is T-SQL, without MERGE", () => {
  const found = Object.values(tables).flatMap(statementsOf);
  const others = (["alone", "shared"] as const).map((forWhat) =>
    dialect.admit("[s].[pipelines]", "[s].[sessions]", forWhat),
  );
  const conditions = [dialect.begins("[run_id]", "@p1"), dialect.has("[marks]", "@p1")];
  const held = dialect.held("[s].[pipelines]");
  for (const statement of [
    ...found,
    ...others,
    held,
    `SELECT 1 AS n FROM [s].[t] WHERE ${conditions.join(" AND ")};`,
  ]) {
    const parsed = parse(statement, Dialect.TSQL);
    assert.ok(parsed.success, `${parsed.error}: ${statement}`);
    assert.equal(parsed.ast?.length, 1, statement);
    assert.doesNotMatch(statement, /\bMERGE\b/);
  }
});

test("changes at once are T-SQL, each with values of its own", () => {
  const place = { schema: odd, dialect: { ...dialect, state: async () => ({ mayWrite: true, readOnly: undefined }) } };
  const groups = groupsOf([
    { kind: "put", table: tables.answers, line: { fingerprint: one, text: "a", run_id: "@p1" } },
    { kind: "set", table: tables.rows, line: { sink: "00" }, values: { outcome: "known", pk: null } },
    { kind: "remove", table: tables.work, line: { id: "b" } },
  ]);
  const admission: Statement = (values) => {
    values.push("name", 1, "session", 2);
    return dialect.admit("[s].[pipelines]", "[s].[sessions]", "at-once");
  };
  const values: unknown[] = [];
  const text = changesAtOnce([admission, ...groups.map((group) => statementOf(place, group))], values);
  const parsed = parse(text.replaceAll(/^IF @@\w+ .* THROW .*$/gm, ""), Dialect.TSQL); // which the parser does not know
  assert.ok(parsed.success, `${parsed.error}: ${text}`);
  const places = [...text.matchAll(/@p(\d+)/g)].map(([, number]) => Number(number));
  assert.deepEqual(
    [...new Set(places)].toSorted((a, b) => a - b),
    values.map((_, index) => index + 1),
  );
  assert.deepEqual(values.slice(0, 4), ["name", 1, "session", 2]);
  assert.deepEqual(values.slice(6, 8), ["known", null]);
});

test("the tables of a journal are T-SQL, and an odd name of the schema is quoted wherever it stands", () => {
  const statements = createStatements(odd);
  const made = statements.matchAll(/^IF OBJECT_ID\(N'(.+)', N'U'\) IS NULL (CREATE TABLE [^;]+;)/gm);
  let count = 0;
  for (const [, name, statement = ""] of made) {
    assert.equal(parse(statement, Dialect.TSQL).ast?.length, 1, statement);
    assert.match(name ?? "", /^\[odd\]\]''name\]\.\[\w+\]$/);
    count += 1;
  }
  assert.equal(count, Object.keys(tables).length + 1);
  const views = [...statements.matchAll(/^EXECUTE \(N'CREATE OR ALTER VIEW (?:[^']|'')+'\);$/gm)];
  assert.equal(views.length, 3);
  assert.match(statements, /^IF SCHEMA_ID\(N'odd\]''name'\) IS NULL EXECUTE \(N'CREATE SCHEMA \[odd\]\]''name\]'\);$/m);
});

test("the permissions that count are those on each table of the journal, and on no other of its schema", async () => {
  let asked = "";
  const ask = async (sql: string) => {
    asked = sql;
    return [{ may_write: 1, updateability: "READ_WRITE", delayed_durability: 0 }];
  };
  assert.deepEqual(await stateOf(ask, "s", "the journal"), { mayWrite: true, readOnly: undefined });
  assert.ok(parse(asked, Dialect.TSQL).success, asked);
  const names = new Set([...asked.matchAll(/N'(\w+)'/g)].map(([, name]) => name));
  for (const { name } of Object.values(tables)) assert.ok(names.has(name), name);
  assert.doesNotMatch(asked, /<>/);
});

test("what identifies a line is within the longest key of an index, whatever its length", () => {
  for (const text of ["\u{1F600}".repeat(500), "\0".repeat(279), "\ud800".repeat(500), `${"n".repeat(279)} `]) {
    const name = toName(text);
    assert.ok(name.isWellFormed() && !name.includes("\0") && name.length * 2 * 3 <= 1700, name);
    assert.ok(Buffer.byteLength(name) * 3 < 2704, "and of PostgreSQL");
    assert.equal(fromKept(name), name, "it is no JSON that is cut off");
  }
  const most = Math.max(...Object.values(tables).map(({ key }) => key.length));
  assert.equal(most, 3);
});
