import { canonicalNumber } from "../json/json.ts";
import { TargetError } from "../errors/sink.ts";
import { createTable } from "../table/ddl.ts";
import type { TableDialect, TableKeys } from "../table/dialect.ts";
import { withClient } from "./connect/client.ts";
import { readOnlyProblem } from "./connect/server-state.ts";
import { names } from "./names.ts";
import { describeTable } from "./write/catalog.ts";
import type { PostgreSQLColumn } from "./write/column-type.ts";
import { ddl } from "./write/ddl.ts";
import { meaningOf } from "./write/write-errors.ts";
import { type PostgreSQLTarget, postgreSQLWriter, type TargetConnection } from "./write/writer.ts";

export const postgreSQLDialect: TableDialect<TargetConnection, PostgreSQLColumn, string> = {
  name: "postgresql",
  names,
  createTable: (target, table) => createTable(ddl, target, table),
  describe: async ({ pool, signal, place }, request) => {
    return await withClient(pool, signal, async (client) => {
      const problem = await readOnlyProblem(client);
      if (problem === undefined) return await describeTable(client, place, request);
      const facts = { where: place, hint: "connect to the primary server, or let the user write" };
      throw new TargetError(request.sink, `the server of ${place} ${problem}`, { facts });
    });
  },
  keys: keysOf,
  meaningOf,
  writer: postgreSQLWriter,
};

/** Equal keys of other types are the server's to tell: of texts with a collation of their own, of numbers such as 1.0 and 1. */
function keysOf({ keys }: PostgreSQLTarget): TableKeys<string> {
  const isExact = keys.every((key) => key.isExact);
  return {
    text: (cells) =>
      JSON.stringify(cells.map((cell, index) => (keys[index]?.isExact === true ? cell : folded(cell ?? "")))),
    parts: (cells) => (isExact ? cells : [JSON.stringify(cells)]),
    ...(isExact && { types: keys.map(() => "TEXT") }),
  };
}

/** Equal for cells that a type or a collation may hold equal, and for some others. */
function folded(cell: string): string {
  if (/^[+-]?\d*\.?\d+(?:e[+-]?\d+)?$/i.test(cell)) return canonicalNumber(cell.replace(/^\+/, ""));
  return cell.normalize("NFKD").replaceAll(/\p{M}/gu, "").toUpperCase().toLowerCase().trimEnd();
}
