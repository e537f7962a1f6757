import { withinLimit } from "../engine/time-limit.ts";
import type { Findings } from "./report.ts";
import { PayloadLogError } from "../errors/journal.ts";
import { requireUsableLock } from "../files/lines-lock.ts";
import { requireWritable } from "../files/writable.ts";
import type { ResolvedPipeline, Stores } from "../pipeline/resolve.ts";
import { requireSeparateFiles } from "../pipeline/separate-files.ts";

/** Checks that a run could append to the payload log and the dead letters. None is made. */
export async function checkFiles(
  findings: Findings,
  { payloadLog, deadLetter }: Stores,
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const add = (subject: string, place: string, isThere: boolean): void =>
    findings.add("files", subject, "ok", isThere ? place : `${place}, which is not there yet`);
  if (payloadLog !== null) {
    const { path } = payloadLog;
    const isThere = await findings.tryCheck("files", "payload log", async () => {
      try {
        await requireUsableLock(path);
        return await requireWritable(path);
      } catch (cause) {
        throw new PayloadLogError(path, cause);
      }
    });
    if (isThere !== undefined) add("payload log", path, isThere);
  }
  if (deadLetter !== null) {
    const { name, identity, preflight } = deadLetter;
    const limit = {
      code: "DEAD_LETTER_FAILED",
      what: `${name}: preflight`,
      option: "openTimeoutMs",
      limitMs,
      signal,
    } as const;
    const isThere = await findings.tryCheck("files", name, async () => {
      return await withinLimit(limit, async (inTime) => (await preflight?.(inTime)) ?? true);
    });
    if (isThere !== undefined) add(name, identity, isThere);
  }
}

/** Checks that each part of a run has files of its own, as a run does before it opens any. It is worth a line only where not. */
export async function checkSeparateFiles(findings: Findings, pipeline: ResolvedPipeline): Promise<void> {
  await findings.tryCheck("files", "files of the run", () => requireSeparateFiles(pipeline));
}
