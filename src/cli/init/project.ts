import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, glob, lstat, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OptionError } from "../../errors/option.ts";
import { listItems } from "../../errors/name-list.ts";
import { absolutePath } from "../../files/paths.ts";
import { codeOf, messageOf } from "../../errors/error-text.ts";
import { isModuleManifest, type ManifestNeeds, manifestNeeds, mergeManifest, newManifest } from "./manifest.ts";
import type { Choices } from "./questions.ts";
import { type CreateFile, filesCreatedBy, readTemplates } from "./templates.ts";

export interface ProjectOptions extends Choices {
  /** The pipeline's name. @default that of the template */
  readonly name?: string | undefined;
}

/** The outcome; paths are relative to the project's folder, with `/`. */
export interface Project {
  readonly created: readonly string[];
  /** The changes of files that were there, a line for each. */
  readonly changes: readonly string[];
  /** The packages that the project needs and that are not installed for it. */
  readonly missingPackages: readonly string[];
}

/**
 * Makes a project of copies of the templates. Nothing that is there is overwritten: a package.json and a .gitignore get
 * what they lack, a README.md stays as it is, and any other file in the way is an error, before the first is written.
 *
 * @throws {OptionError} if a file is in the way, or the folder can't be written to; then it names what was written
 */
export async function makeProject({ folder: path, name, source, provider }: ProjectOptions): Promise<Project> {
  const folder = absolutePath(path);
  const needs = await manifestNeeds(folder, [...source.packages, ...provider.packages]);
  const { files, edits, kept } = await planProject(folder, needs, await readTemplates(source, provider));
  const pipeline = files.get("pipeline.ts") ?? "";
  if (name !== undefined) files.set("pipeline.ts", withName(pipeline, name));
  const creations = [source, provider].flatMap(filesCreatedBy);
  await requireFree(folder, [...files.keys(), ...creations.map(([file]) => file)]);
  await requireNoOtherModules(folder);

  const done: string[] = [];
  const write = writer(folder, done);
  for (const [file, text] of files) await write(file, (target) => writeFile(target, text, { flag: "wx" }));
  for (const [file, create] of creations) await write(file, create);
  const created = done.toSorted();
  for (const edit of edits) await write(edit.file, edit.apply);
  const packages = Object.keys({ ...needs.dependencies, ...needs.devDependencies });
  return {
    created,
    changes: [
      ...kept.map((file) => `${file}: left as it was`),
      ...edits.map(({ file, change }) => `${file}: ${change}`),
    ],
    missingPackages: packages.filter((each) => !isInstalled(folder, each)),
  };
}

/** A change of a file that is there. */
interface Edit {
  readonly file: string;
  readonly change: string;
  readonly apply: CreateFile;
}

interface Plan {
  readonly files: Map<string, string>;
  readonly edits: readonly Edit[];
  readonly kept: readonly string[];
}

/** Decides which files of the templates are made, and what changes in those that are there and in nobody's way. */
async function planProject(folder: string, needs: ManifestNeeds, files: Map<string, string>): Promise<Plan> {
  const edits: Edit[] = [];
  const ignored = await textOf(join(folder, ignoreName));
  if (ignored !== undefined) {
    const missing = linesMissing(ignored, files.get(ignoreName) ?? "");
    const text = `${ignored === "" || ignored.endsWith("\n") ? "" : "\n"}${missing.join("\n")}\n`;
    const change = `added ${missing.join(", ")}`;
    if (missing.length > 0) edits.push({ file: ignoreName, change, apply: (target) => appendFile(target, text) });
    files.delete(ignoreName);
  }
  const manifest = await textOf(join(folder, manifestName));
  if (manifest === undefined) {
    files.set(manifestName, newManifest(needs));
  } else {
    const { text, changes } = mergeManifest(manifest, needs);
    const change = changes.join("; ");
    if (changes.length > 0) edits.push({ file: manifestName, change, apply: (target) => replaceFile(target, text) });
  }
  const kept = (await isTaken(join(folder, readmeName))) ? [readmeName] : [];
  for (const file of kept) files.delete(file);
  return { files, edits, kept };
}

