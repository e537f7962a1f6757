import { messageOf, withoutSecrets } from "../../errors/thrown.ts";
import { type DriverFacts, driverFacts } from "./transient-errors.ts";

/** What can be told about a server without a secret. */
export interface ConnectionPlace {
  /** As in `Server`: `host,1433` or `host\instance`. */
  readonly server: string;
  readonly database: string | undefined;
}

/** What the text of an error must not hold: the password, a client's secret. */
export type Secrets = readonly string[];

/** A sentence on why there is no connection: where to, what the server or the driver says, and what to do. */
export function connectionProblem(error: unknown, place: ConnectionPlace, secrets: Secrets): string {
  const { server, database } = place;
  const facts = driverFacts(error);
  const where = `SQL Server at ${server}${database === undefined ? "" : `, database ${JSON.stringify(database)}`}`;
  const number = facts.numbers[0];
  const code = number === undefined ? (facts.codes.at(-1) ?? "") : `error ${number}`;
  const said = [code, withoutValues(driverMessage(error), secrets)].filter((text) => text !== "").join(": ");
  const remedy = remedyFor(facts);
  return `can't connect to ${where} (${said})${remedy === undefined ? "" : `; ${remedy}`}`;
}

/** An AggregateError has no message of its own, only those of its errors. */
function driverMessage(error: unknown): string {
  const message = messageOf(error).trim();
  if (message !== "" || !(error instanceof Error)) return message;
  const inner: readonly unknown[] = [
    ...(error instanceof AggregateError ? error.errors : []),
    "originalError" in error ? error.originalError : error.cause,
  ];
  return (
    inner
      .filter((each) => each instanceof Error)
      .map(driverMessage)
      .find((text) => text !== "") ?? ""
  );
}

function withoutValues(message: string, secrets: Secrets): string {
  let text = message;
  for (const secret of secrets) if (secret !== "") text = text.replaceAll(secret, "***");
  return withoutSecrets(text).slice(0, 500);
}

const remedies: readonly (readonly [numbersOrCodes: readonly (number | string)[], remedy: string])[] = [
  [[18_456], "check User ID and Password; for Microsoft Entra ID, that the database has a user for the identity"],
  [[18_452], "the server takes no login from there; write User ID and Password of a SQL login"],
  [[18_470, 18_486, 18_487, 18_488], "the login is disabled, locked, or must change its password: have it set right"],
  [[4060, 916], "check Database, and that the login has a user in it"],
  [[40_532, 40_538], "check Server, and that Database is one of it"],
  [[40_615, 40_914, 47_073], "let this machine through the server's firewall (Networking, in the Azure portal)"],
  [[40_613, 40_197, 40_501, 49_918, 49_919, 49_920], "the service is busy or failing over: run again in a few minutes"],
  [["EFEDAUTH"], "Microsoft Entra ID gave no token: check the identity, or give the option tokenCredential"],
  [
    ["ERR_TLS_CERT_ALTNAME_INVALID"],
    "write HostNameInCertificate=<the name in the certificate>, or that name as Server",
  ],
  [["EENCRYPT"], "server and Encrypt don't agree: write Encrypt=yes, or Encrypt=no for a server without a certificate"],
  [["ENOTFOUND", "EAI_AGAIN"], "check Server: the name is not known here"],
  [["ECONNREFUSED"], "nothing listens there: check the port (Server=<host>,<port>), and that TCP/IP is enabled"],
  [["ECONNRESET"], "the server broke off: check the port, and Encrypt (some servers want strict)"],
  [["EINSTLOOKUP"], "the SQL Server Browser (UDP 1434) did not tell the instance's port: write Server=<host>,<port>"],
  [
    ["ETIMEOUT", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH"],
    "check Server and the firewalls on the way, or raise Connect Timeout",
  ],
];

const untrusted =
  "the server's certificate is not trusted: give its authority to Node (NODE_EXTRA_CA_CERTS=<file.pem>), " +
  "or, where the network is trusted, write TrustServerCertificate=yes (not with Encrypt=strict)";

function remedyFor({ numbers, codes, untrusted: isUntrusted }: DriverFacts): string | undefined {
  const facts = new Set<number | string>([...numbers, ...codes]);
  const known = remedies.find(([names]) => names.some((name) => facts.has(name)));
  return known?.[1] ?? (isUntrusted ? untrusted : undefined);
}
