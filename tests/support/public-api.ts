import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { PublicPath } from "./public-paths.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Has tsc write the declarations of all files of src into a folder. */
export function emitDeclarations(folder: string): void {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const options = ["-p", "tsconfig.build.json", "--emitDeclarationOnly", "--outDir", folder];
  execFileSync(process.execPath, [tsc, ...options], { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
}

/** A declaration, by the file that has it and its name there. */
interface Place {
  readonly file: string;
  readonly name: string;
}

/** An import, or an export of something that was declared elsewhere; `from` is undefined for a name of the same file. */
interface Link {
  readonly name: string;
  readonly from: string | undefined;
  readonly typeOnly: boolean;
}

interface Module {
  /** The text of each declaration, without `export` and `declare`. */
  readonly declarations: ReadonlyMap<string, string>;
  readonly imports: ReadonlyMap<string, Link>;
  readonly exports: ReadonlyMap<string, Link>;
}

/**
 * The public names of the package, path by path: each with its signature, and with those of the types that it names.
 * The place of a declaration within src does not show, so a move within src changes nothing.
 */
export class PublicAPI {
  readonly #folder: string;
  readonly #modules = new Map<string, Module>();
  readonly #index: ReadonlyMap<string, Place>;

  /** @param folder the declarations that `emitDeclarations` wrote */
  constructor(folder: string) {
    this.#folder = folder;
    const index = this.#module("index.d.ts");
    const exported = [...index.exports.keys()].map((name) => this.#find("index.d.ts", name, "exports"));
    this.#index = this.#reach(
      exported.filter((place) => place !== undefined),
      new Map(),
    );
  }

  /** The snapshot of one path. It refers to `llm-etl` for the names that are exported there, and leaves out their signatures. */
  textOf({ declarations: file, specifier }: PublicPath): string {
    const elsewhere = specifier === "llm-etl" ? new Map<string, Place>() : this.#index;
    const lines: string[] = [];
    const own: Place[] = [];
    const shown = new Set<string>();
    for (const [exported, { typeOnly }] of [...this.#module(file).exports].toSorted(byName)) {
      const place = this.#find(file, exported, "exports");
      if (place === undefined) throw new Error(`${file}: ${exported} is not declared in src`);
      const { name } = place;
      const text = this.#textAt(place);
      const list = name === exported ? name : `${name} as ${exported}`;
      const isValue = /^(abstract class|class|const|function|let) /.test(text);
      const keyword = typeOnly && isValue ? "export type" : "export";
      if (elsewhere.has(keyOf(place))) lines.push(`${keyword} { ${list} } from "llm-etl";`);
      else if (name !== exported || keyword !== "export") lines.push(`${keyword} { ${list} };`);
      else {
        lines.push(text.replaceAll(new RegExp(`^(?=(abstract )?\\w+ ${name}\\b)`, "gm"), "export "));
        shown.add(keyOf(place));
      }
      own.push(place);
    }
    const named = [...this.#reach(own, elsewhere)].filter(([key]) => !shown.has(key));
    const hidden = named.map(([, place]) => [place.name, this.#textAt(place)] as const).toSorted(byName);
    const rest =
      hidden.length === 0 ? [] : ["", "// Not exported, but named above:", ...hidden.map(([, text]) => text)];
    return [`// ${specifier}`, ...lines, ...rest, ""].join("\n");
  }

  /** These places and all that their texts name, but for those that are known elsewhere; by key. */
  #reach(places: readonly Place[], elsewhere: ReadonlyMap<string, Place>): Map<string, Place> {
    const reached = new Map<string, Place>();
    const pending = [...places];
    for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
      const key = keyOf(place);
      if (elsewhere.has(key) || reached.has(key)) continue;
      reached.set(key, place);
      for (const name of namesIn(this.#textAt(place))) {
        const found = this.#find(place.file, name, "declarations");
        if (found !== undefined) pending.push(found);
      }
    }
    return reached;
  }

  #textAt({ file, name }: Place): string {
    return this.#module(file).declarations.get(name) ?? "";
  }

  /** The place of a name that a file exports, or that stands in its declarations; undefined for one of a package. */
  #find(file: string, name: string, from: "exports" | "declarations"): Place | undefined {
    const module = this.#module(file);
    if (from === "declarations" && module.declarations.has(name)) return { file, name };
    const link = module[from === "exports" ? "exports" : "imports"].get(name);
    if (link === undefined) return undefined;
    if (link.from === undefined) return this.#find(file, link.name, "declarations");
    if (!link.from.startsWith(".")) return undefined;
    const other = normalize(join(file, "..", link.from)).replaceAll("\\", "/");
    return this.#find(other.replace(/\.ts$/, ".d.ts"), link.name, "exports");
  }

  #module(file: string): Module {
    const known = this.#modules.get(file);
    if (known !== undefined) return known;
    const module = parseModule(readFileSync(join(this.#folder, file), "utf8"));
    this.#modules.set(file, module);
    return module;
  }
}

const keyOf = ({ file, name }: Place): string => `${file}#${name}`;
const byName = (one: readonly [string, unknown], other: readonly [string, unknown]): number =>
  one[0] < other[0] ? -1 : 1;

/** Reads declarations as tsc prints them: each begins at the start of a line, and goes on in lines that do not. */
function parseModule(text: string): Module {
  const declarations = new Map<string, string>();
  const imports = new Map<string, Link>();
  const exports = new Map<string, Link>();
  for (const statement of withoutComments(text).split(/\n(?=[a-z])/)) {
    const [, keyword, allTypes, list, from] =
      /^(import|export) (type )?(?:\w+ from |\{([^}]*)\}(?: from )?)(?:"([^"]+)")?;$/.exec(statement) ?? [];
    const [, exported, name] =
      /^(export )?(?:declare )?(?:abstract )?(?:class|const|function|interface|let|type) (\w+)/.exec(statement) ?? [];
    if (keyword !== undefined && list !== undefined) {
      for (const each of list.split(",").map((part) => part.trim())) {
        const [, type, source, alias] = /^(type )?(\w+)(?: as (\w+))?$/.exec(each) ?? [];
        if (source === undefined) continue; // the comma at the end
        const link = { name: source, from, typeOnly: (allTypes ?? type) !== undefined };
        (keyword === "import" ? imports : exports).set(alias ?? source, link);
      }
    } else if (name !== undefined) {
      const before = declarations.get(name);
      const own = statement.replace(/^(export )?(declare )?/, "");
      declarations.set(name, before === undefined ? own : `${before}\n${own}`);
      if (exported !== undefined) exports.set(name, { name, from: undefined, typeOnly: false });
    } else if (keyword === undefined && statement !== "") {
      throw new Error(`a statement of another form than those that are known: ${statement}`);
    }
  }
  return { declarations, imports, exports };
}

function withoutComments(text: string): string {
  return text
    .replaceAll(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/\*[^]*?\*\/|\/\/[^\n]*/g, (token) =>
      token.startsWith("/") ? "" : token,
    )
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && line.trim() !== "#private;")
    .join("\n");
}

/** The names in a declaration that may be those of others: of types, and of values whose type or key is taken. */
function namesIn(text: string): string[] {
  const code = text.replaceAll(/"(?:[^"\\\n]|\\.)*"/g, '""');
  return [...code.matchAll(/\b[A-Z]\w*|(?<=\btypeof |\[)[a-z]\w*/g)].map(([name]) => name);
}
