import { OptionError } from "../errors/option.ts";
import { checkOptions, isCount, optional } from "../errors/options.ts";
import type { LabelCounts } from "../validation/base-schemas.ts";

/** @throws {OptionError} for numbers of labels that no answer can have */
export function requireLabels(labels: LabelCounts, categoryCount: number): void {
  checkOptions("ClassifierStep: labels", labels, { min: optional(isCount(0)), max: optional(isCount(1)) });
  const { min = 0, max = categoryCount } = labels;
  const most = Math.min(max, categoryCount);
  if (max <= categoryCount && min <= most) return;
  const name = max > categoryCount ? "max" : "min";
  const facts = { expected: `at most ${name === "max" ? categoryCount : most}`, got: name === "max" ? max : min };
  throw new OptionError("ClassifierStep: labels", name, "no answer could have that many labels", facts);
}
