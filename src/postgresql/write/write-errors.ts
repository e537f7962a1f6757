import { messageOf } from "../../errors/error-text.ts";
import { CommitInDoubtError, type ErrorMeaning, type FailedAttempts } from "../../table/dialect.ts";
import { errorsIn } from "../../table/known-errors.ts";
import { driverFacts, knownError, passingError, stepToConnect } from "../error-meaning.ts";
import { lockWaitMs, type PostgreSQLTarget, type TargetConnection } from "./writer.ts";

/** By the class of a SQLSTATE. */
const rowFaults: readonly (readonly [state: RegExp, fault: string])[] = [
  [/^23502/, "a NULL where the column takes none"],
  [/^23503/, "a foreign key finds no row"],
  [/^23505|^23P01/, "another row has the value of a unique key"],
  [/^23514|^44000/, "a check fails"],
  [/^23/, "a constraint fails"],
  [/^22001/, "a text is too long"],
  [/^22003|^22008/, "a number or a date is out of range"],
  [/^22021|^22P05/, "the database's encoding lacks a character"],
  [/^22/, "a value that the column's type does not take"],
  [/^54/, "a row, or an index entry, is too large"],
  [/^P0|^38|^39/, "a trigger rejected it"],
];

/** The server's own words, which may hold values, are left to the `detail`. */
export function meaningOf(
  error: unknown,
  { place }: Pick<TargetConnection, "place">,
  target: PostgreSQLTarget | undefined,
  { triedForMs, isWriting }: FailedAttempts,
): ErrorMeaning {
  const { states, codes } = driverFacts(error);
  const [state = ""] = states;
  const said = state || (codes[0] ?? "no SQLSTATE");
  const fields = serverFields(error);
  const detail = [messageOf(error), fields.detail, fields.where].filter((part) => part !== undefined).join("; ");
  const facts = { errorStates: states, errorCodes: codes };
  const passing = passingError(error) ?? (error instanceof CommitInDoubtError && state === "" ? {} : undefined);
  if (passing !== undefined) {
    const waitedMs = state === "55P03" ? lockWaitMs : passing.waitedMs;
    const what = target === undefined ? `the catalog of ${place} can't be read` : "the server took no batch";
    const again = "what was written is kept; run again to go on from there, or raise sinkTimeoutMs";
    const hint = [stepToConnect(error), again].filter((part) => part !== undefined).join("; ");
    const problem = `${what}, tried for ${Math.round(triedForMs / 100) / 10} seconds (${said})`;
    return { kind: "passing", ...passing, waitedMs, problem, detail, facts: { ...facts, triedForMs, hint } };
  }
  const fault = isWriting ? rowFault(state, fields) : undefined;
  if (fault !== undefined && target !== undefined) {
    const [, staged] = /^COPY llm_etl_stage, line \d+, column c(\d+)/.exec(fields.where ?? "") ?? [];
    const column = fields.column ?? (staged === undefined ? undefined : target.columns[Number(staged)]?.mapped);
    const where = column ?? fields.constraint;
    const named = where === undefined ? "" : ` (the ${column === undefined ? "constraint" : "column"} "${where}")`;
    const problem = `the server rejected a row: ${fault}${named}, SQLSTATE ${state}`;
    return { kind: "data", problem, detail: `${problem}: ${detail}`, facts: { ...facts, where } };
  }
  const where = target === undefined ? place : target.table.name;
  const problem = `${target === undefined ? `the catalog of ${place} can't be read` : `${target.table.quoted} can't be written`} (${said})`;
  const isTemporary = state === "42501" && fields.routine === "InitTempTableNamespace";
  const hint = isTemporary
    ? "GRANT TEMPORARY ON DATABASE … TO the user: batches are staged in a temporary table"
    : knownError(state).ofTable;
  return { kind: "fatal", problem, detail, facts: { ...facts, where, hint } };
}

/** The errors that a user's trigger makes may have any state: it is the place that tells. A row policy's error is that of a permission, but for its place. */
function rowFault(state: string, { routine, where }: ServerFields): string | undefined {
  if (state === "42501" && routine === "ExecWithCheckOptions") return "a row policy rejected it";
  const known = rowFaults.find(([pattern]) => pattern.test(state))?.[1];
  return (
    known ??
    (where !== undefined && /^PL\/pgSQL function .* at RAISE$/m.test(where) ? "a trigger rejected it" : undefined)
  );
}

interface ServerFields {
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** The rows and values that the server names. */
  readonly detail?: string | undefined;
  /** The place at which it was, innermost first; it may hold values. */
  readonly where?: string | undefined;
  /** The function of the server's code, the same in each language. */
  readonly routine?: string | undefined;
}

/** The fields that the server's protocol adds to an error. */
function serverFields(error: unknown): ServerFields {
  for (const each of errorsIn(error)) if ("severity" in each) return each as ServerFields; // the driver's DatabaseError
  return {};
}
