import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import type { StoredAnswer } from "../../contracts/journal.ts";
import { type FindValues, prepareFind, prepareFindAll } from "./find-values.ts";
import { NearAnswers } from "./near-answers.ts";
import { versionOf } from "./schema.ts";

/** So much of a fingerprint is in the index. */
const beginningBytes = 8;

/** The parts of an answer: a column of bytes that nobody reads would cost as much as all of these. */
const answerColumns =
  "number, text, finish_reason, model, input_tokens, cached_tokens, output_tokens, reasoning_tokens, run_id, usage_details";

/** So many fingerprints wait in memory, at most, before the index takes them. */
const mostWaiting = 16_384;

/**
 * The answers in a journal, found by fingerprint. Fingerprints come in no order, so that each would dirty a page of the
 * index of its own, and that was most of what an answer cost. They are put into it many at a time, in order; until then
 * they wait in memory, and after a crash they are read from the answers that the index lacks. `save` and `forget` are to
 * be called in a transaction, `index` is one.
 */
export class Answers {
  readonly #database: DatabaseSync;
  readonly #byNumber: FindValues;
  readonly #byIndex: FindValues;
  readonly #indexed: StatementSync;
  readonly #add: StatementSync;
  readonly #remove: StatementSync;
  readonly #near: NearAnswers;
  /** By fingerprint the numbers of the answers that the index lacks. */
  readonly #numbers = new Map<string, number>();
  readonly #findWaiting: ReturnType<typeof prepareFindAll>;
  #isUndone = false;
  #lastNumber: number;
  /** A journal that has none, as that of a first run, need not be asked. */
  #hasIndex: boolean;

