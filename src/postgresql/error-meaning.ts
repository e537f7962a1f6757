import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { errorsIn, type KnownError, KnownErrors, waitedFor } from "../table/known-errors.ts";
import type { PassingError } from "../table/retry.ts";

const passing = {};
const toStart = "the server is starting, stopping or failing over: run again in a few minutes";
const toAnswer = "check the host and the firewalls on the way, or raise connect_timeout";
const toLogIn = "check user and password";
const toTrust =
  "the server's certificate is not trusted: name its authority (sslrootcert=<file.pem>), or, where the network is trusted, write sslmode=require";

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), or by the code of Node or of this folder. */
const known = new KnownErrors<string>([
  // Logins and connections
  [["28P01"], { toConnect: toLogIn }],
  [["28000"], { toConnect: "check user, database and the server's pg_hba.conf: it takes no such login from here" }],
  [["3D000"], { toConnect: "check the database's name" }],
  [["57P03"], { passing, toConnect: toStart }],
  [["57P01", "57P02", "57P04", "57P05", "25P03", "25P04"], { passing }],
  [["53300"], { passing, toConnect: "the server has no connection left: end idle ones, or raise max_connections" }],
  [["08P01"], { toConnect: "a pooler on the way rejected the connection: check its database, users and limits" }],
  [["08000", "08001", "08003", "08004", "08006", "08007"], { passing, toConnect: toStart }],
  [["ENOPASSWORD"], { toConnect: "the server wants a password: give one in the connection string, or in PGPASSWORD" }],
  [["ENOTOKEN"], { toConnect: "Microsoft Entra ID gave no token: check the identity" }],
  [["ENOTLS"], { toConnect: "the server has no TLS: where the network is trusted, write sslmode=disable" }],
  [["ERR_TLS_CERT_ALTNAME_INVALID"], { toConnect: "write the name in the certificate as host, or sslmode=verify-ca" }],
  [["EUNTRUSTED"], { toConnect: toTrust }],
  [["ENOTFOUND", "EAI_AGAIN"], { passing, toConnect: "check the host: the name is not known here" }],
  [["ECONNREFUSED"], { passing, toConnect: "nothing listens there: check host and port, and listen_addresses" }],
  [["ENOENT", "EACCES"], { toConnect: "no socket of a server is there: check host" }],
  [["ECONNRESET"], { passing, toConnect: "the server broke off: check the port, and sslmode" }],
  [["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"], { passing, toConnect: toAnswer }],
  [["EPIPE"], { passing }],

  // Locks, memory, space
  [["40001", "40P01", "55P03"], { passing }],
  [["53200"], { passing }],
  [["53100"], { ofTable: "the server's disk is full" }],
  [["57014"], { ofTable: "the statement was cancelled: raise statement_timeout, or write smaller batches" }],

  // Objects and permissions
  [
    ["25006"],
    {
      toConnect: "the server is a read-only replica, or default_transaction_read_only is on: name the primary",
      ofTable: "the database is read-only: name the primary server",
    },
  ],
  [["42501"], { toConnect: "the user lacks a permission: GRANT it", ofTable: "the user lacks a permission on it" }],
  [["42P01"], { ofTable: "the table is gone: it was changed during the run" }],
  [["42703"], { ofTable: "a column is gone: the table was changed during the run" }],
  [["3F000"], { toConnect: "no such schema: check its name" }],
]);

export function knownError(name: string): KnownError {
  return known.get(name) ?? {};
}

/** The SQLSTATEs and codes of an error and of those that it was made from. The outermost comes first. */
export interface DriverFacts {
  /** Of the server's errors: 40P01 is a deadlock. */
  readonly states: readonly string[];
  /** Of Node, and for messages of the driver that have no code: `ECONNREFUSED`. */
  readonly codes: readonly string[];
}

