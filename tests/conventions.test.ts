import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { errorCodes } from "../src/index.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = globSync("src/**/*.ts", { cwd: root })
  .map((path) => path.replaceAll("\\", "/"))
  .toSorted();
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const linesOf = (path: string): number => read(path).trimEnd().split("\n").length;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** The imports of one source file from others, as paths below src/. */
function importsOf(path: string): Import[] {
  const matches = read(path).matchAll(/(?:^|\n)(import|export)( type)?[^;"]*?from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g);
  return [...matches].map(([, , type, named, dynamic]) => ({
    from: path.slice(4),
    to: normalize(join(dirname(path), named ?? dynamic ?? "")).slice(4),
    typeOnly: type !== undefined,
  }));
}

/** Who may import what, first match decides: a file's path, then the paths that it may import. `type:` allows types only. */
const law: readonly (readonly [RegExp, readonly RegExp[], readonly RegExp[]])[] = [
  [/^core\/run\.ts$/, [/^core\//, /^dead-letter\//, /^journal\//, /^llm\/[^/]+$/], [/\/base\.ts$/]],
  [/^core\/check\.ts$/, [/^core\//, /^journal\/inspection\.ts$/], [/\/base\.ts$/]],
  [
    /^core\/check-steps\.ts$/,
    [/^core\//, /^llm\/(ping|provider-call|rehearsal)\.ts$/],
    [/\/base\.ts$/, /^llm\/client\.ts$/],
  ],
  [/^core\/pipeline\.ts$/, [/^core\//, /^llm\/admission-options\.ts$/], [/\/base\.ts$/]],
  [/^core\//, [/^core\//], [/\/base\.ts$/, /^llm\/(client|admission-options)\.ts$/]],
  [
    /^(sources|sinks|steps)\/base\.ts$|^llm\/providers\/base\.ts$|^(dead-letter|journal)\/base\.ts$/,
    [],
    [/^core\//, /^llm\//],
  ],
  [/^journal\//, [/^journal\//, /^core\//, /^sqlite\/errors\.ts$/], []],
  [/^sources\/csv\.ts$/, [/^sources\/base\.ts$/, /^core\//, /^csv\//], []],
  [/^sinks\/csv\.ts$/, [/^sinks\/base\.ts$/, /^core\//, /^csv\//], []],
  [/^sources\/sqlite\.ts$/, [/^sources\/base\.ts$/, /^core\//, /^sqlite\//], []],
  [/^sinks\/sqlite\.ts$/, [/^sinks\/base\.ts$/, /^core\//, /^sqlite\//], []],
  [/^sources\/sql-server\.ts$/, [/^sources\/base\.ts$/, /^core\//, /^sql-server\//], []],
  [/^sinks\/sql-server\.ts$/, [/^sinks\/base\.ts$/, /^core\//, /^sql-server\//], []],
  [/^sources\//, [/^sources\/base\.ts$/, /^core\//], []],
  [/^sinks\//, [/^sinks\/base\.ts$/, /^core\//], []],
  [
    /^steps\//,
    [/^steps\/(base|llm-step)\.ts$/, /^core\//, /^llm\/[^/]+$/, /^validation\//],
    [/^llm\/providers\/base\.ts$/],
  ],
  [/^llm\/providers\//, [/^llm\/providers\/base\.ts$/, /^llm\/[^/]+$/, /^core\//], []],
  [/^llm\//, [/^llm\/[^/]+$/, /^core\//, /^validation\//], [/^(llm\/providers|journal)\/base\.ts$/]],
  [/^validation\//, [/^validation\//, /^core\//], [/^llm\//]],
  [/^dead-letter\//, [/^dead-letter\//, /^core\//], [/^sources\/base\.ts$/]],
  [/^csv\//, [/^csv\//, /^core\//], []],
  [/^sqlite\//, [/^sqlite\//, /^core\//], [/^(sources|sinks)\/base\.ts$/]],
  [/^sql-server\//, [/^sql-server\//, /^core\//], [/^(sources|sinks)\/base\.ts$/]],
  [/^cli\/commands\/sql\.ts$/, [/^cli\//, /^core\//, /^(sqlite|sql-server)\/create-table\.ts$/], []],
  [/^cli\/commands\/simulate\.ts$/, [/^cli\//, /^core\//, /^testing\/simulator\//], []],
  [/^cli\//, [/^cli\//, /^core\//, /^journal\/run-history\.ts$/], [/^llm\/providers\/base\.ts$/]],
  [/^testing\//, [/^(?!cli\/)/], []],
  [/^index\.ts$/, [/^(?!cli\/|testing\/)/], []],
];

test("the import law: core knows contracts only as types, a plug-in no other plug-in, nobody the command line", () => {
  const broken: string[] = [];
  for (const path of sources) {
    const name = path.slice(4);
    const [, allowed, allowedTypes] = law.find(([pattern]) => pattern.test(name)) ?? assert.fail(`no law for ${path}`);
    for (const { from, to, typeOnly } of importsOf(path)) {
      const permitted = [...allowed, ...(typeOnly ? allowedTypes : [])];
      if (!permitted.some((pattern) => pattern.test(to)))
        broken.push(`${from} imports ${typeOnly ? "types of " : ""}${to}`);
    }
  }
  assert.deepEqual(broken, []);
  assert.ok(sources.flatMap(importsOf).length > 100, "the imports were not found");
});

test("the embedded default loads no driver and no HTTP client: they are loaded when they are used", () => {
  assert.deepEqual(packagesLoadedBy("src/index.ts"), ["zod"]);
});

test("the source and the sink of SQL Server load without their driver", () => {
  for (const folder of ["sources", "sinks"]) {
    assert.deepEqual(
      packagesLoadedBy(`src/${folder}/sql-server.ts`).filter((name) => name !== "zod"),
      [],
      folder,
    );
  }
});

function packagesLoadedBy(entry: string): string[] {
  const reached = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const [, name] of read(path).matchAll(/^(?:import|export) (?!type)[^;"]*?from "([^."][^"]*)"/gm)) {
      if (name !== undefined && !name.startsWith("node:")) packages.add(name);
    }
    for (const { to, typeOnly } of importsOf(path)) if (!typeOnly) visit(`src/${to}`);
  };
  visit(entry);
  return [...packages].toSorted();
}

test("the package's types need no other than those that are installed with it", () => {
  const { dependencies } = JSON.parse(read("package.json"));
  assert.ok(existsSync(join(root, "dist")), "dist/ is not there: run `npm run build` first");
  const pending = globSync("dist/{index,testing/index,sources/*,sinks/*,steps/*,llm/providers/*}.d.ts", { cwd: root });
  assert.ok(pending.length > 15, "the public declarations were not found");
  const needed = new Set<string>();
  const reached = new Set<string>(pending);
  for (const path of pending) {
    for (const [, plain, called] of read(path).matchAll(
      /^(?:import|export) [^;"]*?from "([^"]+)"|\bimport\("([^"]+)"\)/gm,
    )) {
      const name = plain ?? called ?? "";
      const file = normalize(join(dirname(path), name.replace(/\.ts$/, ".d.ts")));
      if (name.startsWith(".") && !reached.has(file)) {
        reached.add(file);
        pending.push(file);
      } else if (!name.startsWith(".") && !name.startsWith("node:") && !Object.hasOwn(dependencies, name)) {
        needed.add(`${path}: ${name}`);
      }
    }
  }
  assert.deepEqual([...needed], []);
});

test("every cast in src has its reason beside it, or on the line before", () => {
  const bare: string[] = [];
  for (const path of sources) {
    const lines = read(path).split("\n");
    for (const [index, line] of lines.entries()) {
      const code = line.replace(/\/\/.*|^\s*\/?\*.*|"[^"]*"|`[^`]*`/g, "");
      if (!/\bas (?!const\b)[\w({[]/.test(code) || /^\s*(import|export|type)\b/.test(line)) continue;
      if (!line.includes("//") && !lines[index - 1]?.includes("//")) bare.push(`${path}:${index + 1}`);
    }
  }
  assert.deepEqual(bare, []);
});

test("every source file has its test, found by its name", () => {
  const untested = sources
    .filter((path) => !/\/(index|base)\.ts$/.test(path))
    .filter((path) => !existsSync(join(root, path.replace(/^src\//, "tests/").replace(/\.ts$/, ".test.ts"))));
  assert.deepEqual(untested, []);
});

test("every public path of the package can be imported, and exports something", async () => {
  const { exports } = JSON.parse(read("package.json"));
  const paths = Object.keys(exports).flatMap((pattern) => {
    if (pattern === "./package.json") return [];
    if (!pattern.endsWith("/*")) return [pattern.replace(".", "llm-etl")];
    const folder = pattern.slice(2, -2);
    return globSync(`src/${folder}/*.ts`, { cwd: root }).map((path) => `llm-etl/${path.slice(4, -3)}`);
  });
  assert.ok(paths.includes("llm-etl/sources/sqlite") && paths.includes("llm-etl/testing"));
  for (const path of paths) {
    const module: object = await import(path);
    if (!path.endsWith("/base")) assert.ok(Object.keys(module).length > 0, `${path} exports nothing`);
  }
});

test("every error code has its heading in docs/errors.md, and every heading its code", () => {
  const headings = [...read("docs/errors.md").matchAll(/^## `?([A-Z][A-Z_]+)`?$/gm)].map(([, code]) => code);
  assert.deepEqual(headings, [...errorCodes]);
});

test("every error code in the list is used, and every one that is used is in the list", () => {
  const code = sources
    .filter((path) => path !== "src/core/exceptions.ts")
    .map(read)
    .join("\n");
  const definitions = read("src/core/exceptions.ts").split("] as const;")[1] ?? "";
  const unused = errorCodes.filter((name) => !`${code}${definitions}`.includes(`"${name}"`));
  assert.deepEqual(unused, []);
});

test("the documents keep to their lengths", () => {
  assert.ok(linesOf("README.md") <= 150, "README.md");
  assert.ok(linesOf("src/core/engine.ts") <= 300, "the engine");
  for (const path of globSync("docs/decisions/*.md", { cwd: root })) assert.ok(linesOf(path) <= 40, path);
});

test("the change log has a heading for the package's version", () => {
  const { version } = JSON.parse(read("package.json"));
  assert.match(read("CHANGELOG.md"), new RegExp(`^## (Unreleased|${version.replaceAll(".", "\\.")})`, "m"));
});
