import { setTimeout as sleep } from "node:timers/promises";
import type { Client, ClientConfig, CustomTypesConfig, Pool } from "pg";
import type { Requirements } from "../../contracts/requirements.ts";
import { messageOf, withoutSecrets } from "../../errors/error-text.ts";
import { type ErrorOptions, LLMEtlError } from "../../errors/llm-etl-error.ts";
import { OptionError, SettingError } from "../../errors/option.ts";
import { type Logins, OpenedOnce } from "../../table/opened-once.ts";
import { retryPassing } from "../../table/retry.ts";
import { requireCredential } from "../../table/token-credential.ts";
import { driverFacts, passingAtFirst, passingError, retryDelaysMs, stepToConnect } from "../error-meaning.ts";
import { parseConnectionString } from "./connection-string.ts";
import { type Driver, loadDriver } from "./driver.ts";
import type { ConnectionSeams, PostgreSQLConnectionOptions } from "./options.ts";
import { connectionSettings, type ConnectionSettings, defaultPort } from "./settings.ts";

/** Makes the error of the caller where connecting or a statement fails: a `SourceError` or a `SinkError`. */
export type Fail = (problem: string, options?: ErrorOptions) => Error;

export interface OpenConnection {
  readonly driver: Driver;
  /** Each value of a result is text as the server writes it, or null. */
  readonly pool: Pool;
}

export interface ConnectContext {
  readonly signal: AbortSignal;
  readonly fail: Fail;
  /** Connections of the pool at most. @default 4 */
  readonly mostConnections?: number | undefined;
}

export interface DriverSeams extends ConnectionSeams {
  readonly loadDriver?: ((owner: string) => Promise<Driver>) | undefined;
}

const variable = "DATABASE_URL";
/** The longest wait for the end of connections, in milliseconds. */
const longestEndMs = 2_000;
/** One of these says where the server is, where there is no connection string. */
const places = ["PGHOST", "PGDATABASE"] as const;

/**
 * The connection of a source, a sink or a journal to its server. Its settings are private: neither the connection string nor a password or token
 * is seen by inspecting it, in JSON, or in an error.
 */
export class PostgreSQLConnection {
  readonly #owner: string;
  readonly #options: PostgreSQLConnectionOptions;
  readonly #seams: DriverSeams;
  readonly #logins: Logins;
  readonly #opened: OpenedOnce<OpenConnection> = new OpenedOnce();
  #settings: ConnectionSettings | undefined;
  #isPlain = false;

  /**
   * @param logins those of the connections that share the settings
   * @throws {OptionError} for a connection string that can't be read or honoured, and options that exclude each other
   */
  constructor(
    owner: string,
    options: PostgreSQLConnectionOptions,
    seams: DriverSeams = {},
    logins: Logins = { haveWorked: false },
  ) {
    requireCredential(owner, options.tokenCredential, "give { getToken: async () => ({ token }) }");
    const { connectionString, tokenCredential } = options;
    this.#owner = owner;
    this.#options = { connectionString, tokenCredential };
    this.#seams = seams;
    this.#logins = logins;
    if (connectionString !== undefined) this.#resolve();
  }

  /** The driver, and the variable where neither an option nor another variable gives a connection. */
  get requirements(): Requirements {
    const isGiven = this.#options.connectionString !== undefined || places.some((name) => this.#variable(name) !== "");
    return { packages: ["pg"], environment: isGiven ? [] : [variable] };
  }

  /**
   * Server and database, the same for each spelling: without the default port and the host's letter case.
   *
   * @throws {SettingError} if neither an option nor the environment gives a connection; {@link OptionError} as above
   */
  get identity(): string {
    const { host, port, database } = this.#resolve();
    return `${host.toLowerCase()}${port === defaultPort ? "" : `:${port}`}/${database}`;
  }

  /** For messages. @throws as `identity` */
  get place(): { readonly server: string; readonly database: string } {
    const { host, port, database } = this.#resolve();
    return { server: `${host}:${port}`, database };
  }

  /**
   * A pool that is connected: the first call connects, and tries again for half a minute where the login fails in passing.
   *
   * @throws what `fail` makes; a {@link SettingError} or an OptionError for a setting; the signal's reason
   */
  readonly open = async (context: ConnectContext): Promise<OpenConnection> => {
    context.signal.throwIfAborted();
    return await this.#opened.get(async () => await this.#open(context));
  };

