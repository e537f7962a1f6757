import { deprecate } from "node:util";
import { OptionError } from "./option.ts";

/** An option that works until the next major version. */
export interface Deprecation {
  readonly option: string;
  /** Names it among Node's warnings: `LLM_ETL_…`. */
  readonly code: string;
  /** Says what to write instead. */
  readonly message: string;
}

/** Emits a `DeprecationWarning`, once a process for each code. */
export function warnOf({ code, message }: Deprecation): void {
  deprecate(() => {}, message, code)();
}

/** An option by name, with the value that was given; undefined where it was not. */
export type NamedOption<Value> = readonly [name: string, value: Value | undefined];

/**
 * The value of an option that had another name in 0.1. The old name works until 1.0, with a warning.
 *
 * @throws {OptionError} if both are given
 */
export function renamedOption<Value>(
  owner: string,
  [name, value]: NamedOption<Value>,
  [oldName, oldValue]: NamedOption<Value>,
): Value | undefined {
  if (oldValue === undefined) return value;
  if (value !== undefined) {
    const problem = `this is the name that ${name} had in 0.1, and both are given`;
    throw new OptionError(owner, oldName, problem, { expected: `${name} alone`, hint: `remove ${oldName}` });
  }
  const message = `${owner}: the option "${oldName}" is named "${name}" now; the old name works until 1.0`;
  warnOf({ option: oldName, code: `LLM_ETL_${owner.toUpperCase()}_${oldName.toUpperCase()}`, message });
  return oldValue;
}
