import type * as DuckDB from "@duckdb/node-api";
import { messageOf } from "../errors/error-text.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { loadPackage } from "../errors/load-package.ts";

/** The driver, as `import * as duckdb from "@duckdb/node-api"` gives it. */
export type Driver = typeof DuckDB;

/** For `requirements`. */
export const packageName = "@duckdb/node-api";

/** DuckDB's own version. The package has only pre-releases by name (`1.5.6-r.1`), so that no range of npm's tells an older one. */
const oldest = [1, 4] as const;

const install = `npm install ${packageName}`;

/** @throws {RunError} SETTING_MISSING where it is not installed, does not run on this machine, or is too old; the message says what to install */
export async function loadDriver(
  owner: string,
  load: () => Promise<Driver> = () => import("@duckdb/node-api"),
): Promise<Driver> {
  let driver: Driver;
  try {
    driver = await loadPackage(owner, packageName, install, load);
  } catch (cause) {
    if (cause instanceof LLMEtlError) throw cause;
    const problem = `${owner}: ${packageName} can't be loaded (${messageOf(cause).split("\n", 1)[0]})`;
    const hint = `${install}, with its optional packages: they hold DuckDB for each platform`;
    throw new RunError("SETTING_MISSING", problem, { cause, facts: { where: packageName, hint } });
  }
  const version = driver.version();
  const [, major = "0", minor = "0"] = /^v?(\d+)\.(\d+)/.exec(version) ?? [];
  const isNewEnough = Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1]);
  if (isNewEnough) return driver;
  const facts = {
    where: packageName,
    expected: `DuckDB ${oldest.join(".")} or newer`,
    got: version,
    hint: `${install}@latest`,
  };
  throw new RunError("SETTING_MISSING", `${owner}: ${packageName} is too old`, { facts });
}
