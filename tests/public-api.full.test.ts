import assert from "node:assert/strict";
import { globSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { emitDeclarations, PublicAPI } from "./support/public-api.ts";
import { publicPaths } from "./support/public-paths.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

// A snapshot holds the names and signatures of one public path. A change that is meant is written by this command, and shows in the diff.
const update = "npx node --test --test-update-snapshots tests/public-api.full.test.ts";

const snapshots = fileURLToPath(new URL("snapshots/public-api", import.meta.url));
const folder = temporaryFolder();
const declarations = join(folder, "declarations");
emitDeclarations(declarations);
const api = new PublicAPI(declarations);
const paths = publicPaths();

for (const path of paths) {
  test(`${path.specifier} has the names and signatures of its snapshot; to write it anew: ${update}`, (t) => {
    t.assert.fileSnapshot(api.textOf(path), join(snapshots, `${path.name}.txt`), { serializers: [String] });
  });
}

test("each public path has its snapshot, and each snapshot its public path", () => {
  const found = globSync("**/*.txt", { cwd: snapshots }).map((file) => file.replaceAll("\\", "/").slice(0, -4));
  const advice = `delete the snapshot of a path that is gone, and write that of a new one: ${update}`;
  assert.deepEqual(found.toSorted(), paths.map(({ name }) => name).toSorted(), advice);
});

/** The snapshot of `llm-etl/parts/one` where the declarations are these files. */
function snapshotOf(files: Readonly<Record<string, string>>): string {
  const made = mkdtempSync(join(folder, "made "));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(made, file)), { recursive: true });
    writeFileSync(join(made, file), text);
  }
  return new PublicAPI(made).textOf({
    specifier: "llm-etl/parts/one",
    name: "parts/one",
    declarations: "parts/one.d.ts",
  });
}

const one = `import type { Facts } from "../inner/facts.ts";
import { type Shared } from "../shared.ts";
/** A part. */
export declare class One implements Shared {
    #private;
    /** Comments count for nothing: "as here". */
    readonly facts: Facts; // nor do these
}
export { type Shared } from "../shared.ts";
export {};
`;
const files = {
  "index.d.ts": 'export { type Shared as Known } from "./shared.ts";\n',
  "shared.d.ts": "export interface Shared {\n    readonly hidden: Hidden;\n}\ninterface Hidden {\n}\n",
  "inner/facts.d.ts": "export type Facts = readonly Fact[];\ninterface Fact {\n    readonly text: string;\n}\n",
  "parts/one.d.ts": one,
};

test("a snapshot has the types that a signature names, refers to llm-etl for its own, and leaves comments out", () => {
  assert.equal(
    snapshotOf(files),
    `// llm-etl/parts/one
export class One implements Shared {
    readonly facts: Facts;
}
export { Shared } from "llm-etl";

// Not exported, but named above:
interface Fact {
    readonly text: string;
}
type Facts = readonly Fact[];
`,
  );
});

test("a move of an internal file changes no snapshot; a change of a type that a signature names does", () => {
  const { "inner/facts.d.ts": facts, ...others } = files;
  const moved = { ...others, "elsewhere/facts.d.ts": facts, "parts/one.d.ts": one.replace("inner", "elsewhere") };
  assert.equal(snapshotOf(moved), snapshotOf(files));
  const changed = { ...files, "inner/facts.d.ts": facts.replace("string", "number") };
  assert.notEqual(snapshotOf(changed), snapshotOf(files));
});