  constructor(database: DatabaseSync) {
    this.#database = database;
    // A number whose answer was rolled back or removed finds nothing: its fingerprint is compared, too.
    this.#byNumber = prepareFind(database, `SELECT ${answerColumns} FROM answers WHERE number = ? AND fingerprint = ?`);
    this.#byIndex = prepareFind(
      database,
      `SELECT ${answerColumns} FROM fingerprints JOIN answers ON answers.number = fingerprints.answer
      WHERE beginning = ? AND fingerprint = ? ORDER BY answer DESC LIMIT 1`,
    );
    const findBlock = prepareFindAll(
      database,
      `SELECT ${answerColumns}, lower(hex(fingerprint)) FROM answers WHERE number BETWEEN ? AND ?`,
    );
    this.#near = new NearAnswers(
      (first, last) => new Map(findBlock(first, last).map((line) => [String(line.at(-1)), toAnswer(line)])),
    );
    this.#indexed = database.prepare("SELECT answer FROM fingerprints WHERE beginning = ?");
    this.#add = database.prepare("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#remove = database.prepare("DELETE FROM answers WHERE number = ? AND fingerprint = ?");
    const last = database.prepare(
      "SELECT max(answer, coalesce((SELECT max(number) FROM answers), 0)) AS n FROM indexed",
    );
    this.#lastNumber = Number(last.get()?.["n"]);
    this.#hasIndex = database.prepare("SELECT 1 FROM fingerprints LIMIT 1").get() !== undefined;
    this.#findWaiting = prepareFindAll(
      database,
      "SELECT lower(hex(fingerprint)), number FROM answers WHERE number > (SELECT answer FROM indexed)",
    );
    this.#readWaiting();
  }

  /** To be called where a transaction was undone: what it changed is then read anew. */
  readonly undone = (): void => {
    this.#isUndone = true;
  };

  get #waiting(): Map<string, number> {
    if (this.#isUndone) this.#readWaiting();
    return this.#numbers;
  }

  #readWaiting(): void {
    this.#numbers.clear();
    for (const [fingerprint, number] of this.#findWaiting()) this.#numbers.set(String(fingerprint), Number(number));
    this.#isUndone = false;
  }

  find(fingerprint: string): StoredAnswer | undefined {
    const near = this.#waiting.has(fingerprint) ? undefined : this.#near.get(fingerprint);
    if (near !== undefined) return near;
    const found = this.#rowOf(fingerprint);
    if (found === undefined) return undefined;
    this.#near.found(Number(found[0]));
    return toAnswer(found);
  }

  /** Stores an answer; it counts before any that has the same fingerprint. */
  save(fingerprint: string, { text, finishReason, model, usage, runId }: StoredAnswer): void {
    const key = Buffer.from(fingerprint, "hex");
    const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = usage;
    const tokens = [inputTokens, cachedTokens, outputTokens, reasoningTokens];
    const before = this.#waiting.get(fingerprint);
    if (before !== undefined) this.#remove.run(before, key);
    this.#near.drop(fingerprint);
    this.#lastNumber += 1;
    const details = detailsOf(usage);
    this.#add.run(this.#lastNumber, key, toExactText(text), finishReason, model, ...tokens, runId, details);
    this.#waiting.set(fingerprint, this.#lastNumber);
  }

  forget(fingerprint: string): void {
    const key = Buffer.from(fingerprint, "hex");
    const waiting = this.#waiting.get(fingerprint);
    if (waiting !== undefined) this.#remove.run(waiting, key);
    this.#waiting.delete(fingerprint);
    this.#near.drop(fingerprint);
    if (!this.#hasIndex) return;
    for (const { answer } of this.#indexed.all(key.subarray(0, beginningBytes))) this.#remove.run(Number(answer), key);
  }

  /** Puts what waits into the index, where it is so much, and removes the answers in whose place it is. */
  index(leastCount: number = mostWaiting): void {
    if (this.#waiting.size < leastCount) return;
    const waiting = `SELECT substr(fingerprint, 1, ${beginningBytes}) AS beginning, number, fingerprint FROM answers
        WHERE number > (SELECT answer FROM indexed) ORDER BY 1`;
    this.#database.exec(`
      BEGIN IMMEDIATE;
      DELETE FROM answers WHERE number IN (SELECT replaced.number FROM (${waiting}) AS newer JOIN fingerprints USING (beginning)
        JOIN answers AS replaced ON replaced.number = fingerprints.answer AND replaced.fingerprint = newer.fingerprint);
      INSERT INTO fingerprints SELECT beginning, number FROM (${waiting});
      UPDATE indexed SET answer = max(answer, coalesce((SELECT max(number) FROM answers), 0));
      COMMIT`);
    this.#waiting.clear();
    this.#hasIndex = true;
  }

  /** The newest answer that has the fingerprint. */
  #rowOf(fingerprint: string): ReturnType<FindValues> {
    const waiting = this.#waiting.get(fingerprint);
    if (waiting === undefined && !this.#hasIndex) return undefined;
    const key = Buffer.from(fingerprint, "hex");
    const newest = waiting === undefined ? undefined : this.#byNumber(waiting, key);
    if (newest !== undefined || !this.#hasIndex) return newest;
    return this.#byIndex(key.subarray(0, beginningBytes), key);
  }
}

/** The details that most answers do not have, as JSON. */
function detailsOf({ cacheWriteTokens, tier }: StoredAnswer["usage"]): string | null {
  return cacheWriteTokens === undefined && tier === undefined ? null : JSON.stringify({ cacheWriteTokens, tier });
}

/** The newest answer that has the fingerprint, for a look: also one that the index lacks. */
export function findAnswer(database: DatabaseSync, fingerprint: string): StoredAnswer | undefined {
  const key = Buffer.from(fingerprint, "hex");
  const columns = versionOf(database) < 6 ? answerColumns.replace("usage_details", "NULL") : answerColumns;
  const find = prepareFind(
    database,
    `SELECT ${columns} FROM answers WHERE fingerprint = ?1 AND number > (SELECT answer FROM indexed)
      UNION ALL SELECT ${columns} FROM fingerprints JOIN answers ON answers.number = fingerprints.answer
      WHERE beginning = ?2 AND fingerprint = ?1 ORDER BY number DESC LIMIT 1`,
  );
  const found = find(key, key.subarray(0, beginningBytes));
  return found === undefined ? undefined : toAnswer(found);
}

/** The answer of a line with {@link answerColumns}. */
function toAnswer(values: readonly SQLOutputValue[]): StoredAnswer {
  const [, text, finishReason, model, inputTokens, cachedTokens, outputTokens, reasoningTokens, runId, details] =
    values;
  return {
    text: fromExactText(text),
    finishReason: finishReason === "length" ? "length" : "stop",
    model: String(model),
    usage: {
      inputTokens: Number(inputTokens),
      cachedTokens: Number(cachedTokens),
      outputTokens: Number(outputTokens),
      reasoningTokens: Number(reasoningTokens),
      ...(typeof details === "string" && JSON.parse(details)),
    },
    runId: String(runId),
  };
}
