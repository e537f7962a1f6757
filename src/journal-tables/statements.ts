import type { ChangeGroup } from "./changes.ts";
import type { Ask, GivenColumns, JournalDatabase, Statement } from "./database.ts";
import type { Looks, PageQuery, SumQuery, Term } from "./store.ts";
import { type Cell, type ColumnKind, type Line, type Table, tables } from "./tables.ts";
import { fromKept, toKept, toName } from "./texts.ts";

type Place = Pick<JournalDatabase, "schema" | "dialect">;

/** The looks into a journal, each of which is given a connection. */
export function looksOf(place: Place, use: <Result>(work: (ask: Ask) => Promise<Result>) => Promise<Result>): Looks {
  return {
    find: async (table, by, keys) => await use(async (ask) => await findIn(ask, place, table, by, keys)),
    page: async (table, query) => await use(async (ask) => await pageIn(ask, place, table, query)),
    count: async (table, where) => {
      const values: unknown[] = [];
      const sql = `SELECT count(*) AS n FROM ${nameOf(place, table)} ${conditionOf(place, table, where, values)}`;
      return Number((await use(async (ask) => await ask(sql, values)))[0]?.["n"]);
    },
    counts: async (table, columns) => {
      const names = columns.map(place.dialect.quote).join(", ");
      const sql = `SELECT ${names}, count(*) AS n FROM ${nameOf(place, table)} GROUP BY ${names}`;
      return toLines(place, table, await use(async (ask) => await ask(sql)), [...columns, "n"]);
    },
    held: async () => {
      const { pipelines } = tables;
      const sql = place.dialect.held(nameOf(place, pipelines));
      return toLines(place, pipelines, await use(async (ask) => await ask(sql)), Object.keys(pipelines.columns));
    },
  };
}

export function nameOf({ schema, dialect: { quote } }: Place, { name }: Pick<Table, "name">): string {
  return `${quote(schema)}.${quote(name)}`;
}

/** The lines that have one of the keys. */
export async function findIn(
  ask: Ask,
  place: Place,
  table: Table,
  by: readonly string[],
  keys: readonly Line[],
): Promise<readonly Line[]> {
  if (keys.length === 0) return [];
  const { quote } = place.dialect;
  const values: unknown[] = [];
  const k = linesOf(place, table, by, keys, values);
  const others = Object.keys(table.columns).filter((column) => !by.includes(column));
  const wanted = [`k.${quote(keyPlace)}`, ...others.map((column) => `t.${quote(column)}`)].join(", ");
  const sql = `SELECT ${wanted} FROM ${k} JOIN ${nameOf(place, table)} AS t ON ${equal(place, "t", by)}`;
  const found = await ask(sql, values);
  for (const row of found) Object.assign(row, keys[Number(row[keyPlace]) - 1]); // a name may be kept in another form
  return toLines(place, table, found, others);
}

/** The column with the place of a line among those that a statement is given, counted from 1. */
export const keyPlace = "llm_etl_place";

/** Makes a group's changes. */
export async function applyIn(ask: Ask, place: Place, group: ChangeGroup): Promise<void> {
  const values: unknown[] = [];
  await ask(statementOf(place, group)(values), values);
}

/** The statement that makes a group's changes. */
export function statementOf(place: Place, group: ChangeGroup): Statement {
  const { quote, put, parameter } = place.dialect;
  const { kind, table, columns, lines, values: wanted = {}, except } = group;
  const name = nameOf(place, table);
  return (values) => {
    const sql = linesOf(place, table, columns, lines, values);
    if (kind === "put") return put(name, table.key, columns, sql);
    const where = `WHERE EXISTS (SELECT 1 FROM ${sql} WHERE ${equal(place, quote(table.name), columns, except)})`;
    if (kind === "remove") return `DELETE FROM ${name} ${where}`;
    const sets = Object.entries(wanted).map(([column, cell]) => {
      values.push(valueOf(place, table, column, cell));
      return `${quote(column)} = ${parameter(values.length)}`;
    });
    return `UPDATE ${name} SET ${sets.join(", ")} ${where}`;
  };
}

async function pageIn(
  ask: Ask,
  place: Place,
  table: Table,
  { where, order, from, limit, by = "number", columns }: PageQuery,
): Promise<readonly Line[]> {
  const { quote } = place.dialect;
  const values: unknown[] = [];
  const beyond = from === undefined ? [] : [[by, order === "rising" ? ">" : "<", from] as const];
  const condition = conditionOf(place, table, [...where, ...beyond], values);
  const direction = order === "rising" ? "ASC" : "DESC";
  const found = await ask(
    `SELECT ${columns?.map(quote).join(", ") ?? "*"} FROM ${nameOf(place, table)} ${condition} ORDER BY ${quote(by)} ${direction} OFFSET 0 ROWS FETCH NEXT ${limit} ROWS ONLY`,
    values,
  );
  return toLines(place, table, found, columns ?? [...Object.keys(table.columns), "number"]);
}

