import type sax from "sax";
import type yauzl from "yauzl";
import type { Requirements } from "../contracts/requirements.ts";
import { loadPackage } from "../errors/load-package.ts";

/** The package `sax`. */
export type Sax = typeof sax;
/** The package `yauzl`. */
export type Yauzl = typeof yauzl;

const hint = "npm install sax@1 yauzl@3";

/** The packages with which workbooks are read. None is needed to write one. */
export const readingRequirements: Requirements = { packages: ["sax", "yauzl"] };

/** The reader of archives. @throws {RunError} SETTING_MISSING where it is not installed */
export async function loadYauzl(owner: string): Promise<Yauzl> {
  return (await loadPackage(owner, "yauzl", hint, () => import("yauzl"))).default;
}

/** The parser of XML. @throws {RunError} SETTING_MISSING where it is not installed */
export async function loadSax(owner: string): Promise<Sax> {
  return (await loadPackage(owner, "sax", hint, () => import("sax"))).default;
}
