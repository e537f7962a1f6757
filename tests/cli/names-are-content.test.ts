import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { commandLine } from "../support/terminal.ts";

const folder = mkdtempSync(join(temporaryFolder(), "names "));
const filePath = join(folder, "notes.csv");
const journalOf = (module: string): string => module.replace(/mjs$/, "db");
const url = (file: string): string =>
  JSON.stringify(new URL(`../../src/${file}`, pathToFileURL(import.meta.filename)).href);

/** A module whose rows come from a CSV file without a header: the names of its columns are the first row. */
function moduleWith(
  name: string,
  { schema = "undefined", read = "raw.line" }: { schema?: string; read?: string },
): string {
  const path = join(folder, `${name}.mjs`);
  writeFileSync(filePath, "Jane Canary,canary@example.org\nJohn Canary,other canary\n");
  writeFileSync(
    path,
    `import { z } from ${JSON.stringify(import.meta.resolve("zod"))};
     import { ClassifierStep, Pipeline } from ${url("index.ts")};
     import { MockProvider } from ${url("llm/providers/mock.ts")};
     import { CSVSource } from ${url("sources/csv.ts")};
     import { SQLiteJournal } from ${url("journals/sqlite.ts")};
     import { MemorySink } from ${url("testing/memory-sink.ts")};
     export default new Pipeline({
       name: ${JSON.stringify(name)}, onRowError: "skip", payloadLog: "off", llmProvider: new MockProvider(),
       journal: new SQLiteJournal({ path: ${JSON.stringify(journalOf(path))} }),
       source: new CSVSource({ filePath: ${JSON.stringify(filePath)}, primaryKeyColumn: "line", rowNumberColumn: "line", schema: ${schema} }),
     })
       .step(new ClassifierStep({ name: "kind", taxonomy: [{ name: "A", definition: "a" }], inputMap: { text: (s) => s.${read} }, outputKey: "kind" }))
       .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));`,
  );
  return path;
}

test("of a CSV file without a header no command shows the first row, nor does the journal keep it", async () => {
  const modules = [
    moduleWith("fine", {}),
    moduleWith("record", { schema: "z.record(z.string(), z.string().max(3))" }),
    moduleWith("mistaken", { read: 'raw["Janne Canari"]' }),
    moduleWith("blank", { read: "raw.Canaries" }),
  ];
  for (const path of modules) {
    const commands = [
      ["check", path],
      ["check", path, "--json"],
      ["run", path],
      ["run", path, "--json"],
      ["runs", "--journal", journalOf(path)],
      ["show", "--journal", journalOf(path)],
    ];
    for (const words of commands) {
      const { stdout, stderr, exitCode } = await commandLine(words);
      if (path === modules[0]) assert.equal(exitCode, 0, stderr);
      const text = `${stdout}${stderr}`.replaceAll("Janne Canari", "").replaceAll("Canaries", ""); // the user's own words
      assert.doesNotMatch(text, /canary@|Jane|John|other canary/i, words.join(" "));
    }
    assert.doesNotMatch(readFileSync(journalOf(path), "latin1"), /canary@|John|other canary/i);
  }
});
