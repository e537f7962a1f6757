import type { DuckDBDataChunk, DuckDBPreparedStatement, DuckDBResult, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import type { Parameters, ParameterValue } from "../../contracts/source.ts";
import type { ErrorFacts } from "../../errors/facts.ts";
import type { ErrorOptions } from "../../errors/llm-etl-error.ts";
import { valuesOf } from "../../table/named-parameters.ts";
import { requireColumns } from "../../table/result-columns.ts";
import type { Database } from "../database.ts";
import type { Driver } from "../driver.ts";
import { type Read, readable } from "./values.ts";

export interface Query {
  readonly sql: string;
  /** Its name in messages: `the sql`. */
  readonly where: string;
  readonly parameters: Parameters;
  readonly fail: (problem: string, options: ErrorOptions) => Error;
}

export interface ResultColumn {
  readonly name: string;
  readonly read: Read;
}

/** @throws the error of `fail` for what is not one query, and for parameters that do not fit it; DuckDB's own for what it can't run */
export async function startQuery({ connection, driver }: Database, query: Query): Promise<DuckDBResult> {
  const { sql, where, fail } = query;
  const wrong = (problem: string, facts: ErrorFacts): Error =>
    fail(`${where} ${problem}`, { facts: { where, ...facts } });
  if (sql.includes("\0") || !sql.isWellFormed()) {
    throw wrong("holds a NUL character or half of a surrogate pair", { hint: "save it as UTF-8, without it" });
  }
  if (/^(?:\s|;|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)*$/.test(sql)) throw wrong("is empty", { expected: "one query" });
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) {
    throw wrong("holds several statements", { expected: "one query", got: statements.count });
  }
  const prepared = await statements.prepare(0);
  if (prepared.statementType !== driver.StatementType.SELECT) {
    throw wrong("is not a query", { expected: "SELECT …, FROM … or WITH … SELECT …" });
  }
  await bind(prepared, { connection, driver }, query);
  return await prepared.stream();
}

/**
 * The next rows of a result; undefined at its end. The driver gives an error in the middle of a result as its end, and only the kind of the
 * result tells them apart. For its words the query runs once more, without its rows.
 *
 * @throws DuckDB's own error
 */
export async function nextOf(
  result: DuckDBResult,
  database: Database,
  query: Query,
  signal: AbortSignal,
): Promise<DuckDBDataChunk | undefined> {
  const chunk = await result.fetchChunk();
  if (chunk !== null && chunk.rowCount > 0) return chunk;
  const { connection, driver } = database;
  if (result.returnType !== driver.ResultReturnType.INVALID) return undefined;
  signal.throwIfAborted();
  const prepared = await (await connection.extractStatements(`EXPLAIN ANALYZE\n${query.sql}`)).prepare(0);
  await bind(prepared, database, query);
  await prepared.run();
  throw new Error("the result broke off");
}

async function bind(
  prepared: DuckDBPreparedStatement,
  database: Pick<Database, "connection" | "driver">,
  { parameters, where, fail }: Query,
): Promise<void> {
  const names = Array.from({ length: prepared.parameterCount }, (_, index) => prepared.parameterName(index + 1));
  if (names.some((name) => /^\d+$/.test(name))) {
    const facts = { where, hint: "name it, as in $name" };
    throw fail(`${where} has a positional parameter (? or $1)`, { facts });
  }
  for (const [index, value] of valuesOf(names, parameters, where, fail).entries()) {
    const isInvalid =
      value instanceof Date ? Number.isNaN(value.getTime()) : typeof value === "string" && !value.isWellFormed();
    if (isInvalid) {
      const what = typeof value === "string" ? "a text with half of a surrogate pair" : "an invalid date";
      throw fail(`the parameter "${names[index]}" of ${where} can't be ${what}`, {
        facts: { where, parameter: names[index] },
      });
    }
    const bound = boundOf(value, database.driver);
    if (bound === undefined) prepared.bindNull(index + 1);
    else {
      const parameter = names[index] ?? "";
      const [cast, type] = await castTo(prepared, index + 1, bound, database).catch((cause: unknown) => {
        const facts = { where, parameter, hint: `write CAST($${parameter} AS …) in the SQL for another type` };
        throw fail(`the parameter "${parameter}" is no value of the type that ${where} compares it with`, {
          cause,
          facts,
        });
      });
      prepared.bindValue(index + 1, cast, type);
    }
  }
}

