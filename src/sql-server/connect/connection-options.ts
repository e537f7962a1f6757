import { OptionError } from "../../errors/option.ts";
import { hasFunctions, isName, type OptionCheck, optional } from "../../errors/options.ts";
import { isCredential, requireCredential, textLater } from "../../table/token-credential.ts";

/** The slice of a credential of `@azure/identity` that is used. */
export interface EntraTokenCredential {
  readonly getToken: (
    scopes: string | string[],
    options?: object,
  ) => Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>;
}

/** The slice of a `ConnectionPool` of `mssql` by which the user's own is known. */
export interface SQLServerPool {
  readonly connected: boolean;
  readonly connect: () => Promise<unknown>;
  readonly request: () => object;
  readonly transaction: () => object;
}

/** The connection of a source or a sink: by one of `connectionString`, `pool` and the environment variable. */
export interface SQLServerConnectionOptions {
  /**
   * In the form of ODBC (`Driver={ODBC Driver 18 for SQL Server};Server=tcp:host,1433;Database=db;UID=u;PWD={p;w}`) or of
   * ADO.NET (`Data Source=host;Initial Catalog=db;Authentication=Active Directory Default`). Encryption is on unless it says
   * otherwise. @default the environment variable SQL_SERVER_CONN, read at first use
   */
  readonly connectionString?: string | undefined;
  /** A pool of your own, made with `mssql`. It is connected if it is not yet, and never closed: it stays yours. */
  readonly pool?: SQLServerPool | undefined;
  /** Logs in with Microsoft Entra ID: any credential of `@azure/identity`. The connection string then names no login. */
  readonly tokenCredential?: EntraTokenCredential | undefined;
}

/** The parts that a test replaces. It has no type of the driver's: a user may not have the driver's types. */
export interface ConnectionSeams {
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/** For `checkOptions`, beside the checks of the source's or sink's own options. */
export const connectionChecks: { readonly [Name in keyof SQLServerConnectionOptions]-?: OptionCheck } = {
  connectionString: optional(isName),
  pool: textLater(hasFunctions("a ConnectionPool of mssql", "connect", "request", "transaction")),
  tokenCredential: isCredential,
};

/**
 * Rejects options that exclude each other.
 *
 * @throws {OptionError} whose message has no value of them
 */
export function checkConnectionOptions(owner: string, options: SQLServerConnectionOptions): void {
  const { connectionString, pool, tokenCredential } = options;
  if (typeof pool === "string") {
    const hint = "is it a connectionString?";
    throw new OptionError(owner, "pool", "", { expected: "a ConnectionPool of mssql", got: "text", hint });
  }
  requireCredential(owner, tokenCredential, "give { getToken: async () => ({ token, expiresOnTimestamp }) }");
  if (pool === undefined) return;
  if (connectionString !== undefined)
    throw new OptionError(owner, "pool", "it is given beside connectionString", { hint: "keep one of the two" });
  if (tokenCredential !== undefined)
    throw new OptionError(owner, "tokenCredential", "the pool has its own", { hint: "take it out" });
}
