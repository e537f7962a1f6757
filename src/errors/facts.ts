/** A plain value, as JSON holds it. */
export type Fact = string | number | boolean | null | readonly (string | number)[];

/**
 * The plain values that a message is made of. Programs read them, and tests assert them. Like the message they hold no
 * content of rows or answers.
 */
export interface ErrorFacts {
  /** The thing at fault: an option, a column, a table, a path, a field of a schema, a row's position. */
  readonly where?: Fact | undefined;
  /** The value that is right, or the kind of it. */
  readonly expected?: Fact | undefined;
  readonly got?: Fact | undefined;
  /** The next step of the person who reads the message. */
  readonly hint?: string | undefined;
  readonly [name: string]: Fact | undefined;
}

/** Makes a message of a problem and the facts that are there: `<problem>: expected <expected>, got <got>; <hint>`. */
export function messageFrom(problem: string, { expected, got, hint }: ErrorFacts): string {
  const pair = [
    ...(expected === undefined ? [] : [`expected ${inWords(expected)}`]),
    ...(got === undefined ? [] : [`got ${inWords(got)}`]),
  ].join(", ");
  const sentence = [problem, pair].filter((part) => part !== "").join(": ");
  return hint === undefined ? sentence : `${sentence}; ${hint}`;
}

/** Leaves out the facts that are undefined. */
export function given(facts: ErrorFacts): ErrorFacts {
  return Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined));
}

function inWords(fact: Fact): string {
  return Array.isArray(fact) ? fact.join(" or ") : String(fact);
}
