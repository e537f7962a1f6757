import { messageOf } from "../../errors/error-text.ts";
import { CommitInDoubtError, type ErrorMeaning, type FailedAttempts } from "../../table/dialect.ts";
import { errorsIn } from "../../table/known-errors.ts";
import {
  driverFacts,
  isOfLogin,
  isRaised,
  knownError,
  ofTrigger,
  passingError,
  stepToConnect,
} from "../error-meaning.ts";
import type { TargetConnection } from "./writer.ts";
import { lockWaitMs, type SQLServerTarget } from "./upsert.ts";

/** The server's own words, which may hold values, are left to the `detail`. */
export function meaningOf(
  error: unknown,
  { server, patienceMs }: Pick<TargetConnection, "server" | "patienceMs">,
  target: Pick<SQLServerTarget, "table"> | undefined,
  { triedForMs, isWriting }: FailedAttempts,
): ErrorMeaning {
  const found = driverFacts(error);
  const { numbers, codes } = found;
  const said = numbers[0] === undefined ? (codes[0] ?? "no error number") : `error ${numbers[0]}`;
  const facts = { errorNumbers: numbers, errorCodes: codes };
  const detail = messageOf(error);
  const isInDoubt = error instanceof CommitInDoubtError && numbers.length === 0;
  const passing = passingError(error) ?? (isInDoubt ? {} : undefined);
  const toConnect = isOfLogin(found) ? stepToConnect(found) : undefined;
  if (passing !== undefined) {
    const waitedMs = numbers.includes(lockTimeout) ? lockWaitMs(patienceMs) : passing.waitedMs;
    const time = secondsText(triedForMs);
    const problem =
      target === undefined
        ? `the catalog of ${server} can't be read, tried for ${time} (${said})`
        : `the server took no batch for ${time} (${said})`;
    const again = "what was written is kept; run again to go on from there, or raise sinkTimeoutMs";
    const hint = toConnect === undefined ? again : `${toConnect}; ${again}`;
    return { kind: "passing", ...passing, waitedMs, problem, detail, facts: { ...facts, triedForMs, hint } };
  }
  if (isOfLogin(found)) {
    const problem = `${server} denied a login midway (${said})`;
    return { kind: "fatal", problem, detail, facts: { ...facts, where: server, hint: toConnect } };
  }
  if (target === undefined) {
    return { kind: "fatal", problem: `the catalog of ${server} can't be read (${said})`, detail, facts };
  }
  const number = isWriting ? numbers.find((each) => knownError(each).ofRow !== undefined) : undefined;
  if (number !== undefined) {
    const named = namedIn(textOf(error, number), number, target);
    const reason = isRaised(error, number) ? ofTrigger : (knownError(number).ofRow ?? "");
    const cause = `${reason}${named === undefined ? "" : ` (the ${named.kind} "${named.name}")`}`;
    const problem = `the server rejected a row: error ${number}, ${cause}`;
    const where = named?.name;
    return { kind: "data", problem, detail: `${problem}: ${detail}`, facts: { ...facts, where, errorNumber: number } };
  }
  const where = target.table.name;
  return {
    kind: "fatal",
    problem: `${target.table.quoted} can't be written (${said})`,
    detail,
    facts: { ...facts, where, hint: knownError(numbers[0] ?? 0).ofTable },
  };
}

/** A statement waited for locks of others for as long as it may. */
const lockTimeout = 1222;

function secondsText(milliseconds: number): string {
  return `${Math.round(milliseconds / 100) / 10} seconds`;
}

interface Named {
  readonly kind: "column" | "constraint" | "index";
  readonly name: string;
}

/** The column, constraint or index that the server names, where it is known to be one: the text has values in it, too. */
function namedIn(text: string, number: number, { table }: Pick<SQLServerTarget, "table">): Named | undefined {
  if (number >= 50_000) return undefined; // such a text may be anything
  const names = [...table.columns.map(({ name }) => name), ...table.uniqueKeys.map(({ index }) => index)];
  const beforeValues = text.split(/Truncated value|duplicate key value/, 1)[0] ?? "";
  const column = names.find((name) => beforeValues.includes(`column '${name}'`));
  if (column !== undefined) return { kind: "column", name: column };
  const constraint = /constraint ["']([^"']+)["']/.exec(beforeValues)?.[1];
  if (constraint !== undefined && [547, 2627].includes(number)) return { kind: "constraint", name: constraint };
  const index = names.find((name) => beforeValues.includes(`index '${name}'`));
  return index === undefined ? undefined : { kind: "index", name: index };
}

/** The server's text for that number. */
function textOf(error: unknown, number: number): string {
  for (const each of errorsIn(error)) {
    if ("number" in each && each.number === number && "message" in each) return String(each.message);
  }
  return "";
}
