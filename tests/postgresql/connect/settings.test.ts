import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { PostgreSQLConnection } from "../../../src/postgresql/connect/connection.ts";
import type { PostgreSQLConnectionOptions } from "../../../src/postgresql/connect/options.ts";
import { parseConnectionString } from "../../../src/postgresql/connect/connection-string.ts";
import { connectionSettings } from "../../../src/postgresql/connect/settings.ts";
import { failsWith } from "../../support/error-facts.ts";

const none = {};

function connection(
  options: PostgreSQLConnectionOptions,
  environment: Readonly<Record<string, string>> = none,
): PostgreSQLConnection {
  return new PostgreSQLConnection("source", options, { environment });
}

function settings(
  text: string,
  environment: Readonly<Record<string, string>> = none,
): ReturnType<typeof connectionSettings> {
  const invalid = (problem: string): Error => new Error(problem);
  return connectionSettings(parseConnectionString(text, invalid), environment, undefined, invalid);
}

test("identity and place are the same for each spelling of a server", () => {
  for (const connectionString of [
    "postgresql://u:p@DB.example:5432/clinic",
    "postgres://u@db.example/clinic?sslmode=require&channel_binding=require",
    "postgresql:///clinic?host=db.example&user=u",
  ]) {
    assert.equal(connection({ connectionString }).identity, "db.example/clinic", connectionString);
  }
  const other = connection({ connectionString: "postgresql://u@[::1]:6543/Clinic%20A" });
  assert.equal(other.identity, "::1:6543/Clinic A");
});

test("names and passwords are decoded, and a socket's folder is a host", () => {
  const { config, secrets } = settings("postgresql://a%40b:p%2Fw%23%25@db/clinic");
  assert.partialDeepStrictEqual(config(), {
    user: "a@b",
    password: "p/w#%",
    host: "db",
    database: "clinic",
    port: 5432,
  });
  assert.deepEqual(secrets, ["p/w#%"]);
  assert.equal(settings("postgresql://u@%2Fvar%2Frun%2Fpostgresql/clinic").host, "/var/run/postgresql");
});

test("what the connection string leaves out comes from the variables of libpq", () => {
  const environment = {
    PGHOST: "db",
    PGPORT: "6000",
    PGDATABASE: "clinic",
    PGUSER: "u",
    PGPASSWORD: "p",
    PGSSLMODE: "require",
  };
  assert.equal(connection({}, environment).identity, "db:6000/clinic");
  assert.equal(connection({ connectionString: "postgresql:///other" }, environment).identity, "db:6000/other");
  assert.equal(connection({}, { ...environment, DATABASE_URL: "postgresql://h/d" }).identity, "h:6000/d");
  assert.partialDeepStrictEqual(settings("postgresql://h/d", environment).config(), { user: "u", password: "p" });
});

test("without a connection anywhere the variable is a requirement, and its absence an error", () => {
  assert.deepEqual(connection({}).requirements, { packages: ["pg"], environment: ["DATABASE_URL"] });
  assert.deepEqual(connection({}, { PGHOST: "db" }).requirements.environment, []);
  assert.throws(() => connection({}).identity, failsWith("SETTING_MISSING", { variable: "DATABASE_URL" }));
});

test("encryption follows sslmode as libpq means it; without one, another machine has to prove who it is", () => {
  const ssl = (text: string): unknown => settings(text).config().ssl;
  assert.equal(ssl("postgresql://u@localhost/d"), false);
  assert.equal(ssl("postgresql://u@db.example/d?sslmode=disable"), false);
  assert.partialDeepStrictEqual(ssl("postgresql://u@db.example/d"), { rejectUnauthorized: true });
  assert.partialDeepStrictEqual(ssl("postgresql://u@db.example/d?ssl=true"), { rejectUnauthorized: true });
  assert.partialDeepStrictEqual(ssl("postgresql://u@db.example/d?sslmode=require"), { rejectUnauthorized: false });
  const root = encodeURIComponent(fileURLToPath(new URL("../../fixtures/tls/certificate.pem", import.meta.url)));
  assert.partialDeepStrictEqual(ssl(`postgresql://u@db/d?sslmode=require&sslrootcert=${root}`), {
    rejectUnauthorized: true,
  });
  assert.equal(settings("postgresql://u@db/d?sslmode=prefer").mayBePlain, true);
});

const secret = "s3cr3t";
const wrong: Readonly<Record<string, readonly [text: string, facts: ErrorFacts]>> = {
  "another scheme": [`mysql://u:${secret}@h/d`, { got: "one of mysql" }],
  "a form of .NET": [`Host=h;Username=u;Password=${secret}`, { got: "another form" }],
  "a # in a password": [`postgresql://u:${secret}#x@h/d`, {}],
  "a % in a password": [`postgresql://u:${secret}%@h/d`, { where: "password" }],
  "two hosts": [`postgresql://u:${secret}@a,b/d`, {}],
  "a misspelt parameter": [
    `postgresql://u:${secret}@h/d?ssl_mode=require`,
    { where: "ssl_mode", hint: 'did you mean "sslmode"?' },
  ],
  "a schema": [`postgresql://u:${secret}@h/d?schema=x`, { hint: "write options=-c%20search_path%3D<schema>" }],
  "an unknown sslmode": [`postgresql://u:${secret}@h/d?sslmode=on`, { where: "sslmode" }],
  "a port in letters": [`postgresql://u:${secret}@h/d?port=x`, { where: "port" }],
};

for (const [name, [connectionString, facts]] of Object.entries(wrong)) {
  test(`${name} is rejected with its place, and without a value`, () => {
    const rejects = (make: () => unknown, expected: ErrorFacts): void =>
      assert.throws(make, (error) => {
        failsWith("INVALID_OPTION", expected)(error);
        assert.ok(!inspect(error, { depth: 9 }).includes(secret));
        return true;
      });
    rejects(() => connection({ connectionString }), facts);
    rejects(() => connection({}, { DATABASE_URL: connectionString }).identity, { ...facts, variable: "DATABASE_URL" });
  });
}

test("a token is no credential, stands beside no password, and goes through no plain connection", () => {
  const tokenCredential = { getToken: async () => ({ token: secret }) };
  const fails = failsWith("INVALID_OPTION");
  assert.throws(() => connection({ connectionString: "postgresql://u:p@h/d", tokenCredential }), fails);
  assert.throws(() => connection({ connectionString: "postgresql://u@h/d?sslmode=disable", tokenCredential }), fails);
  // A user without types gives text.
  const text = secret as unknown as typeof tokenCredential;
  assert.throws(
    () => connection({ tokenCredential: text }),
    (error) => fails(error) && !inspect(error).includes(secret),
  );
});

test("inspecting a connection shows nothing of its settings", () => {
  const shown = inspect(connection({ connectionString: `postgresql://u:${secret}@h/d` }), {
    depth: 9,
    showHidden: true,
  });
  assert.ok(!shown.includes(secret));
});

test("a driver that is not installed is named, with the way to install it", async () => {
  const missing = Object.assign(new Error("no pg"), { code: "ERR_MODULE_NOT_FOUND" });
  const { loadDriver } = await import("../../../src/postgresql/connect/driver.ts");
  const load = async (): Promise<never> => await Promise.reject(missing);
  await assert.rejects(
    loadDriver("source", load),
    failsWith("SETTING_MISSING", { where: "pg", hint: "npm install pg@8" }),
  );
});
