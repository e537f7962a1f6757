import { withinLimit } from "../engine/time-limit.ts";
import type { Findings } from "./report.ts";
import { PayloadLogError } from "../errors/journal.ts";
import { requireWritable } from "../files/writable.ts";
import type { Stores } from "../pipeline/resolve.ts";

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
