// The package as it is published: dist/, by the public paths of package.json.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { publicPaths } from "./support/public-paths.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("the package's types need no other than those that are installed with it", () => {
  const { dependencies } = JSON.parse(read("package.json"));
  assert.ok(existsSync(join(root, "dist")), "dist/ is not there: run `npm run build` first");
  const pending = globSync("dist/{index,testing/index,sources/*,sinks/*,steps/*,journals/*,llm/providers/*}.d.ts", {
    cwd: root,
  });
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

test("every public path of the package can be imported, and exports something", async () => {
  const paths = publicPaths().map(({ specifier }) => specifier);
  assert.ok(paths.includes("llm-etl/sources/sqlite") && paths.includes("llm-etl/testing"));
  for (const path of paths) {
    const module: object = await import(path);
    assert.ok(Object.keys(module).length > 0, `${path} exports nothing`);
  }
});
