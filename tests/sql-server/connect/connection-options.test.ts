import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions } from "../../../src/errors/options.ts";
import {
  checkConnectionOptions,
  connectionChecks,
  type SQLServerConnectionOptions,
} from "../../../src/sql-server/connect/connection-options.ts";

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

test("ways that exclude each other are refused", () => {
  assert.throws(() => check({ connectionString: "Server=h", pool }), /"pool": give it or connectionString, not both/);
  assert.throws(() => check({ pool, tokenCredential }), /"tokenCredential": the pool has its own/);
});

test("a wrong value is refused, and text in the wrong place is not shown", () => {
  const wrong: [object, RegExp][] = [
    [{ connectionString: " " }, /"connectionString": expected text that is not blank/],
    [{ connectionString: { server: "h" } }, /"connectionString": expected text/],
    [{ pool: {} }, /"pool": expected a ConnectionPool of mssql/],
    [{ pool: "PWD=s3cret" }, /"pool": expected a ConnectionPool of mssql, got text; is it a connectionString\?/],
    [{ tokenCredential: "s3cret" }, /"tokenCredential": expected a credential of @azure\/identity, got text/],
    [{ tokenCredential: {} }, /"tokenCredential": expected a credential/],
    [{ connectionstring: "PWD=s3cret" }, /unknown option; did you mean "connectionString"\?/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(
      () => check(options),
      (error: Error) => message.test(error.message) && !error.message.includes("s3cret"),
      message.source,
    );
  }
});
