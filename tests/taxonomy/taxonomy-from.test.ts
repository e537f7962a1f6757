import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import {
  LLMEtlError,
  RowError,
  type Source,
  type Taxonomy,
  type TaxonomyColumns,
  taxonomyFrom,
  type TaxonomyNode,
} from "../../src/index.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { anyTree } from "../support/taxonomies.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Row {
  readonly code: unknown;
  readonly parent?: unknown;
  readonly name?: unknown;
  readonly definition?: unknown;
  readonly aliases?: unknown;
  readonly examples?: unknown;
  readonly valid_to?: unknown;
}

const sourceOf = (rows: readonly object[]) => new MemorySource<Row>({ rows, primaryKeyColumn: "code" });
const columns = { code: "code", name: "name" } as const;
const inTree = { ...columns, parent: "parent" } as const;

const from = async (rows: readonly object[], options: Partial<TaxonomyColumns<Row>> = {}): Promise<Taxonomy> =>
  await taxonomyFrom(sourceOf(rows), { ...columns, ...options });

test("a tree is read from rows, in any order: its leaves have the names above them as their path", async () => {
  const taxonomy = await from(
    [
      {
        code: 11,
        parent: 1,
        name: "Fee",
        definition: "Money taken",
        aliases: '["charge", "cost"]',
        examples: "I paid twice",
      },
      { code: 1, parent: 0n, name: "Card" },
      {
        code: "2",
        parent: "0",
        name: "Login ",
        definition: "Getting in",
        aliases: ["sign in", null],
        examples: "[sic] in",
      },
      { code: 0, parent: null, name: "All", definition: null },
    ],
    { ...inTree, definition: "definition", aliases: "aliases", examples: "examples" },
  );
  assert.deepEqual(taxonomy.leaves, [
    { code: "11", name: "Fee", path: ["All", "Card", "Fee"] },
    { code: "2", name: "Login", path: ["All", "Login"] },
  ]);
  assert.deepEqual(
    taxonomy.nodes.map(({ aliases, examples }) => [aliases, examples]),
    [
      [["charge", "cost"], ["I paid twice"]],
      [[], []],
      [["sign in"], ["[sic] in"]],
      [[], []],
    ],
  );
  assert.ok(Object.isFrozen(taxonomy) && Object.isFrozen(taxonomy.leaves) && Object.isFrozen(taxonomy.nodes[0]));
});

test("rows without parents are a flat list, also where the column of parents is named", async () => {
  const rows = [
    { code: "a ", name: "A", parent: "" },
    { code: "b", name: "B", parent: null },
  ];
  for (const taxonomy of [await from(rows), await from(rows, inTree)]) {
    assert.deepEqual(
      taxonomy.leaves.map(({ code, path }) => [code, path]),
      [
        ["a", ["A"]],
        ["b", ["B"]],
      ],
    );
  }
});

test("any tree comes back as it was: each leaf once, under the names above it", async () => {
  await fc.assert(
    fc.asyncProperty(anyTree, async (nodes) => {
      const { leaves } = await taxonomyFrom(sourceOf(nodes), inTree);
      const byCode = new Map(nodes.map((node) => [node.code, node]));
      const pathOf = (node: TaxonomyNode): readonly string[] => {
        const above = byCode.get(node.parent ?? "");
        return [...(above === undefined ? [] : pathOf(above)), node.name];
      };
      const parents = new Set(nodes.map(({ parent }) => parent));
      const expected = nodes.filter(({ code }) => !parents.has(code)).map((node) => [node.code, pathOf(node)]);
      const found = leaves.map(({ code, path }) => [code, path]);
      assert.deepEqual(found.toSorted(), expected.toSorted());
    }),
  );
});

