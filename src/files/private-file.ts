/** The bits of a mode that let others than the owner use a file. */
const ofOthers = 0o077;

/**
 * Makes a file with content of rows its owner's alone, whoever could read it before. A warning says so where that can't be: it
 * belongs to another user, or its file system has no modes.
 */
export async function makePrivate(
  file: { readonly chmod: (mode: number) => Promise<void> },
  path: string,
  mode: number,
): Promise<void> {
  if ((mode & ofOthers) === 0 || process.platform === "win32") return;
  try {
    await file.chmod(mode & 0o700);
  } catch {
    warnOfOpenFile(path, mode);
  }
}

const warned = new Set<string>();

function warnOfOpenFile(path: string, mode: number): void {
  if (warned.has(path)) return;
  warned.add(path);
  const problem = `${path} holds content of rows, and others may use it (mode ${(mode & 0o777).toString(8)}): take that right away`;
  process.emitWarning(problem, { type: "LLMEtlWarning", code: "LLM_ETL_OPEN_FILE" });
}
