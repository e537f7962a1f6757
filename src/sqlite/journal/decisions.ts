import type { DatabaseSync } from "node:sqlite";
import type { Page, PageRequest, RunFilter } from "../../contracts/journal.ts";
import type { Evaluation, Override, Watermark } from "../../contracts/journal-work.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { conditionOf, type Line, pageFrom } from "./paging.ts";

/** How far sources were read. What saves and forgets is to be called in a transaction, here and below. */
export class Watermarks {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareWatermarks>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepareWatermarks(database);
  }

  find(pipeline: string, name: string): Watermark | undefined {
    const line = this.#statements.find.get(pipeline, name);
    return line === undefined ? undefined : toWatermark(line);
  }

  save({ pipeline, name, value, basis, savedAt }: Watermark): void {
    this.#statements.save.run(pipeline, name, toExactText(value), basis, savedAt.getTime());
  }

  forget(pipeline: string, name: string): void {
    this.#statements.forget.run(pipeline, name);
  }

  list(request: PageRequest): Page<Watermark> {
    return pageFrom(this.#database, { table: "watermarks", order: "oldest" }, request, toWatermark);
  }
}

function prepareWatermarks(database: DatabaseSync) {
  return {
    find: database.prepare("SELECT * FROM watermarks WHERE pipeline = ? AND name = ?"),
    save: database.prepare(
      `INSERT INTO watermarks (pipeline, name, value, basis, saved_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (pipeline, name)
      DO UPDATE SET value = excluded.value, basis = excluded.basis, saved_at = excluded.saved_at`,
    ),
    forget: database.prepare("DELETE FROM watermarks WHERE pipeline = ? AND name = ?"),
  };
}

function toWatermark({ pipeline, name, value, basis, saved_at }: Line): Watermark {
  const names = { pipeline: String(pipeline), name: String(name), basis: String(basis) };
  return { ...names, value: fromExactText(value), savedAt: new Date(Number(saved_at)) };
}

/** The findings of evaluations. */
export class Evaluations {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  find(id: string): Evaluation | undefined {
    const line = this.#database.prepare("SELECT * FROM evaluations WHERE id = ?").get(id);
    return line === undefined ? undefined : toEvaluation(line);
  }

  save({ id, pipeline, startedAt, findings }: Evaluation): void {
    this.#database
      .prepare(
        `INSERT INTO evaluations (id, pipeline, started_at, findings) VALUES (?, ?, ?, ?) ON CONFLICT (id)
        DO UPDATE SET pipeline = excluded.pipeline, started_at = excluded.started_at, findings = excluded.findings`,
      )
      .run(id, pipeline, startedAt.getTime(), toExactText(findings));
  }

  list({ pipeline, ...request }: Pick<RunFilter, "pipeline"> & PageRequest): Page<Evaluation> {
    const condition = conditionOf([["pipeline = ?", pipeline]]);
    return pageFrom(this.#database, { table: "evaluations", ...condition, order: "newest" }, request, toEvaluation);
  }
}

function toEvaluation({ id, pipeline, started_at, findings }: Line): Evaluation {
  const startedAt = new Date(Number(started_at));
  return { id: String(id), pipeline: String(pipeline), startedAt, findings: fromExactText(findings) };
}

/** Decisions of people. */
export class Overrides {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepareOverrides>;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = prepareOverrides(database);
  }

  find(pipeline: string, step: string, inputHash: string): Override | undefined {
    const line = this.#statements.find.get(pipeline, step, inputHash);
    return line === undefined ? undefined : toOverride(line);
  }

  save({ pipeline, step, inputHash, output, pk, reviewer, decidedAt }: Override): void {
    const by = reviewer === null ? null : toExactText(reviewer);
    const decision = [toExactText(output), toExactText(pk), by, decidedAt.getTime()];
    this.#statements.save.run(pipeline, step, inputHash, ...decision);
  }

  forget(pipeline: string, step: string, inputHash: string): void {
    this.#statements.forget.run(pipeline, step, inputHash);
  }

  list({ pipeline, ...request }: Pick<RunFilter, "pipeline"> & PageRequest): Page<Override> {
    const condition = conditionOf([["pipeline = ?", pipeline]]);
    return pageFrom(this.#database, { table: "overrides", ...condition, order: "oldest" }, request, toOverride);
  }
}

function prepareOverrides(database: DatabaseSync) {
  const named = "pipeline = ? AND step = ? AND input_hash = ?";
  return {
    find: database.prepare(`SELECT * FROM overrides WHERE ${named}`),
    save: database.prepare(
      `INSERT INTO overrides (pipeline, step, input_hash, output, pk, reviewer, decided_at) VALUES (?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (pipeline, step, input_hash) DO UPDATE SET output = excluded.output, pk = excluded.pk,
      reviewer = excluded.reviewer, decided_at = excluded.decided_at`,
    ),
    forget: database.prepare(`DELETE FROM overrides WHERE ${named}`),
  };
}

function toOverride({ pipeline, step, input_hash, output, pk, reviewer, decided_at }: Line): Override {
  return {
    pipeline: String(pipeline),
    step: String(step),
    inputHash: String(input_hash),
    output: fromExactText(output),
    pk: fromExactText(pk),
    reviewer: reviewer === null ? null : fromExactText(reviewer),
    decidedAt: new Date(Number(decided_at)),
  };
}
