import type { Connection, ConnectionPool, config as DriverConfig } from "mssql";
import type { Requirements } from "../../contracts/requirements.ts";
import { type ErrorOptions, LLMEtlError } from "../../errors/llm-etl-error.ts";
import { OptionError, SettingError } from "../../errors/option.ts";
import { guardedPool } from "./closed-connection.ts";
import { connectionProblem, type ConnectionPlace } from "./connection-errors.ts";
import { checkConnectionOptions, type ConnectionSeams, type SQLServerConnectionOptions } from "./connection-options.ts";
import { connectionSettings, type ConnectionSettings } from "./connection-settings.ts";
import { type Driver, loadDriver, poolConfig, secretsOf } from "./driver.ts";
import { defaultPort } from "./server-address.ts";
import { passingAtFirst, passingError, retryDelaysMs } from "../error-meaning.ts";
import { type Logins, OpenedOnce } from "../../table/opened-once.ts";
import { retryPassing } from "../../table/retry.ts";

/** Makes the error of the caller where connecting or a statement fails: a `SourceError` or a `SinkError`. */
export type Fail = (problem: string, options?: ErrorOptions) => Error;

export interface OpenConnection {
  readonly driver: Driver;
  readonly pool: ConnectionPool;
}

export interface ConnectContext {
  readonly signal: AbortSignal;
  /** The longest wait for a connection of the pool later on, in milliseconds. @default that of the pool */
  readonly waitMs?: number | undefined;
  readonly fail: Fail;
}

interface DriverSeams extends ConnectionSeams {
  readonly loadDriver?: ((owner: string) => Promise<Driver>) | undefined;
}

const variable = "SQL_SERVER_CONN";

/**
 * The connection of a source or a sink to its server. Its settings are private: neither the connection string nor a password or
 * token is seen by inspecting it, in JSON, or in an error.
 */
export class SQLServerConnection {
  readonly #owner: string;
  readonly #options: SQLServerConnectionOptions;
  readonly #seams: DriverSeams;
  readonly #logins: Logins;
  #settings: ConnectionSettings | undefined;
  readonly #opened: OpenedOnce<OpenConnection> = new OpenedOnce();
  #detach: (() => Promise<void>) | undefined;

  /**
   * @param logins those of the connections that share the settings
   * @throws {OptionError} for a connection string that can't be read or honoured, and options that exclude each other
   */
  constructor(
    owner: string,
    options: SQLServerConnectionOptions,
    seams: DriverSeams = {},
    logins: Logins = { haveWorked: false },
  ) {
    checkConnectionOptions(owner, options);
    const { connectionString, pool, tokenCredential } = options;
    this.#owner = owner;
    this.#options = { connectionString, pool, tokenCredential };
    this.#seams = seams;
    this.#logins = logins;
    if (connectionString !== undefined) this.#resolve();
  }

  /** The driver, and the variable where no option gives a connection. */
  get requirements(): Requirements {
    const { connectionString, pool } = this.#options;
    return { packages: ["mssql"], environment: connectionString === undefined && pool === undefined ? [variable] : [] };
  }

  /**
   * Server and database, the same for each spelling: without `tcp:`, the default port and letter case. The login's own database
   * is `(default)`.
   *
   * @throws {SettingError} if neither an option nor the environment gives a connection; {@link OptionError} as above
   */
  get identity(): string {
    const { server, database = "(default)" } = this.place;
    const short = server.endsWith(`,${defaultPort}`) ? server.slice(0, server.lastIndexOf(",")) : server;
    return `${short}/${database}`.toLowerCase();
  }

