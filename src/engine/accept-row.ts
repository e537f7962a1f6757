import { z } from "zod";
import type { AnySource, RowSchema, SchemaResult, SourceRow } from "../contracts/source.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { PrimaryKeyError, RowSchemaError } from "../errors/source.ts";
import { foreignWording, valueAt, type Wording, wordingOf } from "../errors/wording.ts";
import { describeType } from "../errors/describe-type.ts";
import { toExactText } from "../files/exact-text.ts";
import type { KeySet } from "../files/key-set.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";
import { declaredPath } from "./declared-path.ts";
import { keyText } from "./primary-key.ts";
import { type AnyState, GlobalState } from "./state.ts";

/**
 * Accepts a row: applies the source's schema, finds the key in the schema's output, and makes the row's state, frozen. `row`
 * is given the key as soon as one is known: that of the row as it was read, then that of the schema's output.
 *
 * @throws {PrimaryKeyError} if the key is missing, NULL or blank (in the row as it was read, before the schema sees it,
 * or in the schema's output), is no single value, or was seen in an earlier row
 * @throws {RowSchemaError} if the schema rejects the row, with path, expected and got for each issue; or if it throws
 * @throws {RowError} if the source says that something is wrong with the row
 */
export function acceptRow(
  read: SourceRow,
  { primaryKeyColumn: column, schema, namesAreData }: Pick<AnySource, "primaryKeyColumn" | "schema" | "namesAreData">,
  seen: KeySet,
  row: { pk: string | null },
): AnyState | Promise<AnyState> {
  if ("error" in read) throw yieldedError(read);
  const { position, raw } = read;
  const toState = (accepted: unknown): AnyState => {
    const pk = readKey(position, column, () => primaryKeyOf(accepted, column, position));
    row.pk = pk;
    rejectDuplicate(seen, pk, column, position);
    return new GlobalState({ pk, raw: freeze(accepted, position), processed: {}, log: [], startedAt: new Date() });
  };
  if (schema === undefined) return toState(raw);
  row.pk = readKey(position, column, () => keyBeforeSchema(raw, column, position)) ?? null;
  return applySchema({ schema, namesAreData }, raw, position).then(toState);
}

/**
 * The row that a source gave, as its schema makes it, where it is no row of a run: without a key.
 *
 * @throws {RowError} if the source says that something is wrong with the row, or the schema rejects it
 */
export async function acceptRaw(
  read: SourceRow,
  { schema, namesAreData }: Pick<AnySource, "schema" | "namesAreData">,
): Promise<unknown> {
  if ("error" in read) throw yieldedError(read);
  return schema === undefined ? read.raw : await applySchema({ schema, namesAreData }, read.raw, read.position);
}

/** The error that a source yielded for a row. One that is none of ours ends the run: it does not say that the row alone is at fault. */
function yieldedError({ error, position }: Extract<SourceRow, { readonly error: unknown }>): LLMEtlError {
  const yielded: unknown = error; // the type promises a RowError; whoever wrote the source may not have kept it
  if (yielded instanceof LLMEtlError) return yielded;
  const problem = `row ${position}: the source yielded an error that is no RowError`;
  return new RunError("SOURCE_FAILED", `${problem}: ${describeThrown(yielded)}`, {
    cause: yielded,
    detail: `${problem}: ${thrownDetail(yielded)}`,
    facts: { position, ...thrownBy(yielded), hint: "yield a RowError, with the values in its detail" },
  });
}

/** Reads a key; a row that throws when it is looked at (a getter, a Proxy) has none. */
function readKey<Key>(position: number, column: string, read: () => Key): Key {
  try {
    return read();
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    const problem = `row ${position}: the primary key "${column}" can't be read: the row threw`;
    throw new PrimaryKeyError("PRIMARY_KEY_MISSING", `${problem} ${describeThrown(error)}`, {
      cause: error,
      detail: `${problem} ${thrownDetail(error)}`,
      facts: { where: column, position, ...thrownBy(error) },
    });
  }
}

/** The key of a row that a schema has yet to see, which may rename, trim or make it; undefined if there is none so far. */
function keyBeforeSchema(row: unknown, column: string, position: number): string | undefined {
  if (!isIndexable(row) || !(column in row)) return undefined;
  const value = row[column];
  const isEmpty = value === null || (typeof value === "string" && value.trim() === "");
  return isEmpty ? primaryKeyOf(row, column, position) : keyText(value);
}

