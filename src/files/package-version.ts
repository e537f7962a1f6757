import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";

/** The version of the package that code at `base`, a file: URL, gets by the name; undefined where it is not installed. */
export function packageVersion(name: string, base: string): string | undefined {
  try {
    const path = findPackageJSON(name, base);
    if (path === undefined) return undefined;
    const manifest: unknown = JSON.parse(readFileSync(path, "utf8"));
    const hasVersion = typeof manifest === "object" && manifest !== null && "version" in manifest;
    return hasVersion ? String(manifest.version) : undefined;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND")) throw error;
    return undefined;
  }
}
