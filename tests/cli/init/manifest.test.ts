import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isModuleManifest, manifestNeeds, mergeManifest, newManifest } from "../../../src/cli/init/manifest.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { OptionError } from "../../../src/index.ts";

const folder = temporaryFolder();
const needs = await manifestNeeds(folder, []);
const [zodRange] = [needs.dependencies["zod"]];

test("a new package.json is private, a module, and names the packages that a pipeline needs", async () => {
  const manifest = JSON.parse(newManifest(await manifestNeeds(folder, ["mssql"])));
  assert.deepEqual(
    [manifest.private, manifest.type, manifest.scripts.start, Object.keys(manifest.dependencies).toSorted()],
    [true, "module", "llm-etl run", ["llm-etl", "mssql", "zod"]],
  );
  assert.deepEqual(Object.keys(manifest.devDependencies), ["@types/node", "typescript"]);
  assert.match(manifest.dependencies["llm-etl"], /^\^\d+\.\d+\.\d+$/);
});

test("llm-etl is named as the nearest package.json names it, a file as it is seen from the project", async () => {
  const outer = join(folder, "outer");
  const project = join(outer, "my clinic", "inner");
  mkdirSync(project, { recursive: true });
  const namedIn = async (): Promise<string | undefined> => (await manifestNeeds(project, [])).dependencies["llm-etl"];
  const write = (manifest: object): void => writeFileSync(join(outer, "package.json"), JSON.stringify(manifest));
  write({ dependencies: { "llm-etl": "file:packs/llm-etl-0.1.0.tgz" } });
  assert.equal(await namedIn(), "file:../../packs/llm-etl-0.1.0.tgz");
  write({ devDependencies: { "llm-etl": "^0.9.0" } });
  assert.equal(await namedIn(), "^0.9.0");
  write({ dependencies: {} });
  assert.match((await namedIn()) ?? "", /^\^\d/);
});

test("a package.json gets what it lacks, and all else keeps its value, place and indentation", () => {
  const text = [
    "{",
    '    "name": "clinic",',
    '    "type": "commonjs",',
    '    "scripts": {',
    '        "start": "node server.js"',
    "    },",
    '    "dependencies": {',
    '        "llm-etl": "file:llm-etl-0.1.0.tgz"',
    "    },",
    '    "keywords": []',
    "}",
    "",
  ].join("\n");
  const merged = mergeManifest(text, needs);
  assert.equal(
    merged.text,
    [
      "{",
      '    "name": "clinic",',
      '    "type": "module",',
      '    "scripts": {',
      '        "start": "node server.js",',
      '        "check": "llm-etl check"',
      "    },",
      '    "dependencies": {',
      '        "llm-etl": "file:llm-etl-0.1.0.tgz",',
      `        "zod": "${zodRange}"`,
      "    },",
      '    "keywords": [],',
      '    "devDependencies": {',
      `        "@types/node": "${needs.devDependencies["@types/node"]}",`,
      `        "typescript": "${needs.devDependencies["typescript"]}"`,
      "    }",
      "}",
      "",
    ].join("\n"),
  );
  assert.deepEqual(merged.changes, [
    'type is now "module", it was "commonjs"',
    "scripts added: check",
    "dependencies added: zod",
    "devDependencies added: @types/node, typescript",
  ]);
});

test("tabs, CRLF and a missing line at the end stay as they are", () => {
  const tabs = mergeManifest('{\r\n\t"type": "module"\r\n}', needs).text;
  assert.ok(tabs.startsWith('{\r\n\t"type": "module",\r\n\t"scripts": {\r\n\t\t"start"'), tabs);
  assert.ok(tabs.endsWith("}"));
  assert.doesNotMatch(tabs.replaceAll("\r\n", ""), /\n/);
});

test("a package that any section names is not added again, and what is complete does not change", () => {
  const { text } = mergeManifest(
    '{ "devDependencies": { "zod": "4.0.0" }, "peerDependencies": { "typescript": "*" } }',
    needs,
  );
  const { dependencies, devDependencies } = JSON.parse(text);
  assert.deepEqual(Object.keys(dependencies), ["llm-etl"]);
  assert.deepEqual(devDependencies, { zod: "4.0.0", "@types/node": needs.devDependencies["@types/node"] });
  assert.deepEqual(mergeManifest(text, needs), { text, changes: [] });
});

test("what npm would not take as a package.json is an error, with the place", () => {
  const problemOf = (text: string): string => {
    try {
      mergeManifest(text, needs);
    } catch (error) {
      assert.ok(error instanceof OptionError);
      return error.message;
    }
    return assert.fail("it was taken");
  };
  assert.match(problemOf("{ name: clinic }"), /package\.json is not JSON .*; fix it first/);
  assert.match(problemOf('["zod"]'), /is not one that npm takes; fix it first/);
  assert.match(problemOf('{ "dependencies": ["zod"] }'), /not one that npm takes \(see "dependencies"\)/);
});

test("a package.json says whether its files are modules; a byte order mark is no part of it", () => {
  assert.equal(isModuleManifest('\uFEFF{ "type": "module" }'), true);
  assert.equal(isModuleManifest('{ "type": "commonjs" }'), false);
  assert.equal(isModuleManifest("{}"), false);
});
