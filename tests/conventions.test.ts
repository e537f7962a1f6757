import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { errorCodes } from "../src/index.ts";
import { publicPaths } from "./support/public-paths.ts";

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

/**
 * The house, from the top floor down. A file may import what is on a lower floor, and what is in its own folder; types
 * count like everything else. A folder that is not listed (the parts of one more database) is on the databases' floor.
 */
const floors: readonly (readonly string[])[] = [
  ["cli"],
  ["testing"],
  ["index.ts"],
  ["builder"],
  ["web"],
  ["check", "plan", "evaluate", "journal-upkeep"],
  ["cluster"],
  ["pipeline"],
  ["batches"],
  ["sources", "sinks", "steps"],
  ["taxonomy"],
  ["journals", "dead-letter"],
  ["sql-server", "postgresql", "sqlite", "duckdb", "csv"],
  ["llm"],
  ["journal-tables", "journal-answers"],
  ["spending"],
  ["table", "data-file"],
  ["engine"],
  ["model-step"],
  ["validation"],
  ["contracts"],
  ["errors"],
  ["files", "json"],
];

const roomOf = (name: string): string => name.split("/")[0] ?? "";

function floorOf(name: string): number {
  const floor = floors.findIndex((rooms) => rooms.includes(roomOf(name)));
  return floor === -1 ? floors.findIndex((rooms) => rooms.includes("sqlite")) : floor;
}

/** The imports that the law does not allow, as sentences. */
function brokenLaws(imports: readonly Import[]): string[] {
  return imports
    .filter(({ from, to }) => roomOf(from) !== roomOf(to) && floorOf(to) <= floorOf(from))
    .map(({ from, to }) => `${from} imports ${to}`);
}

test("the import law: a file imports its own folder and lower floors, types included", () => {
  const imports = sources.flatMap(importsOf);
  assert.deepEqual(brokenLaws(imports), []);
  assert.ok(imports.length > 600, "the imports were not found");
  const broken = [
    { from: "engine/engine.ts", to: "pipeline/run.ts", typeOnly: true },
    { from: "an-unlisted-database/rows.ts", to: "sources/csv.ts", typeOnly: false },
  ];
  assert.deepEqual(
    brokenLaws(broken),
    broken.map(({ from, to }) => `${from} imports ${to}`),
  );
});

test("a plug-in imports no other plug-in, and steps build on llm-step alone", () => {
  const isPlugIn = (name: string): boolean => /^(sources|sinks|steps|journals|llm\/providers)\/[^/]+\.ts$/.test(name);
  const broken = sources
    .flatMap(importsOf)
    .filter(({ from, to }) => isPlugIn(from) && isPlugIn(to) && dirname(from) === dirname(to))
    .filter(({ to }) => to !== "steps/llm-step.ts")
    .map(({ from, to }) => `${from} imports ${to}`);
  assert.deepEqual(broken, []);
});

test("no file imports itself in a circle, not even for types", () => {
  const lawful = circlesIn(sources.flatMap(importsOf));
  assert.deepEqual(lawful, []);
  const circle = circlesIn([
    { from: "a.ts", to: "b.ts", typeOnly: false },
    { from: "b.ts", to: "a.ts", typeOnly: true },
  ]);
  assert.deepEqual(circle, [["a.ts", "b.ts"]]);
});

/** The circles of files, each once: what is left when files without imports, or without importers, are taken away. */
function circlesIn(imports: readonly Import[]): string[][] {
  const reach = new Map<string, Set<string>>();
  const next = Map.groupBy(imports, ({ from }) => from);
  for (const start of next.keys()) {
    const reached = new Set<string>();
    const pending = [start];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      for (const { to } of next.get(name) ?? []) {
        if (reached.has(to)) continue;
        reached.add(to);
        pending.push(to);
      }
    }
    reach.set(start, reached);
  }
  const inCircle = [...reach].filter(([name, reached]) => reached.has(name)).map(([name]) => name);
  const circles = inCircle.map((name) =>
    inCircle.filter((other) => reach.get(name)?.has(other) === true && reach.get(other)?.has(name) === true).toSorted(),
  );
  return [...new Map(circles.map((circle) => [circle.join(), circle])).values()];
}

test("contracts hold types only", () => {
  const withCode = sources
    .filter((path) => path.startsWith("src/contracts/"))
    .filter((path) => /^(?:export )?(?:async )?(?:const|let|function|class) /m.test(read(path)));
  assert.deepEqual(withCode, []);
});

