import { randomBytes } from "node:crypto";
import { after, before } from "node:test";
import type { ConnectionPool, Transaction } from "mssql";
import { tables } from "../../src/journal-tables/tables.ts";
import { SQLServerJournal } from "../../src/journals/sql-server.ts";
import { SQLServerConnection } from "../../src/sql-server/connect/connection.ts";
import { quoteIdentifier, quoteTableName } from "../../src/sql-server/identifiers.ts";

/** Why the suites are skipped; false if they are not. */
export const noServer: string | false =
  (process.env["SQL_SERVER_CONN"] ?? "").trim() === ""
    ? "SQL_SERVER_CONN is not set: give it the connection string of a SQL Server"
    : false;

export type ServerRow = Readonly<Record<string, unknown>>;

export interface OpenTransaction {
  readonly run: (sql: string) => Promise<void>;
  readonly commit: () => Promise<void>;
}

/** The server of SQL_SERVER_CONN, with a schema that is there for the tests of one file. */
export interface RealServer {
  readonly schema: string;
  /** Runs T-SQL in a batch of its own. */
  readonly run: (sql: string) => Promise<readonly ServerRow[]>;
  /** A transaction of its own. One that is still open at the end is rolled back. */
  readonly begin: () => Promise<OpenTransaction>;
  /** A new table in the schema: its quoted name. */
  readonly create: (name: string, columns: string) => Promise<string>;
  readonly drop: (name: string) => Promise<void>;
  /** Runs T-SQL before the schema is dropped. */
  readonly atEnd: (sql: string) => void;
  /** Why the server can't run MERGE; undefined if it can. */
  readonly refusalOfMerge: () => Promise<string | undefined>;
}

/** Makes the schema before the tests of a suite, and drops it after them, whatever became of them. */
export function realServer(): RealServer {
  const schema = `llm_etl_test_${randomBytes(6).toString("hex")}`;
  const connection = new SQLServerConnection("test:sql-server", {});
  const made = new Set<string>();
  const last: string[] = [];
  const open = new Set<Transaction>();
  let pool: ConnectionPool | undefined;

  const run = async (sql: string): Promise<readonly ServerRow[]> => {
    if (pool === undefined) throw new Error("the server was not reached");
    const { recordset } = await pool.request().batch<ServerRow>(sql);
    return recordset ?? [];
  };
  const begin = async (): Promise<OpenTransaction> => {
    if (pool === undefined) throw new Error("the server was not reached");
    const transaction = await pool.transaction().begin();
    open.add(transaction);
    return {
      run: async (sql) => void (await transaction.request().batch(sql)),
      commit: async () => {
        open.delete(transaction);
        await transaction.commit();
      },
    };
  };
  const drop = async (name: string): Promise<void> => {
    await run(`DROP TABLE IF EXISTS ${quoteTableName({ schema, table: name })}`);
    made.delete(name);
  };
  const create = async (name: string, columns: string): Promise<string> => {
    const quoted = quoteTableName({ schema, table: name });
    made.add(name);
    await run(`CREATE TABLE ${quoted} (${columns})`);
    return quoted;
  };

  before(async () => {
    const fail = (problem: string): Error => new Error(problem);
    ({ pool } = await connection.open({ signal: AbortSignal.timeout(60_000), fail }));
    await run(`CREATE SCHEMA ${quoteIdentifier(schema)}`);
  });
  after(async () => {
    try {
      for (const transaction of open) await transaction.rollback();
      for (const sql of last) await run(sql);
      for (const name of made) await drop(name);
      await run(`DROP SCHEMA ${quoteIdentifier(schema)}`);
    } finally {
      await connection.close();
    }
  });

  return {
    schema,
    run,
    begin,
    create,
    drop,
    atEnd: (sql) => last.push(sql),
    refusalOfMerge: async () => {
      const table = await create("merge_probe", "id INT NOT NULL PRIMARY KEY, value INT NULL");
      try {
        await run(
          `MERGE INTO ${table} WITH (HOLDLOCK) AS t USING (SELECT 1 AS id, 2 AS value) AS s ON t.id = s.id
          WHEN MATCHED THEN UPDATE SET value = s.value WHEN NOT MATCHED THEN INSERT (id, value) VALUES (s.id, s.value);`,
        );
        return undefined;
      } catch (error) {
        const number = error instanceof Error && "number" in error ? error.number : undefined;
        if (typeof number !== "number") throw error; // not a refusal: the connection is gone, or the like
        return `the server refuses MERGE (error ${number})`;
      } finally {
        await drop("merge_probe");
      }
    },
  };
}

/** Makes a journal in the schema, for as long as that is there: the names of its tables. */
export async function createJournal({ schema, run, atEnd }: RealServer): Promise<readonly string[]> {
  const statements = new SQLServerJournal({ schema }).createStatements();
  for (let times = 0; times < 2; times += 1) await run(statements); // again: nothing changes
  const names = Object.values(tables).map(({ name }) => quoteTableName({ schema, table: name }));
  for (const table of ["runs", "failed_rows", "step_figures"]) atEnd(`DROP VIEW ${quoteTableName({ schema, table })}`);
  for (const name of [...names, quoteTableName({ schema, table: "journal_version" })]) atEnd(`DROP TABLE ${name}`);
  return names;
}
