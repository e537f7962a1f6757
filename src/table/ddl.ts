import type { ErrorFacts } from "../errors/facts.ts";
import { OptionError } from "../errors/option.ts";
import type { ColumnDescription, TargetDescription } from "../contracts/target.ts";
import type { TableNames } from "./dialect.ts";
import { firstTwin, twinProblem } from "./strategy.ts";

/** How one database writes the pieces of a CREATE TABLE. */
export interface TableDDL {
  readonly names: TableNames;
  /** Gives for each column its type and constraints, as they follow its name. */
  readonly definitions: (
    target: Pick<TargetDescription, "columns" | "keys">,
  ) => (column: ColumnDescription) => ColumnDefinition;
  /** After the closing bracket. @default nothing */
  readonly options?: string;
  /** Why no table can be made under a name that other statements may use. */
  readonly tableProblem?: (table: string) => string | undefined;
}

export interface ColumnDefinition {
  readonly sql: string;
  /** For the reader, in one line. */
  readonly note?: string | undefined;
}

/**
 * The statements that make a table for what a pipeline writes: CREATE TABLE, and CREATE INDEX on the time of completion.
 *
 * @throws {OptionError} if the table or a column can't have its name
 */
export function createTable(
  { names, definitions, options = "", tableProblem }: TableDDL,
  target: TargetDescription,
  name: string,
): string {
  const { columns, keys, strategy } = target;
  const parsed = names.parse(name);
  if (!parsed.ok) throw problem("--table", parsed.problem, parsed.facts);
  const { table: tableName } = parsed.name;
  const found = names.problemOf(tableName) ?? tableProblem?.(tableName);
  if (found !== undefined) throw problem("--table", found, { table: tableName });
  requireNames(
    names,
    columns.map((column) => column.name),
  );
  const table = names.quoteTable(parsed.name);
  const { quote, quoteMade = quote } = names;
  const definition = definitions(target);
  const primaryKey = `CONSTRAINT ${quoteMade(`PK_${tableName}`)} PRIMARY KEY (${keys.map(quote).join(", ")})`;
  const lines = [
    ...columns.map((column): ColumnDefinition => {
      const { sql, note } = definition(column);
      return { sql: `${quote(column.name)} ${sql}`, note };
    }),
    ...(keys.length === 0 ? [] : [{ sql: primaryKey }]),
  ];
  const body = lines.map(({ sql, note }, index) => {
    const comma = index === lines.length - 1 ? "" : ",";
    return `  ${sql}${comma}${note === undefined ? "" : ` -- ${note}`}`;
  });
  const statements = [`CREATE TABLE ${table} (\n${body.join("\n")}\n)${options};`];
  const completed = columns.find(({ isCompletedAt }) => isCompletedAt)?.name;
  if (completed !== undefined && keys[0] !== completed) {
    const index = quoteMade(`IX_${tableName}_${completed}`);
    statements.push(`CREATE INDEX ${index} ON ${table} (${quote(completed)});`);
  }
  return `${strategy === "update" ? updateNote : ""}${statements.join("\n\n")}\n`;
}

function requireNames(names: TableNames, columns: readonly string[]): void {
  for (const column of columns) {
    const found = names.problemOf(column);
    if (found !== undefined) throw problem("columnMap", found, { column });
  }
  const twin = firstTwin(columns, names.fold);
  if (twin !== undefined) throw problem("columnMap", twinProblem(twin), { column: twin });
}

function problem(option: string, text: string, facts?: ErrorFacts): OptionError {
  return new OptionError("sql create-table", option, text, facts);
}

const updateNote = `-- The sink's strategy is "update": it fills columns of rows that are there. For a table that has them, take from this
-- the columns that it lacks (ALTER TABLE ... ADD).
`;
