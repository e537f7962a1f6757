import type { ClientBase } from "pg";
import type { ChangeGroup } from "../../journal-tables/changes.ts";
import type { Looks, PageQuery, Term } from "../../journal-tables/store.ts";
import type { Cell, Line, Table } from "../../journal-tables/tables.ts";
import { arrayTypes, quoted } from "./schema.ts";

/** Does work with a connection. */
export type With = <Result>(work: (client: ClientBase) => Promise<Result>) => Promise<Result>;

export function looksOf(schema: string, use: With): Looks {
  return {
    find: async (table, by, keys) => await use(async (client) => await findIn(client, schema, { table, by, keys })),
    page: async (table, query) => await use(async (client) => await pageIn(client, schema, table, query)),
    count: async (table, where) => {
      const values: unknown[] = [];
      const condition = conditionOf(table, where, values);
      const sql = `SELECT count(*) AS n FROM ${quoted(schema)}.${table.name} WHERE ${condition}`;
      return Number((await use(async (client) => await client.query<{ n: unknown }>(sql, values))).rows[0]?.n);
    },
    held: async () => {
      const sql = `SELECT p.* FROM ${quoted(schema)}.pipelines p WHERE EXISTS (SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory'
        AND l.granted AND l.objsubid = 2 AND l.classid::bigint = p.lock_high AND l.objid::bigint = p.lock_low
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY p.number DESC`;
      return (await use(async (client) => await client.query<Record<string, Cell>>(sql))).rows;
    },
  };
}

interface Keys {
  readonly table: Table;
  readonly by: readonly string[];
  readonly keys: readonly Line[];
}

export async function findIn(client: ClientBase, schema: string, { table, by, keys }: Keys): Promise<readonly Line[]> {
  if (keys.length === 0) return [];
  const joined = by.map((column) => `t.${column} = k.${column}`).join(" AND ");
  const sql = `SELECT t.* FROM ${given(table, by)} JOIN ${quoted(schema)}.${table.name} AS t ON ${joined}`;
  const { rows } = await client.query<Record<string, Cell>>(sql, arraysOf(table, by, keys));
  return rows.map((row) => fromRow(table, row));
}

async function pageIn(
  client: ClientBase,
  schema: string,
  table: Table,
  { where, order, from, limit, by = "number" }: PageQuery,
): Promise<readonly Line[]> {
  const values: unknown[] = [];
  const terms = [conditionOf(table, where, values)];
  if (from !== undefined) {
    values.push(valueOf(table, by, from));
    terms.push(`${by} ${order === "rising" ? ">" : "<"} $${values.length}`);
  }
  const sql = `SELECT * FROM ${quoted(schema)}.${table.name} WHERE ${terms.join(" AND ")}
    ORDER BY ${by} ${order === "rising" ? "ASC" : "DESC"} LIMIT ${limit}`;
  const { rows } = await client.query<Record<string, Cell>>(sql, values);
  return rows.map((row) => fromRow(table, row));
}

const operators: Readonly<Record<Term[1], (column: string, value: string) => string>> = {
  "=": (column, value) => `${column} = ${value}`,
  ">=": (column, value) => `${column} >= ${value}`,
  begins: (column, value) => `starts_with(${column}, ${value})`,
  has: (column, value) => `position(${value} in ${column}) > 0`,
};

function conditionOf(table: Table, where: readonly Term[], values: unknown[]): string {
  const terms = where.map(([column, operator, value]) => {
    values.push(valueOf(table, column, value));
    return operators[operator](column, `$${values.length}`);
  });
  return ["true", ...terms].join(" AND ");
}

/** Makes a group's changes with one statement. */
export async function applyIn(client: ClientBase, schema: string, group: ChangeGroup): Promise<void> {
  const { kind, table, columns, lines, values = {}, except } = group;
  const name = `${quoted(schema)}.${table.name}`;
  const source = given(table, columns);
  const parameters = arraysOf(table, columns, lines);
  if (kind === "put") {
    const { key } = table;
    const sets = columns.filter((column) => !key.includes(column)).map((column) => `${column} = excluded.${column}`);
    const action = sets.length === 0 ? "NOTHING" : `UPDATE SET ${sets.join(", ")}`;
    const conflict = key.length === 0 ? "" : `ON CONFLICT (${key.join(", ")}) DO ${action}`;
    const list = columns.join(", ");
    await client.query(`INSERT INTO ${name} (${list}) SELECT ${list} FROM ${source} ${conflict}`, parameters);
    return;
  }
  const joined = columns.map((column) => `t.${column} ${column === except ? "<>" : "="} k.${column}`).join(" AND ");
  if (kind === "remove") {
    await client.query(`DELETE FROM ${name} AS t USING ${source} WHERE ${joined}`, parameters);
    return;
  }
  const sets = Object.entries(values).map(([column, value]) => {
    parameters.push(valueOf(table, column, value));
    return `${column} = $${parameters.length}`;
  });
  await client.query(`UPDATE ${name} AS t SET ${sets.join(", ")} FROM ${source} WHERE ${joined}`, parameters);
}

/** Lines that come as an array for each column, as a table `k`. */
function given(table: Table, columns: readonly string[]): string {
  const arrays = columns.map((column, index) => `$${index + 1}::${arrayTypes[kindOf(table, column)]}`);
  return `unnest(${arrays.join(", ")}) AS k(${columns.join(", ")})`;
}

function arraysOf(table: Table, columns: readonly string[], lines: readonly Line[]): unknown[] {
  return columns.map((column) => lines.map((line) => valueOf(table, column, line[column] ?? null)));
}

function kindOf({ columns }: Table, column: string): keyof typeof arrayTypes {
  return columns[column] ?? "whole"; // `number` is in every table
}

function valueOf(table: Table, column: string, cell: Cell): Cell {
  return cell !== null && kindOf(table, column) === "bytes" ? `\\x${cell}` : cell;
}

function fromRow({ columns }: Table, row: Readonly<Record<string, Cell>>): Line {
  return Object.fromEntries(
    Object.entries(row).map(([column, cell]) => [
      column,
      columns[column] === "bytes" && cell !== null ? String(cell).slice(2) : cell,
    ]),
  );
}
