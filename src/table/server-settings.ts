import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { codeOf } from "../errors/error-text.ts";
import type { Invalid } from "./connection-url.ts";

/**
 * The bytes of a file that a setting names, such as a certificate; undefined where it names none.
 *
 * @throws the error of `invalid` for one that can't be read
 */
export function readSettingFile(path: string | undefined, name: string, invalid: Invalid): Buffer | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalid(`the file of ${name} can't be read (${codeOf(error) ?? "no reason given"})`, { where: name });
  }
}

/** The server's connections go through no network: a socket's path, `localhost`, an address of this machine alone. */
export function isOnThisMachine(host: string): boolean {
  return (
    host.startsWith("/") || host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."))
  );
}

/** The settings of a server by their names. */
export interface ServerSettings<Name extends string> {
  readonly value: (name: Name) => string | undefined;
  /** @throws the error of `wrong` for another text than a whole number, and for one that is greater */
  readonly whole: (name: Name, most: number) => number | undefined;
  /** The bytes of the file that a setting names; undefined where it names none, or `system`. @throws as {@link readSettingFile} */
  readonly file: (name: Name) => Buffer | undefined;
  /** The error for a setting that can't be honoured, with its variable where that has it. */
  readonly wrong: (name: Name, expected: string) => Error;
}

/** The settings of a connection string, each of which a variable of the environment has where that gives none. */
export function settingsOf<Name extends string>(
  given: ReadonlyMap<Name, string>,
  {
    environment,
    variables,
  }: {
    readonly environment: Readonly<Record<string, string | undefined>>;
    readonly variables: Readonly<Record<Name, string>>;
  },
  invalid: Invalid,
): ServerSettings<Name> {
  const value = (name: Name): string | undefined => {
    const found = given.get(name) ?? environment[variables[name]];
    return found === "" ? undefined : found;
  };
  const wrong = (name: Name, expected: string): Error =>
    invalid(`${name}${given.has(name) ? "" : ` (from ${variables[name]})`}`, { where: name, expected });
  return {
    value,
    wrong,
    whole: (name, most) => {
      const text = value(name);
      if (text === undefined) return undefined;
      if (!/^\d{1,10}$/.test(text) || Number(text) > most) throw wrong(name, `a whole number up to ${most}`);
      return Number(text);
    },
    file: (name) => readSettingFile(value(name) === "system" ? undefined : value(name), name, invalid),
  };
}
