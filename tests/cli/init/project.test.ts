import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { ErrorFacts } from "../../../src/errors/facts.ts";
import { makeProject, type Project, type ProjectOptions } from "../../../src/cli/init/project.ts";
import { findTemplates } from "../../../src/cli/init/templates.ts";
import { OptionError } from "../../../src/index.ts";
import { query } from "../../support/sqlite.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const parent = temporaryFolder();
const emptyFolder = (): string => mkdtempSync(join(parent, "Projekt für uns "));

const { sources, providers } = findTemplates();

async function make(folder: string, options: Partial<ProjectOptions> = {}): Promise<Project> {
  return await makeProject({ folder, source: sources[0], provider: providers[0], ...options });
}

/** The facts of the error with which no project is made. */
async function refusal(folder: string, options: Partial<ProjectOptions> = {}): Promise<ErrorFacts> {
  try {
    await make(folder, options);
  } catch (error) {
    assert.ok(error instanceof OptionError, String(error));
    return error.facts;
  }
  return assert.fail("a project was made");
}

const filesIn = (folder: string): string[] =>
  globSync("**/*", { cwd: folder, withFileTypes: true })
    .concat(globSync("**/.*", { cwd: folder, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    )
    .toSorted();

test("a project is all that it says it created, and no more", async () => {
  const folder = join(emptyFolder(), "a new one");
  const { created, changes } = await make(folder);
  assert.deepEqual(created, filesIn(folder));
  assert.ok(created.includes(".gitignore") && created.includes("package.json") && created.includes("data/clinic.db"));
  assert.deepEqual(changes, []);
});

test("the database has the sample encounters, and the table that the pipeline fills, empty", async () => {
  const folder = emptyFolder();
  await make(folder);
  const path = join(folder, "data/clinic.db");
  assert.deepEqual(query(path, "SELECT count(*) AS rows FROM encounters"), [{ rows: 24 }]);
  assert.deepEqual(query(path, "SELECT * FROM enriched_encounters"), []);
});

test("the pipeline gets the name that is given, whatever is in it", async () => {
  const folder = emptyFolder();
  await make(folder, { name: 'the "$&" of ours' });
  assert.match(readFileSync(join(folder, "pipeline.ts"), "utf8"), /^ {2}name: "the \\"\$&\\" of ours",$/m);
  assert.equal((await refusal(emptyFolder(), { name: " " })).where, "--name");
});

test("packages that are not installed, for it or for a folder above, are named", async () => {
  const folder = join(emptyFolder(), "below");
  mkdirSync(join(folder, "../node_modules/typescript"), { recursive: true });
  for (const name of ["llm-etl", "zod", "@types/node"])
    mkdirSync(join(folder, "node_modules", name), { recursive: true });
  const { missingPackages } = await make(folder, { source: { ...sources[0], packages: ["mssql"] } });
  assert.deepEqual(missingPackages, ["mssql"]);
});

test("all files in the way are named before one is written, and stay as they are", async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "tsconfig.json"), "mine");
  mkdirSync(join(folder, "data"));
  writeFileSync(join(folder, "data/clinic.db"), "mine");
  writeFileSync(join(folder, "sql"), "a file where a folder would be");
  assert.partialDeepStrictEqual(await refusal(folder), {
    where: "folder",
    folder,
    taken: ["data/clinic.db", "sql/create_tables.sql", "sql/get_encounters.sql", "tsconfig.json"],
  });
  assert.deepEqual(filesIn(folder), ["data/clinic.db", "sql", "tsconfig.json"]);
  assert.equal(readFileSync(join(folder, "data/clinic.db"), "utf8"), "mine");
});

test("making a project twice is refused", async () => {
  const folder = emptyFolder();
  const { created } = await make(folder);
  const taken = created.filter((each) => !/package\.json|README|gitignore/.test(each));
  assert.deepEqual((await refusal(folder))["taken"], taken);
});

test("a repository with a README, a .gitignore and node_modules is no obstacle", async () => {
  const folder = emptyFolder();
  for (const name of ["node_modules/zod", ".git"]) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, "node_modules/zod/index.js"), "");
  writeFileSync(join(folder, "package-lock.json"), "{}");
  writeFileSync(join(folder, "README.md"), "mine");
  writeFileSync(join(folder, ".gitignore"), "dist\nnode_modules/");
  const { created, changes } = await make(folder);
  assert.equal(readFileSync(join(folder, "README.md"), "utf8"), "mine");
  assert.equal(
    readFileSync(join(folder, ".gitignore"), "utf8"),
    "dist\nnode_modules/\n.env\n.llm-etl/\nlogs/\noutput/\n",
  );
  assert.deepEqual(changes, ["README.md: left as it was", ".gitignore: added .env, .llm-etl/, logs/, output/"]);
  assert.ok(!created.includes("README.md") && !created.includes(".gitignore"));
});

test("the package.json that npm init makes becomes that of a module", async () => {
  const folder = emptyFolder();
  writeFileSync(
    join(folder, "package.json"),
    '{\n  "name": "clinic",\n  "main": "index.js",\n  "type": "commonjs"\n}\n',
  );
  const { created, changes } = await make(folder);
  const { name, type, dependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  assert.deepEqual([name, type, Object.keys(dependencies)], ["clinic", "module", ["llm-etl", "zod"]]);
  assert.ok(!created.includes("package.json"));
  assert.match(changes.join("\n"), /^package\.json: type is now "module", it was "commonjs"; scripts added/m);
  assert.deepEqual(filesIn(folder), [...created, "package.json"].toSorted());
});

test("where other files would become modules it is refused, and nothing is written", async () => {
  for (const manifest of ['{ "type": "commonjs" }', "{}", undefined]) {
    const folder = emptyFolder();
    mkdirSync(join(folder, "lib"));
    writeFileSync(join(folder, "lib/index.js"), "module.exports = 1");
    if (manifest !== undefined) writeFileSync(join(folder, "package.json"), manifest);
    assert.equal((await refusal(folder))["file"], "lib/index.js");
    assert.deepEqual(filesIn(folder), ["lib/index.js", ...(manifest === undefined ? [] : ["package.json"])]);
  }
});

test("in a project of modules its own files are no obstacle", async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "index.js"), "export default 1");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  assert.ok((await make(folder)).created.includes("pipeline.ts"));
});

test("a package.json that can't be read is refused, and nothing is written", async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "package.json"), "{");
  assert.partialDeepStrictEqual(await refusal(folder), { where: "folder", file: "package.json" });
  assert.deepEqual(filesIn(folder), ["package.json"]);
});

test("a path that is a file is refused", async () => {
  const path = join(emptyFolder(), "notes");
  writeFileSync(path, "mine");
  assert.partialDeepStrictEqual(await refusal(path), { where: "folder", code: "ENOTDIR" });
});

test("where writing fails half-way the error names what could not be written and what was, and package.json is as it was", async () => {
  const folder = emptyFolder();
  writeFileSync(join(folder, "package.json"), "{}");
  symlinkSync(join(folder, "nowhere", "at all"), join(folder, "sql"), "junction");
  const { written, ...facts } = await refusal(folder);
  assert.partialDeepStrictEqual(facts, { where: "folder", folder, file: "sql/create_tables.sql", code: "ENOENT" });
  assert.ok(Array.isArray(written));
  assert.deepEqual(
    written.toSorted(),
    filesIn(folder).filter((path) => path !== "package.json"),
  );
  assert.equal(readFileSync(join(folder, "package.json"), "utf8"), "{}");
});
