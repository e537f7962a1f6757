import type { ClientBase } from "pg";
import type { ColumnMap, Sink, SinkContext, SinkSession, SinkGroups, SinkTable } from "../contracts/sink.ts";
import type { Requirements } from "../contracts/requirements.ts";
import type { SQLDialect, ValueType } from "../contracts/target.ts";
import { messageOf } from "../errors/error-text.ts";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { checkOptions, isDuration, optional } from "../errors/options.ts";
import { SinkError, TargetError } from "../errors/sink.ts";
import { canonicalNumber } from "../json/json.ts";
import { inTransaction } from "../postgresql/connect/client.ts";
import { PostgreSQLConnection } from "../postgresql/connect/connection.ts";
import { loadCopy } from "../postgresql/connect/driver.ts";
import { connectionChecks, type PostgreSQLConnectionOptions } from "../postgresql/connect/options.ts";
import { driverFacts, knownError, passingError, retryDelaysMs, stepToConnect } from "../postgresql/error-meaning.ts";
import { readOnlyProblem } from "../postgresql/connect/server-state.ts";
import { boundLockWaits, timingLocks } from "../postgresql/lock-waits.ts";
import { names, quoteIdentifier } from "../postgresql/names.ts";
import { describeTable } from "../postgresql/write/catalog.ts";
import type { PostgreSQLColumn } from "../postgresql/write/column-type.ts";
import { type PostgreSQLTarget, postgreSQLWriter, type TargetConnection } from "../postgresql/write/writer.ts";
import { createTable, type TableDDL } from "../table/ddl.ts";
import {
  CommitInDoubtError,
  type ErrorMeaning,
  type FailedAttempts,
  type TableDialect,
  type TableKeys,
} from "../table/dialect.ts";
import { errorsIn } from "../table/known-errors.ts";
import { faultOfRow } from "../table/sql-state.ts";
import { tableSession } from "../table/session.ts";
import { type NamedTable, namedTable, tableChecks } from "../table/strategy.ts";

interface PostgreSQLSinkSettings<State, Column extends string> extends PostgreSQLConnectionOptions {
  /**
   * The table, which must exist: `visits` or `clinic.visits`. As in SQL, a name without quotes is in lower case, and one with others than letters,
   * digits, `_` and `$` is quoted: `"Odd ""name"""`. Without a schema the search path says which table it is.
   */
  readonly targetTable: string;
  /** The value of each column. A column that is not there in this letter case is found in lower case. */
  readonly columnMap: ColumnMap<State, Column>;
  /**
   * The longest time that the server is waited for, in milliseconds: for a restart, a failover, locks of others. Then the run stops: what is
   * written is kept. @default 300,000
   */
  readonly sinkTimeoutMs?: number | undefined;
}

export type PostgreSQLSinkOptions<State, Column extends string> = PostgreSQLSinkSettings<State, Column> &
  (
    | {
        /**
         * `merge` adds a row, or updates the one with its key, by INSERT … ON CONFLICT. `update` enriches a table in place: a key that no row has
         * is a row error. @default "merge"
         */
        readonly strategy?: "merge" | "update" | undefined;
        /** The columns by which rows are found: they need a primary key or a unique index of their own. */
        readonly mergeKeys: readonly NoInfer<Column>[];
        /**
         * Those of `mergeKeys` that all items of a row share, for a sink behind `each`: functions of `s.pk` alone. Rows of the table that a row no
         * longer has are deleted, which takes the right to DELETE; only with a strategy that merges. @default the sink takes one row for each row
         */
        readonly groupKey?: readonly NoInfer<Column>[] | undefined;
      }
    | {
        /** Adds rows only: one that a unique index of the table rejects is a row error. A view that takes INSERT will do. */
        readonly strategy: "insert";
        readonly mergeKeys?: undefined;
        readonly groupKey?: undefined;
      }
  );

const postgreSQLDialect: TableDialect<TargetConnection, PostgreSQLColumn, string> = {
  name: "postgresql",
  names,
  createTable: (target, table) => createTable(ddl, target, table),
  describe: async ({ pool, signal, place, patienceMs }, request) => {
    const describing = async (client: ClientBase): ReturnType<typeof describeTable> => {
      const problem = await readOnlyProblem(async (sql) => (await client.query(sql)).rows);
      await client.query(boundLockWaits(patienceMs));
      if (problem === undefined) return await describeTable(client, place, request);
      const facts = { where: place, hint: "connect to the primary server, or let the user write" };
      throw new TargetError(request.sink, `the server of ${place} ${problem}`, { facts });
    };
    return await timingLocks(
      async () => await inTransaction(pool, signal, async (client) => [await describing(client), false]),
    );
  },
  keys: keysOf,
  meaningOf,
  writer: postgreSQLWriter,
};

