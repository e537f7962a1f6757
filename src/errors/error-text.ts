/** Takes out of a message of other code everything that looks like a credential. */
export function withoutSecrets(message: string): string {
  return message // without a bound, many addresses in one text would each be read to its end
    .replaceAll(/(\/\/[^\s:/@]*):[^\s@]{0,2000}@/g, "$1:***@")
    .replaceAll(
      /\b(password|pwd|accountkey|sharedaccesskey|api[-_ ]?key|secret|token)\s*=\s*("[^"]*"|[^;\s]+)/gi,
      "$1=***",
    );
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : textOf(error);
}

/** Anything thrown as text, with name and message: for a `detail`. */
export function textOf(error: unknown): string {
  try {
    return String(error);
  } catch {
    return nameOf(error); // an object without a prototype, say, has no text
  }
}

/** The code that the system, or Node, gave to an error: `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** The kind of anything thrown, without its message: a message of the user's own code may hold content. */
export function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === "object" ? "an object" : `a ${typeof error}`;
  const name = classOf(error);
  return `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
}

/** The class of an error: a name that may have been made from data is not told. */
export function classOf(error: Error): string {
  const names: readonly unknown[] = [error.name, error.constructor?.name];
  const [own, made] = names.map((one) => (typeof one === "string" && /^[A-Za-z_$][\w$.]{0,60}$/.test(one) ? one : ""));
  if (own !== undefined && /(?:Error|Exception|Warning)\d*$/.test(own)) return own;
  return made === undefined || made === "" ? "Error" : made;
}
