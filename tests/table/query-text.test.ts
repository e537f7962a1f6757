import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { OptionError } from "../../src/index.ts";
import { type QueryText, queryText } from "../../src/table/query-text.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { failsWith } from "../support/error-facts.ts";
import { sourceFail as fail } from "../support/sql-server-errors.ts";

const folder = temporaryFolder();

/** As a JavaScript user could, without the types. */
function textOf(options: object): QueryText {
  return Reflect.apply(queryText, undefined, ["TestSource", options, fail]);
}

test("a query that stands in the options is given as it is", async () => {
  const text = textOf({ sql: "SELECT 1 -- é\n" });
  assert.equal(text.where, "the sql");
  assert.equal(await text.read(), "SELECT 1 -- é\n");
});

test("a query in a file is read anew each time, without its byte order mark, by path or URL", async () => {
  const path = join(folder, "a query #1.sql");
  for (const sqlFile of [path, pathToFileURL(path)]) {
    writeFileSync(path, "\ufeffSELECT 1");
    const text = textOf({ sqlFile });
    assert.equal(text.where, `the sqlFile ${path}`);
    assert.equal(await text.read(), "SELECT 1");
    writeFileSync(path, "SELECT 'é'");
    assert.equal(await text.read(), "SELECT 'é'");
  }
});

test("a file that is not there, or is not UTF-8, is named by its path", async () => {
  const path = join(folder, "latin.sql");
  const isNamed = failsWith("SOURCE_FAILED", { where: path });
  await assert.rejects(
    textOf({ sqlFile: path }).read(),
    (error: Error) => isNamed(error) && error.cause instanceof Error,
  );
  writeFileSync(path, Buffer.from([0x53, 0xe9]));
  await assert.rejects(textOf({ sqlFile: path }).read(), isNamed);
});

test("exactly one of the two is expected", () => {
  for (const [options, given] of [
    [{}, "neither"],
    [{ sql: "SELECT 1", sqlFile: "query.sql" }, "both"],
  ] as const) {
    assert.throws(
      () => textOf(options),
      (error: unknown) =>
        failsWith("INVALID_OPTION", { where: "sql", got: given })(error) &&
        error instanceof OptionError &&
        error.owner === "TestSource",
    );
  }
});
