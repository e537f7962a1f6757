import { readdirSync, readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { OptionError } from "../../errors/option.ts";
import { messageOf } from "../../errors/error-text.ts";

/** The facts that a template's `template.json` holds. */
interface TemplateFacts {
  /** Its place among the choices; the first is the default. */
  readonly order: number;
  readonly label: string;
  readonly hint: string;
  /** The place of the rows that a run writes, where the template knows it. */
  readonly result?: string | undefined;
  /** Optional peers of llm-etl that its projects need. */
  readonly packages: readonly string[];
  /** Environment variables without which its projects do not run. */
  readonly variables: readonly string[];
  /** Steps to take before the first run. */
  readonly steps: readonly string[];
  /** Files that are made and not copied: each with the module of the template that makes it. */
  readonly creates: Readonly<Record<string, string>>;
}

/** A folder of `templates/`: a choice of `llm-etl init`, and the files that a project has from it. */
export interface Template extends TemplateFacts {
  readonly name: string;
  readonly folder: string;
}

type TemplateList = readonly [Template, ...Template[]];

/** The choices of `llm-etl init`, the default first. */
export interface Templates {
  readonly sources: TemplateList;
  readonly providers: TemplateList;
}

/** @throws {OptionError} if a `template.json` is missing, or does not describe a template */
export function findTemplates(
  root: string = fileURLToPath(new URL("../../../templates/", import.meta.url)),
): Templates {
  return { sources: templatesIn(join(root, "sources")), providers: templatesIn(join(root, "providers")) };
}

function templatesIn(folder: string): TemplateList {
  const [first, ...others] = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => readTemplate(join(folder, name), name))
    .toSorted((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
  if (first === undefined) throw new OptionError("init", "template", `there is none in ${folder}`);
  return [first, ...others];
}

const factsName = "template.json";
const texts = z.array(z.string()).default([]);
const Facts: z.ZodType<TemplateFacts> = z.strictObject({
  order: z.number(),
  label: z.string(),
  hint: z.string(),
  result: z.string().optional(),
  packages: texts,
  variables: texts,
  steps: texts,
  creates: z.record(z.string(), z.string()).default({}),
});

function readTemplate(folder: string, name: string): Template {
  const path = join(folder, factsName);
  try {
    return { ...Facts.parse(JSON.parse(readFileSync(path, "utf8"))), name, folder };
  } catch (error) {
    const problem = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new OptionError("init", "template", `${path} does not describe a template: ${problem}`);
  }
}

/**
 * The text files of a project by their path: copies of the files that all projects have, and of those of its source and
 * provider. Where more than one of these has a path, their texts are joined in that order.
 */
export async function readTemplates(source: Template, provider: Template): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const own = new Set([source, provider].flatMap(ownFiles));
  for (const folder of [join(source.folder, "../../common"), source.folder, provider.folder]) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      const template = join(entry.parentPath, entry.name);
      if (own.has(template)) continue;
      const path = relative(folder, template).replaceAll(sep, "/");
      const target = path === "gitignore" ? ".gitignore" : path; // npm leaves files of that name out of a package
      const before = files.get(target);
      const text = await readFile(template, "utf8");
      files.set(target, before === undefined ? text : `${before}\n${text}`);
    }
  }
  return files;
}

/** The files that are there for `llm-etl init`, and not for a project. */
function ownFiles({ folder, creates }: Template): string[] {
  return [factsName, ...Object.values(creates)].map((file) => join(folder, file));
}

/** Makes one file at this path; fails where there is one. */
export type CreateFile = (path: string) => void | Promise<void>;

const CreatingModule = z.object({ default: z.custom<CreateFile>((value) => typeof value === "function") });

/** The files that a template makes, by their path. */
export function filesCreatedBy({ folder, creates }: Template): (readonly [path: string, create: CreateFile])[] {
  return Object.entries(creates).map(([path, file]) => [
    path,
    async (target) => {
      const module: unknown = await import(pathToFileURL(join(folder, file)).href);
      await CreatingModule.parse(module).default(target);
    },
  ]);
}
