/**
 * True if a function that has to give its value at once gave a promise. Nobody awaits it: its rejection, which would end the
 * process, is ignored.
 */
export function ignoreRejection(value: unknown): boolean {
  if (value instanceof Promise) value.catch(() => {});
  return value instanceof Promise;
}
