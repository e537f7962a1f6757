import { messageOf } from "../errors/error-text.ts";

// https://www.sqlite.org/rescode.html: the low byte is the kind, the rest tells the case.
const kinds = {
  error: 1,
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  tooBig: 18,
  constraint: 19,
  mismatch: 20,
  notADatabase: 26,
} as const;
const raisedByTrigger = 1811;
// Of these constraints the message is made of table, column and constraint names.
const namesOnly: ReadonlySet<number> = new Set([275, 787, 1299, 1555, 2067, 2579, 3091]);

/** True if the database reported it, not the driver or anyone else. */
export function isSQLiteError(error: unknown): boolean {
  return errorNumberOf(error) !== undefined;
}

/** True if the database reported an error of that kind. */
export function isKind(error: unknown, kind: keyof typeof kinds): boolean {
  const code = errorNumberOf(error);
  return code !== undefined && (code & 0xff) === kinds[kind];
}

/** True if the data is to blame: a constraint, a type, a length, a trigger. */
export function isDataError(error: unknown): boolean {
  return isKind(error, "constraint") || isKind(error, "mismatch") || isKind(error, "tooBig");
}

/** The database's message, without what may be the value of a cell: of an error while a statement runs. */
export function contentFreeMessage(error: unknown): string {
  const code = errorNumberOf(error);
  if (isKind(error, "constraint") && (code === undefined || !namesOnly.has(code))) {
    return code === raisedByTrigger ? "a trigger rejected it" : "a constraint failed";
  }
  // A function's error quotes its argument: "bad JSON path: '…'".
  return isKind(error, "error") ? messageOf(error).replaceAll(/(['"]).*\1/gs, "$1…$1") : messageOf(error);
}

/** The number that `node:sqlite` puts on an error of the database. */
export function errorNumberOf(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode : undefined;
}
