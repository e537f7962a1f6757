import { AppLocks } from "./app-locks.ts";
import { type LockOwner, Locks } from "./locks.ts";
import { SQLError } from "./sql-error.ts";
import type { SQLType, Value } from "./sql-type.ts";
import type { Query } from "./syntax.ts";
import type { Change, Table, Values } from "./table.ts";

export interface DatabaseOptions {
  readonly name: string;
  readonly collation: string;
  /** Of tempdb: what columns of temporary tables get where none is named. */
  readonly serverCollation: string;
  /** "16.0.4105.2": since 15 (SQL Server 2019) a text that is too long is error 2628, before it is 8152. */
  readonly productVersion: string;
  /** 3 is a server, 5 Azure SQL Database, 8 Managed Instance, 11 or 12 Fabric. */
  readonly engineEdition: number;
  /** READ_COMMITTED_SNAPSHOT: readers do not wait for writers. */
  readonly snapshot: boolean;
  /** An open SELECT keeps writers waiting until its last row is sent, as one does that escalated its lock. */
  readonly openSelectsLock: boolean;
  /** Statements that are refused with error 102 ("Incorrect syntax near …"), as a server does that has no MERGE. */
  readonly refuses: readonly RegExp[];
}

export type Undo = Change | { readonly undo: () => void };

export interface Transaction {
  readonly descriptor: bigint;
  readonly log: Undo[];
  readonly savepoints: Map<string, number>;
  /** @@TRANCOUNT */
  count: number;
}

/** What a connection has at the server. */
export interface Session extends LockOwner {
  readonly id: number;
  readonly database: Database;
  readonly temporaryTables: Map<string, Table>;
  readonly settings: Map<string, string>;
  transaction: Transaction | undefined;
  rowCount: number;
  scopeIdentity: Value;
  identityInsert: string | undefined;
  waitsFor: readonly LockOwner[];
}

export type Variables = Map<string, { readonly type: SQLType; value: Value }>;

const firstSettings: readonly (readonly [string, string])[] = [
  ["XACT_ABORT", "OFF"],
  ["NOCOUNT", "OFF"],
  ["LOCK_TIMEOUT", "-1"],
  ["ISOLATION", "READ COMMITTED"],
  ["QUOTED_IDENTIFIER", "ON"],
  ["ANSI_NULLS", "ON"],
];

/** The tables and who works on them. */
export class Database {
  readonly options: DatabaseOptions;
  readonly tables: Map<string, Table> = new Map();
  readonly sessions: Set<Session> = new Set();
  readonly locks: Locks = new Locks();
  readonly appLocks: AppLocks = new AppLocks();
  readonly views: Map<string, Query> = new Map();
  #descriptor = 0x1000_0000n;

  constructor(options: DatabaseOptions) {
    this.options = options;
  }

  readonly open = (id: number): Session => {
    const session: Session = {
      id,
      database: this,
      temporaryTables: new Map(),
      settings: new Map(firstSettings),
      transaction: undefined,
      rowCount: 0,
      scopeIdentity: null,
      identityInsert: undefined,
      waitsFor: [],
    };
    this.sessions.add(session);
    return session;
  };

  /** Whatever is not committed is gone, and so are the temporary tables. */
  readonly close = (session: Session): void => {
    this.rollBack(session);
    this.locks.release(session);
    this.appLocks.forget(session);
    this.sessions.delete(session);
  };

  /** As sp_reset_connection does between two users of a pooled connection. */
  readonly reset = (session: Session): void => {
    this.rollBack(session);
    this.appLocks.forget(session);
    session.temporaryTables.clear();
    session.settings.clear();
    for (const [option, value] of firstSettings) session.settings.set(option, value);
  };

  readonly begin = (session: Session): Transaction => {
    this.#descriptor += 1n;
    session.transaction ??= { descriptor: this.#descriptor, log: [], savepoints: new Map(), count: 0 };
    session.transaction.count += 1;
    return session.transaction;
  };

  /** True if this was the outermost COMMIT. */
  readonly commit = (session: Session): boolean => {
    const { transaction } = session;
    if (transaction === undefined) {
      throw new SQLError(3902, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.");
    }
    transaction.count -= 1;
    if (transaction.count > 0) return false;
    session.transaction = undefined;
    this.locks.release(session);
    return true;
  };

  readonly rollBack = (session: Session, savepoint?: string): void => {
    const { transaction } = session;
    const mark = savepoint === undefined ? 0 : (transaction?.savepoints.get(savepoint.toLowerCase()) ?? 0);
    for (const entry of transaction?.log.splice(mark).toReversed() ?? []) {
      if ("undo" in entry) entry.undo();
      else entry.table.revert(entry);
    }
    if (savepoint !== undefined) return;
    session.transaction = undefined;
    this.locks.release(session);
  };

  /** The table of that name: `#t`, `t`, `dbo.t` or `database.dbo.t`. */
  readonly find = (path: readonly string[], session?: Session): Table | undefined => {
    const name = path.at(-1) ?? "";
    if (name.startsWith("#")) return session?.temporaryTables.get(name.toLowerCase());
    if (path.length > 2 && path.at(-3)?.toLowerCase() !== this.options.name.toLowerCase()) return undefined;
    return this.tables.get(tableKey(path.at(-2) ?? "dbo", name));
  };

  /** The rows as a reader sees them: `committed` leaves out what other sessions have not committed. */
  readonly rows = (table: Table, session: Session, committed: boolean): Iterable<Values> => {
    if (table.generated !== undefined) return table.generated();
    const others = committed ? this.uncommitted(table, session) : [];
    if (others.length === 0) return Array.from(table.rows, (row) => row.values);
    const seen = new Map(Array.from(table.rows, (row) => [row, row.values] as const));
    for (const { row, before } of others.toReversed()) {
      if (before === undefined) seen.delete(row);
      else seen.set(row, before);
    }
    return seen.values();
  };

  readonly uncommitted = (table: Table, reader: Session): Change[] =>
    this.changes(reader).filter((change) => change.table === table);

  /** What open transactions have changed, but for those of one session. */
  readonly changes = (except?: Session): Change[] => {
    const others = [...this.sessions].filter((session) => session !== except);
    const entries = others.flatMap((session) => session.transaction?.log ?? []);
    return entries.filter((entry): entry is Change => "row" in entry);
  };
}

export function tableKey(schema: string, name: string): string {
  return JSON.stringify([schema.toLowerCase(), name.toLowerCase()]);
}

export function isOn(session: Session, option: string): boolean {
  return session.settings.get(option) === "ON";
}
