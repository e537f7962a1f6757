import type { Request } from "mssql";
import type { ParameterValue } from "../../contracts/source.ts";
import type { Ask } from "../../journal-tables/database.ts";
import type { Driver } from "../connect/driver.ts";
import type { Run } from "../connect/transaction.ts";
import { bindParameters, driverType } from "../parameters.ts";

/** Asks with values `@p1`, `@p2`, …, each request being made by `run`. */
export function askBy(driver: Driver, run: Run): Ask {
  return async (sql, values = []) => {
    const { recordset } = await run(async (request: Request) => {
      // The dialect makes text, numbers and bytes of all values.
      const given = Object.fromEntries(values.map((value, index) => [`p${index + 1}`, value as ParameterValue]));
      for (const { name, sentAs, value } of bindParameters(Object.keys(given), given, "the journal", Error))
        request.input(name, driverType(driver, sentAs), value);
      return await request.query<Record<string, unknown>>(sql);
    });
    const found: typeof recordset | undefined = recordset; // its type is wrong: there may be no result set
    return found ?? [];
  };
}
