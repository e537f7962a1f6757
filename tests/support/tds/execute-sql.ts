import { convert } from "./convert.ts";
import type { Variables } from "./database.ts";
import type { Outcome } from "./execute.ts";
import { parseBatch } from "./parse-statement.ts";
import { parseDeclarations, quotedIdentifiers } from "./requests.ts";
import { SQLError } from "./sql-error.ts";
import { family, type SQLType, textOf, type Value } from "./sql-type.ts";
import type { ResultSetColumn, Statement } from "./syntax.ts";
import type { Execution } from "./table-locks.ts";
import type { ResultSet } from "./tokens.ts";

export interface Argument {
  /** With its @; empty where it is passed by position. */
  readonly name: string;
  readonly type: SQLType;
  readonly value: Value;
}

/** `EXECUTE sp_executesql … WITH RESULT SETS (…)`: what comes is converted to what was declared, or the batch ends. */
export async function* executeSQL(
  given: readonly Argument[],
  resultSets: readonly (readonly ResultSetColumn[])[] | undefined,
  { session, signal }: Execution,
  execute: (statement: Statement, execution: Execution) => AsyncIterable<Outcome>,
): AsyncIterable<Outcome> {
  const [text, declarations, ...passed] = given;
  const declared = parseDeclarations(textOf(declarations?.value ?? null));
  const variables: Variables = new Map();
  for (const { name, type, value } of passed) {
    const wanted = declared.get(name.toLowerCase());
    if (wanted === undefined) throw new SQLError(8145, `${name} is not a parameter for procedure.`);
    variables.set(name.toLowerCase(), { type: wanted, value: convert(value, type, wanted) });
  }
  const missing = [...declared.keys()].find((name) => !variables.has(name));
  if (missing !== undefined) {
    throw new SQLError(8178, `The parameterized query expects the parameter '${missing}', which was not supplied.`);
  }
  let count = 0;
  for (const statement of parseBatch(textOf(text?.value ?? null), quotedIdentifiers(session))) {
    for await (const outcome of execute(statement, { session, variables, signal })) {
      if (outcome.kind !== "rows" || resultSets === undefined) {
        yield outcome;
        continue;
      }
      const columns = resultSets[count];
      count += 1;
      if (columns === undefined) throw mismatch(11_535, "the statement tried to send more result sets than this");
      yield { ...outcome, result: declaredAs(outcome.result, columns) };
    }
  }
  if (count < (resultSets?.length ?? 0)) throw mismatch(11_536, "the statement only sent fewer result sets");
}

function declaredAs(result: ResultSet, wanted: readonly ResultSetColumn[]): ResultSet {
  if (wanted.length !== result.columns.length) throw mismatch(11_537, "the number of columns differs");
  for (const [index, { type }] of result.columns.entries()) {
    const to = wanted[index]?.type ?? type;
    const isExplicitOnly = family(to) === "text" && (type.name === "money" || type.name === "smallmoney");
    if (isExplicitOnly) throw mismatch(11_538, "there is no conversion between the two types");
  }
  const rows = function* (): Iterable<readonly Value[]> {
    for (const row of result.rows) {
      yield row.map((value, index) => {
        const [from, to] = [result.columns[index]?.type, wanted[index]?.type];
        return from === undefined || to === undefined ? value : convert(value, from, to);
      });
    }
  };
  return { columns: wanted.map(({ name, type }) => ({ name, type, nullable: true })), rows: rows() };
}

function mismatch(number: number, problem: string): SQLError {
  return new SQLError(number, `EXECUTE statement failed because of its WITH RESULT SETS clause: ${problem}.`);
}
