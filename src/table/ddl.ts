import type { ColumnDescription, TargetDescription } from "./description.ts";

/** How one database writes the pieces of a CREATE TABLE. Names are quoted by it. */
export interface TableDialect {
  /** The table as it stands in a statement. */
  readonly table: string;
  /** The table's own name, for the names of what belongs to it. */
  readonly tableName: string;
  /** What a column holds and may not hold, after its name; `note` is for the reader, in one line. */
  readonly definition: (column: ColumnDescription) => { readonly sql: string; readonly note?: string };
  readonly quote: (name: string) => string;
  /** After the closing bracket. */
  readonly options: string;
}

/** The statements that make a table for what a pipeline writes: CREATE TABLE, and CREATE INDEX on the time of completion. */
export function createTable({ columns, keys, strategy }: TargetDescription, dialect: TableDialect): string {
  const { table, tableName, quote, definition, options } = dialect;
  const list = (names: readonly string[]): string => names.map(quote).join(", ");
  const primaryKey = `CONSTRAINT ${quote(`PK_${tableName}`)} PRIMARY KEY (${list(keys)})`;
  const lines = [
    ...columns.map((column) => {
      const { sql, note } = definition(column);
      return { sql: `${quote(column.name)} ${sql}`, note };
    }),
    ...(keys.length === 0 ? [] : [{ sql: primaryKey, note: undefined }]),
  ];
  const body = lines.map(({ sql, note }, index) => {
    const comma = index === lines.length - 1 ? "" : ",";
    return `  ${sql}${comma}${note === undefined ? "" : ` -- ${note}`}`;
  });
  const statements = [`CREATE TABLE ${table} (\n${body.join("\n")}\n)${options};`];
  const completed = columns.find(({ isCompletedAt }) => isCompletedAt)?.name;
  if (completed !== undefined && keys[0] !== completed) {
    const index = quote(`IX_${tableName}_${completed}`);
    statements.push(`CREATE INDEX ${index} ON ${table} (${quote(completed)});`);
  }
  return `${strategy === "update" ? updateNote : ""}${statements.join("\n\n")}\n`;
}

const updateNote = `-- The sink's strategy is "update": it fills columns of rows that are there. For a table that has them, take from this
-- the columns that it lacks (ALTER TABLE ... ADD).
`;
