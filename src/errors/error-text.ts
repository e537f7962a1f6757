/** Takes out of a message of other code everything that looks like a credential. */
export function withoutSecrets(message: string): string {
  return message
    .replaceAll(/\S+/g, withoutPassword)
    .replaceAll(
      /\b(password|pwd|accountkey|sharedaccesskey|api[-_ ]?key|secret|token)\s*=\s*("[^"]*"|[^;\s]+)/gi,
      "$1=***",
    );
}

/** A word without the password of the address in it. Each part is looked at once, whatever stands in the word. */
function withoutPassword(word: string): string {
  const end = word.lastIndexOf("@");
  const start = end === -1 ? null : /\/\/[^:/@]*:/.exec(word);
  if (start === null || start.index + start[0].length > end) return word;
  return `${word.slice(0, start.index + start[0].length)}***${word.slice(end)}`;
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
