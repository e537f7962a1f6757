import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../support/temporary-folder.ts";

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const fixture = (name: string): string => pathOf(`../fixtures/pipelines/${name}.ts`);
const commandFiles = globSync("*.ts", { cwd: pathOf("../../src/cli/commands") }).map((name) => basename(name, ".ts"));
const folder = temporaryFolder();

/** Writes the names of the files that this process has loaded to stderr. */
const listFiles = `
  import { registerHooks } from "node:module";
  const urls = [];
  registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
  process.on("exit", () => process.stderr.write(urls.map((url) => "loaded " + url + "\\n").join("")));`;

/** The commands and the packages that a command line loads, in a process of its own. */
function loadedBy(...words: readonly string[]): { readonly commands: string[]; readonly packages: string[] } {
  const hook = `data:text/javascript,${encodeURIComponent(listFiles)}`;
  const main = pathOf("../../src/cli/main.ts");
  const { stderr } = spawnSync(process.execPath, ["--import", hook, main, ...words], {
    cwd: mkdtempSync(join(folder, "loads ")),
    encoding: "utf8",
  });
  const all = (pattern: RegExp): string[] => [...new Set([...stderr.matchAll(pattern)].map(([, name = ""]) => name))];
  assert.ok(all(/^loaded .*\/src\/cli\/(program)\.ts$/gm).length === 1, stderr);
  return {
    commands: all(/^loaded .*\/src\/cli\/commands\/(.+)\.ts$/gm),
    packages: all(/^loaded .*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//gm),
  };
}

test("the program's help loads no command, and no package but commander", () => {
  assert.deepEqual(loadedBy("--help"), { commands: [], packages: ["commander"] });
});

test("a command loads itself and no other; what draws and what asks is loaded when somebody watches", () => {
  for (const name of commandFiles) {
    const { commands, packages } = loadedBy(name, "--help");
    assert.deepEqual(commands, [name]);
    for (const rare of ["log-update", "@clack/prompts", "undici", "mssql"])
      assert.ok(!packages.includes(rare), `${name}: ${rare}`);
  }
  const { packages } = loadedBy("run", fixture("settled"), "--limit", "1", "--max-cost", "1");
  assert.ok(packages.includes("zod") && !packages.includes("log-update"), packages.join());
  assert.ok(!loadedBy("init", "project", "--source", "csv").packages.includes("@clack/prompts"));
});