test("the embedded default loads no driver and no HTTP client: they are loaded when they are used", () => {
  assert.deepEqual(packagesLoadedBy("src/index.ts"), ["zod"]);
});

test("the sources and the sinks of SQL Server and of Excel load without the packages that they read with", () => {
  for (const name of ["sources/sql-server", "sinks/sql-server", "sources/excel", "sinks/excel"]) {
    assert.deepEqual(
      packagesLoadedBy(`src/${name}.ts`).filter((loaded) => loaded !== "zod"),
      [],
      name,
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

const tests = globSync("tests/**/*.test.ts", { cwd: root })
  .map((path) => path.replaceAll("\\", "/"))
  .toSorted();

/** The files that a file imports, as paths below the root. */
function importedBy(path: string): string[] {
  const matches = read(path).matchAll(/\bfrom "(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/g);
  return [...matches]
    .map(([, named, dynamic]) => normalize(join(dirname(path), named ?? dynamic ?? "")).replaceAll("\\", "/"))
    .filter((name) => existsSync(join(root, name)));
}

/** A test file and all that it imports, of src/ the contract suites alone: only they start processes, and run others. */
function reachOf(test: string): string[] {
  const reached = new Set([test]);
  for (const path of reached) {
    for (const name of importedBy(path))
      if (!name.startsWith("src/") || name.endsWith("-contract.ts")) reached.add(name);
  }
  return [...reached];
}

/** The test files that are in the wrong lane. */
function inWrongLane(files: readonly string[], textOf: (path: string) => string = read): string[] {
  const isSlow = /"node:(?:child_process|cluster|worker_threads)"|\bdist\/|from "llm-etl[/"]/;
  return files.filter((path) => {
    const reason = reachOf(path).some((name) => isSlow.test(name === path ? textOf(name) : read(name)));
    return path.endsWith(".full.test.ts") ? !reason && !textOf(path).startsWith("// Full lane: ") : reason;
  });
}

test("a test file that starts a process or needs the build is named .full.test.ts, and no other is but with its reason", () => {
  assert.deepEqual(inWrongLane(tests), [], "the lanes of CONTRIBUTING.md");
  const withProcess = (): string => `import { spawn } from "${["node", "child_process"].join(":")}";`;
  assert.deepEqual(inWrongLane(["tests/json/json.test.ts"], withProcess), ["tests/json/json.test.ts"]);
  assert.deepEqual(
    inWrongLane(["tests/crash.full.test.ts"], () => ""),
    [],
  ); // its support starts processes
});

const publicFiles = publicPaths().map(({ declarations }) => `src/${declarations.replace(/\.d\.ts$/, ".ts")}`);

test("every public path is imported by a test", () => {
  const imported = new Set(tests.flatMap(importedBy));
  assert.ok(publicFiles.length > 15, "the public paths were not found");
  assert.deepEqual(
    publicFiles.filter((path) => !imported.has(path)),
    [],
  );
});

test("every contract that a public class keeps has a suite in src/testing, and the class's tests run it", () => {
  const broken: string[] = [];
  let kept = 0;
  for (const contract of globSync("src/contracts/*.ts", { cwd: root }).map((path) => path.replaceAll("\\", "/"))) {
    const names = [...read(contract).matchAll(/^export interface (\w+)/gm)].map(([, name]) => name);
    const keeps = new RegExp(`^export (?:abstract )?class (\\w+)[^{]* implements (?:${names.join("|")})\\b`, "m");
    const suite = `src/testing/${basename(contract, ".ts")}-contract.ts`;
    for (const path of names.length === 0 ? [] : publicFiles) {
      const [, className] = keeps.exec(read(path)) ?? [];
      if (className === undefined) continue;
      kept += 1;
      const isRun = tests.some((file) => read(file).includes(className) && reachOf(file).includes(suite));
      if (!isRun) broken.push(`no test runs ${suite} over ${className}`);
    }
  }
  assert.ok(kept > 10, "the implementations were not found");
  assert.deepEqual(broken, []);
});

test("the T-SQL server of the tests does not grow in what it understands and keeps: its wire and its faults may", () => {
  const mayGrow = new Set([
    ...["bytes", "connection", "login", "packets", "request-handler", "requests", "tokens", "transport"],
    ...["type-info", "wire-value", "faults", "sql-error"],
  ]);
  const frozen = globSync("tests/support/tds/*.ts", { cwd: root })
    .filter((path) => !mayGrow.has(basename(path, ".ts")))
    .reduce((sum, path) => sum + linesOf(path), 0);
  const advice = "write a suite of tests/real-sql-server for `npm run test:sql-server`: a real server decides";
  assert.ok(frozen <= 5435, `${frozen} lines of language and store, of 5435: ${advice}`);
});

test("no doc comment in src begins with What, Whom, Whether or Where", () => {
  const vague = sources.flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, index) =>
        /^\s*(?:\/\*\*|\*) *(?:What|Whom|Whether|Where)\b/.test(line) ? [`${path}:${index + 1}`] : [],
      ),
  );
  assert.deepEqual(vague, [], "subject first, active verb: docs/style.md");
});

test("src says refuse for nothing but a model's refusal, and where 0.1 gave it as a name", () => {
  // The codes, the outcome of a batch, the status of a run and the event that stand in files, and the old names of options.
  const names =
    /"refused"|`refused`|"run-refused"|SINK_DATA_REFUSED|ECONNREFUSED|refusedRow|\brefuse\b(?=\??:|"| \}|, | \]|\])|options\.refuse\b/g;
  const others = sources.flatMap((path) =>
    read(path)
      .replaceAll(names, "")
      .split("\n")
      .flatMap((line, index) => (/refus(?!al)/i.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [])),
  );
  assert.deepEqual(others, [], "reject, decline, deny or abort: docs/style.md");
});

test("cli, check, engine, table and pipeline name no database, but in the line with the default journal", () => {
  const named = sources
    .filter((path) => /^src\/(cli|check|engine|table|pipeline|plan|evaluate)\//.test(path))
    .filter((path) => path !== "src/pipeline/default-journal.ts")
    .flatMap((path) =>
      read(path)
        .split("\n")
        .flatMap((line, index) =>
          /sqlite|sql[- _]?server|postgres/i.test(line) ? [`${path}:${index + 1} ${line.trim()}`] : [],
        ),
    );
  assert.deepEqual(named, []);
});

test("PostgreSQL is named in its folder and its plug-ins only, and the folder stays small", () => {
  const named = sources
    .filter((path) => !/^src\/(?:postgresql\/|(?:sources|sinks|journals)\/postgresql\.ts)/.test(path))
    .filter((path) => /postgres/i.test(read(path)));
  assert.deepEqual(named, []);
  const lines = sources
    .filter((path) => path.startsWith("src/postgresql/"))
    .reduce((sum, path) => sum + linesOf(path), 0);
  assert.ok(lines <= 1500, `${lines} lines in src/postgresql`);
});

test("DuckDB is named in its folder and its plug-ins only", () => {
  const named = sources
    .filter((path) => !/^src\/(?:duckdb\/|(?:sources\/duckdb|sinks\/parquet)\.ts)/.test(path))
    .filter((path) => /duckdb/i.test(read(path)));
  assert.deepEqual(named, []);
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

test("every error code has its heading in docs/errors.md, and every heading its code", () => {
  const headings = [...read("docs/errors.md").matchAll(/^## `?([A-Z][A-Z_]+)`?$/gm)].map(([, code]) => code);
  assert.deepEqual(headings, [...errorCodes]);
});

test("every error code in the list is used, and every one that is used is in the list", () => {
  const code = sources
    .map((path) => (path === "src/errors/llm-etl-error.ts" ? (read(path).split("] as const;")[1] ?? "") : read(path)))
    .join("\n");
  const unused = errorCodes.filter((name) => !code.includes(`"${name}"`));
  assert.deepEqual(unused, []);
});

test("the documents keep to their lengths", () => {
  assert.ok(linesOf("README.md") <= 150, "README.md");
  assert.ok(linesOf("src/engine/engine.ts") <= 250, "the engine");
  for (const path of globSync("docs/decisions/0*.md", { cwd: root })) assert.ok(linesOf(path) <= 40, path);
});

test("each decision has its number, a status and a date, and stands in the index", () => {
  const index = read("docs/decisions/README.md");
  const decisions = globSync("docs/decisions/0*.md", { cwd: root });
  assert.ok(decisions.length > 20, "the decisions were not found");
  for (const path of decisions) {
    const name = basename(path);
    assert.match(
      read(path),
      new RegExp(`^# ${name.slice(0, 4)} .+\\n\\nStatus: .+\\nDate: 20\\d\\d-\\d\\d-\\d\\d\\n\\n## Context\\n`),
      path,
    );
    assert.ok(index.includes(`](${name})`), `${name} is not in the index`);
  }
});

test("the change log has a heading for the package's version", () => {
  const { version } = JSON.parse(read("package.json"));
  assert.match(read("CHANGELOG.md"), new RegExp(`^## (Unreleased|${version.replaceAll(".", "\\.")})`, "m"));
});