/** Messages of the driver without a code, and the codes that they would have. */
const ofDriver: readonly (readonly [message: RegExp, code: string])[] = [
  [/^Connection terminated|is not queryable$|^There was an error establishing an SSL connection$/, "ECONNRESET"],
  [/^timeout (?:exceeded|expired)|^Query read timeout$|due to connection timeout$/, "ETIMEDOUT"],
  [/^The server does not support SSL connections$/, "ENOTLS"],
  [/^SASL: .*password must be/, "ENOPASSWORD"],
];

const certificateCode = /^(CERT_|DEPTH_ZERO_|ERR_SSL_|EPROTO$|SELF_SIGNED_|UNABLE_TO_)/;

export function driverFacts(error: unknown): DriverFacts {
  const states: string[] = [];
  const codes: string[] = [];
  for (const each of errorsIn(error)) {
    const code = "code" in each && typeof each.code === "string" ? each.code : undefined;
    if (code !== undefined && "severity" in each) states.push(code);
    else if (code !== undefined) codes.push(code);
    if (code !== undefined && certificateCode.test(code)) codes.push("EUNTRUSTED");
    if (code !== undefined || !(each instanceof Error)) continue;
    for (const [message, meant] of ofDriver) if (message.test(each.message)) codes.push(meant);
  }
  return { states, codes };
}

/** True where the server itself answered with this error: the statement, or the login, was not carried out. */
export function isOfServer(error: unknown): boolean {
  return driverFacts(error).states.some((state) => !ofEndedSession.test(state));
}

/** True where the connection has ended, or is about to: the server announces it, and lets an earlier answer pass. */
export function isOfConnection(error: unknown): boolean {
  const { states, codes } = driverFacts(error);
  return states.length > 0 ? states.some((state) => ofEndedSession.test(state)) : codes.length > 0;
}

const ofEndedSession = /^(?:08|57P|25P0[34])/;

/** The next step of the one who can't connect. */
export function stepToConnect(error: unknown): string | undefined {
  const { states, codes } = driverFacts(error);
  for (const each of errorsIn(error)) {
    const isPlain = "message" in each && /pg_hba\.conf .*(?:no encryption|SSL off)$/.test(String(each.message));
    if (isPlain) return "the server takes encrypted connections only: write sslmode=verify-full, or sslmode=require";
  }
  return known.stepToConnect([...states, ...codes]);
}

/** All of it that the message of a query that failed is made of. */
export function queryError(error: unknown): DriverFacts & { readonly toConnect: string | undefined } {
  return { ...driverFacts(error), toConnect: stepToConnect(error) };
}

/** In milliseconds. */
export const retryDelaysMs = { shortest: 100, longest: 30_000 } as const;

/** The waits that an error asks for if it passes, else undefined. The server's states count before codes. */
export function passingError(error: unknown): PassingError | undefined {
  const { states, codes } = driverFacts(error);
  const found = known.passing(states.length > 0 || codes.includes("EUNTRUSTED") ? states : codes);
  return found === undefined ? undefined : { ...found, waitedMs: waitedFor(error) };
}

/** Takes down on an error how long an answer to a connection had been waited for. */
export function noteWait(error: unknown, waitedMs: number): void {
  if (error instanceof Error && driverFacts(error).states.length === 0) Object.assign(error, { waitedMs });
}

/** The same before the first login of a run: a wrong host or port is then more likely than a passing trouble. */
export function passingAtFirst(error: unknown): PassingError | undefined {
  const { states, codes } = driverFacts(error);
  return states.length > 0 || codes.some((code) => atFirst.has(code)) ? passingError(error) : undefined;
}

const atFirst: ReadonlySet<string> = new Set(["EAI_AGAIN", "ECONNRESET", "EPIPE"]);

/** As {@link passingError}; an error of our own has been judged already. */
export function passingOfDriver(error: unknown): PassingError | undefined {
  return error instanceof LLMEtlError ? undefined : passingError(error);
}
