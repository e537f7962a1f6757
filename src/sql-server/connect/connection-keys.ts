import { closest } from "../../errors/closest.ts";

/** The keys whose values are mapped to a setting of the driver's, by `connection-settings.ts`. */
export type MappedKey =
  | "server"
  | "database"
  | "user"
  | "password"
  | "authentication"
  | "clientId"
  | "tenantId"
  | "encrypt"
  | "trustServerCertificate"
  | "hostNameInCertificate"
  | "applicationIntent"
  | "multiSubnetFailover"
  | "applicationName"
  | "workstationId"
  | "language"
  | "connectTimeout"
  | "commandTimeout"
  | "connectRetryCount"
  | "connectRetryInterval"
  | "packetSize"
  | "minPoolSize"
  | "maxPoolSize";

/** A key of a connection string is mapped to a setting, ignored, or rejected with the reason and what to write instead. */
export type KeyMeaning =
  | { readonly kind: "mapped"; readonly name: MappedKey }
  | { readonly kind: "ignored" }
  | {
      readonly kind: "rejected";
      readonly reason: string;
      readonly hint: string;
      /** The values that ask for nothing. */
      readonly harmless: readonly string[];
    };

/** Keys are compared without their case, spaces and underscores: `Trusted_Connection` is `trustedconnection`. */
export function foldKey(key: string): string {
  return key.toLowerCase().replaceAll(/[\s_]+/g, "");
}

export function isKnownKey(key: string): boolean {
  return meanings.has(foldKey(key));
}

/** Undefined for a key that neither ODBC nor ADO.NET has. */
export function meaningOf(key: string): KeyMeaning | undefined {
  return meanings.get(foldKey(key));
}

/** The known key that is nearest to a misspelt one. */
export function closestKey(key: string): string | undefined {
  return closest(key, spellings, 1)[0];
}

const mapped: Readonly<Record<MappedKey, readonly string[]>> = {
  server: ["Server", "Data Source", "Address", "Addr", "Network Address"],
  database: ["Database", "Initial Catalog"],
  user: ["User ID", "UID", "User"],
  password: ["Password", "PWD"],
  authentication: ["Authentication"],
  // Neither form has these two: the driver needs them where those of Microsoft's bring their own or ask the server.
  clientId: ["Client Id"],
  tenantId: ["Tenant Id"],
  encrypt: ["Encrypt"],
  trustServerCertificate: ["TrustServerCertificate"],
  hostNameInCertificate: ["HostNameInCertificate"],
  applicationIntent: ["ApplicationIntent"],
  multiSubnetFailover: ["MultiSubnetFailover"],
  applicationName: ["Application Name", "APP"],
  workstationId: ["Workstation ID", "WSID"],
  language: ["Language", "Current Language"],
  connectTimeout: ["Connect Timeout", "Connection Timeout", "Timeout", "LoginTimeout"],
  commandTimeout: ["Command Timeout"],
  connectRetryCount: ["ConnectRetryCount"],
  connectRetryInterval: ["ConnectRetryInterval"],
  packetSize: ["Packet Size"],
  minPoolSize: ["Min Pool Size"],
  maxPoolSize: ["Max Pool Size"],
};

/** Each of these changes nothing that a pipeline could notice, whatever its value. */
const ignored: readonly string[] = [
  "Driver", // of ODBC: the driver is tedious
  "Persist Security Info", // nothing here gives the connection string back
  "MultipleActiveResultSets", // statements that overlap get a connection each
  "MARS_Connection", // the same, in ODBC
  "Enlist", // .NET's ambient transactions: there are none here
  "Transaction Binding", // the same
  "Asynchronous Processing", // .NET before 4.5: all is asynchronous here
  "Async", // the same
  "TransparentNetworkIPResolution", // each address of a host is tried in any case
  "PoolBlockingPeriod", // whether .NET's pool remembers a failed login: ours doesn't
  "Type System Version", // the .NET types of values: ours are documented
  "Description", // of an ODBC data source
];

const no = ["no", "false"];
type Reasons = readonly [reason: string, hint: string];
const takeOut = "take it out";
const windowsAccounts: Reasons = [
  "the driver can't log in with a Windows account",
  "write User ID and Password of a SQL login, or for Microsoft Entra ID Authentication=Active Directory Default",
];
const noDataSourceName: Reasons = [
  "data source names of ODBC aren't looked up",
  "write Server=<host>,1433;Database=<name>;…",
];
const noAlwaysEncrypted: Reasons = ["columns under Always Encrypted can't be read or written", takeOut];
const noMirror: Reasons = ["database mirroring can't be followed", "write the availability group's listener as Server"];
const alwaysPooled: Reasons = ["connections are always pooled", "take it out, and write Max Pool Size to have fewer"];

/** The keys that can't be honoured, and the values of theirs that ask for nothing. */
const rejected: readonly (readonly [keys: readonly string[], reasons: Reasons, harmless?: readonly string[]])[] = [
  [["Integrated Security", "Trusted_Connection"], windowsAccounts, no],
  [["DSN", "FileDSN", "SaveFile"], noDataSourceName],
  [["Failover Partner"], noMirror],
  [
    ["AttachDBFilename", "Initial File Name"],
    ["no file is attached", "attach it on the server and write Database"],
  ],
  [["User Instance", "Context Connection", "Replication"], ["it is for .NET alone", takeOut], no],
  [["Pooling"], alwaysPooled, ["yes", "true"]],
  [["Connection Lifetime", "Load Balance Timeout"], ["connections have no longest age", takeOut], ["0"]],
  [["Column Encryption Setting", "ColumnEncryption"], noAlwaysEncrypted, ["disabled"]],
  [["Enclave Attestation Url", "Attestation Protocol"], noAlwaysEncrypted],
  [["Network Library", "Network", "Net"], ["only TCP is spoken", "write dbmssocn, or take it out"], ["dbmssocn"]],
  [["Port"], ["it is no key of its own", "write the port behind the server: Server=<host>,<port>"]],
  [["ServerCertificate"], ["Node looks for it elsewhere", "give it to Node: NODE_EXTRA_CA_CERTS=<file.pem>"]],
  [["ServerSPN", "Server SPN", "Failover Partner SPN"], windowsAccounts],
  [["IPAddressPreference"], ["the order is the system's", takeOut], ["useplatformdefault"]],
  [
    ["Regional", "AutoTranslate", "AnsiNPW"],
    ["the driver has no such setting", takeOut],
  ],
];

const meanings = new Map<string, KeyMeaning>([
  ...Object.entries(mapped).flatMap(([name, keys]) =>
    // Object.entries widens a key to text
    keys.map((key): [string, KeyMeaning] => [foldKey(key), { kind: "mapped", name: name as MappedKey }]),
  ),
  ...ignored.map((key): [string, KeyMeaning] => [foldKey(key), { kind: "ignored" }]),
  ...rejected.flatMap(([keys, [reason, hint], harmless = []]) =>
    keys.map((key): [string, KeyMeaning] => [foldKey(key), { kind: "rejected", reason, hint, harmless }]),
  ),
]);

const spellings = [...Object.values(mapped).flat(), ...ignored, ...rejected.flatMap(([keys]) => keys)];
