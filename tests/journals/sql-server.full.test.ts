// Full lane: processes of its own that write into the journal, and seconds of CPU for the server of the tests; not dist.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { SQLServerJournal } from "../../src/journals/sql-server.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { startSQLServer } from "../support/sql-server.ts";

const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/sql-server.ts")).href;
const server = await startSQLServer();

async function newJournal(given: { readonly timeoutMs?: number } = {}) {
  const schema = `journal_${randomBytes(4).toString("hex")}`;
  const options = { connectionString: server.connectionString, schema, ...given };
  const journal = new SQLServerJournal(options);
  await server.run(journal.createStatements());
  return { journal, options };
}

for (const { name, check } of journalContract({
  create: async () => {
    const { journal, options } = await newJournal();
    const moduleText = `import { SQLServerJournal } from ${JSON.stringify(module)};
      export default new SQLServerJournal(${JSON.stringify(options)});`;
    return { journal, moduleText };
  },
})) {
  test(`${name} (not on a real server)`, check);
}
