import { RunError } from "./llm-etl-error.ts";

/** An option that is unknown, missing or has a wrong value; thrown at construction. */
export class OptionError extends RunError {
  readonly owner: string;
  readonly option: string;

  constructor(owner: string, option: string, problem: string) {
    super("INVALID_OPTION", `${owner}: option "${option}": ${problem}`);
    this.owner = owner;
    this.option = option;
  }
}

/** A setting that neither an option nor the environment gives; thrown at first use. */
export class SettingError extends RunError {
  constructor(owner: string, option: string, variable: string) {
    super(
      "SETTING_MISSING",
      `${owner}: no value for "${option}": give the option "${option}" or set the environment variable ${variable}`,
    );
  }
}

/** A Zod schema with something that no model can be asked for; thrown at construction, before any call. */
export class SchemaError extends RunError {
  readonly path: string;

  constructor(path: string, problem: string, remedy: string) {
    super("SCHEMA_NOT_SUPPORTED", `schema at ${path === "" ? "its root" : `"${path}"`}: ${problem}; ${remedy}`);
    this.path = path;
  }
}
