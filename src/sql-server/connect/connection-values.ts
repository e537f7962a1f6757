import { closestKey, type MappedKey, meaningOf } from "./connection-keys.ts";
import type { ConnectionStringPair, Invalid } from "./connection-string.ts";

/** The values of a connection string by what they are for. One that is blank counts as not given. */
export interface ConnectionValues {
  readonly text: (name: MappedKey) => string | undefined;
  /** yes, no, true or false. */
  readonly boolean: (name: MappedKey) => boolean | undefined;
  readonly count: (name: MappedKey, minimum: number, maximum: number) => number | undefined;
  /** Whole seconds, as milliseconds. */
  readonly seconds: (name: MappedKey, minimum: number) => number | undefined;
  /** The value for a word, letter case and spaces aside: `ActiveDirectoryDefault` is `Active Directory Default`. */
  readonly oneOf: <Value>(name: MappedKey, meanings: Readonly<Record<string, Value>>) => Value | undefined;
  /** The error for a value, by the key as it was written. Neither the problem nor the facts may hold the value. */
  readonly invalid: (name: MappedKey, ...about: Parameters<Invalid>) => Error;
}

/** The most that SQL Server allows for each text of a login, in UTF-16 code units. */
const longestText = 128;
/** The longest wait of Node's timers. */
const mostSeconds = 2_147_483;

/**
 * Sorts the pairs by what their keys mean.
 *
 * @throws the error of `invalidString` for a key that is unknown, can't be honoured, or is given twice; later for a wrong value
 */
export function connectionValues(pairs: readonly ConnectionStringPair[], invalidString: Invalid): ConnectionValues {
  const found = mappedPairs(pairs, invalidString);
  const invalid: ConnectionValues["invalid"] = (name, problem, facts) => {
    const { key = name } = found.get(name) ?? {};
    return invalidString(problem === "" ? `"${key}"` : `"${key}": ${problem}`, { key, ...facts });
  };
  const text = (name: MappedKey): string | undefined => {
    const value = found.get(name)?.value;
    if (value === undefined || value.length <= longestText) return value === "" ? undefined : value;
    throw invalid(name, "", { expected: `at most ${longestText} characters`, got: value.length });
  };
  const oneOf = <Value>(name: MappedKey, meanings: Readonly<Record<string, Value>>): Value | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const entry = Object.entries(meanings).find(([word]) => foldWord(word) === foldWord(value));
    if (entry === undefined) throw invalid(name, "", { expected: Object.keys(meanings) });
    return entry[1];
  };
  const count = (name: MappedKey, minimum: number, maximum: number): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    if (/^\d{1,9}$/.test(value) && Number(value) >= minimum && Number(value) <= maximum) return Number(value);
    throw invalid(name, "", { expected: `a whole number from ${minimum} to ${maximum}` });
  };
  const seconds = (name: MappedKey, minimum: number): number | undefined => {
    const value = count(name, minimum, mostSeconds);
    return value === undefined ? undefined : value * 1000;
  };
  const boolean = (name: MappedKey): boolean | undefined =>
    oneOf(name, { yes: true, no: false, true: true, false: false });
  return { text, boolean, count, seconds, oneOf, invalid };
}

function foldWord(word: string): string {
  return word.toLowerCase().replaceAll(/\s+/g, "");
}

function mappedPairs(
  pairs: readonly ConnectionStringPair[],
  invalid: Invalid,
): ReadonlyMap<MappedKey, ConnectionStringPair> {
  const found = new Map<MappedKey, ConnectionStringPair>();
  for (const [index, pair] of pairs.entries()) {
    const meaning = meaningOf(pair.key);
    if (meaning === undefined) throw invalid(...unknownKey(pair, pairs[index - 1]));
    if (meaning.kind === "rejected" && pair.value !== "" && !meaning.harmless.includes(pair.value.toLowerCase())) {
      throw invalid(`"${pair.key}" can't be honoured: ${meaning.reason}`, { key: pair.key, hint: meaning.hint });
    }
    if (meaning.kind !== "mapped") continue;
    const other = found.get(meaning.name);
    // ODBC takes the first of two, ADO.NET the last.
    if (other !== undefined) {
      const facts = { key: [other.key, pair.key], hint: "keep one of them" };
      throw invalid(`"${other.key}" and "${pair.key}" are one setting`, facts);
    }
    found.set(meaning.name, pair);
  }
  return found;
}

/** An unknown key behind a password without quotes may be the rest of the password, and one with odd signs a piece of any value. */
function unknownKey({ key }: ConnectionStringPair, before: ConnectionStringPair | undefined): Parameters<Invalid> {
  const nearest = closestKey(key);
  if (before !== undefined && !before.quoted && isPassword(before.key)) {
    const or = nearest === undefined ? "" : `; or did you mean "${nearest}"?`;
    const hint = `if it belongs to the value, put the value in quotes${or}`;
    return [`the key after "${before.key}" is unknown`, { after: before.key, hint }];
  }
  const named = /^[a-z][a-z _]{0,40}$/i.test(key) ? key : undefined;
  const hint = nearest === undefined ? "take it out" : `did you mean "${nearest}"?`;
  return [`${named === undefined ? "a key" : `the key "${named}"`} is unknown`, { key: named, hint }];
}

function isPassword(key: string): boolean {
  const meaning = meaningOf(key);
  return meaning?.kind === "mapped" && meaning.name === "password";
}
