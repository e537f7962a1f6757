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

/** What a key of a connection string comes to: a setting, nothing at all, or a refusal that says what to write instead. */
export type KeyMeaning =
  | { readonly kind: "mapped"; readonly name: MappedKey }
  | { readonly kind: "ignored" }
  | { readonly kind: "refused"; readonly instead: string; readonly harmless: readonly string[] };

/** Keys are told apart without their case, spaces and underscores: `Trusted_Connection` is `trustedconnection`. */
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
const windowsAccounts =
  "the driver can't log in with a Windows account; write User ID and Password of a SQL login, " +
  "or for Microsoft Entra ID Authentication=Active Directory Default";
const noDataSourceName = "data source names of ODBC aren't looked up; write Server=<host>,1433;Database=<name>;…";
const noAlwaysEncrypted = "columns under Always Encrypted can't be read or written; take it out";

/** What can't be honoured, and the values that ask for nothing. */
const refused: readonly (readonly [keys: readonly string[], instead: string, harmless: readonly string[]])[] = [
  [["Integrated Security", "Trusted_Connection"], windowsAccounts, no],
  [["DSN", "FileDSN", "SaveFile"], noDataSourceName, []],
  [["Failover Partner"], "database mirroring can't be followed; write the availability group's listener as Server", []],
  [["AttachDBFilename", "Initial File Name"], "no file is attached; attach it on the server and write Database", []],
  [["User Instance", "Context Connection", "Replication"], "it is for .NET alone; take it out", no],
  [["Pooling"], "connections are always pooled; take it out, and write Max Pool Size to have fewer", ["yes", "true"]],
  [["Connection Lifetime", "Load Balance Timeout"], "connections have no longest age; take it out", ["0"]],
  [["Column Encryption Setting", "ColumnEncryption"], noAlwaysEncrypted, ["disabled"]],
  [["Enclave Attestation Url", "Attestation Protocol"], noAlwaysEncrypted, []],
  [["Network Library", "Network", "Net"], "only TCP is spoken; write dbmssocn, or take it out", ["dbmssocn"]],
  [["Port"], "write the port behind the server: Server=<host>,<port>", []],
  [["ServerCertificate"], "give the certificate to Node: NODE_EXTRA_CA_CERTS=<file.pem>", []],
  [["ServerSPN", "Server SPN", "Failover Partner SPN"], windowsAccounts, []],
  [["IPAddressPreference"], "the order is the system's; take it out", ["useplatformdefault"]],
  [["Regional", "AutoTranslate", "AnsiNPW"], "the driver has no such setting; take it out", []],
];

const meanings = new Map<string, KeyMeaning>([
  ...Object.entries(mapped).flatMap(([name, keys]) =>
    // Object.entries widens a key to text
    keys.map((key): [string, KeyMeaning] => [foldKey(key), { kind: "mapped", name: name as MappedKey }]),
  ),
  ...ignored.map((key): [string, KeyMeaning] => [foldKey(key), { kind: "ignored" }]),
  ...refused.flatMap(([keys, instead, harmless]) =>
    keys.map((key): [string, KeyMeaning] => [foldKey(key), { kind: "refused", instead, harmless }]),
  ),
]);

const spellings = [...Object.values(mapped).flat(), ...ignored, ...refused.flatMap(([keys]) => keys)];
