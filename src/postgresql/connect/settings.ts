import { userInfo } from "node:os";
import type { ConnectionOptions as TLSOptions } from "node:tls";
import type { ClientConfig } from "pg";
import type { Invalid } from "../../table/connection-url.ts";
import { isOnThisMachine, settingsOf } from "../../table/server-settings.ts";
import { tokensOf } from "../../table/token-credential.ts";
import { type Keyword, keywords } from "./connection-string.ts";
import type { PostgreSQLTokenCredential } from "./options.ts";

export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** The longest time for a login, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Takes an unencrypted connection where the server offers no other. */
  readonly mayBePlain: boolean;
  /** No message may hold these. */
  readonly secrets: readonly string[];
  /** For `new Client(…)`; reads the files of certificates. Holds the password. */
  readonly config: () => ClientConfig;
}

export const defaultPort = 5432;
const defaultTimeoutMs = 15_000;
const modes = ["disable", "allow", "prefer", "require", "no-verify", "verify-ca", "verify-full"] as const;
type Mode = (typeof modes)[number];
/** Of Microsoft Entra ID, for all of Azure's PostgreSQL. */
const tokenScope = "https://ossrdbms-aad.database.windows.net/.default";

/**
 * The driver's settings. Each is given, for the driver has other defaults, and reads the environment by itself.
 *
 * @param given of the connection string
 * @throws the error of `invalid` for a value that can't be honoured
 */
export function connectionSettings(
  given: ReadonlyMap<Keyword, string>,
  environment: Readonly<Record<string, string | undefined>>,
  tokenCredential: PostgreSQLTokenCredential | undefined,
  invalid: Invalid,
): ConnectionSettings {
  const { value, whole, file, wrong } = settingsOf(given, { environment, variables: keywords }, invalid);
  const host = (value("host") ?? "localhost").replace(/^\[(.*)\]$/, "$1");
  const port = whole("port", 65_535) ?? defaultPort;
  const user = value("user") ?? userInfo().username;
  const database = value("dbname") ?? user;
  const password = value("password");
  if (tokenCredential !== undefined && given.has("password")) {
    throw invalid("it has a password beside the option tokenCredential", { hint: "keep one of the two" });
  }
  const text = value("sslmode");
  const mode = modes.find((each) => each === text) ?? (isOnThisMachine(host) ? "disable" : "verify-full");
  if (text !== undefined && text !== mode) throw wrong("sslmode", modes.join(", "));
  if (mode === "disable" && tokenCredential !== undefined && !isOnThisMachine(host)) {
    throw invalid("a token goes through encrypted connections only", { where: "sslmode", hint: "write verify-full" });
  }
  const seconds = whole("connect_timeout", 2_000_000) ?? 0;
  const login = tokenCredential === undefined ? password : tokensOf(tokenCredential, tokenScope);
  return {
    host,
    port,
    database,
    user,
    connectTimeoutMs: seconds === 0 ? defaultTimeoutMs : seconds * 1000,
    mayBePlain: mode === "allow" || mode === "prefer",
    secrets: password === undefined ? [] : [password],
    config: () => ({
      host,
      port,
      user,
      database,
      ...(login !== undefined && { password: login }),
      application_name: value("application_name") ?? "llm-etl",
      ...(value("options") !== undefined && { options: value("options") }),
      ...(value("sslnegotiation") === "direct" && mode !== "disable" && { sslnegotiation: "direct" }),
      enableChannelBinding: ["prefer", "require"].includes(value("channel_binding") ?? ""),
      ssl: mode === "disable" ? false : tlsOptions(mode, file),
      keepAlive: true, // a server that is gone is noticed within half a minute
      keepAliveInitialDelayMillis: 10_000,
    }),
  };
}

/** As libpq means them: `require` encrypts, and trusts any server, but where a root certificate is given. */
function tlsOptions(mode: Exclude<Mode, "disable">, file: (name: Keyword) => Buffer | undefined): TLSOptions {
  const [ca, cert, key] = [file("sslrootcert"), file("sslcert"), file("sslkey")];
  const isVerified = mode.startsWith("verify") || (mode === "require" && ca !== undefined);
  return {
    rejectUnauthorized: isVerified,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
}
