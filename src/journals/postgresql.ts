import type { Journal } from "../contracts/journal.ts";
import type { Requirements } from "../contracts/requirements.ts";
import { messageOf } from "../errors/error-text.ts";
import { JournalError } from "../errors/journal.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SettingError } from "../errors/option.ts";
import { checkOptions, isDuration, isName, type OptionCheck, optional } from "../errors/options.ts";
import { AnswerKeeping } from "../journal-answers/answer-keeping.ts";
import { answersChecks, type AnswersOptions } from "../journal-answers/options.ts";
import type { JournalDatabase } from "../journal-tables/database.ts";
import { journalIn } from "../journal-tables/journal.ts";
import { makeAtOnce } from "../postgresql/connect/at-once.ts";
import { inTransaction, withClient } from "../postgresql/connect/client.ts";
import { PostgreSQLConnection } from "../postgresql/connect/connection.ts";
import { connectionChecks, type PostgreSQLConnectionOptions } from "../postgresql/connect/options.ts";
import { driverFacts, isOfConnection, knownError, passingError, stepToConnect } from "../postgresql/error-meaning.ts";
import { dialect } from "../postgresql/journal/dialect.ts";
import { askOn, openLockConnection } from "../postgresql/journal/lock-connection.ts";
import { createStatements } from "../postgresql/journal/schema.ts";
import { names, quoteIdentifier } from "../postgresql/names.ts";

export interface PostgreSQLJournalOptions extends PostgreSQLConnectionOptions, AnswersOptions {
  /** The schema of its tables, which `llm-etl sql create-journal` makes. @default "llm_etl" */
  readonly schema?: string | undefined;
  /**
   * The longest time that the database may be away before the run stops, in milliseconds: no answer is lost, and calls go on meanwhile.
   * @default 60,000
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * A journal in a PostgreSQL database, for one run of a pipeline at a time, on any machine. Its answers hold content: who may read the schema
 * can read them, unless they are encrypted.
 *
 * @example
 * new Pipeline({ …, journal: new PostgreSQLJournal({ schema: "llm_etl" }) })
 */
export class PostgreSQLJournal implements Journal {
  readonly name = "PostgreSQL journal";
  readonly takesWorkers = true;
  /** The SQL that makes its tables, or brings them up to date. */
  readonly createStatements: () => string;
  readonly preflight: NonNullable<Journal["preflight"]>;
  readonly open: Journal["open"];
  readonly reader: Journal["reader"];
  readonly upkeep: NonNullable<Journal["upkeep"]>;
  readonly #connection: PostgreSQLConnection;
  readonly #schema: string;
  readonly #answers: AnswerKeeping;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: PostgreSQLJournalOptions = {}) {
    checkOptions("PostgreSQLJournal", options, {
      ...connectionChecks,
      schema: optional(isSchema),
      timeoutMs: optional(isDuration(0)),
      ...answersChecks,
    });
    this.#answers = new AnswerKeeping("PostgreSQLJournal", options);
    const { schema = "llm_etl", timeoutMs = 60_000, connectionString, tokenCredential } = options;
    const connect = (): PostgreSQLConnection =>
      new PostgreSQLConnection("PostgreSQLJournal", { connectionString, tokenCredential });
    this.#schema = schema;
    this.#connection = connect();
    this.createStatements = () => createStatements(schema);
    const parts = journalIn(() => journalDatabase(connect(), { identity: this.identity, schema, timeoutMs }));
    ({
      preflight: this.preflight,
      open: this.open,
      reader: this.reader,
      upkeep: this.upkeep,
    } = this.#answers.in({ ...parts, identity: () => this.identity }));
  }

  /** Server, database and schema; without the first two while no setting says them: to define a pipeline needs none. */
  get identity(): string {
    try {
      return `postgresql://${this.#connection.identity}/${this.#schema}`;
    } catch (error) {
      if (error instanceof SettingError) return `postgresql:///${this.#schema}`;
      throw error;
    }
  }

  get requirements(): Requirements {
    const { environment = [], ...requirements } = this.#connection.requirements;
    return { ...requirements, environment: [...environment, ...this.#answers.environment] };
  }
}

const isSchema: OptionCheck = {
  ...isName,
  expected: "a schema's name of at most 63 bytes",
  fits: (value) => isName.fits(value) && names.problemOf(String(value)) === undefined,
};

/** PostgreSQL as a journal uses it. */
function journalDatabase(
  connection: PostgreSQLConnection,
  facts: Pick<JournalDatabase, "identity" | "schema" | "timeoutMs">,
): JournalDatabase {
  const { identity } = facts;
  const fail = (problem: string, options?: ErrorOptions): JournalError => new JournalError(identity, problem, options);
  const name = quoteIdentifier(facts.schema);
  return {
    ...facts,
    dialect,
    grants: `GRANT USAGE ON SCHEMA ${name} TO <user>; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${name} TO <user>`,
    size: async (ask) => {
      const sizes =
        "SELECT sum(pg_total_relation_size(oid))::text AS bytes FROM pg_class WHERE relkind = 'r' AND relnamespace = $1::regnamespace";
      return Number((await ask(sizes, [name]))[0]?.["bytes"] ?? 0);
    },
    problem: (error, isAway) => (isAway ? connection.problem(error) : failure(error)),
    passing: (error) => {
      const isReadOnly = driverFacts(error).states.includes("25006");
      return isReadOnly || isOfConnection(error) ? {} : passingError(error);
    },
    kindOf: (error) => {
      const { states } = driverFacts(error);
      if (states.includes("42501")) return "permission";
      return ["42P01", "42703", "3F000"].some((state) => states.includes(state)) ? "missing" : undefined;
    },
    open: async (openSignal) => {
      const { pool, driver } = await connection.open({ signal: openSignal, fail });
      return {
        use: async (signal, work, limits) =>
          await withClient(pool, signal, async (client) => await work(askOn(client)), limits),
        changeAtOnce: async (signal, statements, limits) => {
          const written = statements.map((write): [string, unknown[]] => {
            const values: unknown[] = [];
            return [write(values), values];
          });
          return await withClient(pool, signal, async (client) => await makeAtOnce(client, driver, written), limits);
        },
        transact: async (signal, work, limits) =>
          await inTransaction(pool, signal, async (client) => await work(askOn(client)), limits),
        lockConnection: async (signal) => await openLockConnection(connection, pool, signal, identity),
        close: connection.close,
      };
    },
  };
}

/** The server's own words may hold values: they are left to the `detail`. */
function failure(error: unknown): { readonly problem: string; readonly options: ErrorOptions } {
  const { states, codes } = driverFacts(error);
  const [state] = states;
  const facts = {
    errorStates: states,
    errorCodes: codes,
    hint: knownError(state ?? "").ofTable ?? stepToConnect(error),
  };
  const problem = state === undefined ? messageOf(error) : `SQLSTATE ${state}`;
  return { problem, options: { cause: error, detail: `${problem}: ${messageOf(error)}`, facts } };
}
