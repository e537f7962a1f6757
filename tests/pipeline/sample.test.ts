import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnySource } from "../../src/contracts/source.ts";
import { sampleOf } from "../../src/pipeline/sample.ts";

test("a sample says of its source what its source says, that its names are data too", () => {
  const given: Required<Omit<AnySource, "read" | "find" | "count" | "schema" | "changes">> = {
    name: "rows",
    primaryKeyColumn: "id",
    namesAreData: true,
    requirements: { environment: ["KEY"] },
    files: ["/data/rows.csv"],
    databaseFiles: ["/data/rows.db"],
  };
  const sample = sampleOf({ ...given, read: async function* () {} }, 1, 0);
  assert.partialDeepStrictEqual(sample, given);
});
