import type { ErrorFacts } from "./facts.ts";
import { RunError } from "./llm-etl-error.ts";

/** An option is unknown, missing or has a wrong value. Thrown at construction. */
export class OptionError extends RunError {
  readonly owner: string;
  readonly option: string;

  /** @param problem may be empty if the facts say all; `facts.where` is the option unless they name another thing */
  constructor(owner: string, option: string, problem: string, facts: ErrorFacts = {}) {
    const where = `${owner}: option "${option}"`;
    super("INVALID_OPTION", problem === "" ? where : `${where}: ${problem}`, { facts: { where: option, ...facts } });
    this.owner = owner;
    this.option = option;
  }
}

/** Neither an option nor the environment gives a setting. Thrown at first use. */
export class SettingError extends RunError {
  /** `alternative` is another way to the same end, for the hint. */
  constructor(owner: string, option: string, variable: string, alternative?: string) {
    const other = alternative === undefined ? "" : `, or give ${alternative}`;
    const hint = `give the option "${option}" or set the environment variable ${variable}${other}`;
    super("SETTING_MISSING", `${owner}: no value for "${option}"`, { facts: { where: option, variable, hint } });
  }
}

/** A Zod schema asks for something that no model can give. Thrown at construction, before any call. */
export class SchemaError extends RunError {
  /** The field's path in the data: `list[].at`; empty for the root. */
  readonly path: string;

  constructor(path: string, problem: string, hint: string, facts: ErrorFacts = {}) {
    const where = path === "" ? "its root" : `"${path}"`;
    super("SCHEMA_NOT_SUPPORTED", `schema at ${where}: ${problem}`, { facts: { where: path, ...facts, hint } });
    this.path = path;
  }
}