/** The primary key of a row as text: dates as ISO 8601, bytes as hexadecimal digits. */
function primaryKeyOf(row: unknown, column: string, position: number): string {
  const value = isIndexable(row) ? row[column] : undefined;
  const key = keyText(value);
  if (key !== undefined) return key;
  const found = typeof value === "string" ? "is blank" : value === null ? "is NULL" : `is ${describeType(value)}`;
  const problem = isIndexable(row) ? found : `is nothing, for the row is ${describeType(row)}`;
  throw new PrimaryKeyError(
    "PRIMARY_KEY_MISSING",
    `row ${position}: the primary key "${column}" ${problem}; a row without a key can't be found again in the target`,
    { facts: { where: column, position } },
  );
}

function rejectDuplicate(seen: KeySet, pk: string, column: string, position: number): void {
  const first = seen.add([toExactText(pk)], position);
  if (first === undefined) return;
  throw new PrimaryKeyError(
    "PRIMARY_KEY_DUPLICATE",
    `row ${position}: the primary key "${column}" = ${JSON.stringify(pk)} was already seen in row ${first}`,
    { facts: { where: column, position, first } },
  );
}

interface Rules<Row> {
  readonly schema: RowSchema<Row>;
  readonly namesAreData: boolean | undefined;
}

async function applySchema<Row>(rules: Rules<Row>, raw: unknown, position: number): Promise<Row> {
  const { schema } = rules;
  try {
    const validated = validate(schema, raw);
    // An await for every row would cost a turn each.
    const result: SchemaResult<Row> = validated instanceof Promise ? await validated : validated;
    if (result.issues === undefined) return result.value;
    throw rejection(rules, result.issues, raw, position);
  } catch (error) {
    if (error instanceof RowSchemaError) throw error;
    throw new RowSchemaError(`row ${position}: the schema threw ${describeThrown(error)}`, {
      cause: error,
      detail: `row ${position}: the schema threw ${thrownDetail(error)}`,
      facts: { position, ...thrownBy(error) },
    });
  }
}

/**
 * As the schema validates itself. Zod does it by a first try in which no check may be asynchronous; a promise of that try is
 * nobody's, and its rejection would end the process. So Zod is asked at once to wait where it has to.
 */
function validate<Row>(schema: RowSchema<Row>, raw: unknown): SchemaResult<Row> | Promise<SchemaResult<Row>> {
  if (!(schema instanceof z.core.$ZodType)) return schema["~standard"].validate(raw);
  const context = { async: true };
  const resultOf = ({ value, issues }: z.core.ParsePayload): SchemaResult<Row> => {
    if (issues.length === 0) return { value: value as Row }; // the type of the schema's output
    return { issues: issues.map((issue) => z.core.util.finalizeIssue(issue, context, z.core.config())) };
  };
  const payload = schema._zod.run({ value: raw, issues: [] }, context);
  return payload instanceof Promise ? payload.then(resultOf) : resultOf(payload);
}

type Issue = NonNullable<Extract<SchemaResult<unknown>, { issues: readonly unknown[] }>["issues"]>[number];

const maxIssues = 10;

function rejection(rules: Rules<unknown>, issues: readonly Issue[], raw: unknown, position: number): RowSchemaError {
  const wordings = issues.slice(0, maxIssues).map((issue) => wordingAt(rules, issue, raw));
  return new RowSchemaError(`row ${position}: ${wordings.map(({ message }) => message).join("; ")}`, {
    detail: `row ${position}: ${wordings.map(({ detail }) => detail).join("; ")}`,
    facts: { position, issueCount: issues.length },
  });
}

/** In our own words where the issue is one of Zod's own kinds: the sentence of a rule may quote the cell, and so may the path of a record. */
function wordingAt({ schema, namesAreData = false }: Rules<unknown>, issue: Issue, raw: unknown): Wording {
  const path = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  const value = valueAt(raw, path);
  const { message, detail } = isZodIssue(schema["~standard"].vendor, issue)
    ? wordingOf(issue, value)
    : foreignWording(issue.message, value);
  const shown = declaredPath(schema, path, namesAreData);
  return { message: `${placeOf(shown)}: ${message}`, detail: `${placeOf(path.map(String))}: ${detail}` };
}

function placeOf(path: readonly string[]): string {
  return path.length === 0 ? "the row" : path.join(".");
}

/** Zod gives its issues as they are: Standard Schema asks for no more than message and path. */
function isZodIssue(vendor: string, issue: object): issue is z.core.$ZodIssue {
  return vendor === "zod" && "code" in issue && typeof issue.code === "string";
}

/** A row that no one can change any more: steps see what the source gave. */
function freeze(row: unknown, position: number): Readonly<object> {
  try {
    return Object.freeze(Object(row));
  } catch (error) {
    throw new RowSchemaError(
      `row ${position}: can't be frozen (${describeThrown(error)}); a row must be a plain object`,
      {
        cause: error,
        facts: { position },
      },
    );
  }
}

function isIndexable(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === "object" && value !== null;
}
