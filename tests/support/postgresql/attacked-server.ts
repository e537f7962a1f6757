import { randomBytes } from "node:crypto";
import pg from "pg";
import { PostgreSQLJournal } from "../../../src/journals/postgresql.ts";
import { startCuttableProxy } from "../cuttable-proxy.ts";
import { wait } from "../disturbed-run.ts";
import type { NoteRow } from "../disturbed-site.ts";
import { startPostgreSQL } from "./server.ts";

/** A trouble of the database, or of the way to it. */
export type DatabaseTrouble = "restart" | "crash" | "cut" | "silence";

/** A server of its own with a proxy before it, which are disturbed while runs read from it, write to it and keep their journal there. */
export interface AttackedServer {
  /** Makes a database with notes, an empty target and an empty journal. */
  readonly make: (database: string, notes: readonly NoteRow[]) => Promise<void>;
  /** The environment in which a pipeline finds the database, by way of the proxy. */
  readonly environment: (database: string) => Readonly<Record<string, string>>;
  /** The rows of the target, as they are now. */
  readonly target: (database: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Lines of the journal that are there twice, or hold the text of an answer. */
  readonly wrongLines: (database: string) => Promise<readonly string[]>;
  /** Makes the trouble, and ends it after so many milliseconds. */
  readonly trouble: (kind: DatabaseTrouble, lastingMs: number) => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** Tables that are only added to: a save that was repeated would leave its lines twice. */
const oncePerLine = {
  attempts: "run_id, row_key, record",
  failures: "run_id, position",
  run_rows: "run_id, block",
} as const;

export async function startAttackedServer(): Promise<AttackedServer> {
  const server = await startPostgreSQL();
  const proxy = await startCuttableProxy(new URL(server.url()));
  const encryptionKey = randomBytes(32).toString("hex");
  const ask = async (database: string, sql: string, values?: unknown[]) => {
    const client = new pg.Client({ connectionString: server.url(database) });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql, values)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    make: async (database, notes) => {
      await ask("postgres", `CREATE DATABASE "${database}"`);
      await ask(
        database,
        `CREATE TABLE notes (number integer PRIMARY KEY, id text, note text);
        CREATE TABLE enriched (id text PRIMARY KEY, category text, confidence double precision, summary text, reasoning text, model text,
          prompts text, tokens integer, started_at timestamptz, completed_at timestamptz, run_id text);
        ${new PostgreSQLJournal({ connectionString: server.url(database) }).createStatements()}`,
      );
      const insert =
        "INSERT INTO notes SELECT number, id, note FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS n(id, note, number)";
      await ask(database, insert, [notes.map(({ id }) => id), notes.map(({ note }) => note)]);
    },
    environment: (database) => {
      const url = new URL(server.url(database));
      url.port = String(proxy.port);
      return { DATABASE_URL: url.href, LLM_ETL_JOURNAL_KEY: encryptionKey };
    },
    target: async (database) => await ask(database, "SELECT * FROM enriched"),
    wrongLines: async (database) => {
      const found: string[] = [];
      for (const [table, columns] of Object.entries(oncePerLine)) {
        const twice = `SELECT 1 FROM llm_etl.${table} GROUP BY ${columns} HAVING count(*) > 1`;
        const [{ n } = {}] = await ask(database, `SELECT count(*)::int AS n FROM (${twice}) AS twice`);
        if (n !== 0) found.push(`${String(n)} lines of ${table} are there twice`);
      }
      const [{ n } = {}] = await ask(database, `SELECT count(*)::int AS n FROM llm_etl.answers WHERE text LIKE '%{%'`);
      if (n !== 0) found.push(`${String(n)} answers are not encrypted`);
      return found;
    },
    trouble: async (kind, lastingMs) => {
      const { signal } = new AbortController();
      if (kind === "restart" || kind === "crash") await server.stop(kind === "crash" ? "kill" : undefined);
      else if (kind === "cut") proxy.cut();
      else proxy.silence();
      await wait(lastingMs, signal);
      await (kind === "restart" || kind === "crash" ? server.start() : proxy.mend());
    },
    remove: async () => {
      proxy.cut();
      await server.remove();
    },
  };
}
