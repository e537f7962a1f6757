import { setTimeout } from "node:timers/promises";
import type { RunFacts } from "../contracts/journal.ts";
import { JournalError, JournalInUseError } from "../errors/journal.ts";
import { inTime, type InTimeOptions } from "../table/in-time.ts";
import { timeOver } from "../table/pooled-work.ts";
import { groupsOf } from "./changes.ts";
import type { JournalDatabase, LockConnection, OpenDatabase } from "./database.ts";
import { applyIn, findIn } from "./statements.ts";
import { type Line, tables } from "./tables.ts";
import { keyHash } from "./texts.ts";

/** In milliseconds: so long a database may take to notice that a process was killed. */
export const noticeMs = 1_500;

/** In milliseconds: as often the connection is proved, for a run with slow calls may have nothing to save for minutes. */
const proofMs = 5_000;

/** The longest wait for an answer, in milliseconds: a network that is silent for so long is gone. */
export function silenceMs(leftMs: number): number {
  return Math.min(30_000, Math.max(leftMs, 1_000));
}

/** The error of a way to the database on which a lock is worth nothing. */
export function pooled(identity: string): JournalError {
  const hint = "connect to the server itself, or to a pooler in session mode";
  return new JournalError(identity, "can't be kept from other runs: a pooler in transaction mode is on the way", {
    facts: { problem: "pooler", hint },
  });
}

/** Each run shares it; who has it alone has the journal, with all pipelines that share it. */
export function journalLock({ schema }: Pick<JournalDatabase, "schema">): string {
  return keyHash(`${schema}\0`).slice(0, 16);
}

type Bounds = InTimeOptions<unknown>;
const ignoresLate = { timeOver, onLate: () => undefined } as const;

/** The lock of a run on its pipeline: a lock of the database on a connection of its own, and an epoch, which rises with each run. */
export class PipelineLock {
  readonly #database: JournalDatabase;
  readonly #connect: OpenDatabase["lockConnection"];
  readonly #run: RunFacts;
  readonly #name: string;
  /** Until it is released. */
  readonly #life = new AbortController();
  #connection: LockConnection | undefined;
  #ensuring: Promise<void> | undefined;
  #isNotMissed = false;
  #epoch = 0;

  constructor(database: JournalDatabase, { lockConnection }: Pick<OpenDatabase, "lockConnection">, run: RunFacts) {
    this.#database = database;
    this.#connect = lockConnection;
    this.#run = run;
    this.#name = keyHash(`${database.schema}\0${run.pipeline}`).slice(0, 16);
  }

  get epoch(): number {
    return this.#epoch;
  }

  get pipeline(): string {
    return this.#run.pipeline;
  }

