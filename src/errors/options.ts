import { closest } from "./closest.ts";
import { OptionError } from "./option.ts";

/** The check of one option. `expected` completes the sentence "expected …". */
export interface OptionCheck {
  readonly expected: string;
  readonly fits: (value: unknown) => boolean;
  readonly required: boolean;
}

/**
 * Rejects an unknown option, a missing one and a wrong value, before anything else happens.
 *
 * @throws {OptionError} with the option's name as `where`, `expected` and `got`, or the nearest name as `nearest`
 */
export function checkOptions<Options extends object>(
  owner: string,
  options: Options,
  checks: { readonly [Name in keyof Options]-?: OptionCheck },
): void {
  if (typeof options !== "object" || options === null) {
    throw new OptionError(owner, "options", "", { expected: "an object", got: describe(options) });
  }
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(checks, name)) continue;
    const [nearest] = closest(name, Object.keys(checks), 1);
    const hint =
      nearest === undefined ? `the options are ${Object.keys(checks).join(", ")}` : `did you mean "${nearest}"?`;
    throw new OptionError(owner, name, "unknown option", { hint, nearest });
  }
  for (const [name, check] of Object.entries<OptionCheck>(checks)) {
    const value = (options as Readonly<Record<string, unknown>>)[name]; // an interface has no index signature
    if (value === undefined && !check.required) continue;
    if (!check.fits(value)) throw new OptionError(owner, name, "", { expected: check.expected, got: describe(value) });
  }
}

/** Makes the check of an option that may be left out. */
export function optional(check: OptionCheck): OptionCheck {
  return { ...check, required: false };
}

function checkThat(expected: string, fits: (value: unknown) => boolean): OptionCheck {
  return { expected, fits, required: true };
}

export const isText: OptionCheck = checkThat("text", (value) => typeof value === "string");
export const isName: OptionCheck = checkThat(
  "text that is not blank",
  (value) => typeof value === "string" && value.trim() !== "",
);
export const isBoolean: OptionCheck = checkThat("true or false", (value) => typeof value === "boolean");
export const isFunction: OptionCheck = checkThat("a function", (value) => typeof value === "function");
export const isObject: OptionCheck = checkThat("an object", (value) => typeof value === "object" && value !== null);
export const isPath: OptionCheck = checkThat(
  "a path, as text or a file: URL",
  (value) => (typeof value === "string" && value !== "") || (value instanceof URL && value.protocol === "file:"),
);
export const isList: OptionCheck = checkThat("an array", (value) => Array.isArray(value));
export const isTextList: OptionCheck = checkThat(
  "an array of texts",
  (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
);
/** An object with at least one entry, all of whose values are functions. */
export const isFunctionMap: OptionCheck = checkThat(
  "an object of functions, with at least one",
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.keys(value).length > 0 &&
    Object.values(value).every((item) => typeof item === "function"),
);

/** The longest time that a timer can wait, in milliseconds: 24 days. Node waits 1 ms for a longer one. */
export const longestTimerMs: number = 2 ** 31 - 1;

/** Milliseconds that a timer can wait: from `minimum` to {@link longestTimerMs}. */
export function isDuration(minimum: number): OptionCheck {
  const longest = longestTimerMs;
  return checkThat(
    `whole milliseconds from ${minimum} to ${longest}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= longest,
  );
}

/** A whole number from `minimum` up. */
export function isCount(minimum: number): OptionCheck {
  return checkThat(
    `a whole number from ${minimum} up`,
    (value) => Number.isSafeInteger(value) && Number(value) >= minimum,
  );
}

/** A finite number from `minimum` to `maximum`, both included. */
export function isNumber(minimum: number, maximum: number = Number.MAX_VALUE): OptionCheck {
  const expected =
    maximum === Number.MAX_VALUE ? `a number from ${minimum} up` : `a number from ${minimum} to ${maximum}`;
  return checkThat(expected, (value) => typeof value === "number" && value >= minimum && value <= maximum);
}

/** One of the given words. */
export function isOneOf(...words: readonly string[]): OptionCheck {
  return checkThat(words.map((word) => `"${word}"`).join(" or "), (value) => words.some((word) => word === value));
}

/** A plug-in: an object whose `members` are functions. */
export function hasFunctions(what: string, ...members: readonly string[]): OptionCheck {
  return checkThat(
    `${what} (an object with ${members.join(", ")})`,
    (value) =>
      typeof value === "object" &&
      value !== null &&
      members.every((member) => typeof (value as Readonly<Record<string, unknown>>)[member] === "function"), // an object has members by name
  );
}

/** Names a wrong value for a message: its text if it is short, else only its kind and size. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string")
    return value.length > 40 ? `a text of ${value.length} characters` : JSON.stringify(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of ${value.length}`;
  if (value instanceof URL) return `a ${value.protocol} URL`; // the rest of it may hold a password
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "number" || typeof value === "boolean" || value === null
    ? String(value)
    : `a ${typeof value}`;
}
