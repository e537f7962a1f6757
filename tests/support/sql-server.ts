import { once } from "node:events";
import { createServer, type AddressInfo, type Server } from "node:net";
import { after } from "node:test";
import type { CatalogHandler } from "./tds/catalog.ts";
import { Connection } from "./tds/connection.ts";
import { Database, type DatabaseOptions, type Session } from "./tds/database.ts";
import { execute } from "./tds/execute.ts";
import { Faults } from "./tds/faults.ts";
import { splitPath } from "./tds/functions.ts";
import type { Login } from "./tds/login.ts";
import { parseBatch } from "./tds/parse-statement.ts";
import type { LoggedStatement } from "./tds/request-handler.ts";
import { SQLError } from "./tds/sql-error.ts";
import type { Value } from "./tds/sql-type.ts";
import { cellOf, type Change, type Table, type Values } from "./tds/table.ts";
import { apply } from "./tds/apply.ts";

export { resultSet } from "./tds/catalog.ts";
export type { Fault } from "./tds/faults.ts";
export type { LoggedStatement } from "./tds/request-handler.ts";

/** A row of a table: values as `Value` describes them. */
export type TableRow = Readonly<Record<string, Value>>;

/** How a test starts its server. */
export interface SQLServerOptions extends Partial<Omit<DatabaseOptions, "name">> {
  /** T-SQL that is run first: CREATE TABLE, CREATE UNIQUE INDEX, INSERT. */
  readonly sql?: string;
  /** @default "clinic" */
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
  /** The token that a client must bring; without it any token will do. */
  readonly accessToken?: string;
}

/** A SQL Server for tests: TDS 7.4 over a real socket, in this process. */
export interface SQLServer {
  readonly port: number;
  /** ADO.NET form, with encryption. */
  readonly connectionString: string;
  /** The same for `new ConnectionPool(...)` of mssql. */
  readonly config: {
    readonly server: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
    readonly options: { readonly encrypt: true; readonly trustServerCertificate: true };
  };
  readonly faults: Faults;
  /** Every request after the login, in order. */
  readonly statements: LoggedStatement[];
  /** Requests since the start, or since `forget`. */
  readonly roundTrips: () => number;
  /** Rows of result sets that were made, on all connections. */
  readonly rowsMade: () => number;
  readonly logins: (Login & { readonly encrypted: boolean })[];
  readonly connections: () => number;
  readonly table: (name: string) => ServerTable;
  /** Runs T-SQL in the server, past the network and the faults, and gives the rows of its last SELECT. */
  readonly run: (sql: string) => Promise<TableRow[]>;
  /** Requests whose text matches are answered by the handler, and not parsed. The handler given last wins. */
  readonly on: (pattern: RegExp, handler: CatalogHandler) => void;
  /** Empties the log and the count of round trips. */
  readonly forget: () => void;
  /** Breaks every connection. */
  readonly kill: () => void;
  readonly close: () => Promise<void>;
}

export interface ServerTable {
  /** What is committed, and what is not: decoded, in the order of insertion. */
  readonly rows: () => TableRow[];
  /** JavaScript values: dates, numbers, text, Buffers, as a column takes them. */
  readonly insert: (rows: readonly Readonly<Record<string, unknown>>[]) => void;
  /** Rows that are made as they are read, for tables too large to hold. Nothing can be written to the table then. */
  readonly generate: (rows: () => Iterable<Readonly<Record<string, unknown>>>) => void;
  readonly check: (name: string, holds: (row: TableRow) => boolean) => void;
  /** `triggers`: OUTPUT is refused, and counts of rows come from the triggers, too. `wantsSettings`: error 1934 without QUOTED_IDENTIFIER and ANSI_NULLS. */
  readonly configure: (settings: { readonly triggers?: boolean; readonly wantsSettings?: boolean }) => void;
}

