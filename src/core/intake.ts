import type { RowSchema, SchemaResult } from "../sources/base.ts";
import { nameOf, PrimaryKeyError, RowSchemaError } from "./exceptions.ts";
import { kindOf } from "./kind-of.ts";
import type { SeenKeys } from "./seen-keys.ts";

/**
 * The primary key of a row as text: dates as ISO 8601, bytes as hexadecimal digits.
 *
 * @throws {PrimaryKeyError} if it is missing, NULL, blank or not a single value
 */
export function primaryKeyOf(raw: Readonly<Record<string, unknown>>, column: string, position: number): string {
  const value = raw[column];
  if (typeof value === "string" && value.trim() !== "") return value;
  if (typeof value === "bigint" || typeof value === "boolean" || Number.isFinite(value)) return String(value);
  if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
  if (value instanceof Uint8Array && value.byteLength > 0) return Buffer.from(value).toString("hex");
  const problem = typeof value === "string" ? "is blank" : value === null ? "is NULL" : `is ${kindOf(value)}`;
  throw new PrimaryKeyError(
    "PRIMARY_KEY_MISSING",
    `row ${position}: the primary key "${column}" ${problem}; a row without a key can't be found again in the target`,
  );
}

/** @throws {PrimaryKeyError} if an earlier row of this run has the same key */
export function refuseDuplicate(seen: SeenKeys, pk: string, column: string, position: number): void {
  const first = seen.add(pk, position);
  if (first === undefined) return;
  throw new PrimaryKeyError(
    "PRIMARY_KEY_DUPLICATE",
    `row ${position}: the primary key "${column}" = ${JSON.stringify(pk)} was already seen in row ${first}`,
  );
}

/** @throws {RowSchemaError} with path, expected and got for each issue; or if the schema itself throws */
export async function applySchema<Row>(
  schema: RowSchema<Row>,
  raw: Readonly<Record<string, unknown>>,
  position: number,
): Promise<Row> {
  const result = await validate(schema, raw, position);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.slice(0, 10).map((issue) => describe(issue, raw));
  throw new RowSchemaError(`row ${position}: ${issues.map(({ message }) => message).join("; ")}`, {
    detail: `row ${position}: ${issues.map(({ detail }) => detail).join("; ")}`,
  });
}

async function validate<Row>(schema: RowSchema<Row>, raw: unknown, position: number): Promise<SchemaResult<Row>> {
  try {
    const result = schema["~standard"].validate(raw);
    return result instanceof Promise ? await result : result; // an await for every row would cost a turn each
  } catch (error) {
    throw new RowSchemaError(`row ${position}: the schema threw ${nameOf(error)}`, {
      cause: error,
      detail: `row ${position}: the schema threw ${String(error)}`,
    });
  }
}

type Issue = NonNullable<Extract<SchemaResult<unknown>, { issues: readonly unknown[] }>["issues"]>[number];

function describe(issue: Issue, raw: Readonly<Record<string, unknown>>): { message: string; detail: string } {
  const path = (issue.path ?? []).map((part) => (typeof part === "object" ? part.key : part));
  let value: unknown = raw;
  for (const key of path) value = isIndexable(value) ? value[key] : undefined;
  const where = path.length === 0 ? "the row" : path.map(String).join(".");
  const got = JSON.stringify(value)?.slice(0, 80) ?? "nothing";
  const expected = issue.message.replace(/, received .*$/, ""); // Zod's own "got", which we word ourselves
  return { message: `${where}: ${expected}, got ${kindOf(value)}`, detail: `${where}: ${expected}, got ${got}` };
}

function isIndexable(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === "object" && value !== null;
}
