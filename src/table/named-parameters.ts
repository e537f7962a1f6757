import { closest } from "../errors/closest.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { listNames } from "../errors/name-list.ts";
import type { Parameters, ParameterValue } from "../contracts/source.ts";

/**
 * The value of each parameter of a query, in its order.
 *
 * @param wanted their names, without a sign
 * @param where the query's name in messages
 * @throws the error of `fail` for a parameter without a value, and for a value that is not used
 */
export function valuesOf(
  wanted: readonly string[],
  given: Parameters,
  where: string,
  fail: (problem: string, options: ErrorOptions) => Error,
): readonly ParameterValue[] {
  for (const name of Object.keys(given)) {
    if (wanted.includes(name)) continue;
    const [nearest] = closest(name, wanted, 1);
    const hint = nearest === undefined ? `it uses ${listNames(wanted)}` : `did you mean "${nearest}"?`;
    throw fail(`the parameter "${name}" is not used by ${where}`, { facts: { where, parameter: name, nearest, hint } });
  }
  return wanted.map((name) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value !== undefined) return value;
    const hint = `the parameters given are ${listNames(Object.keys(given))}`;
    const facts = { where, parameter: name, given: Object.keys(given), hint };
    throw fail(`the parameter "${name}" of ${where} has no value`, { facts });
  });
}

/** As text, which the server reads in the type of the place: a driver may write a date in this machine's time. */
export function boundAsText(value: ParameterValue): string | Buffer | null {
  if (value === null || typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  return value instanceof Uint8Array ? Buffer.from(value) : String(value);
}
