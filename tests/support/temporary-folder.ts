import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";

/** A folder for the files of one test file, removed when its tests have ended. Its name has a space in it on purpose. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl test "));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
