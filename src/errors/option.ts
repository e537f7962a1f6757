import type { ErrorFacts } from "./facts.ts";
import { RunError } from "./llm-etl-error.ts";

/** An option that is unknown, missing or has a wrong value; thrown at construction. */
export class OptionError extends RunError {
  readonly owner: string;
  readonly option: string;

  /** `problem` may be empty where the facts say all. */
  constructor(owner: string, option: string, problem: string, facts: ErrorFacts = {}) {
    const where = `${owner}: option "${option}"`;
    super("INVALID_OPTION", problem === "" ? where : `${where}: ${problem}`, { facts: { where: option, ...facts } });
    this.owner = owner;
    this.option = option;
  }
}

/** A setting that neither an option nor the environment gives; thrown at first use. */
export class SettingError extends RunError {
  constructor(owner: string, option: string, variable: string) {
    const hint = `give the option "${option}" or set the environment variable ${variable}`;
    super("SETTING_MISSING", `${owner}: no value for "${option}"`, { facts: { where: option, variable, hint } });
  }
}

/** A Zod schema with something that no model can be asked for; thrown at construction, before any call. */
export class SchemaError extends RunError {
  readonly path: string;

  constructor(path: string, problem: string, remedy: string) {
    const where = path === "" ? "its root" : `"${path}"`;
    super("SCHEMA_NOT_SUPPORTED", `schema at ${where}: ${problem}`, { facts: { where: path, hint: remedy } });
    this.path = path;
  }
}