  /** @throws {JournalInUseError} if another run has it */
  async take(signal: AbortSignal): Promise<void> {
    await this.#keepIf({ ...ignoresLate, signal, waitMs: silenceMs(Infinity) }, async (connection) => {
      const endsAt = performance.now() + noticeMs;
      const untilTaken = async (attempt: () => Promise<boolean>, holder: () => Promise<unknown>): Promise<void> => {
        while (!(await attempt())) {
          if (performance.now() > endsAt) throw new JournalInUseError(this.#database.identity, String(await holder()));
          await setTimeout(50, undefined, { signal });
        }
      };
      await untilTaken(
        async () => await this.#shareJournal(connection),
        async () => "a process that prunes or copies it",
      );
      await untilTaken(
        async () => await this.#tryToTake(connection),
        async () => (await this.#line(connection))?.["holder"] ?? "another process",
      );
      return true;
    });
    void Promise.allSettled([this.#watch()]);
  }

  /**
   * Takes it again where its connection was lost. Where some connection has it and the epoch is the run's yet, that is the one that was lost: the
   * database has not missed it, and no other run gets the lock.
   *
   * @throws {JournalError} if another run has it by now; what the driver throws
   */
  async ensure(): Promise<void> {
    if (this.#connection !== undefined || this.#isNotMissed) return;
    this.#ensuring ??= this.#takeAgain().finally(() => {
      this.#ensuring = undefined;
    });
    await this.#ensuring;
  }

  lost(): JournalError {
    const hint = "let the run that has it end, then run again: what this run had saved is there";
    const facts = { problem: "lock-lost", hint };
    return new JournalError(
      this.#database.identity,
      "was taken over: by another run of the pipeline, or to be pruned or copied",
      { facts },
    );
  }

  async release(): Promise<void> {
    this.#life.abort();
    await this.#drop(this.#connection);
  }

  async #shareJournal({ tryToLock }: LockConnection): Promise<boolean> {
    return await tryToLock(journalLock(this.#database), "shared");
  }

  get #isWorker(): boolean {
    return this.#run.role === "worker";
  }

  async #takeAgain(): Promise<void> {
    await this.#keepIf(this.#bounds, async (connection) => {
      if (!(await this.#shareJournal(connection))) throw this.lost();
      const isTaken = await connection.tryToLock(this.#name, this.#isWorker ? "shared" : "alone");
      const line = await this.#line(connection);
      if (Number(line?.["epoch"]) !== this.#epoch) throw this.lost();
      this.#isNotMissed = !isTaken;
      return isTaken;
    });
  }

  /** Keeps it until it is released. A failure is the next save's to report. */
  async #watch(): Promise<void> {
    const { signal } = this.#life;
    for (;;) {
      await setTimeout(proofMs, undefined, { signal, ref: false });
      const connection = this.#connection;
      const [proof] = await Promise.allSettled([
        connection && inTime(connection.prove(), { ...this.#bounds, waitMs: silenceMs(Infinity) }),
      ]);
      if (proof.status === "rejected") await this.#drop(connection);
      this.#isNotMissed = false;
      await Promise.allSettled([this.ensure()]);
    }
  }

  get #bounds(): Bounds {
    return { ...ignoresLate, signal: this.#life.signal, waitMs: silenceMs(this.#database.timeoutMs) };
  }

  async #keepIf(bounds: Bounds, take: (connection: LockConnection) => Promise<boolean>): Promise<void> {
    const connecting = this.#connect(bounds.signal);
    const connection = await inTime(connecting, { ...bounds, onLate: async (late) => await late.end() });
    connection.onceGone(() => void this.#drop(connection));
    try {
      const isTaken = await inTime(take(connection), bounds);
      this.#life.signal.throwIfAborted();
      if (isTaken) this.#connection = connection;
    } finally {
      if (this.#connection !== connection) await connection.end();
    }
  }

  async #drop(connection: LockConnection | undefined): Promise<void> {
    if (this.#connection === connection) this.#connection = undefined;
    await connection?.end();
  }

  /** Workers share it: the first of them has it alone while it begins, for no other run may have it then. */
  async #tryToTake(connection: LockConnection): Promise<boolean> {
    if (await connection.tryToLock(this.#name, "alone")) {
      const line = await this.#line(connection);
      const isBegun = this.#isWorker && line?.["run_id"] === this.#run.runId; // by a worker whose connection has just broken
      if (!isBegun) await this.#begin(connection, Number(line?.["epoch"] ?? 0) + 1);
      if (!this.#isWorker) return true;
      await connection.unlock(this.#name, "alone");
    }
    if (!this.#isWorker || !(await connection.tryToLock(this.#name, "shared"))) return false;
    const line = await this.#line(connection);
    this.#epoch = Number(line?.["epoch"]);
    if (line?.["run_id"] === this.#run.runId) return true;
    await connection.unlock(this.#name, "shared");
    return false;
  }

  /** With a new epoch what an earlier run may still want to save is rejected. */
  async #begin({ ask }: LockConnection, epoch: number): Promise<void> {
    const { runId, pipeline, processId, host, startedAt } = this.#run;
    const holder = `process ${processId} on ${host}, whose run started at ${startedAt.toISOString()}`;
    const line = { name: pipeline, epoch, run_id: runId, holder, lock_name: this.#name };
    const changes = groupsOf([
      { kind: "put", table: tables.pipelines, line },
      { kind: "remove", table: tables.sessions, line: { pipeline } },
    ]);
    for (const group of changes) await applyIn(ask, this.#database, group);
    this.#epoch = epoch;
  }

  async #line({ ask }: LockConnection): Promise<Line | undefined> {
    const { pipelines } = tables;
    return (await findIn(ask, this.#database, pipelines, pipelines.key, [{ name: this.#run.pipeline }]))[0];
  }
}
