import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import type { StoredAnswer } from "../../contracts/journal.ts";
import { type FindValues, prepareFind } from "./find-values.ts";

/** So much of a fingerprint is in the index. */
const beginningBytes = 8;

/** The parts of an answer: a column of bytes that nobody reads would cost as much as all of these. */
const answerColumns =
  "text, finish_reason, model, input_tokens, cached_tokens, output_tokens, reasoning_tokens, run_id";

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
  /** By fingerprint the numbers of the answers that the index lacks. */
  readonly #waiting = new Map<string, number>();
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
    this.#indexed = database.prepare("SELECT answer FROM fingerprints WHERE beginning = ?");
    this.#add = database.prepare("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.#remove = database.prepare("DELETE FROM answers WHERE number = ? AND fingerprint = ?");
    const last = database.prepare(
      "SELECT max(answer, coalesce((SELECT max(number) FROM answers), 0)) AS n FROM indexed",
    );
    this.#lastNumber = Number(last.get()?.["n"]);
    this.#hasIndex = database.prepare("SELECT 1 FROM fingerprints LIMIT 1").get() !== undefined;
    const missing = database.prepare(
      "SELECT fingerprint, number FROM answers WHERE number > (SELECT answer FROM indexed)",
    );
    for (const { fingerprint, number } of missing.iterate()) {
      if (fingerprint instanceof Uint8Array)
        this.#waiting.set(Buffer.from(fingerprint).toString("hex"), Number(number));
    }
  }

  find(fingerprint: string): StoredAnswer | undefined {
    const found = this.#rowOf(fingerprint);
    return found === undefined ? undefined : toAnswer(found);
  }

  /** Stores an answer; it counts before any that has the same fingerprint. */
  save(fingerprint: string, { text, finishReason, model, usage, runId }: StoredAnswer): void {
    const key = Buffer.from(fingerprint, "hex");
    const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = usage;
    const tokens = [inputTokens, cachedTokens, outputTokens, reasoningTokens];
    const before = this.#waiting.get(fingerprint);
    if (before !== undefined) this.#remove.run(before, key);
    this.#lastNumber += 1;
    this.#add.run(this.#lastNumber, key, toExactText(text), finishReason, model, ...tokens, runId);
    this.#waiting.set(fingerprint, this.#lastNumber);
  }

  forget(fingerprint: string): void {
    const key = Buffer.from(fingerprint, "hex");
    const waiting = this.#waiting.get(fingerprint);
    if (waiting !== undefined) this.#remove.run(waiting, key);
    this.#waiting.delete(fingerprint);
    if (!this.#hasIndex) return;
    for (const { answer } of this.#indexed.all(key.subarray(0, beginningBytes))) this.#remove.run(Number(answer), key);
  }

  /** Puts what waits into the index, where it is so much. */
  index(leastCount: number = mostWaiting): void {
    if (this.#waiting.size < leastCount) return;
    this.#database.exec(`
      BEGIN IMMEDIATE;
      INSERT INTO fingerprints
        SELECT substr(fingerprint, 1, ${beginningBytes}), number FROM answers WHERE number > (SELECT answer FROM indexed) ORDER BY 1;
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

/** The newest answer that has the fingerprint, for a look: also one that the index lacks. */
export function findAnswer(database: DatabaseSync, fingerprint: string): StoredAnswer | undefined {
  const key = Buffer.from(fingerprint, "hex");
  const find = prepareFind(
    database,
    `SELECT ${answerColumns}, number FROM answers WHERE fingerprint = ?1 AND number > (SELECT answer FROM indexed)
      UNION ALL SELECT ${answerColumns}, number FROM fingerprints JOIN answers ON answers.number = fingerprints.answer
      WHERE beginning = ?2 AND fingerprint = ?1 ORDER BY number DESC LIMIT 1`,
  );
  const found = find(key, key.subarray(0, beginningBytes));
  return found === undefined ? undefined : toAnswer(found);
}

/** The answer of a line with {@link answerColumns}. */
function toAnswer(values: readonly SQLOutputValue[]): StoredAnswer {
  const [text, finishReason, model, inputTokens, cachedTokens, outputTokens, reasoningTokens, runId] = values;
  return {
    text: fromExactText(text),
    finishReason: finishReason === "length" ? "length" : "stop",
    model: String(model),
    usage: {
      inputTokens: Number(inputTokens),
      cachedTokens: Number(cachedTokens),
      outputTokens: Number(outputTokens),
      reasoningTokens: Number(reasoningTokens),
    },
    runId: String(runId),
  };
}
