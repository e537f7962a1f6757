import { errorsIn, type KnownError, KnownErrors, waitedFor } from "../table/known-errors.ts";
import type { PassingError } from "../table/retry.ts";

const passing = {};
const isBusy = "the service is busy or failing over: run again in a few minutes";
const toAnswer = "check Server and the firewalls on the way, or raise Connect Timeout";
const outOfRange = "a number is out of its column's range";
const notConverted = "a value can't be converted to its column's type";
const dateOutOfRange = "a date is out of its column's range";
export const ofTrigger = "a trigger rejected it";

/** Passing ones are those that Microsoft's drivers retry. */
const known = new KnownErrors<number | string>([
  // Logins and connections
  [
    [18_456],
    {
      passing,
      toConnect: "check User ID and Password; for Microsoft Entra ID, that the database has a user for the identity",
    },
  ],
  [[18_452], { toConnect: "the server takes no login from there; write User ID and Password of a SQL login" }],
  [
    [18_470, 18_486, 18_487, 18_488],
    { toConnect: "the login is disabled, locked, or must change its password: have it set right" },
  ],
  [[4060, 4064], { passing, toConnect: "check Database, and that the login has a user in it" }],
  [
    // A database that starts, recovers or moves to another replica
    [904, 921, 922, 927, 945, 952, 954, 981, 983, 988],
    { passing, toConnect: "the database is starting or failing over: run again in a few minutes" },
  ],
  [
    [976, 978],
    { passing, isContentFree: true, toConnect: "name the primary replica, or wait until it has failed over" },
  ],
  [
    [979, 982],
    {
      passing,
      isContentFree: true,
      toConnect: "no replica takes reads: leave ApplicationIntent=ReadOnly out, or wait until one is online",
    },
  ],
  [
    // A server that shuts down, starts or is upgraded
    [6005, 17_142, 17_188, 17_197, 17_813, 18_401, 18_451, 18_461],
    { passing, toConnect: "the server is shutting down, starting or paused: run again in a few minutes" },
  ],
  [[916], { isContentFree: true, toConnect: "check Database, and that the login has a user in it" }],
  [[40_532, 40_538], { toConnect: "check Server, and that Database is one of it" }],
  [
    [40_615, 40_914, 47_073],
    { toConnect: "let this machine through the server's firewall (Networking, in the Azure portal)" },
  ],
  [[40_613, 40_197, 40_642, 40_671, 49_918, 49_919, 49_920], { passing, toConnect: isBusy }],
  [[40_501], { passing: { leastWaitMs: 10_000 }, toConnect: isBusy }],
  [[4221, 40_143, 40_540, 42_108, 42_109, 10_928, 10_929, 10_936], { passing }], // failover, waking up, limits on resources
  [[20, 64, 121, 233, 997, 10_053, 10_054, 10_060], { passing }], // of Windows: the connection
  [[596], { passing }], // the session was killed, as a failover does it
  [
    ["ELOGIN"],
    { passing, toConnect: "the server denied the login: check User ID, Password and Database" }, // its number is not known
  ],
  [
    ["EFEDAUTH"],
    { toConnect: "Microsoft Entra ID gave no token: check the identity, or give the option tokenCredential" },
  ],
  [
    ["ERR_TLS_CERT_ALTNAME_INVALID"],
    { toConnect: "write HostNameInCertificate=<the name in the certificate>, or that name as Server" },
  ],
  [
    ["EENCRYPT"],
    {
      toConnect: "server and Encrypt don't agree: write Encrypt=yes, or Encrypt=no for a server without a certificate",
    },
  ],
  [["ENOTFOUND", "EAI_AGAIN"], { passing, toConnect: "check Server: the name is not known here" }],
  [
    ["ECONNREFUSED"],
    { passing, toConnect: "nothing listens there: check the port (Server=<host>,<port>), and that TCP/IP is enabled" },
  ],
  [
    ["ECONNRESET"],
    { passing, toConnect: "the server broke off: check the port, and Encrypt (some servers want strict)" },
  ],
  [
    ["EINSTLOOKUP"],
    { toConnect: "the SQL Server Browser (UDP 1434) did not give the instance's port: write Server=<host>,<port>" },
  ],
  [["ETIMEOUT", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"], { passing, toConnect: toAnswer }],
  [["ECLOSE", "ECONNCLOSED", "EINVALIDSTATE", "ENOTOPEN", "EPIPE", "ESOCKET"], { passing }],

  // Locks, memory, space
  [[1204, 1205, 1222, 3960], { passing, isContentFree: true }],
  [[41_301, 41_302, 41_305, 41_325, 41_839], { passing }], // conflicts of memory-optimized tables
  [[3961, 601, 701, 802, 8645, 8651], { isContentFree: true }],
  [[1105], { isContentFree: true, ofTable: "the database is full" }],
  [[9002], { isContentFree: true, ofTable: "the log of the database is full" }],

  // Objects and permissions
  [[102], { ofTable: `the server does not know the statement; where it has no MERGE, use strategy "update_insert"` }],
  [[207], { isContentFree: true, ofTable: "a column is gone: the table was changed during the run" }],
  [[208], { isContentFree: true, ofTable: "the table is gone: it was changed during the run" }],
  [[213], { ofTable: "the table was changed during the run" }],
  [[229], { isContentFree: true, ofTable: "the login lacks a permission on it; a trigger may need one, too" }],
  [[230], { isContentFree: true, ofTable: "the login lacks a permission on one of its columns" }],
  [[262, 297, 300, 4121, 15_562], { isContentFree: true }],
  [[1934], { ofTable: "it wants other SET options than those that indexed views need" }],
  [[3906], { ofTable: "the database is read-only" }],

  // Values
  [[2628, 8152], { ofRow: "text or bytes are too long for their column" }],
  [[515], { ofRow: "NULL for a column that is NOT NULL" }],
  [[547], { ofRow: "a CHECK or FOREIGN KEY constraint does not hold" }],
  [[2601, 2627], { ofRow: "a row with the same unique key is there already" }],
  [[220, 232], { ofQuery: "a number is too large for its type", ofRow: outOfRange }],
  [[244], { ofRow: outOfRange }],
  [[248], { ofQuery: "a text is a number too large for its type", ofRow: outOfRange }],
  [[8115], { isContentFree: true, ofRow: outOfRange }],
  [[235], { ofQuery: "a text is no amount of money", ofRow: notConverted }],
  [[241, 8114], { isContentFree: true, ofRow: notConverted }],
  [
    [245],
    {
      ofQuery: "a text can't be converted to the type of what it is compared with or put into",
      ofRow: notConverted,
    },
  ],
  [[293, 295], { ofRow: notConverted }],
  [[8169], { ofQuery: "a text is no uniqueidentifier", ofRow: notConverted }],
  [[242], { isContentFree: true, ofRow: dateOutOfRange }],
  [[296, 517], { ofRow: dateOutOfRange }],
  [[8134], { isContentFree: true, ofRow: "an expression of the table divides by zero" }],
  [[511, 1946], { ofRow: "the row, or its key in an index, is larger than SQL Server allows" }],
  [[512, 6522], { ofRow: "an expression or a trigger of the table failed on it" }],
  [[8672], { ofRow: "it is one of two for the same row of the table" }],
  [[13_608, 13_609], { ofRow: "its JSON can't be read" }],
  [[33_504], { ofRow: "a security policy blocks it" }],
  [[3609, 3616], { ofRow: ofTrigger }],

  // Results
  [[11_535], { ofQuery: "it gives several result sets; expected one query" }],
  [[11_536], { ofQuery: "it gives no result set; expected one query" }],
  [[11_537], { ofQuery: "its columns are not those that were described; was a table changed meanwhile? Run again" }],
  [
    [11_538],
    { ofQuery: "the types of its columns are not those that were described; was a table changed meanwhile? Run again" },
  ],
]);

export function knownError(name: number | string): KnownError {
  const found = known.get(name);
  if (found !== undefined || typeof name === "string") return found ?? {};
  if (name >= 50_000) return { ofRow: "the database raised an error of its own" }; // of RAISERROR and THROW, and of servers that are kin
  const isOfXML = (name >= 9400 && name < 9500) || (name >= 6900 && name < 7000);
  return isOfXML ? { ofRow: "its XML can't be read" } : {};
}

/** The driver says so of each login that the server answered with an error. */
export function isOfLogin({ codes }: Pick<DriverFacts, "codes">): boolean {
  return codes.includes("ELOGIN") || codes.includes("EFEDAUTH");
}

/** The first step of the list that one of these numbers or codes asks for. */
export function stepToConnect({ numbers, codes }: DriverFacts): string | undefined {
  return known.stepToConnect([...numbers, ...codes]);
}

/**
 * True for an error that a trigger or a procedure raised, by RAISERROR or THROW. Numbers from 50,000 on are free for all to use, and kin of SQL
 * Server use them for errors of their own: it is the name of the procedure that tells.
 */
export function isRaised(error: unknown, number: number): boolean {
  if (number < 50_000) return false;
  for (const each of errorsIn(error)) {
    const name = "number" in each && each.number === number && "procName" in each ? each.procName : undefined;
    if (typeof name === "string" && name !== "" && !/^sp_(?:executesql|execute)$/i.test(name)) return true;
  }
  return false;
}

/** The numbers and codes of an error of the driver's and of those that it was made from. The outermost comes first. */
export interface DriverFacts {
  /** Of the server's errors: 1205 is a deadlock. */
  readonly numbers: readonly number[];
  /** Of the driver and of Node: `ESOCKET`, `ECONNREFUSED`. */
  readonly codes: readonly string[];
  /** The certificate of the server was not accepted. */
  readonly untrusted: boolean;
}

const certificateCode = /^(CERT_|DEPTH_ZERO_|ERR_TLS_|ERR_SSL_|EPROTO$|HOSTNAME_MISMATCH|SELF_SIGNED_|UNABLE_TO_)/;

/** The driver's message, which has no code, where the connection ends in the middle of an answer. */
const cutOff = /^unexpected end of (?:message stream|data)$/;

/** Likewise where no connection of the pool came free, or was made, within the pool's time. */
const noneFree = /^Failed to acquire a connection from the pool\b/;

export function driverFacts(error: unknown): DriverFacts {
  const numbers: number[] = [];
  const codes: string[] = [];
  for (const each of errorsIn(error)) {
    if ("number" in each && typeof each.number === "number") numbers.push(each.number);
    if ("code" in each && typeof each.code === "string") codes.push(each.code);
    if (each instanceof Error && cutOff.test(each.message)) codes.push("ECONNRESET");
    if (each instanceof Error && noneFree.test(each.message)) codes.push("ETIMEOUT");
  }
  return { numbers, codes, untrusted: codes.some((code) => certificateCode.test(code)) };
}

/** In milliseconds. */
export const retryDelaysMs = { shortest: 100, longest: 30_000 } as const;

/**
 * The waits that an error asks for if it passes, else undefined. The server's numbers count before the driver's codes. A login that is denied
 * passes: it has worked before. For the first one see {@link passingAtFirst}.
 */
export function passingError(error: unknown): PassingError | undefined {
  const { numbers, codes, untrusted } = driverFacts(error);
  const names = numbers.length > 0 ? numbers : untrusted ? [] : codes;
  const found = known.passing(names);
  return found === undefined ? undefined : { ...found, waitedMs: waitedFor(error) };
}

/**
 * Takes down on an error how long it had been waited for the server's answer to a connection. An error of the server's own, by number, is
 * such an answer.
 */
export function noteWait(error: unknown, waitedMs: number): void {
  if (error instanceof Error && driverFacts(error).numbers.length === 0) Object.assign(error, { waitedMs });
}

/**
 * The same before the first login of a run. A wrong password, database, host or port is then more likely than a passing trouble: it is reported
 * at once, or after two more attempts, for a login may be locked out.
 */
export function passingAtFirst(error: unknown): PassingError | undefined {
  const { numbers, codes } = driverFacts(error);
  const mayPass = numbers.length > 0 ? !numbers.includes(18_456) : codes.some((code) => atFirst.has(code));
  const found = mayPass ? passingError(error) : undefined;
  return found !== undefined && numbers.some((number) => wrongDatabase.has(number))
    ? { ...found, mostRetries: 2 }
    : found;
}

const atFirst: ReadonlySet<string> = new Set(["EAI_AGAIN", "ECONNRESET", "EPIPE"]);
const wrongDatabase: ReadonlySet<number> = new Set([4060, 4064]);
