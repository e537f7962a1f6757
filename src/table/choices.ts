import { describeType } from "../errors/describe-type.ts";
import { listItems } from "../errors/name-list.ts";
import { checkedChoices } from "./check-choices.ts";
import type { TableColumn } from "./dialect.ts";
import { type Fit, fits, violation } from "./fit.ts";

interface ColumnOfChecks {
  readonly isColumn: (name: string) => boolean;
  /** Texts that spell numbers are these. */
  readonly holdsNumbers: boolean;
  /** Equal for texts that the column may hold equal. @default the text */
  readonly fold?: ((text: string) => string) | undefined;
}

/** The limit of a column for which one of the checks allows some values only: the prompt names them, and the database decides. */
export function checkedLimit(
  checks: readonly string[],
  { isColumn, holdsNumbers, fold = (text) => text }: ColumnOfChecks,
): Partial<Pick<TableColumn, "limit" | "exceeds">> {
  const [first, ...others] = checks
    .map((check) => checkedChoices(check, isColumn))
    .filter((found) => found !== undefined);
  const choices = first?.filter((choice) => others.every((other) => other.includes(choice))) ?? [];
  const values = holdsNumbers ? choices.map(Number) : choices;
  if (values.length === 0 || values.some((value) => typeof value === "number" && !isExact(value))) return {};
  const textOf = (value: unknown): string => fold(String(holdsNumbers ? Number(value) : value));
  const known = new Set(values.map(textOf));
  const demand = choiceDemand(values);
  const exceeds = (value: unknown): string | undefined =>
    value === null || value === undefined || known.has(textOf(value)) ? undefined : demand;
  return { limit: { enum: values }, exceeds };
}

/** A number of which JavaScript holds the digits, as far as whole ones go. */
function isExact(value: number): boolean {
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** The texts of a type that has no others. */
export function fitChoice(declaration: string, labels: readonly string[]): Fit {
  const demand = choiceDemand(labels);
  return (value) => {
    if (typeof value === "string" && labels.includes(value)) return fits(value);
    return violation(`the column is ${declaration}: it ${demand}, got ${describeType(value)}`, demand);
  };
}

/** For a model, and for people: choices are the table's own words, and no content. */
function choiceDemand(choices: readonly (string | number)[]): string {
  return `must be one of ${listItems(choices.map((choice) => JSON.stringify(choice)))}`;
}
