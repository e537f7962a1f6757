import type { Session, Variables } from "./database.ts";
import type { LockMode } from "./locks.ts";
import type { Statement, TableName } from "./syntax.ts";
import type { Table } from "./table.ts";

export interface Execution {
  readonly session: Session;
  readonly variables: Variables;
  readonly signal: AbortSignal;
}

export interface Kept {
  readonly release: () => void;
  /** Takes the locks over: they are not released as the statement ends, but by whoever calls what this gives. */
  readonly takeOver: () => () => void;
}

/** Waits for the tables. Locks of writers, and those that hints ask for, are kept until the transaction ends. */
export async function lock({ action, reads }: Statement, { session, signal }: Execution): Promise<Kept> {
  const { locks, options } = session.database;
  const isolation = session.settings.get("ISOLATION") ?? "";
  const wanted: [Table, LockMode, keep: boolean][] = [];
  const want = ({ path }: TableName, mode: LockMode, keep: boolean) => {
    const table = session.database.find(path, session);
    if (table !== undefined && !table.isTemporary) wanted.push([table, mode, keep]);
  };
  const target = action.kind === "insert" ? action.target : action.kind === "truncate" ? action.table : undefined;
  if (target !== undefined) want(target, "exclusive", true);
  const written =
    action.kind === "update" || action.kind === "delete"
      ? action.target
      : action.kind === "merge"
        ? action.target.alias
        : undefined;
  const from =
    action.kind === "update" || action.kind === "delete" ? action.from : action.kind === "merge" ? [action.target] : [];
  const source = from.find(({ alias }) => alias.toLowerCase() === written?.toLowerCase());
  if (source?.kind === "table") want(source.table, "exclusive", true);
  for (const { table, hints } of reads) {
    const has = (...names: readonly string[]) => names.some((name) => hints.includes(name));
    const serializable =
      isolation === "SERIALIZABLE" ||
      isolation === "REPEATABLE READ" ||
      has("HOLDLOCK", "SERIALIZABLE", "REPEATABLEREAD");
    if (has("NOLOCK", "READUNCOMMITTED") || isolation === "READ UNCOMMITTED") continue;
    if (has("UPDLOCK", "XLOCK", "TABLOCKX")) want(table, "exclusive", true);
    else if (serializable) want(table, "shared", true);
    else if (!options.snapshot && isolation !== "SNAPSHOT") want(table, "shared", false);
  }
  const mine: Table[] = [];
  const timeoutMs = Number(session.settings.get("LOCK_TIMEOUT") ?? -1);
  for (const [table, mode, keep] of wanted) {
    const held = locks.holds(session, table);
    await locks.take(session, table, mode, timeoutMs, signal);
    if (!held && !(keep && session.transaction !== undefined)) mine.push(table);
  }
  const release = () => {
    for (const table of mine.splice(0)) locks.release(session, table);
  };
  const takeOver = () => {
    const taken = mine.splice(0);
    return () => {
      for (const table of taken) locks.release(session, table);
    };
  };
  return { release, takeOver };
}
