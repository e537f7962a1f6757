import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryFolder } from "./support/temporary-folder.ts";

const folder = temporaryFolder();
const reporter = pathToFileURL(join(import.meta.dirname, "support/reporter.ts")).href;

/** Runs `npm test`, as far as the coverage goes, over a project of these files. */
function runTests(files: Readonly<Record<string, string>>): { readonly status: number | null; readonly text: string } {
  const project = mkdtempSync(join(folder, "project "));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  const { scripts } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8"));
  const words = [...String(scripts.test).matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? "");
  const own = words.slice(1).filter((word) => !word.startsWith("--test-global-setup")); // it starts servers for tests of ours
  const options = own.map((word) => word.replace(/"/g, "").replace("./tests/support/reporter.ts", reporter));
  const { status, stdout, stderr } = spawnSync(process.execPath, options, {
    cwd: project,
    encoding: "utf8",
    env: { PATH: process.env["PATH"] }, // without what ties the child to this test run
  });
  return { status, text: stdout + stderr };
}

const tested = {
  "package.json": '{ "type": "module" }',
  "src/fine/add.ts": "export function add(a: number, b: number): number {\n  return a + b;\n}\n",
  "src/contracts/thing.ts": "export interface Thing {\n  readonly name: string;\n}\n",
  "tests/add.test.ts": `import { test } from "node:test";
import { add } from "../src/fine/add.ts";
test("it adds", () => {
  if (add(1, 2) !== 3) throw new Error("no");
});
`,
};

test("a run whose folders are covered passes, whatever stands in files that hold types only", () => {
  const { status, text } = runTests(tested);
  assert.equal(status, 0, text);
  assert.match(text, /coverage of src\/: 100\.00 % of 3 lines, 2 folders\n/);
});

test("a folder with a file that no test loads fails the run, and is named with its figure", () => {
  const { status, text } = runTests({ ...tested, "src/fake/untested.ts": "export const one = 1;\n" });
  assert.equal(status, 1, text);
  assert.match(text, /^ℹ coverage failed: fewer than 90 % of the lines are covered in src\/fake 0\.0 %\n/m);
  assert.match(text, /\nℹ duration_ms [\d.]+\n$/, "the runner's closing lines are the last");
});

test("a folder with a file of which half is run fails the run, though the others are covered", () => {
  const half = `export function half(asked: boolean): number {
  if (asked) {
    return 1;
  }
  return 2;
}
`;
  const add = tested["src/fine/add.ts"];
  const all = { ...tested, "src/fine/half.ts": half, "src/large/add.ts": `${"// a line\n".repeat(100)}${add}` };
  const used = `import { half } from "../src/fine/half.ts";
import { add } from "../src/large/add.ts";
half(false);
add(1, 2);
`;
  const { status, text } = runTests({ ...all, "tests/half.test.ts": used });
  assert.equal(status, 1, text);
  assert.match(text, /coverage failed: .* in src\/fine 77\.8 %\n/);
});
