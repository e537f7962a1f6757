import { readdirSync } from "node:fs";
import type { SQLDialect } from "../contracts/target.ts";

const folder = new URL("../sinks/", import.meta.url);

/** The dialects of the sinks that come with the package: a module of a sink of tables exports its own. By name. */
export async function loadDialects(): Promise<readonly SQLDialect[]> {
  const files = readdirSync(folder).filter((file) => /(?<!\.d)\.[jt]s$/.test(file));
  const modules = await Promise.all(
    files.toSorted().map(async (file): Promise<{ readonly dialect?: SQLDialect }> => {
      return await import(new URL(file, folder).href);
    }),
  );
  return modules.flatMap(({ dialect }) => dialect ?? []);
}
