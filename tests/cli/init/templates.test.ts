import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { parse } from "csv-parse/sync";
import { providers, sources } from "../../../src/cli/init/questions.ts";
import { readTemplates } from "../../../src/cli/init/templates.ts";

const projects = await Promise.all(
  sources.map(async (source) => ({ source, files: await readTemplates({ source, provider: "mock" }) })),
);

function fileOf(wanted: (typeof sources)[number], path: string): string {
  return projects.find(({ source }) => source === wanted)?.files.get(path) ?? assert.fail(`no ${path}`);
}

test("each source with each provider has a pipeline, its provider, settings and a README", async () => {
  for (const source of sources) {
    for (const provider of providers) {
      const files = await readTemplates({ source, provider });
      for (const path of ["pipeline.ts", "provider.ts", "tsconfig.json", ".gitignore", ".env.example", "README.md"]) {
        assert.ok((files.get(path) ?? "").length > 0, `${source}, ${provider}: ${path}`);
      }
      assert.ok(!files.has("gitignore"));
    }
  }
});

test("what two templates have of one file is joined: a README has a part for the source and one for the provider", async () => {
  const files = await readTemplates({ source: "sql-server", provider: "azure-openai" });
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
  const shared = sources.map((source) => {
    const pipeline = fileOf(source, "pipeline.ts");
    const steps = pipeline.slice(pipeline.indexOf("  .step("), pipeline.indexOf("  .to("));
    const columns = pipeline.slice(pipeline.indexOf("      columnMap: {"));
    assert.ok(steps.length > 1000 && columns.length > 200, source);
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
