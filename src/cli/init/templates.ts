import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Choices } from "./questions.ts";

/**
 * The text files of a project by their path: copies of what the templates have for all, for its source and for its
 * provider; where more than one of these has a path, what they have is joined in that order.
 */
export async function readTemplates({ source, provider }: Omit<Choices, "folder">): Promise<Map<string, string>> {
  const root = fileURLToPath(new URL("../../../templates/", import.meta.url));
  const files = new Map<string, string>();
  for (const folder of ["common", `sources/${source}`, `providers/${provider}`].map((each) => join(root, each))) {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      const template = join(entry.parentPath, entry.name);
      const path = relative(folder, template).replaceAll(sep, "/");
      const target = path === "gitignore" ? ".gitignore" : path; // npm leaves files of that name out of a package
      const before = files.get(target);
      const text = await readFile(template, "utf8");
      files.set(target, before === undefined ? text : `${before}\n${text}`);
    }
  }
  return files;
}
