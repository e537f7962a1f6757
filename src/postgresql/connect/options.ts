import { OptionError } from "../../errors/option.ts";
import { hasFunctions, isName, type OptionCheck, optional } from "../../errors/options.ts";

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

const isCredential = optional(hasFunctions("a credential of @azure/identity", "getToken"));

/** For `checkOptions`, beside the checks of the owner's own options. */
export const connectionChecks: { readonly [Name in keyof PostgreSQLConnectionOptions]-?: OptionCheck } = {
  connectionString: optional(isName),
  // A message about a wrong value shows it, and text here is a secret: it goes on to `checkConnectionOptions`.
  tokenCredential: { ...isCredential, fits: (value) => typeof value === "string" || isCredential.fits(value) },
};

/** @throws {OptionError} for a token in place of what gets one */
export function checkConnectionOptions(owner: string, { tokenCredential }: PostgreSQLConnectionOptions): void {
  if (typeof tokenCredential !== "string") return;
  const hint = "give { getToken: async () => ({ token }) }";
  throw new OptionError(owner, "tokenCredential", "", {
    expected: "a credential of @azure/identity",
    got: "text",
    hint,
  });
}

/** The parts that a test replaces. */
export interface ConnectionSeams {
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
  /** How long a first login that fails in passing is tried again, in milliseconds. @default 30_000 */
  readonly retryForMs?: number | undefined;
}
