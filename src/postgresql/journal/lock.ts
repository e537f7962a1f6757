import { hash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { Client } from "pg";
import type { RunFacts } from "../../contracts/journal.ts";
import { JournalError, JournalInUseError } from "../../errors/journal.ts";
import type { PostgreSQLConnection } from "../connect/connection.ts";
import { quoted } from "./schema.ts";

/** The lock of a pipeline seems to be held by this run's own connection, which the server has not missed yet. */
export class StillHeldError extends Error {}

interface Place {
  readonly connection: PostgreSQLConnection;
  readonly schema: string;
  readonly identity: string;
}

interface PipelineLine {
  readonly epoch: string;
  readonly run_id: string;
  readonly holder: string;
}

/** In milliseconds: so long the server may take to notice that a process was killed. */
const noticeMs = 1_500;

/** The lock of a run on its pipeline: an advisory lock on a connection of its own, and an epoch, which rises with each run. */
export class PipelineLock {
  readonly #place: Place;
  readonly #run: RunFacts;
  readonly #keys: readonly [high: number, low: number];
  #client: Client | undefined;
  #epoch = 0;

  constructor(place: Place, run: RunFacts) {
    this.#place = place;
    this.#run = run;
    const digest = hash("sha256", `${place.schema}\0${run.pipeline}`, "buffer");
    this.#keys = [digest.readInt32BE(0), digest.readInt32BE(4)];
  }

  get epoch(): number {
    return this.#epoch;
  }

  get pipeline(): string {
    return this.#run.pipeline;
  }

  /** The connection that holds it. */
  get client(): Client | undefined {
    return this.#client;
  }

  /** @throws {JournalInUseError} if another run has it */
  async take(signal: AbortSignal): Promise<void> {
    const client = await this.#connect(signal);
    try {
      const endsAt = performance.now() + noticeMs;
      while (!(await this.#tryToTake(client))) {
        if (performance.now() > endsAt) throw new JournalInUseError(this.#place.identity, await this.#holder(client));
        await setTimeout(50, undefined, { signal });
      }
      this.#keep(client);
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  /**
   * Takes it again where its connection was lost.
   *
   * @throws {JournalError} if another run has it by now; {@link StillHeldError}; what the driver throws
   */
  async ensure(signal: AbortSignal): Promise<void> {
    if (this.#client !== undefined) return;
    const client = await this.#connect(signal);
    try {
      const isTaken = await this.#lock(client, this.#isWorker ? "_shared" : "");
      const { epoch } = (await this.#line(client)) ?? {};
      if (Number(epoch) !== this.#epoch) throw this.lost();
      if (!isTaken) throw new StillHeldError("the pipeline's lock is held");
      this.#keep(client);
    } catch (error) {
      await client.end();
      throw error;
    }
  }

  lost(): JournalError {
    const hint = "let the run that has it end, then run again: what this run had saved is there";
    const facts = { problem: "lock-lost", hint };
    return new JournalError(this.#place.identity, "was taken over by another run of the pipeline", { facts });
  }

  async release(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end();
  }

  get #isWorker(): boolean {
    return this.#run.role === "worker";
  }

  async #connect(signal: AbortSignal): Promise<Client> {
    const client = await this.#place.connection.session(signal);
    // The server frees the lock of a machine that is gone within 50 seconds. A socket of its own machine knows no such settings.
    await client.query("SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3");
    await client.query("SET tcp_user_timeout = 50000; SET idle_session_timeout = 0").catch(() => undefined);
    return client;
  }

  #keep(client: Client): void {
    this.#client = client;
    const gone = (): void => {
      if (this.#client === client) this.#client = undefined;
    };
    client.once("error", gone);
    client.once("end", gone);
  }

  async #tryToTake(client: Client): Promise<boolean> {
    if (await this.#lock(client, "")) {
      await this.#begin(client);
      if (!this.#isWorker) return true;
      await this.#lock(client, "_shared"); // beside the one that it has, then in its place
      await client.query("SELECT pg_advisory_unlock($1, $2)", [...this.#keys]);
      return true;
    }
    if (!this.#isWorker || !(await this.#lock(client, "_shared"))) return false;
    const line = await this.#line(client);
    if (line?.run_id === this.#run.runId) {
      this.#epoch = Number(line.epoch);
      return true;
    }
    await client.query("SELECT pg_advisory_unlock_shared($1, $2)", [...this.#keys]);
    return false;
  }

  async #lock(client: Client, kind: "" | "_shared"): Promise<boolean> {
    const sql = `SELECT pg_try_advisory_lock${kind}($1, $2)::text AS held`;
    return (await client.query<{ held: unknown }>(sql, [...this.#keys])).rows[0]?.held === "true";
  }

  /** A new epoch: what an earlier run may still want to save is rejected. */
  async #begin(client: Client): Promise<void> {
    const { runId, pipeline, processId, host, startedAt } = this.#run;
    const schema = quoted(this.#place.schema);
    const holder = `process ${processId} on ${host}, whose run started at ${startedAt.toISOString()}`;
    const { rows } = await client.query<{ epoch: unknown }>(
      `WITH gone AS (DELETE FROM ${schema}.sessions WHERE pipeline = $1)
      INSERT INTO ${schema}.pipelines AS p (name, epoch, run_id, holder, lock_high, lock_low) VALUES ($1, 1, $2, $3, $4, $5)
      ON CONFLICT (name) DO UPDATE SET epoch = p.epoch + 1, run_id = excluded.run_id, holder = excluded.holder RETURNING epoch`,
      [pipeline, runId, holder, ...this.#keys.map((key) => key >>> 0)],
    );
    this.#epoch = Number(rows[0]?.epoch);
  }

  async #line(client: Client): Promise<PipelineLine | undefined> {
    const sql = `SELECT epoch, run_id, holder FROM ${quoted(this.#place.schema)}.pipelines WHERE name = $1`;
    return (await client.query<PipelineLine>(sql, [this.#run.pipeline])).rows[0];
  }

  async #holder(client: Client): Promise<string> {
    return (await this.#line(client))?.holder ?? "another process";
  }
}