describe("a node whose validity has ended", () => {
  const at = new Date("2026-11-30T12:00:00Z");
  const isIn = async (end: unknown): Promise<boolean> => {
    const rows = [
      { code: "a", name: "A", valid_to: null },
      { code: "b", name: "B", valid_to: end },
    ];
    return (await from(rows, { validTo: "valid_to", at })).leaves.length === 2;
  };

  test("is left out: a date is valid to the end of its day, in UTC", async () => {
    for (const end of [null, undefined, "", "9999-12-31", "infinity", "2026-11-30", "20261130", 20261130]) {
      assert.ok(await isIn(end), String(end));
    }
    for (const end of [new Date("2026-11-30T00:00:00Z"), new Date("2026-11-30T12:00:00.001Z")])
      assert.ok(await isIn(end));
    for (const end of ["2026-11-30 00:00:00", "2026-11-30T12:00:01Z", "2026-11-30 11:00:00-0200"])
      assert.ok(await isIn(end));
    for (const end of ["2026-11-29", "2026-11-29 00:00:00.0000000", "2026-11-30T13:00+02:00", "2026-11-30 12:00"]) {
      assert.ok(!(await isIn(end)), end);
    }
    assert.ok(!(await isIn(new Date("2026-11-29T00:00:00Z"))));
    assert.ok(await isIn(undefined));
  });

  test("and everything below it, and what was above nothing else, are left out and counted; its code may be there again", async () => {
    const rows = [
      { code: "all", name: "All" },
      { code: "old", parent: "all", name: "Old", valid_to: "2020-01-01" },
      { code: "old.1", parent: "old", name: "Below old" },
      { code: "emptied", parent: "all", name: "Emptied" },
      { code: "gone", parent: "emptied", name: "Gone", valid_to: "2020-01-01" },
      { code: "kept", parent: "all", name: "As it was", valid_to: "2020-01-01" },
      { code: "kept", parent: "all", name: "As it is" },
    ];
    const taxonomy = await from(rows, { ...inTree, validTo: "valid_to", at });
    assert.deepEqual(taxonomy.leaves, [{ code: "kept", name: "As it is", path: ["All", "As it is"] }]);
    assert.equal(taxonomy.leftOutCount, 5);
  });
});

describe("rows that are no taxonomy are rejected, and no message has a code or a name", () => {
  const secret = "Jane Doe";
  const all = { code: "all", name: secret, definition: "d" };
  const below = (code: string, more: object = {}): object => ({
    code,
    parent: "all",
    name: secret,
    definition: "d",
    ...more,
  });
  const cases: readonly (readonly [string, readonly object[], object])[] = [
    [
      "a code twice",
      [all, below(secret), below(`${secret} `)],
      { problem: "duplicate", where: "code", rows: [3], first: 2 },
    ],
    ["an orphan", [all, below("a"), below("b", { parent: secret })], { problem: "orphan", where: "parent", rows: [3] }],
    [
      "a cycle",
      [all, below(secret, { parent: "b" }), below("b", { parent: "c" }), below("c", { parent: secret }), below("d")],
      { problem: "cycle", where: "parent", rows: [2, 3, 4] },
    ],
    ["nothing but a cycle", [below(secret, { parent: secret })], { problem: "cycle", rows: [1] }],
    [
      "two roots",
      [all, below("a"), { ...all, code: secret }],
      { problem: "roots", rows: [1, 3], expected: "one root", got: 2 },
    ],
    ["no row", [], { problem: "leaf", rows: [] }],
    ["no row that is valid", [{ ...all, valid_to: "2020-01-01" }], { problem: "leaf", leftOut: 1 }],
    [
      "an empty definition",
      [all, below(secret, { definition: " " })],
      { problem: "definition", where: "definition", rows: [2] },
    ],
    ["an empty code", [all, below("a"), { parent: "all", name: secret, code: " " }], { problem: "code", rows: [3] }],
    ["an empty name", [all, below(secret, { name: null })], { problem: "name", where: "name", rows: [2] }],
    ["a code that is no value", [all, below("a"), { ...all, code: { secret } }], { problem: "code", rows: [3] }],
    ["a parent that is no value", [all, below(secret, { parent: [secret] })], { problem: "parent", rows: [2] }],
    [
      "a definition that is no text",
      [all, below(secret, { definition: [secret] })],
      { problem: "definition", rows: [2] },
    ],
    ["aliases that are no texts", [all, below(secret, { aliases: [{ secret }] })], { problem: "aliases", rows: [2] }],
    ["examples that are no texts", [all, below(secret, { examples: { secret } })], { problem: "examples", rows: [2] }],
    [
      "an end that is no date",
      [all, below(secret, { valid_to: secret })],
      { problem: "validTo", where: "valid_to", rows: [2] },
    ],
  ];
  const named = {
    ...inTree,
    definition: "definition",
    aliases: "aliases",
    examples: "examples",
    validTo: "valid_to",
  } as const;
  for (const [name, rows, facts] of cases) {
    test(name, async () => {
      const filled = rows.map((row) => ({ parent: null, aliases: null, examples: null, valid_to: null, ...row }));
      await assert.rejects(taxonomyFrom(sourceOf(filled), named), (error) => {
        failsWith("TAXONOMY_INVALID", { ...facts })(error);
        assert.ok(error instanceof LLMEtlError && !JSON.stringify([error.message, error.facts]).includes("Jane"));
        return true;
      });
    });
  }

  test("several roots are fine where that is said, and a group without a definition is one", async () => {
    const rows = [
      all,
      below("a"),
      { code: "b", name: "B", definition: "" },
      { code: "b1", parent: "b", name: "B1", definition: "d" },
    ];
    const taxonomy = await from(rows, { ...inTree, definition: "definition", roots: "several" });
    assert.equal(taxonomy.leaves.length, 2);
  });

  test("more rows at fault than are named are counted", async () => {
    const orphans = Array.from({ length: 25 }, (_, index) => ({ code: `o${index}`, parent: "x", name: secret }));
    await assert.rejects(
      from(orphans, inTree),
      failsWith("TAXONOMY_INVALID", { problem: "orphan", count: 25, rows: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }),
    );
  });
});

