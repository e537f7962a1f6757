import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import mssql from "mssql";
import tedious from "tedious";
import { type ConnectionSettings, connectionSettings } from "../../../src/sql-server/connect/connection-settings.ts";

const refuse = (problem: string): Error => new Error(problem);
const read = (text: string): ConnectionSettings => connectionSettings(text, undefined, refuse);

/** Merged into what is expected of every connection string that names no more than a server, a login and a password. */
const usual = {
  server: "h",
  port: 1433,
  authentication: { type: "default", options: { userName: "u", password: "p" } },
  options: {
    encrypt: true,
    trustServerCertificate: false,
    appName: "llm-etl",
    readOnlyIntent: false,
    multiSubnetFailover: false,
    connectTimeout: 15_000,
    requestTimeout: 120_000,
    maxRetriesOnTransientErrors: 0,
    useUTC: true,
  },
  pool: { min: 0, max: 10, acquireTimeoutMillis: 30_000, createTimeoutMillis: 30_000 },
  validateConnection: "socket",
};

type Change = Readonly<Record<string, unknown>>;
interface Expected {
  readonly top?: Change;
  readonly options?: Change;
  readonly authentication?: { readonly type: string; readonly options: Change };
  readonly pool?: Change;
  readonly retryForMs?: number;
}

const entra = (form: string, options: Change = {}): Expected => ({
  authentication: { type: `azure-active-directory-${form}`, options },
});
const option = (options: Change): Expected => ({ options });
const odbc = "Driver={ODBC Driver 18 for SQL Server};Server=h;UID=u;PWD=p";
const adoNet = "Data Source=h;User ID=u;Password=p";

const accepted: readonly (readonly [text: string, expected: Expected])[] = [
  [odbc, {}],
  [adoNet, {}],
  [
    "Driver={ODBC Driver 18 for SQL Server};Server=tcp:host.database.windows.net,1433;Database=db;UID=u;PWD={p@;ss}}};Encrypt=yes;TrustServerCertificate=no",
    {
      top: { server: "host.database.windows.net", database: "db" },
      authentication: { type: "default", options: { userName: "u", password: "p@;ss}" } },
    },
  ],
  [
    "Server=tcp:srv.database.windows.net,1433;Initial Catalog=db;Persist Security Info=False;User ID=u;Password=p;MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;Connection Timeout=30;",
    {
      top: { server: "srv.database.windows.net", database: "db" },
      options: { connectTimeout: 30_000 },
      pool: { acquireTimeoutMillis: 45_000, createTimeoutMillis: 45_000 },
    },
  ],
  ["server=H;uid=u;pwd=p", { top: { server: "H" } }],
  ["Address=h,1444;User=u;PWD=p", { top: { port: 1444 } }],
  [
    "Network Address=.\\SQLEXPRESS;UID=u;PWD=p",
    { top: { server: "localhost", port: undefined }, options: { instanceName: "SQLEXPRESS" } },
  ],
  ["Addr=h\\inst,1450;UID=u;PWD=p", { top: { port: 1450 } }],
  ["Server=::1,1433;UID=u;PWD=p", { top: { server: "::1" } }],
  [`${adoNet};Encrypt=Strict`, option({ encrypt: "strict" })],
  [`${adoNet};Encrypt=strict;TrustServerCertificate=yes`, option({ encrypt: "strict", trustServerCertificate: false })],
  [`${adoNet};Encrypt=Mandatory`, option({ encrypt: true })],
  [`${adoNet};Encrypt=Optional`, option({ encrypt: false })],
  [`${odbc};Encrypt=no`, option({ encrypt: false })],
  [`${adoNet};Trust Server Certificate=True`, option({ trustServerCertificate: true })],
  [`${adoNet};HostNameInCertificate=*.example.com`, option({ serverName: "*.example.com" })],
  [`${adoNet};ApplicationIntent=ReadOnly`, option({ readOnlyIntent: true })],
  [`${adoNet};Application Intent=readwrite`, option({ readOnlyIntent: false })],
  [`${odbc};MultiSubnetFailover=Yes`, option({ multiSubnetFailover: true })],
  [`${adoNet};Application Name=nightly`, option({ appName: "nightly" })],
  [`${odbc};APP={my;app}`, option({ appName: "my;app" })],
  [`${odbc};WSID=ws`, option({ workstationId: "ws" })],
  [`${adoNet};Packet Size=8192`, option({ packetSize: 8192 })],
  [`${adoNet};Command Timeout=0`, option({ requestTimeout: 0 })],
  [`${adoNet};Command Timeout=300`, option({ requestTimeout: 300_000 })],
  [
    `${odbc};LoginTimeout=5`,
    { options: { connectTimeout: 5000 }, pool: { acquireTimeoutMillis: 20_000, createTimeoutMillis: 20_000 } },
  ],
  [`${adoNet};Min Pool Size=2;Max Pool Size=4`, { pool: { min: 2, max: 4 } }],
  [`${odbc};Language=Deutsch`, option({ language: "Deutsch" })],
  [`${adoNet};ConnectRetryCount=3;ConnectRetryInterval=5`, { retryForMs: 15_000 }],
  [`${adoNet};ConnectRetryCount=0`, { retryForMs: 0 }],
  [`${adoNet};Pooling=true;Enlist=false;MARS_Connection=yes;Integrated Security=false;Trusted_Connection=no`, {}],
  [`${adoNet};Network Library=dbmssocn;Type System Version=Latest;Column Encryption Setting=Disabled`, {}],
  [
    "Server=h;User ID=u;Password=' p; '",
    { authentication: { type: "default", options: { userName: "u", password: " p; " } } },
  ],
  [`${adoNet};Authentication=Sql Password`, {}],
  [`${odbc};Authentication=SqlPassword`, {}],
  ["Server=h;Authentication=Active Directory Default;Database=d", { ...entra("default"), top: { database: "d" } }],
  ["Driver={x};Server=h;Authentication=ActiveDirectoryDefault;UID=id", entra("default", { clientId: "id" })],
  ["Server=h;Authentication=Active Directory Managed Identity;User ID=id", entra("msi-vm", { clientId: "id" })],
  ["Driver={x};Server=h;Authentication=ActiveDirectoryMsi", entra("msi-vm")],
  [
    "Server=h;Authentication=Active Directory Service Principal;User ID=id;Password=s;Tenant Id=t",
    entra("service-principal-secret", { clientId: "id", clientSecret: "s", tenantId: "t" }),
  ],
  [
    "Server=h;Authentication=ActiveDirectoryPassword;UID=u;PWD=p;Client Id=c",
    entra("password", { userName: "u", password: "p", clientId: "c", tenantId: "common" }),
  ],
];

