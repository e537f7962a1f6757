import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { inspect } from "node:util";
import mssql from "mssql";
import { type Driver, loadDriver, poolConfig, secretsOf } from "../../../src/sql-server/connect/driver.ts";
import { failsWith } from "../../support/error-facts.ts";

const config = {
  server: "h",
  authentication: { type: "default", options: { userName: "u", password: "hunter2" } },
  options: { appName: "a" },
} as const;

test("where the driver is not installed the message says what to install", async () => {
  const missing = Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  await assert.rejects(
    loadDriver("SQLServerSource", () => Promise.reject(missing)),
    failsWith("SETTING_MISSING", { where: "mssql", hint: "npm install mssql@12" }),
  );
  const broken = new Error("broken");
  await assert.rejects(
    loadDriver("SQLServerSource", () => Promise.reject(broken)),
    broken,
  );
});

test("the driver is loaded as a whole", async () => {
  const driver: Driver = await loadDriver("SQLServerSource");
  assert.equal(driver.ConnectionPool, mssql.ConnectionPool);
});

test("a pool and its connections have the password, and show it to nobody who inspects them", () => {
  const pool = new mssql.ConnectionPool(poolConfig(config, () => {}));
  // What the pool gives to each of its connections; its types don't tell.
  const given = (pool as unknown as { _config: () => typeof config })._config();
  assert.equal(given.authentication.options.password, "hunter2");
  assert.doesNotMatch(inspect(pool, { depth: 20, getters: true }), /hunter2/);
  assert.doesNotMatch(JSON.stringify(given), /hunter2/);
  assert.equal(config.options.appName, "a");
  assert.equal(Object.keys(config.options).length, 1, "the settings were written into");
});

test("the number that the server denied a login with is put on the driver's error", () => {
  for (const [numbers, expected] of [
    [[4060, 18456], 4060],
    [[18456], 18456],
    [[], undefined],
  ] as const) {
    const connection = Object.assign(new EventEmitter(), { config: structuredClone(config) });
    const seen: unknown[] = [];
    poolConfig(config, (each) => seen.push(each)).beforeConnect?.(connection as unknown as mssql.Connection);
    for (const number of numbers) connection.emit("errorMessage", { number });
    const error = new Error("Login failed");
    connection.emit("connect", error);
    assert.equal("number" in error ? error.number : undefined, expected);
    assert.deepEqual(seen, [connection]);
    assert.equal(connection.listenerCount("errorMessage"), 0);
    assert.doesNotMatch(inspect(connection, { depth: 20 }), /hunter2/);
  }
});

test("the secrets of each form are known, so that they can be kept out of messages", () => {
  assert.deepEqual(secretsOf(config), ["hunter2"]);
  assert.deepEqual(
    secretsOf({
      server: "h",
      authentication: {
        type: "azure-active-directory-service-principal-secret",
        options: { clientId: "c", clientSecret: "s", tenantId: "t" },
      },
    }),
    ["s"],
  );
  assert.deepEqual(secretsOf({ server: "h" }), []);
});