const manifestName = "package.json";
const ignoreName = ".gitignore";
const readmeName = "README.md";
const newFolder = "give a new folder, as in llm-etl init my-project";

/** The only place in a template that is filled in. */
function withName(pipeline: string, name: string): string {
  if (name.trim() === "" || /\p{Cc}/u.test(name))
    throw new OptionError("init", "--name", "", { expected: "text that is not blank, without control characters" });
  return pipeline.replace(/^ {2}name: ".*",$/m, () => `  name: ${JSON.stringify(name)},`);
}

/** The text of a file; undefined where there is none. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new OptionError("init", "folder", `${path} can't be read (${messageOf(error)})`, {
      path,
      code: codeOf(error),
    });
  }
}

/** `"type": "module"` would make other modules of modules that are there and are CommonJS. */
async function requireNoOtherModules(folder: string): Promise<void> {
  const manifest = await textOf(join(folder, manifestName));
  if (manifest !== undefined && isModuleManifest(manifest)) return;
  for await (const file of glob("**/*.{js,jsx,ts,tsx}", { cwd: folder, exclude: isLeftOut })) {
    const problem = `a pipeline needs "type": "module" in package.json, and that could break ${file}, which is there already`;
    throw new OptionError("init", "folder", problem, { file: file.replaceAll("\\", "/"), hint: newFolder });
  }
}

function isLeftOut(path: string): boolean {
  return /(^|[\\/])(node_modules|\.[^\\/]+)$/.test(path);
}

function linesMissing(text: string, wanted: string): string[] {
  const lines = new Set(text.split(/\r?\n/).map((line) => line.trim()));
  return wanted.split("\n").filter((line) => line !== "" && !line.startsWith("#") && !lines.has(line));
}

/** @throws {OptionError} naming each of the paths at which there is something */
async function requireFree(folder: string, paths: readonly string[]): Promise<void> {
  const conflicts: string[] = [];
  for (const path of paths) if (await isTaken(join(folder, path))) conflicts.push(path);
  if (conflicts.length === 0) return;
  const taken = conflicts.toSorted();
  const problem = `nothing is overwritten, and in ${folder} there is already ${listItems(taken)}`;
  throw new OptionError("init", "folder", problem, { folder, taken, hint: newFolder });
}

async function isTaken(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    if (isCode(error, "ENOTDIR")) return true; // a file stands where its folder would be
    throw new OptionError("init", "folder", `${path} can't be reached (${messageOf(error)})`, {
      path,
      code: codeOf(error),
    });
  }
}

type Write = (file: string, apply: CreateFile) => Promise<void>;

/** Writes one file after the other into `done`; the error of one that can't be written says what was written before. */
function writer(folder: string, done: string[]): Write {
  return async (file, apply) => {
    const target = join(folder, file);
    try {
      await mkdir(dirname(target), { recursive: true });
      await apply(target);
    } catch (error) {
      const before = done.length === 0 ? "nothing was written before" : `written before it: ${listItems(done)}`;
      const problem = `${file} can't be written in ${folder} (${messageOf(error)}); ${before}`;
      throw new OptionError("init", "folder", problem, { folder, file, code: codeOf(error), written: [...done] });
    }
    done.push(file);
  };
}

/** Replaces a file as a whole, or not at all. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** True if a package is in the folder's node_modules, or in that of a folder above. */
function isInstalled(folder: string, name: string): boolean {
  if (existsSync(join(folder, "node_modules", name))) return true;
  return dirname(folder) !== folder && isInstalled(dirname(folder), name);
}

function isMissing(error: unknown): boolean {
  return isCode(error, "ENOENT");
}

function isCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}
