import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { execute } from "./sqlite.ts";

const source = (path: string): string =>
  JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../src", path)).href);

export interface JournaledModuleOptions {
  /** The folder of the module, its journal and its target. */
  readonly folder: string;
  /** Another word is another prompt: each row asks again. @default "first" */
  readonly prompt?: string;
  readonly rowCount?: number;
  /** The journal, as an expression. @default a SQLite journal in the folder */
  readonly journal?: string;
  readonly name?: string;
  /** The text of each answer. @default the mock's own, which differ by prompt */
  readonly answer?: string;
  /** The target's table. @default "notes" */
  readonly table?: string;
}

let count = 0;

/** Writes the module of a pipeline with one call a row, which a mock answers, and gives its path. */
export function journaledModule(options: JournaledModuleOptions): string {
  const { folder, prompt = "first", rowCount = 20, name = "visits", table = "notes", answer } = options;
  const { journal = `new SQLiteJournal({ path: ${JSON.stringify(join(folder, "journal.db"))} })` } = options;
  const target = join(folder, "target.db");
  execute(target, `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY, text TEXT)`);
  const path = join(folder, `pipeline-${(count += 1)}.ts`);
  writeFileSync(
    path,
    `import { Pipeline, SummarizerStep } from ${source("index.ts")};
import { PostgreSQLJournal } from ${source("journals/postgresql.ts")};
import { SQLiteJournal } from ${source("journals/sqlite.ts")};
import { MockProvider } from ${source("llm/providers/mock.ts")};
import { SQLiteSink } from ${source("sinks/sqlite.ts")};
import { MemorySource } from ${source("testing/memory-source.ts")};

void PostgreSQLJournal;
const rows = Array.from({ length: ${rowCount} }, (_, index) => ({ id: \`r\${index + 1}\`, note: \`Note \${index + 1}.\` }));

export default new Pipeline({
  name: ${JSON.stringify(name)},
  source: new MemorySource({ rows, primaryKeyColumn: "id" }),
  llmProvider: new MockProvider(${answer === undefined ? "" : `{ responses: () => JSON.stringify({ reasoning: "None.", text: ${JSON.stringify(answer)} }) }`}),
  payloadLog: "off",
  journal: ${journal},
})
  .step(new SummarizerStep({ name: "sum", inputMap: { text: (s) => ${JSON.stringify(prompt)} + s.raw.note }, outputKey: "sum" }))
  .to(
    new SQLiteSink({
      databasePath: ${JSON.stringify(target)},
      targetTable: ${JSON.stringify(table)},
      mergeKeys: ["id"],
      columnMap: { id: (s) => s.pk, text: (s) => s.processed.sum.text },
    }),
  );
`,
  );
  return path;
}
