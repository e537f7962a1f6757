import { noPostgreSQL } from "./binaries.ts";
import { type PostgreSQLServer, startPostgreSQL } from "./server.ts";

let server: PostgreSQLServer | undefined;

/** For `--test-global-setup`: one server for all files of a run. A file that is run alone starts its own. */
export async function globalSetup(): Promise<void> {
  if (noPostgreSQL !== false || (process.env["LLM_ETL_TEST_POSTGRESQL"] ?? "") !== "") return;
  server = await startPostgreSQL();
  process.env["LLM_ETL_TEST_POSTGRESQL"] = server.url();
}

export async function globalTeardown(): Promise<void> {
  await server?.remove();
}