export async function sumsIn(ask: Ask, place: Place, queries: readonly SumQuery[]): Promise<readonly bigint[]> {
  if (queries.length === 0) return [];
  const { quote } = place.dialect;
  const values: unknown[] = [];
  const sums = queries.map(({ table, column, where }, index) => {
    const sum = `COALESCE(SUM(${quote(column)}), 0) AS ${quote(`n${index}`)}`;
    return `(SELECT ${sum} FROM ${nameOf(place, table)} ${conditionOf(place, table, where, values)}) AS ${quote(`s${index}`)}`;
  });
  const names = queries.map((_, index) => quote(`n${index}`)).join(", ");
  const [line = {}] = await ask(`SELECT ${names} FROM ${sums.join(" CROSS JOIN ")}`, values);
  return queries.map((_, index) => BigInt(String(line[`n${index}`])));
}

/** Removes the lines of a run up to and including one, in the order of a column. */
export async function removeUpTo(
  ask: Ask,
  place: Place,
  table: Table,
  { runId, by, last }: { readonly runId: string; readonly by: string; readonly last: string | number },
): Promise<void> {
  const values: unknown[] = [];
  const condition = conditionOf(place, table, [["run_id", "=", runId] as const, [by, "<=", last] as const], values);
  await ask(`DELETE FROM ${nameOf(place, table)} ${condition}`, values);
}

type Condition = readonly [column: string, operator: Term[1] | ">" | "<", value: string | number];

function conditionOf(place: Place, table: Table, where: readonly Condition[], values: unknown[]): string {
  const { dialect } = place;
  const terms = where.map(([column, operator, value]) => {
    values.push(valueOf(place, table, column, value));
    const [name, at] = [dialect.quote(column), dialect.parameter(values.length)];
    return operator === "begins" || operator === "has" ? dialect[operator](name, at) : `${name} ${operator} ${at}`;
  });
  return terms.length === 0 ? "" : `WHERE ${terms.join(" AND ")}`;
}

/** The lines of a table are those of `k`, but for the value of one column, which differs. */
function equal({ dialect: { quote } }: Place, table: string, columns: readonly string[], except?: string): string {
  const terms = columns.map(
    (column) => `${table}.${quote(column)} ${column === except ? "<>" : "="} k.${quote(column)}`,
  );
  return terms.join(" AND ");
}

function linesOf(
  { dialect }: Place,
  table: Table,
  columns: readonly string[],
  lines: readonly Line[],
  values: unknown[],
): string {
  const kinds = kindsOf(table, columns);
  const texts = kinds.filter(([, kind]) => isText(kind));
  if (texts.length === 0) return dialect.lines(kinds, lines, values);
  const kept = lines.map((line) => ({
    ...line,
    ...Object.fromEntries(texts.map(([column, kind]) => [column, keptAs(kind, line[column] ?? null)])),
  }));
  return dialect.lines(kinds, kept, values);
}

/** A cell as a value of a statement. */
export function valueOf({ dialect }: Place, table: Table, column: string, cell: Cell): unknown {
  const kind = kindOf(table, column);
  return dialect.toValue(kind, keptAs(kind, cell));
}

function keptAs(kind: ColumnKind, cell: Cell): Cell {
  if (!isText(kind) || typeof cell !== "string") return cell;
  return kind === "name" ? toName(cell) : toKept(cell);
}

function isText(kind: ColumnKind): boolean {
  return kind === "text" || kind === "name";
}

function kindsOf(table: Table, columns: readonly string[]): GivenColumns {
  return columns.map((column) => [column, kindOf(table, column)]);
}

function kindOf({ columns }: Table, column: string): ColumnKind {
  return columns[column] ?? "whole"; // `number` is in every table
}

/** Rows of an answer as lines: they are the same objects, for there may be many. */
function toLines(
  { dialect }: Place,
  table: Table,
  rows: Awaited<ReturnType<Ask>>,
  columns: readonly string[],
): readonly Line[] {
  for (const [column, kind] of kindsOf(table, columns)) {
    const isKept = isText(kind);
    for (const row of rows) {
      const cell = dialect.toCell(kind, row[column]);
      row[column] = isKept && typeof cell === "string" ? fromKept(cell) : cell;
    }
  }
  return rows as readonly Line[]; // each value is a cell now
}
