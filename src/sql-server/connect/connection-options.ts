import { OptionError } from "../../errors/option.ts";
import { hasFunctions, isName, type OptionCheck, optional } from "../../errors/options.ts";

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

/** How source and sink come to their server: by one of `connectionString`, `pool` and the environment variable. */
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

/** What a test puts in the place of the real thing. It has no type of the driver's, whose types a user need not have. */
export interface ConnectionSeams {
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** @see retryTransient */
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/** For `checkOptions`, beside the checks of the source's or sink's own options. */
export const connectionChecks: { readonly [Name in keyof SQLServerConnectionOptions]-?: OptionCheck } = {
  connectionString: optional(isName),
  pool: textLater(hasFunctions("a ConnectionPool of mssql", "connect", "request", "transaction")),
  tokenCredential: textLater(hasFunctions("a credential of @azure/identity", "getToken")),
};

/**
 * Refuses options that exclude each other.
 *
 * @throws {OptionError} whose message has no value of them
 */
export function checkConnectionOptions(owner: string, options: SQLServerConnectionOptions): void {
  const { connectionString, pool, tokenCredential } = options;
  if (typeof pool === "string") {
    throw new OptionError(owner, "pool", "expected a ConnectionPool of mssql, got text; is it a connectionString?");
  }
  if (typeof tokenCredential === "string") {
    const remedy = "give { getToken: async () => ({ token, expiresOnTimestamp }) }";
    throw new OptionError(owner, "tokenCredential", `expected a credential of @azure/identity, got text; ${remedy}`);
  }
  if (pool === undefined) return;
  if (connectionString !== undefined) throw new OptionError(owner, "pool", "give it or connectionString, not both");
  if (tokenCredential !== undefined)
    throw new OptionError(owner, "tokenCredential", "the pool has its own; take it out");
}

/** A message about a wrong value shows it, and text here is a secret: it goes on to `checkConnectionOptions`. */
function textLater(check: OptionCheck): OptionCheck {
  return { ...optional(check), fits: (value) => typeof value === "string" || check.fits(value) };
}
