import type { TestContext } from "node:test";
import type { ColumnValues, Sink, SinkSession } from "../../src/contracts/sink.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { type SQLServer, type SQLServerOptions, startSQLServer, type TableRow } from "./sql-server.ts";
import { type CatalogHandler, catalogMarkers, resultSet } from "./tds/catalog.ts";
import type { SQLType, Value } from "./tds/sql-type.ts";
import type { ResultSet } from "./tds/tokens.ts";

/** A row of one of the catalog's answers, by column. */
export type CatalogRow = Readonly<Record<string, Value>>;

/** What the catalog says of a table. */
export interface TargetFacts {
  readonly server: readonly CatalogRow[];
  readonly table: readonly CatalogRow[];
  readonly columns: readonly CatalogRow[];
  readonly keys: readonly CatalogRow[];
  readonly others: readonly CatalogRow[];
  readonly checks: readonly CatalogRow[];
}

export interface TargetServerOptions extends SQLServerOptions {
  /** What the catalog says instead: of views, permissions and column kinds that the test server has none of. */
  readonly facts?: (facts: TargetFacts) => TargetFacts;
}

const text: SQLType = { name: "nvarchar", length: 4000 };
const int: SQLType = { name: "int" };
const bit: SQLType = { name: "bit" };

/** A server that answers the sink's catalog query from its tables. */
export async function startTargetServer(
  { facts: change = (facts) => facts, ...options }: TargetServerOptions,
  context?: Pick<TestContext, "after">,
): Promise<SQLServer> {
  const server = await (context === undefined ? startSQLServer(options) : startSQLServer(options, context));
  server.on(/llm-etl:target/, (statement) => {
    const ask = (marker: string): CatalogRow[] => rowsOf(catalogMarkers[`/* llm-etl:${marker} */`]?.(statement)[0]);
    const table = ask("table");
    const { database } = statement.session;
    const facts: TargetFacts = {
      server: ask("server").map((row) => ({ ...row, updateability: "READ_WRITE" })),
      table: table.map((row) => ({
        ...row,
        is_memory_optimized: false,
        is_external: false,
        temporal_type: 0,
        may_insert: 1,
      })),
      columns: ask("columns").map((row) => ({
        ...row,
        code_page: codePageOf(row["collation_name"]),
        default_object_id: row["has_default"] === true ? 7 : 0,
        generated_always_type: 0,
        is_column_set: false,
        encryption_type: null,
        may_select: 1,
        may_update: 1,
      })),
      keys: ask("keys"),
      others:
        table.length > 0
          ? []
          : Array.from(database.tables.values(), ({ schema, name }) => ({ schema_name: schema, table_name: name })),
      checks: [],
    };
    return answer(change(facts));
  });
  return server;
}

function rowsOf(result: ResultSet | undefined): CatalogRow[] {
  const names = result?.columns.map(({ name }) => name) ?? [];
  return Array.from(result?.rows ?? [], (values) =>
    Object.fromEntries(names.map((name, index) => [name, values[index] ?? null])),
  );
}

function codePageOf(collation: Value | undefined): number | null {
  if (typeof collation !== "string") return null;
  return /_UTF8$/i.test(collation) ? 65_001 : 1252;
}

const shapes: Readonly<Record<keyof TargetFacts, Readonly<Record<string, SQLType>>>> = {
  server: { database_name: text, database_collation: text, updateability: text },
  table: {
    schema_name: text,
    table_name: text,
    type: text,
    is_memory_optimized: bit,
    is_external: bit,
    temporal_type: int,
    may_insert: int,
  },
  columns: {
    column_name: text,
    type_name: text,
    max_length: int,
    precision: int,
    scale: int,
    is_nullable: bit,
    collation_name: text,
    code_page: int,
    is_identity: bit,
    is_computed: bit,
    default_object_id: int,
    generated_always_type: int,
    is_column_set: bit,
    encryption_type: int,
    may_select: int,
    may_update: int,
  },
  keys: { index_name: text, is_primary_key: bit, has_filter: bit, is_disabled: bit, column_name: text },
  others: { schema_name: text, table_name: text },
  checks: { definition: text },
};

function answer(facts: TargetFacts): ReturnType<CatalogHandler> {
  const names = ["server", "table", "columns", "keys", "others", "checks"] as const;
  return names.map((name) => {
    const shape = shapes[name];
    return resultSet(
      shape,
      facts[name].map((row) => Object.keys(shape).map((column) => row[column] ?? null)),
    );
  });
}

export interface OpenedTarget {
  readonly server: SQLServer;
  readonly session: SinkSession;
  /** What is in the table. */
  readonly rows: () => TableRow[];
}

/** Options of the sink; what is not given is a merge into dbo.t by the column id. */
export type TargetOptions = Readonly<Record<string, unknown>> & { readonly signal?: AbortSignal };

/** As a JavaScript user could, without the types. */
export function constructSink<State>(options: object): Sink<State> {
  return Reflect.construct(SQLServerSink, [options]);
}

/** Opens the table dbo.t of the server for writing; each column takes the value of its own name. */
export async function openTarget(
  t: TestContext,
  serverOptions: TargetServerOptions,
  columns: readonly string[],
  { signal = new AbortController().signal, ...options }: TargetOptions = {},
): Promise<OpenedTarget> {
  const server = await startTargetServer(serverOptions, t);
  const strategy = options["strategy"] ?? "merge";
  const sink = constructSink({
    connectionString: server.connectionString,
    targetTable: "dbo.t",
    columnMap: Object.fromEntries(columns.map((name) => [name, (values: ColumnValues) => values[name]])),
    ...(strategy === "insert" ? {} : { mergeKeys: ["id"] }),
    ...options,
  });
  const session = await sink.open({ signal });
  t.after(() => session.close("stopped"));
  server.forget();
  const { targetTable: table } = options;
  return { server, session, rows: () => server.table(typeof table === "string" ? table : "dbo.t").rows() };
}
