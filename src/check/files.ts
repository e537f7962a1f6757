import type { Stores } from "../pipeline/resolve.ts";
import type { Findings } from "./report.ts";
import { DeadLetterError, PayloadLogError } from "../errors/journal.ts";
import { requireWritable } from "../files/writable.ts";

/** The files that a run appends to; null where they are off. */
type FileStores = Pick<Stores, "payloadLog" | "deadLetterPath">;

/** Checks that the files that a run appends to can be written. None is made. */
export async function checkFiles(findings: Findings, { payloadLog, deadLetterPath }: FileStores): Promise<void> {
  if (payloadLog !== null) {
    const { path } = payloadLog;
    await checkFile(findings, "payload log", path, (cause) => new PayloadLogError(path, cause));
  }
  if (deadLetterPath !== null) {
    await checkFile(
      findings,
      "dead letter file",
      deadLetterPath,
      (cause) => new DeadLetterError(deadLetterPath, cause),
    );
  }
}

async function checkFile(
  findings: Findings,
  subject: string,
  path: string,
  fail: (cause: unknown) => Error,
): Promise<void> {
  const isThere = await findings.tryCheck("files", subject, async () => {
    try {
      return await requireWritable(path);
    } catch (cause) {
      throw fail(cause);
    }
  });
  if (isThere === undefined) return;
  findings.add("files", subject, "ok", isThere ? path : `${path}, which is not there yet`);
}
