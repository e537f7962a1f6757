import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { describeTarget } from "../../src/table/description.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import type { RowSchema } from "../../src/contracts/source.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { everyColumn, everyColumnMap, tags } from "../support/every-column.ts";

const databasePath = "none.db"; // it is never opened

test("each column has the type of what it shows, and a reason where that is not known", () => {
  const columnMap = { ...everyColumnMap, tags };
  const { columns } = everyColumn
    .to(new SQLiteSink({ databasePath, targetTable: "t", mergeKeys: ["id"], columnMap }))
    .describeTarget();
  const described = columns.map(({ name, type, isNullable }) => {
    const reason = type.kind === "unknown" ? `: ${type.reason}` : "";
    return `${name} ${type.kind}${isNullable ? " null" : ""}${reason}`;
  });
  assert.deepEqual(described, [
    "id integer",
    "code text null",
    "seen moment",
    "size integer",
    "anything unknown null: the schema does not say what it is",
    "category text",
    "confidence number",
    "share number",
    "weight number",
    "visits integer",
    "urgent boolean",
    "due date null",
    "title text",
    "tag_count integer",
    "note_length unknown null: its step has no schema",
    "line unknown null: the column map makes it",
    "run_id uuid",
    "model text null",
    "prompt_hash digits null",
    "input_tokens integer null",
    "started_at moment",
    "completed_at moment",
    "tags json",
  ]);
  assert.deepEqual(
    columns.filter(({ isCompletedAt }) => isCompletedAt).map(({ name }) => name),
    ["completed_at"],
  );
});

test("a column whose function makes something else of some values has no type that these don't fit", () => {
  const step = {
    outputKey: "out",
    outputSchema: z.toJSONSchema(
      z.object({
        kind: z.enum(["a", "b"]),
        score: z.number().nullable(),
        note: z.string().max(20),
        due: z.iso.date().nullable(),
        urgent: z.boolean(),
      }),
    ),
  };
  interface State {
    readonly raw: { readonly lang: string };
    readonly processed: {
      readonly out: {
        readonly kind: string;
        readonly score: number | null;
        readonly note: string;
        readonly due: string | null;
        readonly urgent: boolean;
      };
    };
  }
  const columnMap: Readonly<Record<string, (state: State) => unknown>> = {
    score: (s) => s.processed.out.score,
    score_or_text: (s) => s.processed.out.score ?? "none",
    score_or_0: (s) => s.processed.out.score ?? 0,
    note_or_null: (s) => s.processed.out.note || null,
    note_or_more: (s) => s.processed.out.note || "there is no note on this",
    due_or_text: (s) => s.processed.out.due ?? "never",
    by_row: (s) => (s.raw.lang === "de" ? s.processed.out.score : s.processed.out.note),
    by_kind: (s) => (s.processed.out.kind === "b" ? 7 : s.processed.out.note),
    urgent: (s) => s.processed.out.urgent,
    urgent_or: (s) => s.processed.out.urgent || "no",
  };
  const source = new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id" });
  const { columns } = describeTarget({ source, steps: [step], sink: { name: "memory", columnMap } });
  assert.deepEqual(
    columns.map(({ name, type, isNullable }) => {
      const length = type.kind === "text" ? ` ${type.maxLength}` : "";
      return `${name} ${type.kind}${length}${isNullable ? " null" : ""}`;
    }),
    [
      "score number null",
      "score_or_text unknown null",
      "score_or_0 number null",
      "note_or_null text 20 null",
      "note_or_more text undefined",
      "due_or_text unknown null",
      "by_row unknown null",
      "by_kind unknown null",
      "urgent boolean",
      "urgent_or unknown null",
    ],
  );
});

test("the sink says table, strategy and keys", () => {
  const merging = new SQLiteSink({
    databasePath,
    targetTable: '"odd name"',
    columnMap: everyColumnMap,
    mergeKeys: ["run_id", "id"],
  });
  const { sink, targetTable, strategy, keys } = everyColumn.to(merging).describeTarget();
  assert.deepEqual([sink, targetTable, strategy, keys], ["sqlite", '"odd name"', "merge", ["run_id", "id"]]);
  const inserting = new SQLiteSink({ databasePath, targetTable: "t", columnMap: everyColumnMap, strategy: "insert" });
  assert.deepEqual(everyColumn.to(inserting).describeTarget().keys, []);
});

test("of a sink without merge keys the key is the column that shows the row's primary key, if there is one", () => {
  const csv = new CSVSink({
    filePath: "none.csv",
    columnMap: { kind: everyColumnMap.category, id: everyColumnMap.id },
  });
  const { targetTable, strategy, keys } = everyColumn.to(csv).describeTarget();
  assert.deepEqual([targetTable, strategy, keys], [undefined, undefined, ["id"]]);
  const keyless = new CSVSink({ filePath: "none.csv", columnMap: { kind: everyColumnMap.category } });
  assert.deepEqual(everyColumn.to(keyless).describeTarget().keys, []);
});

const columnMap = {
  key: (s: { pk: string }) => s.pk,
  id: (s: { raw: { id: string } }) => s.raw.id,
  other: (s: { raw: { other: string } }) => s.raw.other,
  row: (s: { raw: object }) => s.raw,
  all: (s: { processed: object }) => s.processed,
  log: (s: { log: readonly string[] }) => s.log,
};

function describe(schema: RowSchema<{ id: string }> | undefined) {
  const source = new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id", schema });
  const { columns } = describeTarget({ source, steps: [], sink: { name: "own", columnMap } });
  return Object.fromEntries(columns.map(({ name, type, isNullable }) => [name, { ...type, isNullable }]));
}

test("the row's key has the type of its field where that is text, a whole number or a UUID; else it is text", () => {
  const keyOf = (id: z.ZodType) => describe(z.object({ id: id as z.ZodType<string> }))["key"];
  const text = { kind: "text", maxLength: undefined, isLimit: false, isNullable: false };
  assert.deepEqual(keyOf(z.string().max(20)), { kind: "text", maxLength: 20, isLimit: true, isNullable: false });
  assert.deepEqual(keyOf(z.uuid()), { kind: "uuid", isNullable: false });
  assert.deepEqual(keyOf(z.int32())?.kind, "integer");
  for (const other of [z.date(), z.number(), z.boolean(), z.unknown()]) assert.deepEqual(keyOf(other), text);
  assert.deepEqual(describe(undefined)["key"], text);
});

test("a source without a schema, with one of another library, and a field that is not in it are told apart", () => {
  const reasonOf = (schema: RowSchema<{ id: string }> | undefined, name: string): unknown => {
    const column = describe(schema)[name];
    return column?.kind === "unknown" ? [column.reason, column.isNullable] : column?.kind;
  };
  const own: RowSchema<{ id: string }> = {
    "~standard": { version: 1, vendor: "own", validate: () => ({ value: { id: "a" } }) },
  };
  assert.deepEqual(reasonOf(undefined, "id"), ["the source has no schema", false]);
  assert.deepEqual(reasonOf(own, "other"), ["the source's schema is not Zod's", true]);
  assert.deepEqual(reasonOf(z.object({ id: z.string() }), "other"), ["the source's schema has no such field", true]);
  for (const name of ["row", "all", "log"]) assert.equal(reasonOf(undefined, name), "json");
});
