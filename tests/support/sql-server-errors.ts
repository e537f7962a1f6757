import { OptionError } from "../../src/errors/option.ts";
import { SourceError } from "../../src/errors/source.ts";
import type { Fail } from "../../src/sql-server/connect/connection.ts";
import type { Invalid } from "../../src/sql-server/connect/connection-string.ts";

/** As the source makes the errors of its connection string. */
export const invalid: Invalid = (problem, facts) =>
  new OptionError("SQLServerSource", "connectionString", problem, facts);

/** As the source makes its errors. */
export const sourceFail: Fail = (problem, options) => new SourceError("sql-server", problem, options);
