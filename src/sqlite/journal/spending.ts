import type { DatabaseSync } from "node:sqlite";
import type {
  JournalSpending,
  LimitState,
  OpenReservation,
  Reserved,
  Settlement,
  SpendingLook,
  SpentSlice,
} from "../../contracts/journal-spending.ts";
import type { Page } from "../../contracts/page.ts";
import { granted, quarterOf } from "../../spending/granted.ts";
import { type Line, pageOf } from "./paging.ts";

/** Amounts are given as text: a number of JavaScript does not have all of their digits. */
const reservationColumns =
  "number, id, pipeline, run_id, currency, reserved_at, CAST(amount AS TEXT) AS amount, lower(hex(fingerprint)) AS fingerprint";

/** Money that was spent, and is reserved. What changes something is to be called in a transaction. */
export class Spending {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database);
  }

  reserve(...[wanted, limitsAt]: Parameters<JournalSpending["reserve"]>): Reserved {
    const reservedAt = new Date();
    const currency = wanted[0]?.currency ?? "";
    const limits: readonly LimitState[] = limitsAt(reservedAt).map((limit) => {
      const span = [currency, limit.from.getTime(), limit.until.getTime()] as const;
      const { settledIn, reservedIn } = this.#statements;
      return { limit, settled: sumOf(settledIn.get(...span)), reserved: sumOf(reservedIn.get(...span)) };
    });
    const result = granted(wanted, limits);
    for (const reservation of wanted.slice(0, result.count)) this.add({ ...reservation, reservedAt });
    return { reservedAt, ...result };
  }

  /** One that is there stays. */
  add({ id, pipeline, runId, currency, reservedAt, amount, fingerprint }: OpenReservation): void {
    const key = Buffer.from(fingerprint, "hex");
    this.#statements.add.run(id, pipeline, runId, currency, reservedAt.getTime(), amount, key);
  }

  settle(settlements: readonly Settlement[]): void {
    const { find, remove, book } = this.#statements;
    for (const { id, amount } of settlements) {
      const known = find.get(id);
      if (known === undefined) continue;
      remove.run(id);
      if (amount === 0n) continue;
      const startsAt = quarterOf(Number(known["reserved_at"]));
      book.run(String(known["currency"]), startsAt, String(known["pipeline"]), amount);
    }
  }

  /** In place of a smaller amount. */
  put({ pipeline, currency, startsAt, settled }: SpentSlice): void {
    this.#statements.put.run(currency, startsAt.getTime(), pipeline, settled);
  }

  list({ since, limit, from }: Parameters<SpendingLook["list"]>[0]): Page<SpentSlice> {
    const lines = this.#statements.list.all(since?.getTime() ?? 0, Number(from ?? 0), limit + 1);
    return pageOf(lines, limit, toSlice);
  }

  reservations({ pipeline, since, limit, from }: Parameters<SpendingLook["reservations"]>[0]): Page<OpenReservation> {
    const lines = this.#statements.reservations.all(
      pipeline ?? null,
      since?.getTime() ?? 0,
      Number(from ?? 0),
      limit + 1,
    );
    return pageOf(lines, limit, toReservation);
  }
}

function sumOf(line: Line | undefined): bigint {
  return BigInt(String(line?.["n"]));
}

function toSlice({ pipeline, currency, starts_at, settled }: Line): SpentSlice {
  const [name, of, startsAt] = [String(pipeline), String(currency), new Date(Number(starts_at))];
  return { pipeline: name, currency: of, startsAt, settled: BigInt(String(settled)) };
}

function toReservation(line: Line): OpenReservation {
  return {
    id: String(line["id"]),
    pipeline: String(line["pipeline"]),
    runId: String(line["run_id"]),
    currency: String(line["currency"]),
    amount: BigInt(String(line["amount"])),
    fingerprint: String(line["fingerprint"]),
    reservedAt: new Date(Number(line["reserved_at"])),
  };
}

function sumIn(table: string, amount: string, time: string): string {
  return `SELECT CAST(coalesce(sum(${amount}), 0) AS TEXT) AS n FROM ${table} WHERE currency = ? AND ${time} >= ? AND ${time} < ?`;
}

function prepare(database: DatabaseSync) {
  const booked = "INSERT INTO spending (currency, starts_at, pipeline, settled) VALUES (?, ?, ?, ?)";
  return {
    settledIn: database.prepare(sumIn("spending", "settled", "starts_at")),
    reservedIn: database.prepare(sumIn("reservations", "amount", "reserved_at")),
    add: database.prepare(
      `INSERT OR IGNORE INTO reservations (id, pipeline, run_id, currency, reserved_at, amount, fingerprint)
      VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    find: database.prepare("SELECT pipeline, currency, reserved_at FROM reservations WHERE id = ?"),
    remove: database.prepare("DELETE FROM reservations WHERE id = ?"),
    book: database.prepare(`${booked} ON CONFLICT DO UPDATE SET settled = settled + excluded.settled`),
    put: database.prepare(`${booked} ON CONFLICT DO UPDATE SET settled = max(settled, excluded.settled)`),
    list: database.prepare(
      `SELECT number, pipeline, currency, starts_at, CAST(settled AS TEXT) AS settled FROM spending
      WHERE starts_at >= ? AND number > ? ORDER BY number LIMIT ?`,
    ),
    reservations: database.prepare(
      `SELECT ${reservationColumns} FROM reservations WHERE pipeline = coalesce(?1, pipeline) AND reserved_at >= ?2
      AND number > ?3 ORDER BY number LIMIT ?4`,
    ),
  };
}
