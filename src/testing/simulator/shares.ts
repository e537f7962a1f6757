import { OptionError } from "../../errors/option.ts";
import { checkOptions, isNumber, optional, type OptionCheck } from "../../errors/options.ts";

/** Shares of something by name, 0 to 1 each and at most 1 together. */
export type Shares<Name extends string> = { readonly [Of in Name]?: number | undefined };

/** @throws {OptionError} for a name that is none of `names`, a share that is none, and shares of more than 1 together */
export function checkShares<Name extends string>(
  by: string,
  option: string,
  shares: Shares<Name>,
  names: readonly Name[],
): void {
  const isShare = optional(isNumber(0, 1));
  const checks: Record<string, OptionCheck> = Object.fromEntries(names.map((name) => [name, isShare]));
  checkOptions<Readonly<Record<string, unknown>>>(`${by} ${option}`, shares, checks);
  const total = names.reduce((sum, name) => sum + (shares[name] ?? 0), 0);
  // Shares such as 0.1 are no exact binary numbers: ten of them may be a little more than 1.
  if (total <= 1 + 1e-9) return;
  throw new OptionError(by, option, "", { expected: "shares of at most 1 together", got: total });
}

/** The name on whose part of the scale from 0 to 1 the draw falls: the shares are laid on it in the order of `names`. */
export function pick<Name extends string>(
  shares: Shares<Name>,
  names: readonly Name[],
  draw: number,
): Name | undefined {
  let bound = 0;
  for (const name of names) {
    bound += shares[name] ?? 0;
    if (draw < bound) return name;
  }
  return undefined;
}

/** @throws {OptionError} for a name that a function of the options gives, and that is none of `names` */
export function assertName<Name extends string>(option: string, names: readonly Name[], name: Name): void {
  if (names.includes(name)) return;
  const expected = `one of ${names.join(", ")}`;
  throw new OptionError("startAzureOpenAISimulator", option, "", { expected, got: name });
}
