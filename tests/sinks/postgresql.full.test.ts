import { test } from "node:test";
import { tableSinkContract } from "../../src/testing/table-sink-contract.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { postgreSQLKinds, postgreSQLUnderTest } from "../support/postgresql/under-test.ts";

const skip = noPostgreSQL;
const database = testDatabase();

const suite = tableSinkContract({
  create: async () => await postgreSQLUnderTest(database),
  strategies: ["merge", "update", "insert"],
  kinds: postgreSQLKinds,
});
for (const { name, check } of suite) test(`PostgreSQLSink: ${name}`, { skip }, check);
