import type { ConnectionPool, config as DriverConfig } from "mssql";
import { messageOf } from "../../errors/error-text.ts";
import { JournalError } from "../../errors/journal.ts";
import type { ErrorOptions } from "../../errors/llm-etl-error.ts";
import type { JournalDatabase } from "../../journal-tables/database.ts";
import { CommitInDoubtError } from "../../table/dialect.ts";
import type { SQLServerConnection } from "../connect/connection.ts";
import {
  cancellable,
  depthQuery,
  inTransaction,
  type LimitedPool,
  nesting,
  nestingOf,
  type Run,
} from "../connect/transaction.ts";
import { driverFacts, knownError, passingError, stepToConnect } from "../error-meaning.ts";
import { quoteIdentifier } from "../identifiers.ts";
import { askBy } from "./ask.ts";
import { changesAtOnce, dialect, raised } from "./dialect.ts";
import { openLockConnection } from "./lock-connection.ts";
import { stateOf } from "./state.ts";

/** Of the server's errors: a column or an object is not there; the login may not. */
const missing: ReadonlySet<number> = new Set([207, 208]);
const denied: ReadonlySet<number> = new Set([229, 230, 297, 300]);
/** The database takes no writes, as for a while after a failover. */
const readOnly = 3906;

export interface Way {
  readonly connect: () => SQLServerConnection;
  /** All that is connected has one pool, which is the user's. */
  readonly isShared: boolean;
}

/** SQL Server as a journal uses it: by one pool for all that is asked and saved, and another for locks. */
export function journalDatabase(
  { connect, isShared }: Way,
  facts: Pick<JournalDatabase, "identity" | "schema" | "timeoutMs">,
): JournalDatabase {
  const { identity, timeoutMs: waitMs } = facts;
  const [connection, forLocks] = [connect(), connect()];
  const fail = (problem: string, options?: ErrorOptions): JournalError => new JournalError(identity, problem, options);
  const nested = (): JournalError => fail(nesting.problem, { facts: { ...nesting.facts, problem: "pool" } });
  return {
    ...facts,
    dialect: { ...dialect, state: async (ask, schema) => await stateOf(ask, schema, identity) },
    grants: `GRANT SELECT, INSERT, UPDATE, DELETE ON SCHEMA::${quoteIdentifier(facts.schema)} TO <user>`,
    problem: (error, isAway) => (isAway ? connection.problem(error) : failure(error)),
    passing: (error) => (driverFacts(error).numbers.includes(readOnly) ? {} : passingError(error)),
    kindOf: (error) => {
      const { numbers } = driverFacts(error);
      if (numbers.some((number) => denied.has(number))) return "permission";
      return numbers.some((number) => missing.has(number)) ? "missing" : undefined;
    },
    open: async (openSignal) => {
      const { pool, driver } = await connection.open({ signal: openSignal, fail, waitMs });
      if (isShared && mostOf(pool) === 1) {
        await connection.close();
        const hint = "give the pool at least two connections: the run's lock keeps one";
        throw fail("can't be used with a pool of one connection", { facts: { problem: "pool", hint } });
      }
      const limited: LimitedPool = pool;
      return {
        use: async (signal, work, { limitMs } = {}) => {
          const run: Run = async (use) => await cancellable(limited.request({ requestTimeout: limitMs }), signal, use);
          return await work(askBy(driver, run));
        },
        changeAtOnce: async (signal, statements, { limitMs } = {}) => {
          const values: unknown[] = [];
          const text = changesAtOnce(statements, values);
          const run: Run = async (use) => await cancellable(limited.request({ requestTimeout: limitMs }), signal, use);
          try {
            await askBy(driver, run)(text, values);
            return true;
          } catch (error) {
            const { numbers } = driverFacts(error);
            if (numbers.includes(raised.notAdmitted)) return false;
            if (numbers.includes(raised.nested)) throw nested();
            const isAnswered = numbers.length > 0 || passingError(error) === undefined;
            throw isAnswered ? error : new CommitInDoubtError(error);
          }
        },
        transact: async (signal, work, { waitMs: longestMs, limitMs } = {}) => {
          const options = { first: depthQuery, waitMs: longestMs ?? limitMs, limitMs };
          const saving = async (run: Run, begun: Parameters<typeof nestingOf>[0]): ReturnType<typeof work> => {
            if (nestingOf(begun) !== undefined) throw nested();
            return await work(askBy(driver, run));
          };
          return await inTransaction(pool, signal, saving, options);
        },
        lockConnection: async (signal) => {
          const { pool: lockPool } = await forLocks.open({ signal, fail, waitMs });
          return await openLockConnection(driver, lockPool, signal, nested);
        },
        close: async () => {
          await forLocks.close();
          await connection.close();
        },
      };
    },
  };
}

/** The server's own words may hold values: they are left to the `detail`. */
function failure(error: unknown): { readonly problem: string; readonly options: ErrorOptions } {
  const found = driverFacts(error);
  const { numbers, codes } = found;
  const [number] = numbers;
  const hint = knownError(number ?? "").ofTable ?? stepToConnect(found);
  const facts = { errorNumbers: numbers, errorCodes: codes, hint };
  const problem = number === undefined ? messageOf(error) : `error ${number}`;
  return { problem, options: { cause: error, detail: `${problem}: ${messageOf(error)}`, facts } };
}

/** The most connections that a pool makes: a setting that the driver's types don't have. */
function mostOf(pool: ConnectionPool): number | undefined {
  return (pool as { readonly config?: DriverConfig }).config?.pool?.max; // the driver's pools have it
}
