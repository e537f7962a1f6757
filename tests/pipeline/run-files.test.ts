import assert from "node:assert/strict";
import { basename, join } from "node:path";
import { test } from "node:test";
import { journalOf } from "../../src/pipeline/run-files.ts";

const journalPathOf = (name: string): string => journalOf({ name })?.identity ?? "off";
const fileOf = (name: string): string => basename(journalPathOf(name));

test("a pipeline's journal is named after it, in a folder of the working directory", () => {
  assert.equal(
    journalPathOf("patient_visit_enrichment"),
    join(process.cwd(), ".llm-etl", "patient_visit_enrichment.db"),
  );
  assert.equal(fileOf("Besuche 2026 (Köln)").replace(/-[0-9a-f]{8}\.db$/, ""), "Besuche 2026 _Köln_");
});

test("a name that can't be a file's gets a hash, so that no two pipelines share a journal", () => {
  const odd = ["a/b", "a\\b", "a:b", "a_b", "../a", ".a", "a.", " a", "a\0", "x".repeat(300), "x".repeat(301)];
  const files = odd.map(fileOf);
  assert.equal(new Set(files).size, odd.length);
  for (const file of files) assert.match(file, /^[\p{L}\p{N}_][\p{L}\p{N}_. -]{0,80}\.db$/u);
  assert.equal(journalPathOf("../a").startsWith(join(process.cwd(), ".llm-etl")), true);
});

test("a path of one's own is taken as it is", () => {
  const given = { name: "a/b", journalPath: new URL("file:///var/journals/a.db") };
  assert.equal(journalOf(given)?.identity, "/var/journals/a.db");
});
