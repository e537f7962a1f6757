import { quoteText, tableStatements } from "../../journal-tables/ddl.ts";
import { newestVersion } from "../../journal-tables/tables.ts";
import { quoteIdentifier, quoteTableName } from "../identifiers.ts";
import { columnType } from "./dialect.ts";

function literal(text: string): string {
  return `N${quoteText(text)}`;
}

function moment(column: string): string {
  const dayMs = 86_400_000;
  const day = `DATEADD(DAY, CAST(${column} / ${dayMs} AS int), CAST('1970-01-01' AS datetime2(3)))`;
  return `DATEADD(MILLISECOND, CAST(${column} % ${dayMs} AS int), ${day})`;
}

/** Times are in UTC. The functions give each table its schema. */
const views: Readonly<Record<string, (table: (name: string) => string) => string>> = {
  runs: (
    table,
  ) => `SELECT run_id, pipeline, kind, status, ${moment("started_at")} AS started_at, CAST(ended_at AS datetime2(3)) AS ended_at,
  error_code, error_message, read_count, success_count, failure_count, skipped_count, unchanged_count, calls, cost, currency
FROM ${table("run_records")} CROSS APPLY OPENJSON(record) WITH (kind nvarchar(20) '$.kind', status nvarchar(20) '$.status',
  ended_at datetimeoffset(3) '$.endedAt', error_code nvarchar(100) '$.error.code', error_message nvarchar(max) '$.error.message',
  read_count bigint '$.figures.readCount', success_count bigint '$.figures.successCount', failure_count bigint '$.figures.failureCount',
  skipped_count bigint '$.figures.skippedCount', unchanged_count bigint '$.figures.unchangedCount', calls bigint '$.figures.usage.calls',
  cost float '$.figures.cost.amount', currency nvarchar(20) '$.figures.cost.currency') AS figures`,
  failed_rows: (
    table,
  ) => `SELECT f.run_id, r.pipeline, f.position, f.pk, f.step, f.error_code, f.error_message, f.retry_count, ${moment("f.failed_at")} AS failed_at
FROM ${table("failures")} AS f LEFT JOIN ${table("run_records")} AS r ON r.run_id = f.run_id`,
  step_figures: (
    table,
  ) => `SELECT run_id, pipeline, step, calls, reused_answers, re_asks, retries, rate_limited, input_tokens, output_tokens, cost, p95_ms
FROM ${table("run_records")} CROSS APPLY OPENJSON(record, '$.steps') WITH (step nvarchar(400) '$.step', calls bigint '$.calls',
  reused_answers bigint '$.reusedAnswers', re_asks bigint '$.reAsks', retries bigint '$.retries', rate_limited bigint '$.rateLimited',
  input_tokens bigint '$.inputTokens', output_tokens bigint '$.outputTokens', cost float '$.cost.amount', p95_ms float '$.latency.p95Ms') AS figures`,
};

/** The statements that make the journal's tables, or bring them up to date. To run them again changes nothing. */
export function createStatements(schema: string): string {
  const named = (table: string): string => quoteTableName({ schema, table });
  const version = named("journal_version");
  const makeTable = (name: string, body: string): string =>
    `IF OBJECT_ID(${literal(named(name))}, N'U') IS NULL CREATE TABLE ${named(name)} ${body};`;
  return [
    "SET XACT_ABORT ON;",
    "BEGIN TRANSACTION;",
    `IF SCHEMA_ID(${literal(schema)}) IS NULL EXECUTE (${literal(`CREATE SCHEMA ${quoteIdentifier(schema)}`)});`,
    ...tableStatements({
      type: columnType,
      number: "bigint IDENTITY",
      keys: (columns) => [
        "UNIQUE CLUSTERED (number)", // lines are added at the end, whatever their keys
        ...(columns === undefined ? [] : [`PRIMARY KEY NONCLUSTERED (${columns})`]),
      ],
      table: makeTable,
      index: (name, table, columns) =>
        `IF INDEXPROPERTY(OBJECT_ID(${literal(named(table))}), ${literal(name)}, 'IndexID') IS NULL CREATE INDEX ${name} ON ${named(table)} (${columns});`,
    }),
    ...Object.entries(views).map(
      ([name, query]) => `EXECUTE (${literal(`CREATE OR ALTER VIEW ${named(name)} AS ${query(named)}`)});`,
    ),
    makeTable("journal_version", "(only_line bit NOT NULL PRIMARY KEY CHECK (only_line = 1), version int NOT NULL)"),
    `UPDATE ${version} SET version = ${newestVersion} WHERE version < ${newestVersion};`,
    `INSERT INTO ${version} (only_line, version) SELECT 1, ${newestVersion} WHERE NOT EXISTS (SELECT 1 FROM ${version});`,
    "COMMIT;",
    "",
  ].join("\n");
}
