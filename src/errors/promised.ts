import { types } from "node:util";

/** True for anything that `await` waits for: a promise, of this realm or another, a library's, a query that has yet to be sent. */
export function isAwaitable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/**
 * True if a function that has to give its value at once gave a promise. Nobody awaits it: its rejection, which would end the
 * process, is ignored.
 */
export function ignoreRejection(value: unknown): boolean {
  if (!types.isPromise(value)) return false; // asks nothing of the value, which may be a stand-in
  value.catch(() => {});
  return true;
}
