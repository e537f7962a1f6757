// What a newcomer does, with the package as it would be published: no key, no server, nothing of this repository.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "csv-parse/sync";
import { query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const parent = temporaryFolder();

/** The environment as it was before `npm test` and `node --test` added theirs, with the project's own Node first. */
function newcomersEnvironment(): NodeJS.ProcessEnv {
  const added = /^(npm_(?!config_)|npm_config_local_prefix$|INIT_CWD$|NODE_(TEST_CONTEXT|V8_COVERAGE|OPTIONS)$)/i;
  const services = /^(AZURE_OPENAI_|SQL_SERVER_)/;
  const inherited = Object.entries(process.env).filter(([name]) => !added.test(name) && !services.test(name));
  const path = [dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter);
  return { ...Object.fromEntries(inherited), PATH: path };
}

/** Runs a command to its end, and returns what it wrote to stdout. */
function run(folder: string, command: string, ...words: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(command, words, {
    cwd: folder,
    env: newcomersEnvironment(),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  assert.equal(error, undefined);
  assert.equal(status, 0, `${command} ${words.join(" ")}:\n${stderr}\n${stdout}`);
  return stdout;
}

function emptyFolder(name: string): string {
  const folder = join(parent, name);
  mkdirSync(folder);
  return folder;
}

const npmInstall = ["install", "--no-audit", "--no-fund", "--prefer-offline"];
let tarball = "";

before(() => {
  assert.ok(existsSync(join(root, "dist/cli/main.js")), "run `npm run build` first");
  run(root, "npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", parent);
  const [packed] = globSync("llm-etl-*.tgz", { cwd: parent });
  tarball = join("..", packed ?? assert.fail("nothing was packed"));
});

test("from an empty folder to an enriched table: install, init, run, runs; and the steps that init prints work", () => {
  const outer = emptyFolder("my first project");
  run(outer, "npm", ...npmInstall, tarball);
  const created = run(outer, "npx", "llm-etl", "init", "my clinic").trimEnd().split("\n");
  const folder = join(outer, "my clinic");
  assert.ok(
    [".env.example", ".gitignore", "pipeline.ts"].every((file) => created.includes(join("my clinic", file))),
    created.join(", "),
  );
  assert.match(run(folder, "npx", "llm-etl", "run"), /Processed: 24, Failed: 0/);
  const runs = run(folder, "npx", "llm-etl", "runs");
  assert.match(runs, /patient_visit_enrichment .* completed +24 +24 +0 /);
  assert.equal(runs.trimEnd().split("\n").length, 2, "a head and one run");

  const rows = query(join(folder, "data/clinic.db"), "SELECT * FROM enriched_encounters ORDER BY encounter_id");
  assert.equal(rows.length, 24);
  const [first] = rows;
  assert.equal(first?.["encounter_id"], "enc_001");
  assert.equal(first["visit_category"], "Emergency");
  assert.match(String(first["clinical_summary"]), /ambulance/);

  run(folder, "npm", ...npmInstall);
  run(folder, "npx", "tsc");
  assert.match(run(folder, "npm", "start", "--silent"), /Processed: 24, Failed: 0/);
});

test("from npm init to an enriched file: the CommonJS package.json becomes that of a module", () => {
  const folder = emptyFolder("my second project");
  run(folder, "npm", "init", "-y");
  run(folder, "npm", ...npmInstall, tarball);
  run(folder, "npx", "llm-etl", "init", "--source", "csv"); // where the package is installed
  assert.equal(JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).type, "module");
  assert.match(run(folder, "npm", "start", "--silent"), /Processed: 24, Failed: 0/);
  const rows: unknown[] = parse(readFileSync(join(folder, "output/enriched_encounters.csv")), { columns: true });
  assert.equal(rows.length, 24);
});
