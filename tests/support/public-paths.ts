import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** A path under which the package can be imported. */
export interface PublicPath {
  /** As it is imported: `llm-etl/sources/csv`. */
  readonly specifier: string;
  /** Its name below `llm-etl`, or `index`. */
  readonly name: string;
  /** Its declarations, relative to those of all files. */
  readonly declarations: string;
}

/** The public paths by `exports` of package.json and the files that its wildcards find in src. */
export function publicPaths(): PublicPath[] {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: Exports }; // package.json is ours
  return Object.entries(exports).flatMap(([pattern, target]) => {
    if (typeof target === "string") return [];
    const declarations = target.types.replace(/^\.\/dist\//, "");
    const sources = globSync(`src/${declarations.replace(".d.ts", ".ts")}`, { cwd: root });
    return sources.toSorted().map((source) => {
      const file = source.replaceAll("\\", "/").slice("src/".length);
      const [before = "", after = ""] = declarations.replace(".d.ts", ".ts").split("*");
      const name = pattern === "." ? "index" : pattern.slice(2).replace("*", file.slice(before.length, -after.length));
      const specifier = pattern === "." ? "llm-etl" : `llm-etl/${name}`;
      return { specifier, name, declarations: file.replace(/\.ts$/, ".d.ts") };
    });
  });
}

type Exports = Readonly<Record<string, string | { readonly types: string }>>;
