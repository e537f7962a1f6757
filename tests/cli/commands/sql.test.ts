import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { sqlCommand } from "../../../src/cli/commands/sql.ts";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import enriched from "../../fixtures/pipelines/enriched.ts";
import { failsWith } from "../../support/error-facts.ts";
import { startTargetServer } from "../../support/sql-server-target.ts";
import { type Outcome, commandLine, runCommand } from "../../support/terminal.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const fixture = (name: string): string => pathOf(`../../fixtures/pipelines/${name}.ts`);
const createTable = async (...words: string[]): Promise<Outcome> => commandLine(["sql", "create-table", ...words]);

/** Takes the variable away, or sets it, until the test has ended. */
function setConnection(t: TestContext, value: string | undefined): void {
  const { SQL_SERVER_CONN: before } = process.env;
  const set = (to: string | undefined): void => {
    if (to === undefined) delete process.env["SQL_SERVER_CONN"];
    else process.env["SQL_SERVER_CONN"] = to;
  };
  set(value);
  t.after(() => set(before));
}

const enrichedSQL = `CREATE TABLE [dbo].[enriched_encounters] (
  [encounter_id] NVARCHAR(450) NOT NULL, -- a key has at most 900 bytes: make sure that this is wide enough
  [visit_category] NVARCHAR(50) NOT NULL,
  [confidence] DECIMAL(5,4) NOT NULL,
  [clinical_summary] NVARCHAR(MAX) NOT NULL,
  [processed_at] DATETIME2(3) NOT NULL, -- UTC
  CONSTRAINT [PK_enriched_encounters] PRIMARY KEY ([encounter_id])
);

CREATE INDEX [IX_enriched_encounters_processed_at] ON [dbo].[enriched_encounters] ([processed_at]);
`;

test("it prints the table of the pipeline's sink on stdout, without a connection", async (t) => {
  setConnection(t, undefined);
  assert.deepEqual(await createTable(fixture("enriched")), { exitCode: 0, stdout: enrichedSQL, stderr: "" });
});

test("the table that was printed passes the sink's preflight, and the pipeline fills it", async (t) => {
  const server = await startTargetServer({}, t);
  setConnection(t, server.connectionString);
  const { stdout } = await createTable(fixture("enriched"));
  assert.equal(server.logins.length, 0);
  await server.run(stdout);
  const { status, successCount, error } = await enriched.run();
  assert.deepEqual([status, successCount, error], ["completed", 2, null]);
  const keys = server
    .table("dbo.enriched_encounters")
    .rows()
    .map((row) => row["encounter_id"]);
  assert.deepEqual(keys.toSorted(), ["enc_1", "enc_2"]);
});

test("--table and --dialect give another name and another database", async () => {
  const { exitCode, stdout } = await createTable(
    fixture("enriched"),
    "--dialect",
    "sqlite",
    "--table",
    '"odd ""name"""',
  );
  assert.equal(exitCode, 0);
  assert.match(stdout, /^CREATE TABLE "odd ""name""" \(\n {2}"encounter_id" TEXT NOT NULL,\n/);
  const database = new DatabaseSync(":memory:");
  database.exec(stdout);
  database.close();
  const renamed = await createTable(fixture("enriched"), "--table", "[my schema].[odd]]name]");
  assert.match(renamed.stdout, /^CREATE TABLE \[my schema\]\.\[odd\]\]name\] \(/);
});

test("a sink that writes to no table: it says what to give, exit code 2", async () => {
  const { exitCode, stdout, stderr } = await createTable(fixture("good"));
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(
    stderr,
    /"--table": the sink "memory" writes to no table .*: give --table <name> and --dialect postgresql or sql-server or sqlite \[INVALID_OPTION\]\n(?: {2}at tests.*\n)? {2}see .*#invalid_option\n$/,
  );
  const named = await createTable(fixture("good"), "--table", "t");
  assert.match(named.stderr, /"--dialect": .*: give --dialect postgresql or sql-server or sqlite \[/);
  const spoken = await createTable(fixture("good"), "--dialect", "sqlite");
  assert.match(spoken.stderr, /"--table": .*: give --table <name> \[/);
  const both = await createTable(fixture("good"), "--dialect", "sqlite", "--table", "t");
  assert.equal(
    both.stdout,
    'CREATE TABLE "t" (\n  "id" TEXT NOT NULL,\n  CONSTRAINT "PK_t" PRIMARY KEY ("id")\n) STRICT;\n',
  );
});

test("a name that the dialect does not know, a dialect that is none, and no module are usage errors", async () => {
  const cases: [string, ErrorFacts][] = [
    ["sqlite", { where: "--table", got: '"dbo"' }],
    ["oracle", { where: "--dialect", expected: ["sql-server", "sqlite"], got: '"oracle"' }],
  ];
  for (const [dialect, facts] of cases) {
    const words = [fixture("enriched"), "--dialect", dialect];
    await assert.rejects(runCommand(sqlCommand, ["create-table", ...words]), failsWith("INVALID_OPTION", facts));
    const { exitCode, stdout, stderr } = await createTable(...words);
    assert.deepEqual([exitCode, stdout], [2, ""]);
    assert.match(stderr, /\[INVALID_OPTION\]/);
  }
  assert.equal((await createTable()).exitCode, 2);
  assert.match((await createTable(fixture("no-sink"))).stderr, /PIPELINE_MODULE_INVALID/);
  assert.equal((await commandLine(["sql"])).exitCode, 2);
});

test("create-journal prints the statements of the pipeline's journal, or says that it needs none", async (t) => {
  setConnection(t, undefined);
  const { exitCode, stderr } = await commandLine(["sql", "create-journal", fixture("enriched")]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /journal/);
  const printed = await commandLine(["sql", "create-journal", fixture("postgresql-journal")]);
  assert.equal(printed.exitCode, 0);
  assert.match(printed.stdout, /CREATE SCHEMA "visits_journal";/);
});

test("of several sinks it prints each table, or the one that is named", async () => {
  const { exitCode, stdout } = await createTable(fixture("growing"));
  assert.equal(exitCode, 0);
  const database = new DatabaseSync(":memory:");
  database.exec(stdout);
  const columns = database
    .prepare(
      "SELECT m.name AS t, c.name AS c, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'",
    )
    .all()
    .map(({ t, c, pk }) => `${t}.${c}${Number(pk) > 0 ? " key" : ""}`);
  assert.deepEqual(columns, ["headers.id key", "headers.line_count", "lines.id key", "lines.code key", "lines.place"]);
  const one = await createTable(fixture("growing"), "--table", "lines");
  assert.match(one.stdout, /CREATE TABLE "?lines/);
  assert.doesNotMatch(one.stdout, /headers/);
  const none = await createTable(fixture("growing"), "--table", "line");
  assert.equal(none.exitCode, 2);
  assert.match(none.stderr, /headers.*lines/);
});
