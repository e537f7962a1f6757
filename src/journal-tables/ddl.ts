import { type ColumnKind, indexes, tables } from "./tables.ts";

/** The words of a database for tables and indexes that are made where they are not there. */
export interface JournalDDL {
  readonly type: (kind: ColumnKind) => string;
  /** The type of a column that counts the lines as they are added. */
  readonly number: string;
  /** The constraints for a key of these columns, and for `number`. */
  readonly keys: (columns: string | undefined) => readonly string[];
  /** `body`: its columns and its key, in parentheses. */
  readonly table: (name: string, body: string) => string;
  readonly index: (name: string, table: string, columns: string) => string;
}

/** A text as a literal of SQL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The statements that make the tables of a journal, and their indexes. */
export function tableStatements({ type, number, keys, table, index }: JournalDDL): readonly string[] {
  const made = Object.values(tables).map(({ name, columns, key }) => {
    const isKey = (column: string): boolean => key.some((one) => one === column);
    const lines = Object.entries(columns).map(
      ([column, kind]) => `  ${column} ${type(kind)}${isKey(column) ? " NOT NULL" : ""}`,
    );
    const constraints = keys(key.length === 0 ? undefined : key.join(", ")).map((each) => `  ${each}`);
    return table(name, `(\n${[...lines, `  number ${number} NOT NULL`, ...constraints].join(",\n")}\n)`);
  });
  const indexed = indexes.map(([{ name }, columns]) =>
    index(`${name}_by_${columns.join("_")}`, name, columns.join(", ")),
  );
  return [...made, ...indexed];
}
