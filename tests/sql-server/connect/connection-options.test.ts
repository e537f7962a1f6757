import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions } from "../../../src/errors/options.ts";
import {
  checkConnectionOptions,
  connectionChecks,
  type SQLServerConnectionOptions,
} from "../../../src/sql-server/connect/connection-options.ts";
import { failsWith } from "../../support/error-facts.ts";

const pool = { connected: false, connect: async () => {}, request: () => ({}), transaction: () => ({}) };
const tokenCredential = { getToken: async () => null };

function check(options: SQLServerConnectionOptions): void {
  checkOptions("SQLServerSource", options, connectionChecks);
  checkConnectionOptions("SQLServerSource", options);
}

test("each way to a server is accepted by itself, and a credential beside a connection string", () => {
  check({});
  check({ connectionString: "Server=h" });
  check({ pool });
  check({ tokenCredential });
  check({ connectionString: "Server=h", tokenCredential });
});

test("ways that exclude each other are rejected", () => {
  assert.throws(() => check({ connectionString: "Server=h", pool }), failsWith("INVALID_OPTION", { where: "pool" }));
  assert.throws(() => check({ pool, tokenCredential }), failsWith("INVALID_OPTION", { where: "tokenCredential" }));
});

test("a wrong value is rejected, and text in the wrong place is not shown", () => {
  const wrong: [object, string][] = [
    [{ connectionString: " " }, "connectionString"],
    [{ connectionString: { server: "h" } }, "connectionString"],
    [{ pool: {} }, "pool"],
    [{ pool: "PWD=s3cret" }, "pool"],
    [{ tokenCredential: "s3cret" }, "tokenCredential"],
    [{ tokenCredential: {} }, "tokenCredential"],
    [{ connectionstring: "PWD=s3cret" }, "connectionstring"],
  ];
  for (const [options, where] of wrong) {
    assert.throws(
      () => check(options),
      (error: Error) => failsWith("INVALID_OPTION", { where })(error) && !JSON.stringify(error).includes("s3cret"),
      where,
    );
  }
});
