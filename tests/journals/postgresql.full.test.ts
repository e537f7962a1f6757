// Needs a PostgreSQL server, and a process that is killed; not dist.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { PostgreSQLJournal } from "../../src/journals/postgresql.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";

const database = testDatabase();
const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/postgresql.ts")).href;

async function newJournal(given: { readonly timeoutMs?: number } = {}) {
  const options = { connectionString: database.url(), schema: `journal_${randomBytes(4).toString("hex")}`, ...given };
  const journal = new PostgreSQLJournal(options);
  await database.run(journal.createStatements());
  return { journal, options };
}

for (const { name, check } of journalContract({
  create: async () => {
    const { journal, options } = await newJournal();
    const moduleText = `import { PostgreSQLJournal } from ${JSON.stringify(module)};
      export default new PostgreSQLJournal(${JSON.stringify(options)});`;
    return { journal, moduleText };
  },
})) {
  test(name, { skip: noPostgreSQL }, check);
}
