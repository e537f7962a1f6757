import { type BigIntStats, constants, lstatSync } from "node:fs";
import { access } from "node:fs/promises";
import { extname } from "node:path";
import type { SinkRun } from "../contracts/sink.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { SinkError } from "../errors/sink.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { isMountPoint } from "../files/mount-point.ts";
import { realPath } from "../files/real-path.ts";
import { statusOf } from "../files/same-file.ts";

/** The files of a file that is written anew, as absolute paths without links: what stands beside it is beside the file itself. */
export interface TargetPlace {
  readonly path: string;
  readonly partialPath: string;
  readonly lockPath: string;
  /** Takes the rows of a run with `limit` where there is a file of an earlier run; undefined where the file may be replaced. */
  readonly limitPath: string | undefined;
}

/** The places of a run's rows. */
export function targetPlace(path: string, { limit, replace = false }: SinkRun): TargetPlace {
  const real = realPath(path);
  return {
    path: real,
    partialPath: `${real}.partial`,
    lockPath: `${real}.partial.lock`,
    limitPath: limit === undefined || replace ? undefined : realPath(`${real}.limit-${limit}${extname(path)}`),
  };
}

/** All of them that a run writes. */
export function filesOfPlace({ path, partialPath, lockPath, limitPath }: TargetPlace): readonly string[] {
  return [path, partialPath, lockPath, ...(limitPath === undefined ? [] : [limitPath])];
}

/**
 * Makes sure that a file can be put in the place of what a path leads to, and nothing but its content would change: it is a
 * regular file with one name that may be written to, it is not mounted alone, and its owner can be kept. Returns its status; undefined where there is nothing.
 *
 * @throws {SinkError} saying what is there
 */
export async function requireReplaceable(owner: string, path: string): Promise<BigIntStats | undefined> {
  const status = statusOf(path); // what can't be looked at shows when it is made
  const reject = (problem: string, facts: ErrorFacts): SinkError => {
    return new SinkError(owner, problem, { facts: { where: path, ...facts } });
  };
  const hint = 'give the option "filePath" another path';
  if (status === undefined) {
    if (isLink(path)) throw reject(`${path} is a link that can't be followed`, { hint });
    return undefined;
  }
  if (status.isDirectory()) {
    throw reject("this is a folder", { code: "EISDIR", hint: 'give the option "filePath" the path of a file in it' });
  }
  if (!status.isFile())
    throw reject(`${path} is a ${kindOf(status)}, and a run would put a file in its place`, { hint });
  if (status.nlink > 1n) {
    const problem = `${path} has ${status.nlink} names (hard links), and a run would change the file under one of them only`;
    throw reject(problem, {
      names: Number(status.nlink),
      hint: "copy it to a file of its own, or give another filePath",
    });
  }
  if (isMountPoint(path)) {
    const problem = `${path} is mounted as a single file, which no other can be put in the place of`;
    throw reject(problem, { code: "EBUSY", hint: "mount its folder" });
  }
  if ((status.mode & 0o222n) === 0n) throw reject(`${path} is write-protected`, { code: "EACCES", hint });
  if (!canKeepOwner(status)) {
    const problem = `${path} belongs to another user or group, who would lose it to this process's`;
    throw reject(problem, { uid: Number(status.uid), gid: Number(status.gid), hint });
  }
  try {
    await access(path, constants.W_OK);
  } catch (cause) {
    const facts = { where: path, code: codeOf(cause), hint };
    throw new SinkError(owner, `${path} can't be written (${messageOf(cause)})`, { cause, facts });
  }
  return status;
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false; // nothing is there, or its folder does not let it be seen: making the file says so
  }
}

function kindOf(status: BigIntStats): string {
  if (status.isFIFO()) return "named pipe";
  return status.isSocket() ? "socket" : "device";
}

/** Only root gives files away; others may choose a group among their own. Windows knows neither. */
function canKeepOwner({ uid, gid }: BigIntStats): boolean {
  const user = process.geteuid?.();
  if (user === undefined || user === 0) return true;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  return Number(uid) === user && groups.includes(Number(gid));
}
