import { messageOf } from "../../errors/error-text.ts";
import type { ConnectionPlace } from "../connect/connection-errors.ts";
import { driverFacts, isOfLogin, knownError, stepToConnect } from "../error-meaning.ts";

/** Why a statement failed: for a message, and in full for a `detail`. */
export interface StatementProblem {
  /** Without what may be the value of a cell. */
  readonly problem: string;
  readonly detail: string;
  readonly hint?: string | undefined;
}

/** An error of the server's, of those that are in one of the driver's. */
interface ServerError {
  readonly number: number;
  readonly message: string;
  readonly line: number | undefined;
}

/** While a statement is described no row has been looked at: the server's text is made of names and of SQL. */
export function describeProblem(error: unknown, place: ConnectionPlace): StatementProblem {
  const errors = serverErrors(error);
  // The last says that there was an error, those before it say which.
  const cause = errors.find(({ number }) => !isOfDescription(number)) ?? errors[0];
  if (cause === undefined) return connectionTrouble(error, place);
  const problem = `error ${cause.number}${inLine(cause)}: ${cause.message}`;
  return { problem, detail: problem };
}

/** Of a statement that runs: a message may quote a cell (245: Conversion failed when converting the value …). */
export function runProblem(error: unknown, place: ConnectionPlace): StatementProblem {
  const [cause] = serverErrors(error);
  if (cause === undefined) return connectionTrouble(error, place);
  const { number, message } = cause;
  const detail = `error ${number}${inLine(cause)}: ${message}`;
  const { isContentFree = false, ofQuery } = knownError(number);
  const rest = isContentFree
    ? message
    : (ofQuery ?? "its text may hold content and is left out here; run the query by itself to see it");
  return { problem: `error ${number}${inLine(cause)}: ${rest}`, detail };
}

/** No row came for as long as `Command Timeout` allows: the query is slow, or the network has gone silent. */
export function isRequestTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "RequestError" && "code" in error && error.code === "ETIMEOUT";
}

function connectionTrouble(error: unknown, place: ConnectionPlace): StatementProblem {
  if (isRequestTimeout(error)) {
    const hint =
      "make the query faster, or write a longer Command Timeout (in seconds; 0 is none) in the connection string";
    const problem = "no answer within the time for a statement";
    return { problem, detail: `${problem} (${messageOf(error)})`, hint };
  }
  const facts = driverFacts(error);
  if (isOfLogin(facts)) {
    const [number] = facts.numbers;
    const problem = `SQL Server at ${place.server} denied a login midway (${number === undefined ? "ELOGIN" : `error ${number}`})`;
    return { problem, detail: `${problem}: ${messageOf(error)}`, hint: stepToConnect(facts) };
  }
  const code = facts.codes.at(-1);
  const what = code === undefined ? messageOf(error) : code;
  return {
    problem: `the connection to SQL Server at ${place.server} broke (${what})`,
    detail: `the connection to SQL Server at ${place.server} broke (${messageOf(error)})`,
  };
}

/** 11501 to 11553 are the reasons why the server can't describe the columns. */
function isOfDescription(number: number): boolean {
  return number >= 11_501 && number <= 11_553;
}

function inLine({ line }: ServerError): string {
  return line === undefined || line < 1 ? "" : ` in line ${line}`;
}

function serverErrors(error: unknown): readonly ServerError[] {
  if (!(error instanceof Error)) return [];
  const preceding: unknown = Reflect.get(error, "precedingErrors");
  const all: readonly unknown[] = [...(Array.isArray(preceding) ? preceding : []), error];
  return all.flatMap((each) => {
    if (!(each instanceof Error) || !("number" in each) || typeof each.number !== "number") return [];
    const line: unknown = Reflect.get(each, "lineNumber");
    return [{ number: each.number, message: each.message, line: typeof line === "number" ? line : undefined }];
  });
}
