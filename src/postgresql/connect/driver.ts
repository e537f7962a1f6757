import type pg from "pg";
import type { from as CopyFrom } from "pg-copy-streams";
import { loadPackage } from "../../errors/load-package.ts";

/** The driver, as `import pg from "pg"` gives it. */
export type Driver = typeof pg;

/** @throws {RunError} SETTING_MISSING where it is not installed; the message says what to install */
export async function loadDriver(
  owner: string,
  load: () => Promise<{ readonly default: Driver }> = () => import("pg"),
): Promise<Driver> {
  return (await loadPackage(owner, "pg", "npm install pg@8", load)).default;
}

/** For `COPY … FROM STDIN`. @throws as {@link loadDriver} */
export async function loadCopy(owner: string): Promise<typeof CopyFrom> {
  return (await loadPackage(owner, "pg-copy-streams", "npm install pg-copy-streams@7", () => import("pg-copy-streams")))
    .from;
}
