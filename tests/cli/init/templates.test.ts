import assert from "node:assert/strict";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { makeProject } from "../../../src/cli/init/project.ts";
import { findTemplates, readTemplates, type Template } from "../../../src/cli/init/templates.ts";
import { OptionError } from "../../../src/index.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const { sources, providers } = findTemplates();
const projects = await Promise.all(
  sources.map(async (source) => ({ source, files: await readTemplates(source, providers[0]) })),
);

function named(templates: readonly Template[], wanted: string): Template {
  return templates.find(({ name }) => name === wanted) ?? assert.fail(`no ${wanted}`);
}

function fileOf(wanted: string, path: string): string {
  return projects.find(({ source }) => source.name === wanted)?.files.get(path) ?? assert.fail(`no ${path}`);
}

test("each source with each provider has a pipeline, its provider, settings and a README", async () => {
  for (const source of sources) {
    for (const provider of providers) {
      const files = await readTemplates(source, provider);
      for (const path of ["pipeline.ts", "provider.ts", "tsconfig.json", ".gitignore", ".env.example", "README.md"]) {
        assert.ok((files.get(path) ?? "").length > 0, `${source.name}, ${provider.name}: ${path}`);
      }
      assert.ok(!files.has("gitignore"));
      for (const name of [...source.variables, ...provider.variables])
        assert.match(files.get(".env.example") ?? "", new RegExp(`^${name}=$`, "m"));
    }
  }
});

test("what two templates have of one file is joined: a README has a part for the source and one for the provider", async () => {
  const files = await readTemplates(named(sources, "sql-server"), named(providers, "azure-openai"));
  const readme = files.get("README.md") ?? "";
  assert.deepEqual([...readme.matchAll(/^#+ .*$/gm)].map(([line]) => line).slice(1), ["## The data", "## The model"]);
  assert.match(readme, /[^\n]\n\n## The data\n\n/);
  assert.ok(readme.split("\n").length <= 45);
  const names = [...(files.get(".env.example") ?? "").matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [
    name,
    value,
  ]);
  assert.deepEqual(names, [
    ["SQL_SERVER_CONN", ""],
    ["AZURE_OPENAI_ENDPOINT", ""],
    ["AZURE_OPENAI_API_KEY", ""],
    ["AZURE_OPENAI_DEPLOYMENT", ""],
  ]);
});

test("the pipelines differ in source and sink only: row, steps and columns are the same", () => {
  const shared = sources.map(({ name }) => {
    const pipeline = fileOf(name, "pipeline.ts");
    const steps = pipeline.slice(pipeline.indexOf("  .step("), pipeline.indexOf("  .to("));
    const columns = pipeline.slice(pipeline.indexOf("      columnMap: {"));
    assert.ok(steps.length > 1000 && columns.length > 200, name);
    return steps + columns;
  });
  assert.deepEqual(new Set(shared).size, 1);
});

test("each source has the same sample rows", () => {
  const database = new DatabaseSync(":memory:");
  database.exec(fileOf("sqlite", "sql/create_tables.sql"));
  const rows = database.prepare(fileOf("sqlite", "sql/get_encounters.sql")).all();
  database.close();
  const inSQLite = rows.map((row) => Object.values(row));
  assert.ok(inSQLite.length >= 24);
  const inCSV = parse(fileOf("csv", "data/encounters.csv"), {});
  assert.deepEqual(inCSV.slice(1), inSQLite);
  const values = fileOf("sql-server", "sql/create_tables.sql").matchAll(/^ {2}\('(.*)', N'(.*)', N'(.*)'\)[,;]$/gm);
  assert.deepEqual(
    [...values].map(([, ...cells]) => cells),
    inSQLite,
  );
});

const parent = temporaryFolder();

/** A copy of the templates, to which a test may add. */
function copyOfTemplates(): string {
  const root = mkdtempSync(join(parent, "templates "));
  cpSync(fileURLToPath(new URL("../../../templates", import.meta.url)), root, { recursive: true });
  return root;
}

test("the choices come in their order, the default first, and none of their facts becomes a file of a project", async () => {
  assert.deepEqual([sources[0].name, providers[0].name], ["sqlite", "mock"]);
  const orders = [sources, providers].map((templates) => templates.map(({ order }) => order));
  assert.deepEqual(
    orders,
    orders.map((each) => each.toSorted((a, b) => a - b)),
  );
  for (const { files } of projects) assert.ok(![...files.keys()].some((path) => /^template\.json$|\.js$/.test(path)));
});

test("a new folder is a new choice, with its packages and the files that it makes; no other file changes", async () => {
  const root = copyOfTemplates();
  const added = join(root, "sources/example-database");
  mkdirSync(added);
  const facts = {
    order: 2.5,
    label: "Example",
    hint: "an example",
    packages: ["mssql"],
    creates: { "data/rows.txt": "create-rows.js" },
  };
  writeFileSync(join(added, "template.json"), JSON.stringify(facts));
  writeFileSync(join(added, "pipeline.ts"), "export {};");
  const script = 'import { writeFile } from "node:fs/promises"; export default (path) => writeFile(path, "made");';
  writeFileSync(join(added, "create-rows.js"), script);

  const found = findTemplates(root);
  const names = found.sources.map(({ name }) => name);
  assert.equal(names.length, sources.length + 1);
  assert.equal(names.indexOf("example-database"), names.indexOf("csv") + 1);
  const folder = join(parent, "example");
  const source = named(found.sources, "example-database");
  const { created } = await makeProject({ folder, source, provider: found.providers[0] });
  assert.ok(created.includes("data/rows.txt") && !created.includes("create-rows.js"), created.join(", "));
  assert.equal(readFileSync(join(folder, "data/rows.txt"), "utf8"), "made");
  const { dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(dependencies), ["llm-etl", "mssql", "zod"]);
});

test("no file of init names a source or a provider: all that it says of one stands in its template", () => {
  const root = fileURLToPath(new URL("../../../src/cli/", import.meta.url));
  for (const file of ["commands/init.ts", ...globSync("init/*.ts", { cwd: root })]) {
    const words = readFileSync(join(root, file), "utf8");
    const found = [...sources, ...providers]
      .flatMap(({ name, label }) => [name, label])
      .filter((each) => words.includes(each));
    assert.deepEqual(found, [], file);
  }
});

test("a template.json that is missing, is not JSON, or has a wrong or unknown field is named, with the field", () => {
  const broken: readonly (readonly [text: string | undefined, expected: RegExp])[] = [
    [undefined, /ENOENT/],
    ["{", /JSON/],
    ['{ "order": 1, "label": "CSV files" }', /hint/],
    ['{ "order": 1, "label": "CSV files", "hint": "", "varables": [] }', /varables/],
  ];
  for (const [text, expected] of broken) {
    const root = copyOfTemplates();
    const path = join(root, "sources/csv/template.json");
    rmSync(path);
    if (text !== undefined) writeFileSync(path, text);
    assert.throws(
      () => findTemplates(root),
      (error) => error instanceof OptionError && error.message.includes(path) && expected.test(error.message),
    );
  }
});
