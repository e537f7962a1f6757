import type { Journal, JournalReader, JournalSession, RunFacts } from "../contracts/journal.ts";
import type { Requirements } from "../contracts/requirements.ts";
import { JournalError } from "../errors/journal.ts";
import { SettingError } from "../errors/option.ts";
import { checkOptions, isDuration, isName, optional } from "../errors/options.ts";
import { AnswerKeeping } from "../journal-answers/answer-keeping.ts";
import { answersChecks, type AnswersOptions } from "../journal-answers/options.ts";
import { readerOf } from "../journal-tables/reader.ts";
import { sessionOf } from "../journal-tables/session.ts";
import { withClient } from "../postgresql/connect/client.ts";
import { PostgreSQLConnection } from "../postgresql/connect/connection.ts";
import { connectionChecks, type PostgreSQLConnectionOptions } from "../postgresql/connect/options.ts";
import { createStatements, requireSchema, versionIn } from "../postgresql/journal/schema.ts";
import { looksOf } from "../postgresql/journal/statements.ts";
import { asJournalError, type JournalPlace, openStore } from "../postgresql/journal/store.ts";

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
  readonly #connect: () => PostgreSQLConnection;
  readonly #connection: PostgreSQLConnection;
  readonly #schema: string;
  readonly #timeoutMs: number;
  readonly #answers: AnswerKeeping;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: PostgreSQLJournalOptions = {}) {
    checkOptions("PostgreSQLJournal", options, {
      ...connectionChecks,
      schema: optional(isName),
      timeoutMs: optional(isDuration(0)),
      ...answersChecks,
    });
    this.#answers = new AnswerKeeping("PostgreSQLJournal", options);
    const { schema = "llm_etl", timeoutMs = 60_000, connectionString, tokenCredential } = options;
    this.#schema = schema;
    this.#timeoutMs = timeoutMs;
    this.#connect = () => new PostgreSQLConnection("PostgreSQLJournal", { connectionString, tokenCredential });
    this.#connection = this.#connect();
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

  /** The SQL that makes its tables, or brings them up to date. */
  readonly createStatements = (): string => createStatements(this.#schema);

  readonly preflight = async (signal: AbortSignal): Promise<boolean> => {
    const place = this.#place();
    try {
      const { pool } = await place.connection.open({ signal, fail: failing(place) });
      await withClient(pool, signal, async (client) => await requireSchema(client, this.#schema, place.identity));
      await this.#answers.preflight(place.identity, this.#openReader);
      return true;
    } catch (error) {
      throw asJournalError(place, error);
    } finally {
      await place.connection.close();
    }
  };

  readonly open = async (run: RunFacts, signal: AbortSignal): Promise<JournalSession> => {
    const place = this.#place();
    return await this.#answers.session(place.identity, async () =>
      sessionOf(place.identity, await openStore(place, run, signal)),
    );
  };

  readonly reader = async (): Promise<JournalReader | undefined> =>
    await this.#answers.reader(this.identity, this.#openReader);

  readonly #openReader = async (): Promise<JournalReader | undefined> => {
    const place = this.#place();
    const { signal } = new AbortController();
    const close = async (): Promise<void> => await place.connection.close();
    try {
      const { pool } = await place.connection.open({ signal, fail: failing(place) });
      const version = await withClient(
        pool,
        signal,
        async (client) => await versionIn(client, this.#schema, place.identity),
      );
      const looks = looksOf(this.#schema, async (work) => {
        try {
          return await withClient(pool, signal, work);
        } catch (error) {
          throw asJournalError(place, error);
        }
      });
      if (version !== undefined) return readerOf(looks, close);
      await close();
      return undefined;
    } catch (error) {
      await close();
      throw asJournalError(place, error);
    }
  };

  /** Each session and each look has a connection of its own: they end at different times. */
  #place(): JournalPlace {
    return {
      connection: this.#connect(),
      schema: this.#schema,
      identity: this.identity,
      timeoutMs: this.#timeoutMs,
    };
  }
}

function failing({ identity }: JournalPlace) {
  return (problem: string, options = {}): JournalError => new JournalError(identity, problem, options);
}