  /** For messages. @throws as `identity` */
  get place(): ConnectionPlace {
    return placeOf(this.#options.pool === undefined ? this.#resolve().config : configOf(this.#options.pool));
  }

  /**
   * A pool that is connected: the first call connects, and tries again for half a minute where the login fails in passing.
   *
   * @throws what `fail` makes; a {@link SettingError} or an OptionError for a setting; the signal's reason
   */
  readonly open = async (context: ConnectContext): Promise<OpenConnection> => {
    context.signal.throwIfAborted();
    return await this.#opened.get(async () => await this.#connect(context));
  };

  /** Closes what `open` opened: not a pool of the user's. */
  readonly close = async (): Promise<void> => {
    await this.#opened.take(); // a pool that failed to open needs no closing
    const detach = this.#detach;
    this.#detach = undefined;
    await detach?.();
  };

  /** Why the server can't be reached, with the next step and without a secret. */
  readonly problem = (cause: unknown): { readonly problem: string; readonly options: ErrorOptions } => {
    const secrets = this.#settings === undefined ? [] : secretsOf(this.#settings.config);
    const { problem, facts } = connectionProblem(cause, this.place, secrets);
    return { problem, options: { cause, facts } };
  };

  #resolve(): ConnectionSettings {
    if (this.#settings !== undefined) return this.#settings;
    const { connectionString, tokenCredential } = this.#options;
    const { environment = process.env } = this.#seams;
    const text = connectionString ?? environment[variable] ?? "";
    if (text.trim() === "") throw new SettingError(this.#owner, "connectionString", variable);
    const origin = connectionString === undefined ? ` (from the environment variable ${variable})` : "";
    const source = connectionString === undefined ? { variable } : {};
    this.#settings = connectionSettings(
      text,
      tokenCredential,
      (problem, facts) =>
        new OptionError(this.#owner, "connectionString", `${problem}${origin}`, { ...source, ...facts }),
    );
    return this.#settings;
  }

  async #connect({ signal, fail, waitMs }: ConnectContext): Promise<OpenConnection> {
    const { pool: given } = this.#options;
    const settings = given === undefined ? this.#resolve() : undefined;
    const { loadDriver: load = loadDriver } = this.#seams;
    const driver = await load(this.#owner);
    try {
      if (settings === undefined) return { driver, pool: await this.#join(given as ConnectionPool) }; // checked to be one
      return { driver, pool: await this.#openOwn(driver, settings, signal, waitMs) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LLMEtlError) throw error;
      const { problem, options } = this.problem(error);
      throw fail(problem, options);
    }
  }

  /** The user's pool. Others may use it too, so all that is taken away again is our listener. */
  async #join(pool: ConnectionPool): Promise<ConnectionPool> {
    pool.on("error", reportedLater);
    try {
      if (!pool.connected) await pool.connect();
    } catch (error) {
      pool.off("error", reportedLater);
      throw error;
    }
    this.#detach = async () => {
      pool.off("error", reportedLater);
    };
    return guardedPool(pool);
  }

  async #openOwn(
    driver: Driver,
    { config, retryForMs }: ConnectionSettings,
    signal: AbortSignal,
    waitMs = Infinity,
  ): Promise<ConnectionPool> {
    let connecting: Connection | undefined;
    const pool = new driver.ConnectionPool(
      poolConfig(withinTime(config, waitMs), (connection) => {
        connecting = connection;
      }),
    );
    pool.on("error", reportedLater);
    const stop = (): void => connecting?.close(); // the driver takes no signal; a connection that is closed fails at once
    signal.addEventListener("abort", stop, { once: true });
    try {
      await retryPassing(
        async () => {
          signal.throwIfAborted();
          await pool.connect();
        },
        {
          signal,
          patienceMs: retryForMs,
          delaysMs: retryDelaysMs,
          passing: this.#logins.haveWorked ? passingError : passingAtFirst,
          sleep: this.#seams.sleep,
        },
      );
      this.#logins.haveWorked = true;
    } finally {
      signal.removeEventListener("abort", stop);
    }
    this.#detach = async () => {
      await pool.close();
    };
    return guardedPool(pool);
  }
}

/** Without a listener an idle connection that breaks would end the process. The next request reports it. */
function reportedLater(): void {}

/** Taking a connection from the pool may mean to log in: that is given five seconds, whatever the wait. */
function withinTime(config: DriverConfig, waitMs: number): DriverConfig {
  const most = Math.max(waitMs, 5_000);
  const { acquireTimeoutMillis = most, createTimeoutMillis = most } = config.pool ?? {};
  return {
    ...config,
    pool: {
      ...config.pool,
      acquireTimeoutMillis: Math.min(acquireTimeoutMillis, most),
      createTimeoutMillis: Math.min(createTimeoutMillis, most),
    },
  };
}

function configOf(pool: object): DriverConfig {
  // The driver's types don't have it, its pools do.
  return (pool as { readonly config?: DriverConfig }).config ?? { server: "a pool of your own" };
}

function placeOf({ server, port = defaultPort, database, options = {} }: DriverConfig): ConnectionPlace {
  const { instanceName } = options;
  return {
    server: instanceName === undefined ? `${server},${options.port ?? port}` : `${server}\\${instanceName}`,
    database: options.database ?? database,
  };
}
