import { JournalError } from "../../errors/journal.ts";
import type { ErrorOptions } from "../../errors/llm-etl-error.ts";
import type { JournalDatabase } from "../../journal-tables/database.ts";
import type { SQLServerConnection } from "../connect/connection.ts";
import { cancellable, inTransaction, type LimitedPool, type Run } from "../connect/transaction.ts";
import { driverFacts, passingError } from "../error-meaning.ts";
import { quoteIdentifier } from "../identifiers.ts";
import { askBy } from "./ask.ts";
import { dialect } from "./dialect.ts";
import { openLockConnection } from "./lock-connection.ts";
import { stateOf } from "./state.ts";

/** Of the server's errors: the first says that an object is not there, the others that the login may not. */
const noObject = 208;
const denied: ReadonlySet<number> = new Set([229, 230, 297, 300]);
/** The database takes no writes, as for a while after a failover. */
const readOnly = 3906;

/** SQL Server as a journal uses it: by one connection for all that is asked and saved, and another for locks. */
export function journalDatabase(
  connect: () => SQLServerConnection,
  facts: Pick<JournalDatabase, "identity" | "schema" | "timeoutMs">,
): JournalDatabase {
  const { identity, timeoutMs: waitMs } = facts;
  const [connection, forLocks] = [connect(), connect()];
  const fail = (problem: string, options?: ErrorOptions): JournalError => new JournalError(identity, problem, options);
  return {
    ...facts,
    dialect: { ...dialect, state: async (ask, schema) => await stateOf(ask, schema, identity) },
    grants: `GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::${quoteIdentifier(facts.schema)} TO <user>`,
    problem: connection.problem,
    passing: (error) => (driverFacts(error).numbers.includes(readOnly) ? {} : passingError(error)),
    kindOf: (error) => {
      const { numbers } = driverFacts(error);
      if (numbers.some((number) => denied.has(number))) return "permission";
      return numbers.includes(noObject) ? "missing" : undefined;
    },
    open: async (openSignal) => {
      const { pool, driver } = await connection.open({ signal: openSignal, fail, waitMs });
      const limited: LimitedPool = pool;
      return {
        use: async (signal, work, { limitMs } = {}) => {
          const run: Run = async (use) => await cancellable(limited.request({ requestTimeout: limitMs }), signal, use);
          return await work(askBy(driver, run));
        },
        transact: async (signal, work, { waitMs: longestMs, limitMs } = {}) => {
          const options = { waitMs: longestMs ?? limitMs, limitMs };
          return await inTransaction(pool, signal, async (run) => await work(askBy(driver, run)), options);
        },
        lockConnection: async (signal) => {
          const { pool: lockPool } = await forLocks.open({ signal, fail, waitMs });
          return await openLockConnection(driver, lockPool, signal);
        },
        close: async () => {
          await forLocks.close();
          await connection.close();
        },
      };
    },
  };
}
