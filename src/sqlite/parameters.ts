import type { SQLInputValue } from "node:sqlite";
import { closest } from "../errors/closest.ts";
import { listNames } from "../errors/name-list.ts";
import type { Parameters } from "../contracts/source.ts";
import type { Fail } from "./open.ts";
import { bindingProblem, toSQLiteValue } from "./values.ts";

/**
 * The value of each parameter of a statement, under its name with `@`, `:` or `$`. The driver would bind one that
 * is missing as NULL, in silence.
 *
 * @throws what `fail` makes of a parameter without a value, a value without a parameter and a value that can't be bound
 */
export function bindParameters(
  wanted: readonly string[],
  given: Parameters,
  where: string,
  fail: Fail,
): Record<string, SQLInputValue> {
  const bare = wanted.map((parameter) => parameter.slice(1));
  for (const name of Object.keys(given)) {
    if (bare.includes(name)) continue;
    const [nearest] = closest(name, bare, 1);
    const hint = nearest === undefined ? `it uses ${listNames(bare)}` : `did you mean "${nearest}"?`;
    throw fail(`the parameter "${name}" is not used by ${where}; ${hint}`, {
      facts: { where, parameter: name, used: bare, nearest },
    });
  }
  const entries = wanted.map((parameter, index): [string, SQLInputValue] => {
    const name = bare[index] ?? "";
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      throw fail(
        `the parameter "${name}" of ${where} has no value; the parameters given are ${listNames(Object.keys(given))}`,
        { facts: { where, parameter: name, given: Object.keys(given) } },
      );
    }
    const problem = bindingProblem(value);
    if (problem !== undefined)
      throw fail(`the parameter "${name}" of ${where} can't be ${problem}`, {
        facts: { where, parameter: name, problem },
      });
    return [parameter, toSQLiteValue(value)];
  });
  return Object.fromEntries(entries);
}