  /**
   * A connection of its own, outside of the pool, for what lasts as long as it does: an advisory lock. The one who asks for it ends it
   * (`client.end()`), and listens to its `error`: it breaks when the server restarts. One attempt: `passingError` tells what may go later.
   *
   * @throws what the driver threw
   */
  readonly session = async (signal: AbortSignal): Promise<Client> => {
    signal.throwIfAborted();
    const driver = await this.#driver();
    const client = new driver.Client(this.#config());
    const stop = (): void => void client.end();
    signal.addEventListener("abort", stop, { once: true });
    client.on("error", reportedLater);
    try {
      await client.connect();
      await setUp(client, this.#resolve().connectTimeoutMs);
      signal.throwIfAborted();
      return client;
    } catch (error) {
      await client.end();
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  };

  /** Closes what `open` opened. The driver waits for the server's end of each connection: a network that is silent is left behind. */
  readonly close = async (): Promise<void> => {
    const ended = (await this.#opened.take())?.pool.end();
    await Promise.race([ended, sleep(longestEndMs, undefined, { ref: false })]);
  };

  /** Why there is no connection: to which server, in the words of the server or the driver, with the next step, and without a secret. */
  readonly problem = (error: unknown): { readonly problem: string; readonly options: ErrorOptions } => {
    const { server, database } = this.place;
    const { states, codes } = driverFacts(error);
    let text = messageOf(error);
    for (const secret of this.#resolve().secrets) text = text.replaceAll(secret, "***");
    const said = [states[0] ?? codes[0] ?? "", withoutSecrets(text).slice(0, 500)].filter((part) => part !== "");
    const where = `PostgreSQL at ${server}, database ${JSON.stringify(database)}`;
    const facts = { where: server, database, errorStates: states, errorCodes: codes, hint: stepToConnect(error) };
    return { problem: `can't connect to ${where} (${said.join(": ")})`, options: { cause: error, facts } };
  };

  #variable(name: string): string {
    const { environment = process.env } = this.#seams;
    return (environment[name] ?? "").trim();
  }

  #resolve(): ConnectionSettings {
    if (this.#settings !== undefined) return this.#settings;
    const { connectionString, tokenCredential } = this.#options;
    const { environment = process.env } = this.#seams;
    const text = connectionString ?? this.#variable(variable);
    if (text === "" && places.every((name) => this.#variable(name) === "")) {
      throw new SettingError(this.#owner, "connectionString", variable, "PGHOST and PGDATABASE");
    }
    const isFromVariable = connectionString === undefined && text !== "";
    const origin = isFromVariable ? ` (from the environment variable ${variable})` : "";
    const invalid = (problem: string, facts: object): Error =>
      new OptionError(this.#owner, "connectionString", `${problem}${origin}`, {
        ...(isFromVariable && { variable }),
        ...facts,
      });
    const given = text === "" ? new Map<never, string>() : parseConnectionString(text, invalid);
    this.#settings = connectionSettings(given, environment, tokenCredential, invalid);
    return this.#settings;
  }

  async #driver(): Promise<Driver> {
    const { loadDriver: load = loadDriver } = this.#seams;
    return await load(this.#owner);
  }

  #config(): ClientConfig {
    const { config, connectTimeoutMs } = this.#resolve();
    const own = config();
    return { ...own, ssl: this.#isPlain ? false : own.ssl, types: asText, connectionTimeoutMillis: connectTimeoutMs };
  }

  async #open({ signal, fail, mostConnections = 4 }: ConnectContext): Promise<OpenConnection> {
    this.#resolve();
    const driver = await this.#driver();
    try {
      const connect = async (): Promise<Client> => await this.session(signal);
      const first = await retryPassing(async () => await this.#orPlain(connect), {
        signal,
        patienceMs: this.#seams.retryForMs ?? 30_000,
        delaysMs: retryDelaysMs,
        passing: this.#logins.haveWorked ? passingError : passingAtFirst,
        sleep: this.#seams.sleep,
      });
      await first.end();
      this.#logins.haveWorked = true;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LLMEtlError) throw error;
      const { problem, options } = this.problem(error);
      throw fail(problem, options);
    }
    const pool = new driver.Pool({
      ...this.#config(),
      max: mostConnections,
      verify: (client, done) => void verify(client, this.#resolve().connectTimeoutMs, done),
    });
    pool.on("error", reportedLater);
    pool.on("connect", (client) => void client.on("error", reportedLater)); // while it is set up, the pool does not listen
    return { driver, pool };
  }

  /** With `sslmode=prefer`: encrypted where the server can, else not. */
  async #orPlain(connect: () => Promise<Client>): Promise<Client> {
    try {
      return await connect();
    } catch (error) {
      if (!this.#resolve().mayBePlain || this.#isPlain || !driverFacts(error).codes.includes("ENOTLS")) throw error;
      this.#isPlain = true;
      return await connect();
    }
  }
}

/** Without a listener a connection that breaks would end the process. Its next statement reports it. */
function reportedLater(): void {}

/** Values as the server writes them: the driver would round numbers and move dates. */
const asText: CustomTypesConfig = { getTypeParser: () => (value: string) => value };

async function verify(client: Client, limitMs: number, done: (error?: Error) => void): Promise<void> {
  const [outcome] = await Promise.allSettled([setUp(client, limitMs)]);
  if (outcome.status === "fulfilled") done();
  else done(outcome.reason instanceof Error ? outcome.reason : new Error(messageOf(outcome.reason)));
}

const forms = [
  "datestyle = 'ISO, YMD'",
  "intervalstyle = 'iso_8601'",
  "bytea_output = 'hex'",
  "extra_float_digits = 1",
];

/** The same for one transaction: behind a pooler each may have another session, which knows nothing of ours. */
export const setFormsOfTransaction: string = forms.map((form) => `SET LOCAL ${form}`).join("; ");

/** A machine that is gone keeps its locks for 50 seconds at most: servers have 2 hours of their own. */
const keepalive = "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";

/** The server writes each value in one form, and ends a statement whose client is gone. */
async function setUp(client: Client, limitMs: number): Promise<void> {
  const timer = setTimeout(() => void client.end(), limitMs);
  try {
    await client.query([...forms.map((form) => `SET ${form}`), keepalive].join("; "));
    // Servers before 14, and those on some systems, can't look for the client: they notice its end later.
    await Promise.allSettled([client.query("SET client_connection_check_interval = '2s'")]);
  } finally {
    clearTimeout(timer);
  }
}
