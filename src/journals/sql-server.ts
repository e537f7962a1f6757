import type { Journal } from "../contracts/journal.ts";
import type { Requirements } from "../contracts/requirements.ts";
import { SettingError } from "../errors/option.ts";
import { checkOptions, isDuration, optional } from "../errors/options.ts";
import { AnswerKeeping } from "../journal-answers/answer-keeping.ts";
import { answersChecks, type AnswersOptions } from "../journal-answers/options.ts";
import { journalIn } from "../journal-tables/journal.ts";
import { connectionChecks, type SQLServerConnectionOptions } from "../sql-server/connect/connection-options.ts";
import { SQLServerConnection } from "../sql-server/connect/connection.ts";
import { isIdentifier } from "../sql-server/identifiers.ts";
import { journalDatabase } from "../sql-server/journal/database.ts";
import { createStatements } from "../sql-server/journal/schema.ts";

export interface SQLServerJournalOptions extends SQLServerConnectionOptions, AnswersOptions {
  /** The schema of its tables, which `llm-etl sql create-journal` makes. @default "llm_etl" */
  readonly schema?: string | undefined;
  /**
   * The longest time that the database may be away before the run stops, in milliseconds: no answer is lost, and calls go on meanwhile.
   * @default 60,000
   */
  readonly timeoutMs?: number | undefined;
}

/**
 * A journal in a database of SQL Server 2016 SP1 or newer, or Azure SQL, for one run of a pipeline at a time, on any machine. Its answers hold
 * content: who may read the schema can read them, unless they are encrypted.
 *
 * @example
 * new Pipeline({ …, journal: new SQLServerJournal({ schema: "llm_etl" }) })
 */
export class SQLServerJournal implements Journal {
  readonly name = "SQL Server journal";
  readonly takesWorkers = true;
  /** The T-SQL that makes its tables, or brings them up to date. */
  readonly createStatements: () => string;
  readonly preflight: NonNullable<Journal["preflight"]>;
  readonly open: Journal["open"];
  readonly reader: Journal["reader"];
  readonly upkeep: NonNullable<Journal["upkeep"]>;
  readonly #connection: SQLServerConnection;
  readonly #schema: string;
  readonly #answers: AnswerKeeping;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: SQLServerJournalOptions = {}) {
    checkOptions<SQLServerJournalOptions>(owner, options, {
      ...connectionChecks,
      schema: optional(isIdentifier),
      timeoutMs: optional(isDuration(0)),
      ...answersChecks,
    });
    this.#answers = new AnswerKeeping(owner, options);
    const { schema = "llm_etl", timeoutMs = 60_000, connectionString, pool, tokenCredential } = options;
    const logins = { haveWorked: false };
    const connect = (): SQLServerConnection =>
      new SQLServerConnection(owner, { connectionString, pool, tokenCredential }, {}, logins);
    this.#schema = schema;
    this.#connection = connect();
    this.createStatements = () => createStatements(schema);
    const parts = journalIn(() =>
      journalDatabase({ connect, isShared: pool !== undefined }, { identity: this.identity, schema, timeoutMs }),
    );
    const kept = this.#answers.in({ ...parts, identity: () => this.identity });
    ({ preflight: this.preflight, open: this.open, reader: this.reader, upkeep: this.upkeep } = kept);
  }

  /** Server, database and schema; without the first two while no setting says them: to define a pipeline needs none. */
  get identity(): string {
    try {
      return `sqlserver://${this.#connection.identity}/${this.#schema}`;
    } catch (error) {
      if (error instanceof SettingError) return `sqlserver:///${this.#schema}`;
      throw error;
    }
  }

  get requirements(): Requirements {
    const { environment = [], ...requirements } = this.#connection.requirements;
    return { ...requirements, environment: [...environment, ...this.#answers.environment] };
  }
}

const owner = "SQLServerJournal";
