import type { Session } from "./database.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import { textOf, type Value } from "./sql-type.ts";

/** Compared as bytes, whatever the database's collation. */
type Resource = string;

interface Held {
  isExclusive: boolean;
  /** Of `sp_getapplock`: each wants its `sp_releaseapplock`. */
  count: number;
}

/**
 * Locks of sessions on names, as Microsoft documents `sp_getapplock`, `sp_releaseapplock` and `APPLOCK_TEST`: of one database, Shared or Exclusive; a
 * session that asks again gets the stronger of both modes, and keeps it until the last release. Transactions as owners, waits and other modes are not there.
 */
export class AppLocks {
  readonly #held = new Map<Resource, Map<Session, Held>>();

  /** The return code of a procedure. */
  readonly call = (procedure: "sp_getapplock" | "sp_releaseapplock", given: AppLockCall, session: Session): number => {
    const { resource, mode, owner, timeout, principal } = given;
    if (owner.toLowerCase() !== "session" || !["", "public"].includes(principal)) throw notUnderstood(procedure);
    if (procedure === "sp_releaseapplock") return this.#release(resource, session);
    if (timeout !== 0) throw notUnderstood("sp_getapplock that waits");
    return this.#take(resource, mode, session);
  };

  /** 1 where the session could have it now, else 0. */
  readonly test = (resource: Resource, mode: string, session: Session): number =>
    this.#isFree(resource, isExclusive(mode) !== false, session) ? 1 : 0;

  /** As a session ends. */
  readonly forget = (session: Session): void => {
    for (const holders of this.#held.values()) holders.delete(session);
  };

  #take(resource: Resource, mode: string, session: Session): number {
    const exclusive = isExclusive(mode);
    if (exclusive === undefined) return -999;
    if (!this.#isFree(resource, exclusive, session)) return -1;
    const holders = this.#held.get(resource) ?? new Map<Session, Held>();
    this.#held.set(resource, holders);
    const held = holders.get(session) ?? { isExclusive: false, count: 0 };
    holders.set(session, { isExclusive: held.isExclusive || exclusive, count: held.count + 1 });
    return 0;
  }

  #release(resource: Resource, session: Session): number {
    const holders = this.#held.get(resource);
    const held = holders?.get(session);
    if (held === undefined) {
      const because = `(Database Principal: 'public', Resource: '${resource}') because it is not currently held.`;
      throw new SQLError(1223, `Cannot release the application lock ${because}`);
    }
    held.count -= 1;
    if (held.count === 0) holders?.delete(session);
    return 0;
  }

  #isFree(resource: Resource, exclusive: boolean, session: Session): boolean {
    const others = [...(this.#held.get(resource) ?? [])].filter(([holder]) => holder !== session);
    return others.every(([, held]) => !exclusive && !held.isExclusive);
  }
}

export interface AppLockCall {
  readonly resource: Resource;
  readonly mode: string;
  readonly owner: string;
  readonly timeout: number;
  readonly principal: string;
}

/** The parameters of a call; by name only. */
export function appLockCall(given: ReadonlyMap<string, Value>): AppLockCall {
  const text = (name: string): string => textOf(given.get(name));
  return {
    resource: text("@resource").slice(0, 255),
    mode: text("@lockmode"),
    owner: given.has("@lockowner") ? text("@lockowner") : "Transaction",
    timeout: given.has("@locktimeout") ? Number(given.get("@locktimeout")) : -1,
    principal: text("@dbprincipal"),
  };
}

/** Undefined for a mode that is none of those two. */
function isExclusive(mode: string): boolean | undefined {
  const lower = mode.toLowerCase();
  return lower === "exclusive" ? true : lower === "shared" ? false : undefined;
}