export const dialect: SQLDialect = postgreSQLDialect;

/**
 * Writes to a table of PostgreSQL, each batch in one transaction: the rows are copied into a temporary table, and taken from there by one
 * statement.
 *
 * @throws {OptionError} at construction; `open` throws a SinkError for a server that can't be reached, a TargetError for a table that does
 * not fit; `write` a SinkDataError where the server rejects the data.
 */
export class PostgreSQLSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "postgresql";
  readonly keepsRows = true;
  readonly columnMap: ColumnMap<State, Column>;
  readonly table: SinkTable;
  readonly groups: SinkGroups | undefined;
  readonly #server: PostgreSQLConnection;
  readonly #named: NamedTable;
  readonly #timeoutMs: number;

  constructor(options: PostgreSQLSinkOptions<State, Column>) {
    checkOptions<PostgreSQLSinkOptions<State, Column>>("PostgreSQLSink", options, {
      ...connectionChecks,
      ...tableChecks("merge", "insert", "update"),
      sinkTimeoutMs: optional(isDuration(0)),
    });
    this.#named = namedTable("PostgreSQLSink", postgreSQLDialect, options);
    this.columnMap = options.columnMap;
    this.table = this.#named.facts;
    this.groups = this.#named.groups;
    this.#timeoutMs = options.sinkTimeoutMs ?? 300_000;
    this.#server = new PostgreSQLConnection("PostgreSQLSink", options);
  }

  get requirements(): Requirements {
    const { packages = [], environment } = this.#server.requirements;
    return { packages: [...packages, "pg-copy-streams"], environment };
  }

  /**
   * Server, database, schema (public where none is named) and table, whatever their spelling.
   *
   * @throws {SettingError} if neither an option nor the environment gives a connection
   */
  get identity(): string {
    const { schema = "public", table } = this.#named.table;
    const parts = [schema, table].map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdentifier(name)));
    return `${this.#server.identity}/${parts.join(".")}`;
  }

  readonly open = async ({ signal }: SinkContext): Promise<SinkSession> => {
    const copy = await loadCopy("PostgreSQLSink");
    const { pool } = await this.#server.open({ signal, fail });
    const { place, close } = this.#server;
    const context = { place: `${place.server}/${place.database}`, signal, patienceMs: this.#timeoutMs, retryDelaysMs };
    const request = { ...this.#named, sink: this.name };
    return await tableSession(postgreSQLDialect, { ...context, pool, copy, close }, request);
  };
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError("postgresql", problem, options);
}

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

const ddl: TableDDL = {
  names,
  definitions: ({ keys }) => {
    return ({ name, type, isNullable }) => {
      const [sql, note] = columnType(type);
      return { sql: `${sql}${isNullable && !keys.includes(name) ? "" : " NOT NULL"}`, note };
    };
  },
};

function columnType(type: ValueType): readonly [sql: string, note?: string] {
  switch (type.kind) {
    case "text": {
      const { maxLength = Infinity, isLimit } = type;
      return [isLimit && maxLength <= 10_485_760 ? `varchar(${Math.max(1, Math.floor(maxLength))})` : "text"];
    }
    case "digits":
      return [`char(${type.length})`];
    case "integer":
      return [type.minimum >= -(2 ** 31) && type.maximum < 2 ** 31 ? "integer" : "bigint"];
    case "number":
      return [type.minimum >= 0 && type.maximum <= 1 ? "numeric(5,4)" : "double precision"];
    case "boolean":
    case "date":
    case "uuid":
      return [type.kind];
    case "moment":
      return [`timestamptz(${Math.min(type.decimals, 6)})`];
    case "json":
      return ["jsonb"];
    case "unknown":
    default:
      return ["text", `a guess, for ${type.reason}`];
  }
}

/** The server's own words, which may hold values, are left to the `detail`. */
function meaningOf(
  error: unknown,
  { place }: Pick<TargetConnection, "place">,
  target: PostgreSQLTarget | undefined,
  { triedForMs, isWriting }: FailedAttempts,
): ErrorMeaning {
  const { states, codes } = driverFacts(error);
  const [state = ""] = states;
  const said = state || (codes[0] ?? "no SQLSTATE");
  const fields = serverFields(error);
  const detail = [messageOf(error), fields.detail, fields.where].filter((part) => part !== undefined).join("; ");
  const facts = { errorStates: states, errorCodes: codes };
  const passing = passingError(error) ?? (error instanceof CommitInDoubtError && state === "" ? {} : undefined);
  if (passing !== undefined) {
    const what = target === undefined ? `the catalog of ${place} can't be read` : "the server took no batch";
    const again = "what was written is kept; run again to go on from there, or raise sinkTimeoutMs";
    const hint = [stepToConnect(error), again].filter((part) => part !== undefined).join("; ");
    const problem = `${what}, tried for ${Math.round(triedForMs / 100) / 10} seconds (${said})`;
    return { kind: "passing", ...passing, problem, detail, facts: { ...facts, triedForMs, hint } };
  }
  const fault = isWriting ? rowFault(state, fields) : undefined;
  if (fault !== undefined && target !== undefined) {
    const [, staged] = /\bllm_etl_stage\b[^"\n]* c(\d+)\b/.exec(fields.where ?? "") ?? [];
    const column = fields.column ?? (staged === undefined ? undefined : target.columns[Number(staged)]?.mapped);
    const where = column ?? fields.constraint;
    const named = where === undefined ? "" : ` (the ${column === undefined ? "constraint" : "column"} "${where}")`;
    const problem = `the server rejected a row: ${fault}${named}, SQLSTATE ${state}`;
    return { kind: "data", problem, detail: `${problem}: ${detail}`, facts: { ...facts, where } };
  }
  const where = target === undefined ? place : target.table.name;
  const problem = `${target === undefined ? `the catalog of ${place} can't be read` : `${target.table.quoted} can't be written`} (${said})`;
  const isOfTrigger = fields.where !== undefined && state.startsWith("42");
  const ofTable = isOfTrigger ? "a trigger of the table can't work: the detail says where" : knownError(state).ofTable;
  const hint = state === "42501" ? missingRight(target, fields) : ofTable;
  return { kind: "fatal", problem, detail, facts: { ...facts, where, hint } };
}

/** Of a merge, each column that it updates is read, too. */
function missingRight(target: PostgreSQLTarget | undefined, { routine }: ServerFields): string {
  if (routine === "InitTempTableNamespace") {
    return "GRANT TEMPORARY ON DATABASE … TO the user: batches are staged in a temporary table";
  }
  if (target === undefined) return "GRANT USAGE ON SCHEMA … TO the user";
  const change = { merge: "INSERT, UPDATE", update_insert: "INSERT, UPDATE", update: "UPDATE", insert: "INSERT" };
  return `GRANT SELECT, ${change[target.strategy]} ON ${target.table.quoted} TO the user, and what triggers and sequences of the table need`;
}

/** The errors that a user's trigger makes may have any state: it is the place that tells. A row policy's error is that of a permission, but for its place. */
function rowFault(state: string, { routine, where }: ServerFields): string | undefined {
  if (state === "42501" && routine === "ExecWithCheckOptions") return "a row policy rejected it";
  const known = faultOfRow(state) ?? (routine === "exec_stmt_raise" ? "a trigger rejected it" : undefined);
  // Types of extensions, and some of the server's, call what they can't read a syntax error, or a missing object.
  const isOfValue = where?.includes("llm_etl_stage") === true && !/^(?:25|5[3578])/.test(state);
  return known ?? (isOfValue ? "a value that the column's type does not take" : undefined);
}

interface ServerFields {
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
  /** The rows and values that the server names. */
  readonly detail?: string | undefined;
  /** The place at which it was, innermost first; it may hold values. */
  readonly where?: string | undefined;
  /** The function of the server's code, the same in each language. */
  readonly routine?: string | undefined;
}

/** The fields that the server's protocol adds to an error. */
function serverFields(error: unknown): ServerFields {
  for (const each of errorsIn(error)) if ("severity" in each) return each as ServerFields; // the driver's DatabaseError
  return {};
}
