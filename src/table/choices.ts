import { describeType } from "../errors/describe-type.ts";
import { listItems } from "../errors/name-list.ts";
import type { TableColumn } from "./dialect.ts";
import { type Fit, fits, violation } from "./fit.ts";

/** Values of a column that may hold no others. */
export type Choices = readonly (string | number)[];

/** The limit of a column whose check allows these values only: the model is told, and the database decides. */
export function choiceLimit(
  choices: Choices,
  fold: (text: string) => string = (text) => text,
): Pick<TableColumn, "limit" | "exceeds"> {
  const known = new Set(choices.map((choice) => fold(String(choice))));
  const demand = choiceDemand(choices);
  return {
    limit: { enum: choices },
    exceeds: (value) => (known.has(fold(String(value))) ? undefined : demand),
  };
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
function choiceDemand(choices: Choices): string {
  return `must be one of ${listItems(choices.map((choice) => JSON.stringify(choice)))}`;
}