test("a column that the rows do not have is an option's error, with the nearest that they have", async () => {
  const rows = [{ code: "a", name: "A", parent_code: null }];
  const wrong = async (options: object): Promise<unknown> => await from(rows, options);
  await assert.rejects(
    wrong({ parent: "parent_cod" }),
    failsWith("INVALID_OPTION", { where: "parent", nearest: "parent_code" }),
  );
  await assert.rejects(wrong({ code: "kode" }), failsWith("INVALID_OPTION", { where: "code", nearest: "code" }));
  await assert.rejects(wrong({ paernt: "x" }), failsWith("INVALID_OPTION", { where: "paernt", nearest: "parent" }));
  await assert.rejects(wrong({ roots: "two" }), failsWith("INVALID_OPTION", { where: "roots" }));
  await assert.rejects(wrong({ at: "now" }), failsWith("INVALID_OPTION", { where: "at" }));
  const noSource = taxonomyFrom({} as never, columns); // likewise
  await assert.rejects(noSource, failsWith("INVALID_OPTION", { where: "source" }));
  const path = join(temporaryFolder(), "codes.csv");
  writeFileSync(path, "Jane Doe,name\na,A\n");
  const source = new CSVSource({ filePath: path, primaryKeyColumn: "name" });
  await assert.rejects(taxonomyFrom(source, { code: "Jane Do", name: "name" }), (error) => {
    failsWith("INVALID_OPTION", { where: "code", column: "Jane Do" })(error);
    assert.ok(error instanceof LLMEtlError && !error.message.includes("Jane Doe"));
    return true;
  });
});

test("a row that the source or its schema rejects ends it, for without it the taxonomy is not complete", async () => {
  const schema = z.object({ code: z.string().min(2), name: z.string() });
  const strict = new MemorySource({
    rows: [
      { code: "a1", name: "A" },
      { code: "b", name: "B" },
    ],
    primaryKeyColumn: "code",
    schema,
  });
  await assert.rejects(
    taxonomyFrom(strict, columns),
    failsWith("TAXONOMY_INVALID", { problem: "row", rows: [2], rowCode: "ROW_SCHEMA_MISMATCH" }),
  );
  const read: Source<Row>["read"] = async function* () {
    yield { position: 1, error: new RowError("CSV_ROW_INVALID", "row 1: too few cells") };
  };
  const broken: Source<Row> = { name: "broken", primaryKeyColumn: "code", read };
  await assert.rejects(
    taxonomyFrom(broken, columns),
    failsWith("TAXONOMY_INVALID", { problem: "row", rowCode: "CSV_ROW_INVALID" }),
  );
  const failing: Source<Row> = {
    ...broken,
    read: () => {
      throw new TypeError("Jane Doe");
    },
  };
  await assert.rejects(taxonomyFrom(failing, columns), failsWith("SOURCE_FAILED", { thrown: "TypeError" }));
});

test("a schema's values are taken, and columns are those of its rows", async () => {
  const schema = z.object({ id: z.coerce.number(), title: z.string(), up: z.string().nullable() });
  const rows = [
    { id: "1", title: "All", up: null },
    { id: "2", title: "Part", up: "1" },
  ];
  const source = new MemorySource({ rows, primaryKeyColumn: "id", schema });
  const taxonomy = await taxonomyFrom(source, { code: "id", name: "title", parent: "up" });
  assert.deepEqual(taxonomy.leaves, [{ code: "2", name: "Part", path: ["All", "Part"] }]);
  // @ts-expect-error -- the rows have no such column
  const wrong = taxonomyFrom(source, { code: "id", name: "name" });
  await assert.rejects(wrong, failsWith("INVALID_OPTION", { where: "name" }));
});

test("a wide tree is read in no time that matters; one that is too deep is rejected", async () => {
  const chain = Array.from({ length: 3000 }, (_, index) => ({
    code: `${index}`,
    parent: index === 0 ? null : `${index - 1}`,
    name: "n",
  }));
  assert.equal((await from(chain.slice(0, 100), inTree)).leaves[0]?.path.length, 100);
  await assert.rejects(from(chain, inTree), failsWith("TAXONOMY_INVALID", { problem: "levels", count: 2900 }));
  const wide = chain.map((node, index) => ({ ...node, parent: index === 0 ? null : "0" }));
  assert.equal((await from(wide, inTree)).leaves.length, 2999);
});