/** Closed after the tests of the file, or of the context that is given. */
export async function startSQLServer(
  options: SQLServerOptions = {},
  context: { readonly after: (close: () => Promise<void>) => void } = { after },
): Promise<SQLServer> {
  const {
    sql = "",
    database: name = "clinic",
    user = "etl",
    password = "Pa;ss}w'o\"rd",
    accessToken,
    ...rest
  } = options;
  const collation = rest.collation ?? "SQL_Latin1_General_CP1_CI_AS";
  const database = new Database({
    name,
    collation,
    serverCollation: rest.serverCollation ?? collation,
    productVersion: rest.productVersion ?? "16.0.4105.2",
    engineEdition: rest.engineEdition ?? 3,
    snapshot: rest.snapshot ?? false,
    openSelectsLock: rest.openSelectsLock ?? false,
    refuses: rest.refuses ?? [],
  });
  const version = database.options.productVersion.split(".").map(Number);
  const faults = new Faults();
  const statements: LoggedStatement[] = [];
  const logins: SQLServer["logins"] = [];
  const handlers: [RegExp, CatalogHandler][] = [];
  const open = new Set<Connection>();
  const counts = { requests: 0, rows: 0, connections: 0 };
  const own = database.open(0);
  database.sessions.delete(own); // what a test does is committed at once
  own.settings.set("ISOLATION", "READ UNCOMMITTED"); // and it may look at any time

  const checkLogin = (login: Login): SQLError | undefined => {
    const fault = faults.onLogin();
    if (fault !== undefined) return fault;
    const bySQL = login.federated === "none" && login.user === user && login.password === password;
    const byToken = login.federated !== "none" && (accessToken === undefined || login.accessToken === accessToken);
    if (!bySQL && !byToken) return new SQLError(18_456, `Login failed for user '${login.user}'.`);
    const known = login.database === "" || login.database.toLowerCase() === name.toLowerCase();
    return known
      ? undefined
      : new SQLError(4060, `Cannot open database "${login.database}" requested by the login. The login failed.`);
  };
  const hooks = {
    version: [version[0] ?? 16, version[1] ?? 0, version[2] ?? 0],
    faults,
    handlers,
    checkLogin,
    onLogin: (login: Login, encrypted: boolean) => logins.push({ ...login, encrypted }),
    onRequest: (statement: LoggedStatement) => {
      counts.requests += 1;
      statements.push(statement);
    },
    onRow: () => {
      counts.rows += 1;
    },
  } as const;
  const server = createServer((socket) => {
    counts.connections += 1;
    const connection = new Connection(counts.connections, socket, database, hooks);
    open.add(connection);
    void connection.serve().finally(() => open.delete(connection));
  });
  const port = await listen(server);
  const kill = () => {
    for (const connection of open) connection.drop();
  };
  const close = async () => {
    kill();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  context.after(close);
  await run(sql, own);
  const quoted = `"${password.replaceAll('"', '""')}"`;
  return {
    port,
    connectionString: `Server=tcp:127.0.0.1,${port};Database=${name};User ID=${user};Password=${quoted};Encrypt=True;TrustServerCertificate=True`,
    config: {
      server: "127.0.0.1",
      port,
      database: name,
      user,
      password,
      options: { encrypt: true, trustServerCertificate: true },
    },
    faults,
    statements,
    logins,
    roundTrips: () => counts.requests,
    rowsMade: () => counts.rows,
    connections: () => open.size,
    table: (path) => serverTable(path, own),
    run: (text) => run(text, own),
    on: (pattern, handler) => handlers.unshift([pattern, handler]),
    forget: () => {
      statements.length = 0;
      counts.requests = 0;
    },
    kill,
    close,
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port; // a server that listens on a port has such an address
}

async function run(sql: string, session: Session): Promise<TableRow[]> {
  let rows: TableRow[] = [];
  const execution = { session, variables: new Map(), signal: new AbortController().signal };
  for (const statement of parseBatch(sql)) {
    for await (const outcome of execute(statement, execution)) {
      if (outcome.kind !== "rows") continue;
      const { columns, rows: values } = outcome.result;
      rows = Array.from(values, (row) =>
        Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null])),
      );
      outcome.finished();
    }
  }
  return rows;
}

function serverTable(path: string, session: Session): ServerTable {
  const { database } = session;
  const table = database.find(splitPath(path));
  if (table === undefined) throw new Error(`There is no table ${path}`);
  const row = (values: Values): TableRow =>
    Object.fromEntries(table.columns.map(({ name }, index) => [name, values[index] ?? null]));
  return {
    rows: () => Array.from(table.rows, ({ values }) => row(values)),
    insert: (rows) => {
      const changes = rows.map((given): Change => ({
        table,
        row: { values: [] },
        before: undefined,
        after: valuesOf(table, given),
      }));
      apply(table, changes, "INSERT", session);
    },
    generate: (rows) => {
      table.generated = function* () {
        for (const given of rows()) yield valuesOf(table, given);
      };
    },
    check: (name, holds) => table.checks.push({ name, holds: (values) => holds(row(values)) }),
    configure: ({ triggers, wantsSettings }) => {
      table.triggers = triggers ?? table.triggers;
      table.wantsSettings = wantsSettings ?? table.wantsSettings;
    },
  };
}

function valuesOf(table: Table, given: Readonly<Record<string, unknown>>): Values {
  for (const name of Object.keys(given)) {
    if (table.columnIndex(name) === -1) throw new Error(`${table.qualifiedName} has no column ${name}`);
  }
  const byName = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  const values = table.columns.map((column): Value => {
    const key = column.name.toLowerCase();
    if (byName.has(key)) return cellOf(byName.get(key), column.type, table.tooLong(column, true));
    if (column.identitySeed !== undefined)
      return cellOf(table.nextIdentity(column.identitySeed), column.type, () => undefined);
    return column.type.name === "timestamp" ? table.nextRowVersion() : (column.defaultValue?.() ?? null);
  });
  for (const [index, { compute }] of table.columns.entries())
    if (compute !== undefined) values[index] = compute(values);
  return values;
}