const refused: readonly (readonly [text: string, message: RegExp])[] = [
  ["Database=d;UID=u;PWD=p", /^it names no server; write Server=/],
  ["Server=;UID=u;PWD=p", /^it names no server/],
  ["Server=h", /^it names no login; .*Authentication=Active Directory Default.*tokenCredential/],
  ["Server=h;UID=u;PWD=", /^it has a login and no password \(or a blank one\)/],
  ["Server=h;PWD=s3cret", /^it has a password and no login/],
  ["Server=h;UID=DOM\\u;PWD=s3cret", /^"UID": the driver can't log in with a Windows account/],
  ["Server=h;Integrated Security=SSPI", /^"Integrated Security" can't be honoured: .*write User ID and Password/],
  ["Driver={x};Server=h;Trusted_Connection=yes", /^"Trusted_Connection" can't be honoured/],
  ["DSN=warehouse;UID=u;PWD=s3cret", /^"DSN" can't be honoured: .*write Server=/],
  ["Server=np:h;UID=u;PWD=s3cret", /^"Server": only TCP is spoken/],
  ["Server=(localdb)\\x;UID=u;PWD=s3cret", /^"Server": LocalDB/],
  [`${adoNet};Encrypt=s3cret`, /^"Encrypt": expected yes or no or strict or mandatory or optional or true or false$/],
  [`${adoNet};TrustServerCertificate=1`, /^"TrustServerCertificate": expected yes or no/],
  [`${adoNet};ApplicationIntent=Read`, /^"ApplicationIntent": expected ReadOnly or ReadWrite$/],
  [`${adoNet};Connect Timeout=0`, /^"Connect Timeout": expected a whole number from 1 to/],
  [`${adoNet};Packet Size=100`, /^"Packet Size": expected a whole number from 512 to 32767$/],
  [`${adoNet};Min Pool Size=20`, /^"Min Pool Size": expected no more than Max Pool Size/],
  [`${adoNet};Pooling=false`, /^"Pooling" can't be honoured: .*Max Pool Size/],
  [`${adoNet};Failover Partner=h2`, /^"Failover Partner" can't be honoured: .*listener/],
  [`${adoNet};AttachDBFilename=x.mdf`, /^"AttachDBFilename" can't be honoured/],
  [`${adoNet};Language=us_english;SET`, /is no key with "="/],
  [`${adoNet};Language='x; DROP TABLE t'`, /^"Language": expected a language's name of one word/],
  [`${adoNet};Port=1433`, /^"Port" can't be honoured: write the port behind the server/],
  [`${adoNet};Encript=yes`, /^the key "Encript" is unknown; did you mean "Encrypt"\?|^the key after "Password"/],
  [`${adoNet};Server=h2`, /^"Data Source" and "Server" are one setting/],
  [
    "Server=h;Authentication=Active Directory Integrated",
    /^"Authentication": .*tokenCredential: new AzureCliCredential/,
  ],
  ["Server=h;Authentication=ActiveDirectoryInteractive;UID=u", /tokenCredential: new InteractiveBrowserCredential/],
  ["Server=h;Authentication=Active Directory Device Code Flow", /tokenCredential: new DeviceCodeCredential/],
  ["Server=h;Authentication=Active Directory Workload Identity", /tokenCredential: new WorkloadIdentityCredential/],
  [
    "Server=h;Authentication=ActiveDirectoryServicePrincipal;UID=u;PWD=s3cret",
    /^"Authentication": .*Tenant Id=.*tokenCredential/,
  ],
  [
    "Server=h;Authentication=Active Directory Password;UID=u;PWD=s3cret",
    /^"Authentication": .*Client Id=.*tokenCredential/,
  ],
  ["Server=h;Authentication=Active Directory Default;PWD=s3cret", /^"PWD": this Authentication takes none/],
  ["Server=h;Authentication=Active Directory Default;Encrypt=no", /^"Encrypt": a token of Microsoft Entra ID/],
  ["Server=h;Authentication=Kerberos", /^"Authentication": expected Sql Password or Active Directory Default or /],
];

test("each connection string gives exactly these settings of the driver", () => {
  for (const [text, { top, options, authentication, pool, retryForMs = 30_000 }] of accepted) {
    const expected: Record<string, unknown> = {
      ...usual,
      ...top,
      options: { ...usual.options, ...options },
      authentication: authentication ?? usual.authentication,
      pool: { ...usual.pool, ...pool },
    };
    if (expected["port"] === undefined) delete expected["port"];
    const settings = read(text);
    assert.deepEqual(settings.config, expected, text);
    assert.equal(settings.retryForMs, retryForMs, text);
  }
  assert.ok(accepted.length + refused.length >= 40);
});

test("each of these is refused, with what to write instead and without a value", () => {
  for (const [text, message] of refused) {
    assert.throws(
      () => read(text),
      (error: Error) => {
        assert.match(error.message, message, text);
        assert.doesNotMatch(error.message, /s3cret/, text);
        return true;
      },
    );
  }
});

test("the driver accepts the settings, and takes each for what it is", () => {
  for (const [text] of accepted) {
    const { config } = read(text);
    const pool = new mssql.ConnectionPool(structuredClone(config));
    // What the pool gives to each of its connections; its types don't tell.
    const given = (pool as unknown as { _config: () => tedious.ConnectionConfiguration })._config();
    const connection = new tedious.Connection(given) as unknown as { config: tedious.ConnectionConfiguration };
    assert.partialDeepStrictEqual(connection.config.options, config.options ?? {}, text);
    assert.partialDeepStrictEqual(connection.config.authentication, config.authentication ?? {}, text);
    assert.equal(connection.config.server, config.server, text);
    assert.equal(connection.config.options?.port, config.port, text);
    assert.equal(connection.config.options?.database, config.database, text);
  }
});

test("a credential takes the place of the login, and carries out every form of Entra ID", () => {
  const credential = { getToken: async () => ({ token: "t", expiresOnTimestamp: 0 }) };
  const expected = { type: "token-credential", options: { credential } };
  for (const text of ["Server=h", "Server=h;Authentication=Active Directory Interactive"]) {
    assert.deepEqual(connectionSettings(text, credential, refuse).config.authentication, expected);
  }
  assert.throws(
    () => connectionSettings(adoNet, credential, refuse),
    /names a login beside the option tokenCredential/,
  );
  assert.throws(() => connectionSettings("Server=h;Encrypt=no", credential, refuse), /encrypted connections only/);
});

const password = fc
  .string({ unit: "binary", minLength: 8, maxLength: 40 })
  .filter((text) => !text.includes("\0") && /\S/.test(text));

test("no refusal holds a password, whatever it does to the string that it stands in without quotes", () => {
  fc.assert(
    fc.property(password, fc.constantFrom("ado-net", "odbc", "first", "alone"), (text, form) => {
      const strings = {
        "ado-net": `Server=h;UID=u;PWD=${text};Nonsense=1`,
        odbc: `Driver={x};Server=h;UID=u;PWD=${text};Nonsense=1`,
        first: `PWD=${text};Server=h,x`,
        alone: text,
      };
      try {
        read(strings[form]);
      } catch (error) {
        assert.ok(error instanceof Error && !error.message.includes(text.trim()), form);
      }
    }),
    { seed: 9, numRuns: 1000 },
  );
});
