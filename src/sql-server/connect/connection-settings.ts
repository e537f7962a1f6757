import type { config as DriverConfig } from "mssql";
import { authenticationFor } from "./authentication.ts";
import { longestTimerMs } from "../../errors/options.ts";
import type { EntraTokenCredential } from "./connection-options.ts";
import { type Invalid, parseConnectionString } from "./connection-string.ts";
import { type ConnectionValues, connectionValues } from "./connection-values.ts";
import { parseServerAddress } from "./server-address.ts";

export interface ConnectionSettings {
  /** For `new ConnectionPool(…)`. Holds the password. */
  readonly config: DriverConfig;
  /** The longest time to try a login again that fails for a passing reason, in milliseconds. */
  readonly retryForMs: number;
}

/** All in milliseconds. */
const defaults = {
  connectTimeout: 15_000,
  requestTimeout: 120_000, // the driver's 15 seconds are too few for the first page of a large table
  retryFor: 30_000,
} as const;

/**
 * The driver's settings for a connection string of either form. Each key is mapped here, for the driver's own parser takes
 * `Encrypt=Strict` and `Optional` for true and Entra ID for SQL logins, and drops what it does not know. Encryption is on
 * unless the text turns it off.
 *
 * @throws the error of `invalid` for what can't be read or honoured; no message holds a value
 */
export function connectionSettings(
  text: string,
  tokenCredential: EntraTokenCredential | undefined,
  invalid: Invalid,
): ConnectionSettings {
  const values = connectionValues(parseConnectionString(text, invalid).pairs, invalid);
  const server = values.text("server");
  if (server === undefined) throw invalid("it names no server", { hint: "write Server=<host>,<port>" });
  const { host, port, instanceName } = parseServerAddress(server, (...about) => values.invalid("server", ...about));
  const encrypt = values.oneOf("encrypt", encryptions) ?? true;
  const connectTimeout = values.seconds("connectTimeout", 1) ?? defaults.connectTimeout;
  const config: DriverConfig = {
    server: host,
    ...ifGiven("port", port),
    ...ifGiven("database", values.text("database")),
    authentication: authenticationFor(values, { tokenCredential, encrypted: encrypt !== false, invalid }),
    options: {
      encrypt,
      // Strict encryption checks the certificate whatever this says, here as in Microsoft's drivers.
      trustServerCertificate: (values.boolean("trustServerCertificate") ?? false) && encrypt !== "strict",
      appName: values.text("applicationName") ?? "llm-etl",
      readOnlyIntent: values.oneOf("applicationIntent", intents) ?? false,
      multiSubnetFailover: values.boolean("multiSubnetFailover") ?? false,
      connectTimeout,
      requestTimeout: values.seconds("commandTimeout", 0) ?? defaults.requestTimeout, // 0 is no limit, here as there
      maxRetriesOnTransientErrors: 0, // there is one retry loop, which knows more numbers (error-meaning.ts)
      useUTC: true,
      ...ifGiven("instanceName", instanceName),
      ...ifGiven("serverName", values.text("hostNameInCertificate")),
      ...ifGiven("workstationId", values.text("workstationId")),
      ...ifGiven("packetSize", values.count("packetSize", 512, 32_767)),
      ...ifGiven("language", language(values)),
    },
    pool: poolSizes(values, connectTimeout),
    validateConnection: "socket", // looks at the socket; the driver's default sends a SELECT before each statement
  };
  return { config, retryForMs: retryTime(values) };
}

const encryptions: Readonly<Record<string, boolean | "strict">> = {
  yes: true,
  no: false,
  strict: "strict",
  mandatory: true,
  optional: false,
  true: true,
  false: false,
};

const intents: Readonly<Record<string, boolean>> = { ReadOnly: true, ReadWrite: false };

/** The driver writes the name into a SET statement as it is, so it must be one word. */
function language(values: ConnectionValues): string | undefined {
  const name = values.text("language");
  if (name === undefined || /^\p{L}+$/u.test(name)) return name;
  throw values.invalid("language", "", { expected: "a language's name of one word, as in sys.syslanguages" });
}

function poolSizes(values: ConnectionValues, connectTimeout: number): NonNullable<DriverConfig["pool"]> {
  const max = values.count("maxPoolSize", 1, 32_767) ?? 10;
  const min = values.count("minPoolSize", 0, 32_767) ?? 0;
  if (min > max) {
    throw values.invalid("minPoolSize", "", { expected: "no more than Max Pool Size (10 by default)" });
  }
  // The pool's own limit must not cut a login short that is still within Connect Timeout.
  const longestWaitMs = Math.min(longestTimerMs, connectTimeout + 15_000);
  return { min, max, acquireTimeoutMillis: longestWaitMs, createTimeoutMillis: longestWaitMs };
}

function retryTime(values: ConnectionValues): number {
  const count = values.count("connectRetryCount", 0, 255);
  const interval = values.seconds("connectRetryInterval", 1);
  if (count === undefined && interval === undefined) return defaults.retryFor;
  return (count ?? 1) * (interval ?? 10_000); // the defaults of SqlClient for the one that is not given
}

function ifGiven<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [Key in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]: Value }); // a computed key is typed as text
}
