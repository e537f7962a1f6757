import { test } from "node:test";
import { ClassifierStep, taxonomyFrom, taxonomyOf, type TaxonomyNode } from "../../src/index.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { treeOf } from "../support/taxonomies.ts";

const named = { name: "kind", outputKey: "kind", inputMap: { text: () => "x" } } as const;

test("the sentences about taxonomies", async (t) => {
  const from = (rows: readonly object[]) => async () => {
    const source = new MemorySource<TaxonomyNode & { end?: string }>({ rows, primaryKeyColumn: "code" });
    return await taxonomyFrom(source, {
      code: "code",
      parent: "parent",
      name: "name",
      definition: "definition",
      validTo: "end",
    });
  };
  const all = { code: "all", parent: null, name: "All", definition: "d", end: null };
  const classifying = (options: object) => () => Reflect.construct(ClassifierStep, [{ ...named, ...options }]);
  const large = taxonomyOf(treeOf([11, 10, 10]));
  await assertSentences(t, [
    from([all, { ...all, code: "a", parent: "all" }, { ...all, code: "a", parent: "all" }]),
    from([all, { ...all, code: "a", parent: "b" }]),
    from([all, { ...all, code: "a", parent: "b" }, { ...all, code: "b", parent: "a" }]),
    from([all, { ...all, code: "a", parent: "all" }, { ...all, code: "b" }]),
    from([{ ...all, end: "2020-01-01" }]),
    from([{ ...all, definition: "" }]),
    from([{ ...all, name: "" }]),
    from([{ ...all, end: "soon" }]),
    from([{ code: "a", name: "A", parent: null, definition: "d" }]),
    () => taxonomyOf([{ code: "a", name: "" }]),
    classifying({ taxonomy: large }),
    classifying({ taxonomy: large, none: "n.1" }),
    classifying({ taxonomy: large, search: "descend", labels: {} }),
    classifying({ taxonomy: [{ name: "A", definition: "a" }], search: "descend" }),
    classifying({ taxonomy: large, search: "descend", candidates: 3 }),
  ]);
});
