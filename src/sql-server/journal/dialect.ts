import type { JournalDialect, Statement } from "../../journal-tables/database.ts";
import { type ColumnKind, isBytes } from "../../journal-tables/tables.ts";
import { keyPlace as place } from "../../journal-tables/statements.ts";
import { longestName } from "../../journal-tables/texts.ts";
import { quoteIdentifier } from "../identifiers.ts";

/** Texts differ as soon as one letter does, whatever the database's collation. */
const exact = "COLLATE Latin1_General_100_BIN2";

const types: Readonly<Record<ColumnKind, string>> = {
  text: "nvarchar(max)",
  name: `nvarchar(${longestName})`,
  whole: "bigint",
  json: "nvarchar(max)",
  bytes: "varbinary(max)",
  hash: "binary(16)",
  fingerprint: "binary(32)",
};

export function columnType(kind: ColumnKind): string {
  return isBytes(kind) || kind === "whole" ? types[kind] : `${types[kind]} ${exact}`;
}

export function lockResource(name: string): string {
  return `${resourcePrefix}${name}`;
}

const resourcePrefix = "llm_etl:";

function list(columns: readonly string[], of: string = ""): string {
  return columns.map((column) => `${of}${quoteIdentifier(column)}`).join(", ");
}

function equal(columns: readonly string[]): string {
  return columns.map((column) => `t.${quoteIdentifier(column)} = k.${quoteIdentifier(column)}`).join(" AND ");
}

/** The numbers of errors that the text of changes raises itself. */
export const raised = { nested: 52_048, notAdmitted: 52_049 } as const;

/**
 * Changes after their admission, as one text: a transaction of its own, which any error undoes, and a request that is cancelled. The settings end
 * with the text.
 */
export function changesAtOnce(
  [admission, ...changes]: readonly [Statement, ...Statement[]],
  values: unknown[],
): string {
  return [
    "SET NOCOUNT ON; SET IMPLICIT_TRANSACTIONS OFF; SET TRANSACTION ISOLATION LEVEL READ COMMITTED;",
    `IF @@TRANCOUNT > 0 THROW ${raised.nested}, 'in a transaction already', 1;`,
    "SET XACT_ABORT ON;",
    "BEGIN TRANSACTION;",
    admission(values),
    `IF @@ROWCOUNT = 0 THROW ${raised.notAdmitted}, 'not admitted', 1;`,
    ...changes.map((write) => `${write(values)};`),
    "COMMIT TRANSACTION;",
  ].join("\n");
}

/** Lines come as JSON, an array for each: one parameter, however many they are. */
export const dialect: Omit<JournalDialect, "state"> = {
  quote: quoteIdentifier,
  parameter: (number) => `@p${number}`,
  toValue: (kind, cell) => {
    if (cell === null) return null;
    return isBytes(kind) ? Buffer.from(String(cell), "hex") : cell;
  },
  toCell: (_kind, value) => {
    if (Buffer.isBuffer(value)) return value.toString("hex");
    return typeof value === "string" || typeof value === "number" ? value : null;
  },
  begins: (column, value) => `SUBSTRING(${column}, 1, DATALENGTH(${value}) / 2) = ${value}`,
  has: (column, value) => `CHARINDEX(${value}, ${column}) > 0`,
  lines: (columns, lines, values) => {
    const given = columns.map(([name, kind], index) => {
      const type = isBytes(kind) ? "varchar(max)" : types[kind];
      return `${quoteIdentifier(name)} ${type} '$[${index + 1}]'`;
    });
    const typed = columns.map(([column, kind]) => {
      const name = quoteIdentifier(column);
      if (isBytes(kind)) return `CONVERT(${types[kind]}, ${name}, 2) AS ${name}`; // of hexadecimal digits
      return kind === "whole" ? name : `${name} ${exact} AS ${name}`;
    });
    values.push(
      JSON.stringify(lines.map((line, index) => [index + 1, ...columns.map(([name]) => line[name] ?? null)])),
    );
    const [own, from] = [
      quoteIdentifier(place),
      `OPENJSON(@p${values.length}) WITH (${quoteIdentifier(place)} int '$[0]', ${given.join(", ")})`,
    ];
    return `(SELECT ${[own, ...typed].join(", ")} FROM ${from}) AS k`;
  },
  put: (table, key, columns, k) => {
    const insert = `INSERT INTO ${table} (${list(columns)}) SELECT ${list(columns, "k.")} FROM ${k}`;
    const inOrder = `ORDER BY k.${quoteIdentifier(place)};`; // so that `number` counts them as they came
    if (key.length === 0) return `${insert} ${inOrder}`;
    // Without these, two sessions could both find a key missing, and both insert it.
    const known = `${table} AS t WITH (UPDLOCK, SERIALIZABLE)`;
    const others = columns.filter((column) => !key.includes(column)).map(quoteIdentifier);
    const sets = others.map((column) => `${column} = k.${column}`).join(", ");
    const update = sets === "" ? "" : `UPDATE t SET ${sets} FROM ${k} INNER JOIN ${known} ON ${equal(key)};\n`;
    return `${update}${insert} WHERE NOT EXISTS (SELECT 1 FROM ${known} WHERE ${equal(key)}) ${inOrder}`;
  },
  admit: (pipelines, sessions, forWhat) => {
    const hints = forWhat === "alone" ? "XLOCK, HOLDLOCK" : "HOLDLOCK"; // until the commit
    const isHeld = `EXISTS (SELECT 1 FROM ${pipelines} WITH (${hints}) WHERE [name] = @p1 AND [epoch] = @p2)`;
    return `UPDATE ${sessions} SET [last_save] = @p4 OUTPUT DATEDIFF_BIG(MILLISECOND, '1970-01-01', SYSUTCDATETIME()) AS [now]
WHERE [session] = @p3 AND [last_save] < @p4 AND ${isHeld};`;
  },
  held: (pipelines) =>
    `SELECT * FROM ${pipelines} WHERE APPLOCK_TEST('public', '${resourcePrefix}' + [lock_name], 'Exclusive', 'Session') = 0 ORDER BY [number] DESC;`,
};
