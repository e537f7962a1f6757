import { createTable } from "../table/ddl.ts";
import type { TableDialect } from "../table/dialect.ts";
import { names, quoteTableName } from "./identifiers.ts";
import { readCatalog } from "./write/catalog.ts";
import type { SQLServerColumn } from "./write/column-type.ts";
import { ddl } from "./write/ddl.ts";
import type { StagedValue } from "../table/fit.ts";
import { keysOf } from "./write/keys.ts";
import { tableFacts } from "./write/table-facts.ts";
import { meaningOf } from "./write/write-errors.ts";
import { SQLServerWriter, type TargetConnection } from "./write/writer.ts";

export const sqlServerDialect: TableDialect<TargetConnection, SQLServerColumn, StagedValue> = {
  name: "sql-server",
  names,
  createTable: (target, table) => createTable(ddl, target, table),
  describe: async (connection, request) => {
    return tableFacts(await readCatalog(connection, quoteTableName(request.table)), connection, request);
  },
  keys: keysOf,
  meaningOf,
  writer: (...given) => new SQLServerWriter(...given),
};
