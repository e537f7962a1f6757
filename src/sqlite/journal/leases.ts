import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Page, PageRequest } from "../../contracts/journal.ts";
import type { Lease, LeasedRange } from "../../contracts/journal-work.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { type Line, pageFrom } from "./paging.ts";

/** The ranges of runs, and who holds them. All but `list` is to be called in a transaction. */
export class Leases {
  readonly #database: DatabaseSync;
  readonly #find: StatementSync;
  readonly #save: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#find = database.prepare("SELECT * FROM leases WHERE run_id = ? AND range = ?");
    this.#save = database.prepare(
      `INSERT INTO leases (run_id, range, owner, lease, expires_at, progress, is_done) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (run_id, range) DO UPDATE SET owner = excluded.owner, lease = excluded.lease,
      expires_at = excluded.expires_at, progress = excluded.progress, is_done = excluded.is_done`,
    );
  }

  claim(runId: string, range: string, owner: string, forMs: number): Lease | undefined {
    const now = Date.now();
    const known = this.#rangeOf({ runId, range });
    if (known?.isDone === true) return undefined;
    const isHeld = known !== undefined && known.owner !== null && known.owner !== owner;
    if (isHeld && Number(known.expiresAt) > now) return undefined;
    const { number = 0, progress = null } = known ?? {};
    const lease = { runId, range, owner, number: number + 1, expiresAt: new Date(now + forMs), progress };
    this.#store({ ...lease, isDone: false });
    return lease;
  }

  /** True while nobody has claimed its range after it, and it was not released. */
  isHeld(lease: Lease): boolean {
    const known = this.#rangeOf(lease);
    return known !== undefined && known.owner === lease.owner && known.number === lease.number;
  }

  /** Undefined where the lease is lost. */
  renew(lease: Lease, forMs: number): Lease | undefined {
    if (!this.isHeld(lease)) return undefined;
    const renewed = { ...lease, expiresAt: new Date(Date.now() + forMs) };
    this.#store({ ...renewed, isDone: false });
    return renewed;
  }

  /** False where the lease is lost. */
  release(lease: Lease, isDone: boolean): boolean {
    if (!this.isHeld(lease)) return false;
    this.#store({ ...lease, owner: null, expiresAt: null, isDone });
    return true;
  }

  list(runId: string, request: PageRequest): Page<LeasedRange> {
    const ofRun = { table: "leases", where: "run_id = ?", values: [runId], order: "oldest" } as const;
    return pageFrom(this.#database, ofRun, request, toRange);
  }

  #rangeOf({ runId, range }: Pick<Lease, "runId" | "range">): LeasedRange | undefined {
    const line = this.#find.get(runId, toExactText(range));
    return line === undefined ? undefined : toRange(line);
  }

  #store({ runId, range, owner, number, expiresAt, progress, isDone }: LeasedRange): void {
    const [name, said] = [toExactText(range), progress === null ? null : toExactText(progress)];
    this.#save.run(runId, name, owner, number, expiresAt?.getTime() ?? null, said, isDone ? 1 : 0);
  }
}

function toRange({ run_id, range, owner, lease, expires_at, progress, is_done }: Line): LeasedRange {
  return {
    runId: String(run_id),
    range: fromExactText(range),
    owner: owner === null ? null : String(owner),
    number: Number(lease),
    expiresAt: expires_at === null ? null : new Date(Number(expires_at)),
    progress: progress === null ? null : fromExactText(progress),
    isDone: is_done === 1,
  };
}
