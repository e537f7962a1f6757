import { isName, type OptionCheck, optional } from "../../errors/options.ts";
import { isCredential } from "../../table/token-credential.ts";

/** The slice of a credential of `@azure/identity` that is used. */
export interface PostgreSQLTokenCredential {
  readonly getToken: (scopes: string) => Promise<{ readonly token: string } | null>;
}

/** The connection of a source, a sink or a journal. */
export interface PostgreSQLConnectionOptions {
  /**
   * `postgresql://user:password@host:5432/database?sslmode=verify-full`. Parts that it leaves out come from PGHOST, PGPORT, PGDATABASE, PGUSER,
   * PGPASSWORD, PGSSLMODE and PGSSLROOTCERT. Without an `sslmode` a server on another machine has to show a certificate that holds.
   *
   * @default the environment variable DATABASE_URL, or those variables alone; read at first use
   */
  readonly connectionString?: string | undefined;
  /** Logs in with Microsoft Entra ID: any credential of `@azure/identity`. The connection string then has no password. */
  readonly tokenCredential?: PostgreSQLTokenCredential | undefined;
}

/** For `checkOptions`, beside the checks of the owner's own options. */
export const connectionChecks: { readonly [Name in keyof PostgreSQLConnectionOptions]-?: OptionCheck } = {
  connectionString: optional(isName),
  tokenCredential: isCredential,
};

/** The parts that a test replaces. */
export interface ConnectionSeams {
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
  /** How long a first login that fails in passing is tried again, in milliseconds. @default 30_000 */
  readonly retryForMs?: number | undefined;
}
