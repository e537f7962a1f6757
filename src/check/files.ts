import type { Findings } from "./report.ts";
import { DeadLetterError, PayloadLogError } from "../errors/journal.ts";
import type { PipelineOptions } from "../pipeline/options.ts";
import { deadLetterPathOf, payloadLogPathOf } from "../pipeline/run-files.ts";
import { requireWritable } from "../files/writable.ts";

type FileOptions = Pick<
  PipelineOptions<object>,
  "name" | "payloadLog" | "payloadLogPath" | "onRowError" | "deadLetterPath"
>;

/** Whether the files that a run appends to can be written. None is made. */
export async function checkFiles(findings: Findings, options: FileOptions): Promise<void> {
  if (options.payloadLog !== "off") {
    const path = payloadLogPathOf(options);
    await checkFile(findings, "payload log", path, (cause) => new PayloadLogError(path, cause));
  }
  if (options.onRowError === "dead_letter") {
    const path = deadLetterPathOf(options);
    await checkFile(findings, "dead letter file", path, (cause) => new DeadLetterError(path, cause));
  }
}

async function checkFile(
  findings: Findings,
  subject: string,
  path: string,
  fail: (cause: unknown) => Error,
): Promise<void> {
  const isThere = await findings.attempt("files", subject, async () => {
    try {
      return await requireWritable(path);
    } catch (cause) {
      throw fail(cause);
    }
  });
  if (isThere === undefined) return;
  findings.add("files", subject, "ok", isThere ? path : `${path}, which is not there yet`);
}
