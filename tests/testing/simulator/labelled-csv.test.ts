import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { RowError } from "../../../src/errors/llm-etl-error.ts";
import { SourceError } from "../../../src/errors/source.ts";
import { readLabels } from "../../../src/testing/simulator/labelled-csv.ts";
import { failsWith } from "../../support/error-facts.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
const columns = { textColumn: "text", labelColumn: "category" };

test("texts get their labels, with commas, quotes and line breaks in them, and others none", async () => {
  const path = join(folder, "labels.csv");
  await writeFile(path, 'text,category\n"a, ""b""\nc",one\nplain,two\n');
  const labels = await readLabels({ path, ...columns });
  assert.deepEqual(['a, "b"\nc', "plain", "unknown"].map(labels.of), ["one", "two", undefined]);
});

test("a file that is missing, has no rows, lacks a column or has a ragged row is rejected", async () => {
  const path = join(folder, "others.csv");
  await assert.rejects(readLabels({ path, ...columns }), SourceError);
  await writeFile(path, "text,category\n");
  await assert.rejects(readLabels({ path, ...columns }), failsWith("SOURCE_FAILED", { where: "path" }));
  await writeFile(path, "text,Categorys\na,b\n");
  const facts = { where: "labelColumn", column: "category", nearest: "Categorys" };
  await assert.rejects(readLabels({ path, ...columns }), failsWith("INVALID_OPTION", facts));
  await writeFile(path, "text,categories\na,b\n"); // it may be a cell of a file without a header
  const hint = "it has 2; did you mean column 2?";
  await assert.rejects(readLabels({ path, ...columns }), failsWith("INVALID_OPTION", { where: "labelColumn", hint }));
  await writeFile(path, "text,category\na,b\nc\n");
  await assert.rejects(readLabels({ path, ...columns }), RowError);
});
