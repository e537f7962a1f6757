import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { findTemplates } from "../../../src/cli/init/templates.ts";
import { runCommandLine } from "../../../src/cli/program.ts";
import { simulatorFor } from "../../support/simulator.ts";
import { startTargetServer } from "../../support/sql-server-target.ts";
import { query } from "../../support/sqlite.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine, testTerminal } from "../../support/terminal.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const parent = temporaryFolder();
const { sources, providers } = findTemplates();
const combinations = sources.flatMap((source) =>
  providers.map((provider) => ({
    source: source.name,
    provider: provider.name,
    needsSettings: [...source.variables, ...provider.variables].length > 0,
  })),
);

/** A folder in which the packages of a project are installed, for it and the folders below. */
function installedFolder(): string {
  assert.ok(existsSync(join(root, "dist/index.js")), "run `npm run build` first");
  const folder = mkdtempSync(join(parent, "installiert für uns "));
  for (const name of ["zod", "typescript", "@types/node", ...sources.flatMap(({ packages }) => packages)]) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "junction");
  }
  symlinkSync(root, join(folder, "node_modules/llm-etl"), "junction");
  return folder;
}

interface Ended {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Node in a process of its own, whose environment has nothing of ours. */
async function node(folder: string, ...words: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, words, { cwd: folder, env: { NO_COLOR: "1" }, timeout: 60_000 });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close").then((ending: unknown[]) => ending),
  ]);
  return { exitCode, stdout, stderr };
}

test("it lists what it created on stdout, and says on stderr what to do next", async () => {
  const folder = join(mkdtempSync(join(parent, "empty ")), "clinic");
  const { exitCode, stdout, stderr } = await commandLine(["init", folder]);
  assert.equal(exitCode, 0);
  const files = stdout.trimEnd().split("\n");
  assert.ok(files.includes(join(folder, "pipeline.ts")) && files.includes(join(folder, "data/clinic.db")));
  for (const file of files) assert.ok(existsSync(file), file);
  assert.equal(
    stderr,
    [
      "",
      "Next:",
      `  cd '${folder}'`,
      "  npm install   (adds llm-etl, zod, @types/node, typescript)",
      "  npx llm-etl run",
      "",
      "Its rows will be in the table enriched_encounters of data/clinic.db: node show-rows.ts",
      "",
    ].join("\n"),
  );
});

