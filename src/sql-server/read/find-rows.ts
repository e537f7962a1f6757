import { keyAsGiven } from "../../engine/primary-key.ts";
import type { SourceRow } from "../../contracts/source.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import type { SQLServerConnection } from "../connect/connection.ts";
import type { StatementParameter } from "../parameters.ts";
import { passingError } from "../error-meaning.ts";
import { findingQuery } from "./finding-query.ts";
import { keyValues } from "./key-values.ts";
import { type PageSettings, type ReadOptions, ReadSession } from "./read-session.ts";
import type { ResultType } from "./read-types.ts";

/** So many keys are looked for at a time. The server takes at most 2,100 parameters. */
const keysAtATime = 500;

/** The statement whose rows are looked for. */
export interface Finding extends Omit<ReadOptions, "connection" | "required"> {
  readonly connect: () => SQLServerConnection;
  readonly primaryKeyColumn: string;
  readonly paging: PageSettings | undefined;
}

/**
 * The rows of a statement with these primary keys, a batch of keys at a time: the statement becomes a part of another one. Nothing is
 * open before the first row is asked for. Resolves to undefined where the server can't run the statement as a part, or can't compare its keys.
 */
export async function findRows(
  finding: Finding,
  pks: readonly string[],
): Promise<AsyncGenerator<SourceRow, void, undefined> | undefined> {
  const { connect, primaryKeyColumn, paging } = finding;
  const required = { primaryKeyColumn };
  const connection = connect();
  try {
    const { columns, parameters } = await new ReadSession({ ...finding, connection, required }).describe(paging);
    const type = columns.find(({ name }) => name === primaryKeyColumn)?.type;
    const [sample] = type === undefined ? [] : (batchesOf(type, pks) ?? []);
    if (type === undefined || batchesOf(type, []) === undefined) return undefined;
    if (sample !== undefined && !(await canRun({ ...finding, connection, parameters }, sample))) return undefined;
    return rowsOf({ ...finding, parameters }, type, pks);
  } finally {
    await connection.close();
  }
}

type Described = Omit<Finding, "connect" | "paging">;

/** True if the server takes the statement as a part of another one: it was described as it is just before. */
async function canRun(
  finding: Described & Pick<ReadOptions, "connection">,
  keys: readonly StatementParameter[],
): Promise<boolean> {
  const query = queryFor(finding, keys);
  if (query === undefined) return false;
  try {
    await new ReadSession({ ...finding, ...query, required: {} }).describe();
    return true;
  } catch (error) {
    // Numbers are the server's own: it does not take the statement. Anything else is no answer.
    if (!(error instanceof LLMEtlError) || !isAnswer(error.facts["errorNumbers"])) throw error;
    if (passingError(error.cause) !== undefined) throw error;
    return false;
  }
}

function isAnswer(numbers: unknown): boolean {
  return Array.isArray(numbers) && numbers.length > 0;
}

async function* rowsOf(
  finding: Described & Pick<Finding, "connect">,
  type: ResultType,
  pks: readonly string[],
): AsyncGenerator<SourceRow, void, undefined> {
  finding.signal.throwIfAborted();
  const wanted = new Set(pks);
  const connection = finding.connect();
  let position = 0;
  try {
    for (const keys of batchesOf(type, [...wanted]) ?? []) {
      const query = queryFor(finding, keys);
      if (query === undefined) return;
      const required = { primaryKeyColumn: finding.primaryKeyColumn };
      for await (const raw of new ReadSession({ ...finding, ...query, connection, required }).readAll()) {
        finding.signal.throwIfAborted();
        const key = keyAsGiven(raw, finding.primaryKeyColumn);
        if (key === undefined || !wanted.delete(key)) continue; // equal to the server: in another case, or with blanks
        position += 1;
        yield { position, raw };
      }
    }
  } finally {
    await connection.close();
  }
}

function queryFor(
  { text, parameters, primaryKeyColumn }: Described,
  keys: readonly StatementParameter[],
): Pick<ReadOptions, "text" | "parameters"> | undefined {
  const names = keys.map(({ name }) => name);
  const query = findingQuery(text, primaryKeyColumn, names);
  return query === undefined ? undefined : { text: query, parameters: [...parameters, ...keys] };
}

/** The keys as parameters, in batches; undefined for a type that the server does not compare. */
function batchesOf(type: ResultType, pks: readonly string[]): readonly (readonly StatementParameter[])[] | undefined {
  const values = keyValues(type, pks);
  if (values === undefined) return undefined;
  const batches: StatementParameter[][] = [];
  for (let start = 0; start < values.length; start += keysAtATime) {
    const batch = values.slice(start, start + keysAtATime);
    batches.push(
      batch.map(({ declaration, sentAs, value }, index) => ({
        name: `llm_etl_key_${index}`,
        declaration,
        sentAs,
        value,
      })),
    );
  }
  return batches;
}
