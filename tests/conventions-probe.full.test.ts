// A new database is an addition: in a copy of the tree it gets a folder, a source, a test and a snapshot, and the rules hold.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./support/temporary-folder.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const added = {
  "src/example-database/rows.ts": `import type { SourceRow } from "../contracts/source.ts";
import { keyColumn } from "./statement.ts";

/** The rows of a database that is made up. */
export function* readRows(names: readonly string[], signal: AbortSignal): Generator<SourceRow, void> {
  for (const [index, name] of names.entries()) {
    if (signal.aborted) return;
    yield { position: index + 1, raw: { [keyColumn]: name } };
  }
}
`,
  "src/example-database/statement.ts": `/** The column that identifies a row. */
export const keyColumn = "name";
`,
  "src/sources/example.ts": `import type { ReadContext, Source, SourceRow } from "../contracts/source.ts";
import { checkOptions, isObject } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { readRows } from "../example-database/rows.ts";
import { keyColumn } from "../example-database/statement.ts";

export interface ExampleSourceOptions {
  readonly names: readonly string[];
}

/** Rows of a database that is made up. */
export class ExampleSource implements Source<{ readonly name: string }> {
  readonly name = "example";
  readonly primaryKeyColumn: typeof keyColumn = keyColumn;
  readonly read: (context: ReadContext) => AsyncGenerator<SourceRow, void>;

  /** @throws {OptionError} for an unknown option or a wrong value */
  constructor(options: ExampleSourceOptions) {
    checkOptions("ExampleSource", options, { names: { ...isObject, required: true } });
    this.read = async function* read({ signal, parameters }) {
      const [name] = Object.keys(parameters);
      if (name !== undefined) throw new SourceError("example", \`takes no parameters, got "\${name}"\`);
      yield* readRows(options.names, signal);
    };
  }
}
`,
  "tests/sources/example.test.ts": `import { test } from "node:test";
import { ExampleSource } from "../../src/sources/example.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";

const names = ["one", "two", "three"];
const rows = names.map((name) => ({ name }));
const checks = sourceContract({ create: () => new ExampleSource({ names }), rows });
for (const { name, check } of checks) test(name, check);
`,
  "tests/snapshots/public-api/sources/example.txt": `// llm-etl/sources/example
export class ExampleSource implements Source<{
    readonly name: string;
}> {
    readonly name = "example";
    readonly primaryKeyColumn: typeof keyColumn;
    readonly read: (context: ReadContext) => AsyncGenerator<SourceRow, void>;
    constructor(options: ExampleSourceOptions);
}
export interface ExampleSourceOptions {
    readonly names: readonly string[];
}

// Not exported, but named above:
const keyColumn = "name";
`,
};

/** The tree without what is made of it. */
function copyOfTheTree(): string {
  const folder = join(temporaryFolder(), "tree");
  const left = new Set(["node_modules", "dist", "coverage", ".git"]);
  for (const name of readdirSync(root)) {
    if (!left.has(name)) cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  return folder;
}

/** Runs Node with these words, not as a part of the run of tests that this file belongs to. */
async function run(folder: string, ...words: readonly string[]): Promise<void> {
  const { NODE_TEST_CONTEXT: _, NODE_V8_COVERAGE: __, ...env } = process.env;
  const child = spawn(process.execPath, words, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  assert.equal(child.exitCode, 0, `${words.join(" ")}\n${stdout}\n${stderr}`);
}

test("a source with a folder of its own, its test and its snapshot changes no other file: types, lint, format and rules hold", async () => {
  const folder = copyOfTheTree();
  for (const [path, content] of Object.entries(added)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content, { flag: "wx" });
  }
  const files = Object.keys(added).filter((path) => path.endsWith(".ts"));
  const bin = (name: string): string => join(folder, "node_modules", name);
  await run(folder, bin("typescript/bin/tsc"), "-p", "tsconfig.build.json");
  await run(folder, bin("typescript/bin/tsc"));
  await run(folder, bin("oxlint/bin/oxlint"), "--type-aware", "--deny-warnings", ...files);
  await run(folder, bin("oxfmt/bin/oxfmt"), "--check", ...files);
  const tests = ["conventions", "public-api.full", "sources/example"].map((name) => `tests/${name}.test.ts`);
  await run(folder, "--test", ...tests);
});
