import { randomBytes } from "node:crypto";
import { after, before } from "node:test";
import pg from "pg";
import { noPostgreSQL } from "./binaries.ts";
import { type PostgreSQLServer, startPostgreSQL } from "./server.ts";

export { noPostgreSQL } from "./binaries.ts";

/** A database that is there for the tests of one file. */
export interface TestDatabase {
  readonly name: string;
  /** Its connection string; known once the tests begin. */
  readonly url: () => string;
  /** Runs SQL, of one statement with parameters or of many without, as the owner of the server. */
  readonly run: (sql: string, parameters?: readonly unknown[]) => Promise<readonly Readonly<Record<string, unknown>>[]>;
}

/**
 * Makes a database on the server of the test run before the tests of a file, and drops it after them, whatever became of them. The server is that
 * of `npm test`, or of LLM_ETL_TEST_POSTGRESQL (a connection string of one who may create databases), else one of the file's own. A test that
 * stops the server starts its own, by `startPostgreSQL`.
 *
 * @param setUp SQL that is run before the first test: hooks of one file don't wait for each other
 */
export function testDatabase(setUp = ""): TestDatabase {
  const name = `llm_etl_test_${randomBytes(6).toString("hex")}`;
  let own: PostgreSQLServer | undefined;
  let server = "";
  let client: pg.Client | undefined;

  before(async () => {
    if (noPostgreSQL !== false) return; // the tests are skipped
    const given = process.env["LLM_ETL_TEST_POSTGRESQL"] ?? "";
    if (given === "") own = await startPostgreSQL();
    server = given === "" ? (own?.url() ?? "") : given;
    await once(server, `CREATE DATABASE ${name}`);
    client = await connected(urlOf(server, name));
    await client.query(setUp);
  });
  after(async () => {
    try {
      await client?.end();
      if (server !== "") await once(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    } finally {
      await own?.remove();
    }
  });

  return {
    name,
    url: () => urlOf(server, name),
    run: async (sql, parameters) => {
      if (client === undefined) throw new Error("the server was not reached");
      const { rows } = await client.query<Record<string, unknown>>(sql, parameters && [...parameters]);
      return rows ?? [];
    },
  };
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined); // of a connection that a test ends
  await client.connect();
  return client;
}

async function once(url: string, sql: string): Promise<void> {
  const client = await connected(url);
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}
