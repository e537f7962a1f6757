import { readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { z } from "zod";
import { OptionError } from "../../errors/option.ts";
import { messageOf } from "../../errors/error-text.ts";

type Texts = Readonly<Record<string, string>>;

/** The parts that a project's package.json must have. */
export interface ManifestNeeds {
  readonly scripts: Texts;
  readonly dependencies: Texts;
  readonly devDependencies: Texts;
  readonly engines: Texts;
}

/** A package.json that has what a project needs, and the changes that this took, in words. */
export interface MergedManifest {
  readonly text: string;
  readonly changes: readonly string[];
}

const ranges = z.record(z.string(), z.string());
const OwnManifest = z.object({
  version: z.string(),
  dependencies: ranges,
  devDependencies: ranges,
  peerDependencies: ranges,
  engines: ranges,
});

/**
 * The needs of a project in this folder, in the versions that this llm-etl is developed with; itself as it is installed
 * there or further up, from a file for example. `peers` are the optional peers that its templates need.
 */
export async function manifestNeeds(folder: string, peers: readonly string[]): Promise<ManifestNeeds> {
  const url = new URL("../../../package.json", import.meta.url);
  const own = OwnManifest.parse(JSON.parse(await readFile(url, "utf8")));
  return {
    scripts: { start: "llm-etl run", check: "llm-etl check" },
    dependencies: {
      "llm-etl": (await installedAs(resolve(folder), resolve(folder))) ?? `^${own.version}`,
      ...pick(own.peerDependencies, ...peers),
      ...pick(own.dependencies, "zod"),
    },
    devDependencies: pick(own.devDependencies, "@types/node", "typescript"),
    engines: own.engines,
  };
}

/** The range or path under which the nearest package.json names llm-etl, as seen from the project; undefined where none does. */
async function installedAs(project: string, folder: string): Promise<string | undefined> {
  const { dependencies = {}, devDependencies = {} } = await readFile(join(folder, "package.json"), "utf8").then(
    parseManifest,
    () => ({ dependencies: {}, devDependencies: {} }), // mostly there is none
  );
  const found = dependencies["llm-etl"] ?? devDependencies["llm-etl"];
  if (typeof found === "string") {
    const [, path] = /^file:(.*)$/.exec(found) ?? [];
    return path === undefined ? found : `file:${relative(project, resolve(folder, path)).replaceAll("\\", "/")}`;
  }
  return dirname(folder) === folder ? undefined : await installedAs(project, dirname(folder));
}

/** The package.json of a new project: private, so it needs neither name nor version. */
export function newManifest(needs: ManifestNeeds): string {
  return `${JSON.stringify({ private: true, type: "module", ...needs }, undefined, 2)}\n`;
}

/**
 * Adds what a package.json lacks: `"type": "module"`, scripts, and packages that no section names. All else keeps its
 * value, its place and its indentation.
 *
 * @throws {OptionError} if it can't be read as a package.json
 */
export function mergeManifest(text: string, needs: ManifestNeeds): MergedManifest {
  const manifest = parseManifest(text);
  const known = new Set(packageSections.flatMap((section) => Object.keys(manifest[section] ?? {})));
  const changes: string[] = [];
  const merged: Record<string, unknown> = { ...manifest };
  if (manifest.type !== "module") {
    merged["type"] = "module";
    const before =
      { commonjs: ', it was "commonjs"' }[manifest.type ?? ""] ??
      (manifest.type === undefined ? "" : ", it was another");
    changes.push(`type is now "module"${before}`);
  }
  for (const section of ["scripts", "dependencies", "devDependencies"] as const) {
    const isThere = (name: string): boolean =>
      section === "scripts" ? Object.hasOwn(manifest.scripts ?? {}, name) : known.has(name);
    const missing = Object.entries(needs[section]).filter(([name]) => !isThere(name));
    if (missing.length === 0) continue;
    merged[section] = { ...manifest[section], ...Object.fromEntries(missing) };
    changes.push(`${section} added: ${missing.map(([name]) => name).join(", ")}`);
  }
  const [, indentation = "  "] = /^[{\s]*?\n([ \t]+)"/.exec(text) ?? [];
  const [, end = ""] = /\}(\s*)$/.exec(text) ?? [];
  const lines = JSON.stringify(merged, undefined, indentation) + end.replaceAll("\r\n", "\n");
  return { text: text.includes("\r\n") ? lines.replaceAll("\n", "\r\n") : lines, changes };
}

/** True if a package.json says that its .js and .ts files are ES modules. */
export function isModuleManifest(text: string): boolean {
  return parseManifest(text).type === "module";
}

const packageSections = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"] as const;
const section = z.record(z.string(), z.unknown()).optional();
const Manifest = z.object({
  type: z.string().optional(),
  scripts: section,
  dependencies: section,
  devDependencies: section,
  peerDependencies: section,
  optionalDependencies: section,
});

function parseManifest(text: string): z.output<typeof Manifest> & Readonly<Record<string, unknown>> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    // The parser quotes the text, in which there may be a token: its place is enough.
    const [place] = /line \d+ column \d+/.exec(messageOf(error)) ?? [];
    const problem = `its package.json is not JSON${place === undefined ? "" : ` (${place})`}`;
    throw new OptionError("init", "folder", problem, { file: "package.json", hint: "fix it first" });
  }
  const checked = Manifest.safeParse(parsed);
  if (!checked.success || typeof parsed !== "object") {
    const path = checked.error?.issues[0]?.path.join(".") ?? "";
    const problem = `its package.json is not one that npm takes${path === "" ? "" : ` (see "${path}")`}`;
    throw new OptionError("init", "folder", problem, { file: "package.json", path, hint: "fix it first" });
  }
  return { ...parsed, ...checked.data }; // the given order first: what was checked has the same values
}

function pick(from: Texts, ...names: readonly string[]): Texts {
  return Object.fromEntries(
    names.map((name) => {
      const range = from[name];
      if (range === undefined) throw new Error(`llm-etl's own package.json does not name ${name}`);
      return [name, range];
    }),
  );
}
