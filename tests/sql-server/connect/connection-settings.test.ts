import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import mssql from "mssql";
import tedious from "tedious";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { OptionError } from "../../../src/errors/option.ts";
import { type ConnectionSettings, connectionSettings } from "../../../src/sql-server/connect/connection-settings.ts";
import { failsWith } from "../../support/error-facts.ts";
import { invalid } from "../../support/sql-server-errors.ts";

const read = (text: string): ConnectionSettings => connectionSettings(text, undefined, invalid);

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
  [
    `${odbc};LoginTimeout=2147483`, // no timer waits longer than 2 ** 31 - 1 ms
    {
      options: { connectTimeout: 2_147_483_000 },
      pool: { acquireTimeoutMillis: 2 ** 31 - 1, createTimeoutMillis: 2 ** 31 - 1 },
    },
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

const rejected: readonly (readonly [text: string, facts: ErrorFacts])[] = [
  ["Database=d;UID=u;PWD=p", {}],
  ["Server=;UID=u;PWD=p", {}],
  ["Server=h", {}],
  ["Server=h;UID=u;PWD=", {}],
  ["Server=h;PWD=s3cret", {}],
  ["Server=h;UID=DOM\\u;PWD=s3cret", { key: "UID" }],
  ["Server=h;Integrated Security=SSPI", { key: "Integrated Security" }],
  ["Driver={x};Server=h;Trusted_Connection=yes", { key: "Trusted_Connection" }],
  ["DSN=warehouse;UID=u;PWD=s3cret", { key: "DSN" }],
  ["Server=np:h;UID=u;PWD=s3cret", { key: "Server" }],
  ["Server=(localdb)\\x;UID=u;PWD=s3cret", { key: "Server" }],
  [`${adoNet};Encrypt=s3cret`, { key: "Encrypt" }],
  [`${adoNet};TrustServerCertificate=1`, { key: "TrustServerCertificate" }],
  [`${adoNet};ApplicationIntent=Read`, { key: "ApplicationIntent", expected: ["ReadOnly", "ReadWrite"] }],
  [`${adoNet};Connect Timeout=0`, { key: "Connect Timeout" }],
  [`${adoNet};Packet Size=100`, { key: "Packet Size", expected: "a whole number from 512 to 32767" }],
  [`${adoNet};Min Pool Size=20`, { key: "Min Pool Size" }],
  [`${adoNet};Pooling=false`, { key: "Pooling" }],
  [`${adoNet};Failover Partner=h2`, { key: "Failover Partner" }],
  [`${adoNet};AttachDBFilename=x.mdf`, { key: "AttachDBFilename" }],
  [`${adoNet};Language=us_english;SET`, { after: "Language" }],
  [`${adoNet};Language='x; DROP TABLE t'`, { key: "Language" }],
  [`${adoNet};Port=1433`, { key: "Port" }],
  [`${adoNet};Encript=yes`, { after: "Password" }],
  [`${adoNet};Server=h2`, { key: ["Data Source", "Server"] }],
  ["Server=h;Authentication=ActiveDirectoryServicePrincipal;UID=u;PWD=s3cret", { key: "Authentication" }],
  ["Server=h;Authentication=Active Directory Password;UID=u;PWD=s3cret", { key: "Authentication" }],
  ["Server=h;Authentication=Active Directory Default;PWD=s3cret", { key: "PWD" }],
  ["Server=h;Authentication=Active Directory Default;Encrypt=no", { key: "Encrypt" }],
  ["Server=h;Authentication=Kerberos", { key: "Authentication" }],
];

/** By form of Entra ID the credential that carries it out. */
const throughCredential: readonly (readonly [form: string, credential: string])[] = [
  ["Active Directory Integrated", "AzureCliCredential"],
  ["ActiveDirectoryInteractive", "InteractiveBrowserCredential"],
  ["Active Directory Device Code Flow", "DeviceCodeCredential"],
  ["Active Directory Workload Identity", "WorkloadIdentityCredential"],
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
  assert.ok(accepted.length + rejected.length >= 40);
});

test("each of these is rejected by its key, without a value", () => {
  for (const [text, facts] of rejected) {
    assert.throws(
      () => read(text),
      (error: Error) => {
        assert.doesNotMatch(JSON.stringify(error), /s3cret/, text);
        return failsWith("INVALID_OPTION", facts)(error);
      },
    );
  }
});

test("a form of Entra ID that the driver lacks is rejected with the credential for it", () => {
  for (const [form, credential] of throughCredential) {
    assert.throws(
      () => read(`Server=h;Authentication=${form}`),
      (error: unknown) => {
        failsWith("INVALID_OPTION", { key: "Authentication" })(error);
        return (
          error instanceof OptionError && error.facts.hint?.includes(`tokenCredential: new ${credential}`) === true
        );
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
    assert.deepEqual(connectionSettings(text, credential, invalid).config.authentication, expected);
  }
  assert.throws(() => connectionSettings(adoNet, credential, invalid), failsWith("INVALID_OPTION"));
  assert.throws(
    () => connectionSettings("Server=h;Encrypt=no", credential, invalid),
    failsWith("INVALID_OPTION", { key: "Encrypt" }),
  );
});

const password = fc
  .string({ unit: "binary", minLength: 8, maxLength: 40 })
  .filter((text) => !text.includes("\0") && /\S/.test(text));

test("no error holds a password, whatever it does to the string that it stands in without quotes", () => {
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
        assert.ok(error instanceof OptionError && !error.message.includes(text.trim()), form);
      }
    }),
    { seed: 9, numRuns: 1000 },
  );
});