test("where services are needed the next steps name the table and the settings", async () => {
  const folder = mkdtempSync(join(parent, "services "));
  mkdirSync(join(folder, "node_modules/llm-etl"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const options = ["--source", "sql-server", "--provider", "azure-openai", "--name", "visits"];
  const { exitCode, stderr } = await commandLine(["init", folder, ...options]);
  assert.equal(exitCode, 0);
  const [, changed = "", steps = ""] = /^\nFiles that were there:\n([^]*?)\n\nNext:\n([^]*)$/.exec(stderr) ?? [];
  assert.match(
    changed,
    /^ {2}package\.json: scripts added: start, check; dependencies added: llm-etl, mssql, @pydantic\/genai-prices, zod; /,
  );
  assert.deepEqual(steps.split("\n").slice(1), [
    "  npm install   (adds mssql, @pydantic/genai-prices, zod, @types/node, typescript)",
    "  run sql/create_tables.sql in a database of yours",
    "  copy .env.example to .env, and fill it in",
    "  npx llm-etl run --env-file .env",
    "",
    "Its rows will be in the table dbo.enriched_encounters",
    "",
  ]);
  assert.match(readFileSync(join(folder, "pipeline.ts"), "utf8"), /name: "visits"/);
});

test("a file in the way is named, nothing is written, and the exit code is 2", async () => {
  const folder = mkdtempSync(join(parent, "taken "));
  writeFileSync(join(folder, "pipeline.ts"), "mine");
  const { exitCode, stdout, stderr } = await commandLine(["init", folder]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /nothing is overwritten, and in .* there is already pipeline\.ts; .*\[INVALID_OPTION\]/);
  assert.equal(readFileSync(join(folder, "pipeline.ts"), "utf8"), "mine");
});

test("a source or provider that there is none of is answered with those that there are", async () => {
  const source = await commandLine(["init", "x", "--source", "mysql"]);
  assert.equal(source.exitCode, 2);
  assert.match(source.stderr, /sqlite, csv, sql-server/);
  const provider = await commandLine(["init", "x", "--provider", "azure"]);
  assert.equal(provider.exitCode, 2);
  assert.match(provider.stderr, /mock, azure-openai/);
  assert.ok(!existsSync("x"));
});

test("a new folder of templates is a choice of the command line, and one that is broken is named, with exit code 2", async () => {
  const tree = mkdtempSync(join(parent, "tree "));
  for (const name of ["src", "templates", "package.json"])
    cpSync(join(root, name), join(tree, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"), "junction");
  const template = join(tree, "templates/sources/example-database");
  cpSync(join(tree, "templates/sources/csv"), template, { recursive: true });
  const main = join(tree, "src/cli/main.ts");
  const added = await node(tree, main, "init", "made", "--source", "example-database");
  assert.equal(added.exitCode, 0, added.stderr);
  assert.ok(existsSync(join(tree, "made/pipeline.ts")));

  writeFileSync(join(template, "template.json"), '{ "order": "last" }');
  const broken = await node(tree, main, "init", "other");
  assert.deepEqual([broken.exitCode, broken.stdout], [2, ""]);
  assert.match(broken.stderr, /example-database.template\.json .*[^]*order[^]*\[INVALID_OPTION\]/);
  assert.doesNotMatch(broken.stderr, /\n +at /, "no stack");
});

test("nothing is asked where nobody could answer", async () => {
  const screens = [{ screen: { isTTY: true } }, { screen: { isTTY: true }, env: { CI: "true" } }];
  for (const [index, options] of screens.entries()) {
    const terminal = testTerminal(options);
    const folder = join(parent, `unasked ${index}`);
    assert.equal(await runCommandLine(["init", folder], terminal), 0);
    assert.ok(existsSync(join(folder, "data/clinic.db")), "the default source");
  }
});

test("its help fits a terminal of 80 × 24, and its example works", async () => {
  const { stdout } = await commandLine(["init", "--help"]);
  const lines = stdout.trimEnd().split("\n");
  assert.ok(lines.length <= 23 && lines.every((line) => line.length <= 80), stdout);
  const [, example = ""] = /Example:\n {2}llm-etl (.*)/.exec(stdout) ?? [];
  const [, ...words] = example.split(" ").with(1, join(mkdtempSync(join(parent, "example ")), "my-project"));
  assert.equal((await commandLine(["init", ...words])).exitCode, 0);
});

test("every project compiles strictly, as its user would compile it; with a wrong field it does not", async () => {
  const folder = installedFolder();
  for (const { source, provider } of combinations) {
    const options = ["--source", source, "--provider", provider];
    assert.equal((await commandLine(["init", join(folder, `${source} ${provider}`), ...options])).exitCode, 0);
  }
  const [settings, others] = combinations.map(({ source, provider }) => {
    return readFileSync(join(folder, `${source} ${provider}`, "tsconfig.json"), "utf8");
  });
  assert.equal(settings, others, "one compilation with the settings of one is that of each");
  writeFileSync(join(folder, "tsconfig.json"), settings ?? "");
  const compile = async (): Promise<Ended> => await node(folder, "node_modules/typescript/bin/tsc");
  const compiled = await compile();
  assert.deepEqual([compiled.exitCode, compiled.stdout], [0, ""]);

  const pipelines = combinations.map(({ source, provider }) => join(folder, `${source} ${provider}`, "pipeline.ts"));
  for (const path of pipelines) {
    writeFileSync(path, readFileSync(path, "utf8").replace("s.processed.summary.text", "s.processed.summary.words"));
  }
  const { stdout } = await compile();
  assert.equal(
    stdout.match(/pipeline\.ts\(\d+,\d+\): error TS2339: Property 'words' does not exist/g)?.length,
    combinations.length,
    stdout,
  );
});

/** Makes a project as a user would, and fills in what its .env.example names. */
async function projectIn(
  folder: string,
  options: readonly string[],
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  const project = join(folder, "project");
  assert.equal((await commandLine(["init", project, ...options])).exitCode, 0);
  const example = readFileSync(join(project, ".env.example"), "utf8");
  writeFileSync(
    join(project, ".env"),
    example.replaceAll(/^(\w+)=$/gm, (line, name: string) => `${line}'${settings[name] ?? ""}'`),
  );
  return project;
}

type Server = Awaited<ReturnType<typeof startTargetServer>>;

/** The rows that a project has written, by its source. A template that needs another server has its own test. */
const enrichedRows: Readonly<Record<string, (project: string, server: Server) => readonly object[]>> = {
  sqlite: (project) => query(join(project, "data/clinic.db"), "SELECT * FROM enriched_encounters"),
  csv: (project) => parse(readFileSync(join(project, "output/enriched_encounters.csv")), { columns: true }),
  "sql-server": (_, server) => server.table("dbo.enriched_encounters").rows(),
};

for (const { source, provider, needsSettings } of combinations) {
  const rowsOf = enrichedRows[source];
  if (rowsOf === undefined || !["mock", "azure-openai", "local"].includes(provider)) continue;
  test(`a project from ${source} with ${provider} runs, and each row goes well`, async (t: TestContext) => {
    const folder = installedFolder();
    const sql = readFileSync(join(root, "templates/sources/sql-server/sql/create_tables.sql"), "utf8");
    const server = await startTargetServer({ sql, password: "in a file: #1" }, t);
    const simulator = await simulatorFor(t, provider === "local" ? { apiKeys: [] } : {});
    const project = await projectIn(folder, ["--source", source, "--provider", provider], {
      SQL_SERVER_CONN: server.connectionString,
      AZURE_OPENAI_ENDPOINT: simulator.url,
      AZURE_OPENAI_API_KEY: "any",
      AZURE_OPENAI_DEPLOYMENT: "gpt-4o",
      LOCAL_MODEL_URL: `${simulator.url}/v1`,
      LOCAL_MODEL: "small:7b",
    });
    const words = ["run", ...(needsSettings ? ["--env-file", ".env"] : [])];
    const { exitCode, stdout, stderr } = await node(project, join(root, "dist/cli/main.js"), ...words);
    assert.equal(exitCode, 0, stderr);
    assert.match(stdout, /Processed: 24, Failed: 0/);
    const rows = rowsOf(project, server);
    assert.equal(rows.length, 24);
    assert.deepEqual(Object.keys(rows[0] ?? {}), [
      "encounter_id",
      "visit_category",
      "confidence",
      "clinical_summary",
      "processed_at",
    ]);
    assert.equal(simulator.statistics().requests > 0, provider !== "mock");
    if (source !== "sqlite") return;
    const shown = await node(project, "show-rows.ts");
    assert.equal(shown.stdout.split("\n").filter((line) => line.includes('"visit_category"')).length, 24, shown.stderr);
  });
}

/** What a run says at its end, but for what differs from run to run and what a reworded prompt would change. */
function endingOf(text: string): string {
  return text
    .slice(text.indexOf("completed in"))
    .replace(/in [^,\n]+, run \w+/, "in … ms, run …")
    .replaceAll(/[\d,]+ (input|output)/g, "… $1")
    .trim();
}

test("docs/getting-started.md shows what its runs say: with another taxonomy only what changed is asked and written", async () => {
  const page = readFileSync(join(root, "docs/getting-started.md"), "utf8");
  const shown = [...page.matchAll(/```text\n(completed[^]*?)```/g)].map(([, block = ""]) => endingOf(block));
  const [, category = assert.fail("no category is added")] = /`(\{ name: "Travel Medicine".*\},)`/.exec(page) ?? [];
  const project = await projectIn(installedFolder(), [], {});
  const run = async (): Promise<string> => {
    const { stdout, stderr } = await node(project, join(root, "dist/cli/main.js"), "run");
    return endingOf(`${stderr}${stdout}`);
  };
  const first = await run();
  const path = join(project, "pipeline.ts");
  const pipeline = readFileSync(path, "utf8");
  writeFileSync(path, pipeline.replace("taxonomy: [", `taxonomy: [ ${category}`));
  assert.deepEqual([first, await run()], shown);
});