type Bound = readonly [value: DuckDBValue, type: DuckDBType];

/** The value in the type that its own kind has. Undefined for NULL. */
function boundOf(value: ParameterValue, driver: Driver): Bound | undefined {
  if (value === null) return undefined;
  if (typeof value === "string") return [value, driver.VARCHAR];
  if (typeof value === "boolean") return [value, driver.BOOLEAN];
  if (typeof value === "bigint") return [value, driver.HUGEINT];
  if (typeof value === "number")
    return Number.isSafeInteger(value) ? [BigInt(value), driver.BIGINT] : [value, driver.DOUBLE];
  if (value instanceof Date) return [value.toISOString(), driver.VARCHAR];
  return [new driver.DuckDBBlobValue(Buffer.from(value)), driver.BLOB];
}

/** Types that a text is read in where the query has one of them at the parameter's place. */
const readFromText =
  /^(?:U?(?:TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL|BOOLEAN|DATE|TIME|TIMESTAMP(?:_S|_MS|_NS|_TZ)?|UUID)$/;

/** A text becomes a value of the type that the query expects at the place, as a text in quotes in the SQL would. */
async function castTo(
  prepared: DuckDBPreparedStatement,
  place: number,
  bound: Bound,
  { connection, driver }: Pick<Database, "connection" | "driver">,
): Promise<Bound> {
  const [value, type] = bound;
  const name = driver.DuckDBTypeId[prepared.parameterTypeId(place)] ?? "";
  if (typeof value !== "string" || !readFromText.test(name)) return bound;
  const expected = prepared.parameterType(place);
  const reader = await connection.runAndReadAll(`SELECT CAST($1 AS ${String(expected)})`, [value], [type]);
  return [reader.getRows()[0]?.[0] ?? null, expected];
}

/**
 * The columns of a result. Where a message would name one that the query does not, it has its number: names may come with the data.
 *
 * @throws the error of `fail` for columns that can't be a row's fields, and for those whose values no step can use
 */
export function columnsOf(
  result: DuckDBResult,
  primaryKeyColumn: string,
  { sql, where, fail }: Pick<Query, "sql" | "where" | "fail">,
  driver: Driver,
): readonly ResultColumn[] {
  const names = result.columnNames();
  const shown = (index: number): string => {
    const name = names[index] ?? "";
    return sql.includes(name) || name === primaryKeyColumn ? `"${name}"` : `${index + 1} of ${names.length}`;
  };
  requireColumns(names, primaryKeyColumn, where, (detail, { facts = {} }) => {
    const isOfKey = facts["column"] !== undefined;
    const problem = isOfKey
      ? `the primaryKeyColumn "${primaryKeyColumn}" is not a result column of ${where}`
      : `${where} has more than one result column of one name`;
    const hint = isOfKey ? "name it in the SELECT, in this letter case" : "rename one with AS";
    return fail(problem, { detail, facts: { where, column: isOfKey ? primaryKeyColumn : undefined, hint } });
  });
  return names.map((name, index) => {
    const type = result.columnType(index);
    const found = readable(type, driver);
    const isKey = name === primaryKeyColumn;
    if (!("unreadable" in found) && (!isKey || found.isKey)) return { name, read: found.read };
    const what = "unreadable" in found ? found.unreadable : "no single value, which a key has to be";
    const problem = `the column ${shown(index)} is ${what}`;
    const hint = "write CAST(… AS VARCHAR), or name one of its fields, or leave it out";
    const facts = { where, column: isKey ? name : index + 1, hint };
    throw fail(problem, { detail: `${problem}: "${name}" ${String(type)}`, facts });
  });
}
