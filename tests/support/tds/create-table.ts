import { compile, predicate } from "./compile.ts";
import { convert } from "./convert.ts";
import { type Session, tableKey } from "./database.ts";
import { expressionContext } from "./query.ts";
import type { QueryContext, Scope } from "./scope.ts";
import { SQLError } from "./sql-error.ts";
import { withCollation } from "./sql-type.ts";
import type { ColumnDefinition, Constraint, TableName } from "./syntax.ts";
import { type Column, Table } from "./table.ts";
import type { ResultColumn } from "./tokens.ts";

/** Makes a table from its definition. */
export function createTable(
  name: TableName,
  definitions: readonly ColumnDefinition[],
  constraints: readonly Constraint[],
  context: QueryContext,
  session: Session,
): Table {
  const temporary = (name.path.at(-1) ?? "").startsWith("#");
  const { collation, serverCollation } = session.database.options;
  const own = temporary ? serverCollation : collation;
  const keys = constraints.filter((constraint) => constraint.kind === "unique" && constraint.primary);
  const keyNames = new Set(
    keys.flatMap((key) => (key.kind === "unique" ? key.columns.map((column) => column.toLowerCase()) : [])),
  );
  const plain = definitions.map((definition): Column => {
    const { name: columnName, type, nullable = true, identity } = definition;
    const named =
      type.collation?.toLowerCase() === "database_default" ? { ...type, collation } : withCollation(type, own);
    const required = identity !== undefined || keyNames.has(columnName.toLowerCase()) || type.name === "timestamp";
    return {
      name: columnName,
      type: named,
      nullable: nullable && !required,
      ...(identity && { identity: true, identitySeed: identity }),
    };
  });
  const scope: Scope = {
    sources: [{ alias: name.path.at(-1) ?? "", columns: plain }],
    group: { rows: undefined, used: false },
    windows: [],
  };
  const expressions = expressionContext(context);
  const columns = plain.map((column, index): Column => {
    const { computed, defaultValue } = definitions[index] ?? {};
    if (computed !== undefined) {
      const compiled = compile(computed, scope, expressions);
      return {
        ...column,
        type: withCollation(compiled.type, own),
        nullable: true,
        computed: true,
        compute: (values) => compiled.evaluate([values]),
      };
    }
    if (defaultValue === undefined) return column;
    return {
      ...column,
      defaultValue: () => {
        const compiled = compile(defaultValue, scope, expressions); // anew each time: the time goes on
        return convert(compiled.evaluate([]), compiled.type, column.type);
      },
    };
  });
  const table = addTable(name, columns, session);
  for (const constraint of constraints) addConstraint(table, constraint, context);
  return table;
}

export function addConstraint(table: Table, constraint: Constraint, context: QueryContext): void {
  if (constraint.kind === "check") {
    const scope: Scope = {
      sources: [{ alias: table.name, columns: table.columns }],
      group: { rows: undefined, used: false },
      windows: [],
    };
    const condition = predicate(constraint.check, scope, expressionContext(context));
    table.checks.push({
      name: constraint.name ?? `CK_${table.name}_${table.checks.length + 1}`,
      holds: (values) => condition([values]),
    });
    return;
  }
  const columns = constraint.columns.map((column) => {
    const index = table.columnIndex(column);
    if (index === -1) throw new SQLError(1911, `Column name '${column}' does not exist in the target table or view.`);
    return index;
  });
  const { primary, index, ignoresDuplicates } = constraint;
  const name = constraint.name ?? `${primary ? "PK" : "UQ"}_${table.name}`;
  table.addIndex({ name, primary, index, ignoresDuplicates, columns });
}

/** A table like the columns of a query, as SELECT INTO makes it: types, NULLs and identity, but no keys, defaults or computing. */
export function createLike(
  name: TableName,
  columns: readonly (ResultColumn | Column)[],
  keepsIdentity: boolean,
  session: Session,
): Table {
  const seen = new Set<string>();
  const plain = columns.map((column, index): Column => {
    const { name: columnName, type, nullable } = column;
    if (columnName === "")
      throw new SQLError(
        1038,
        `An object or column name is missing or empty: column ${index + 1} of SELECT INTO has no name.`,
      );
    if (seen.has(columnName.toLowerCase())) {
      throw new SQLError(
        2705,
        `Column names in each table must be unique. Column name '${columnName}' in table '${name.path.at(-1)}' is specified more than once.`,
      );
    }
    seen.add(columnName.toLowerCase());
    const seed = keepsIdentity && "identitySeed" in column ? column.identitySeed : undefined;
    return { name: columnName, type, nullable, ...(seed && { identity: true, identitySeed: seed }) };
  });
  return addTable(name, plain, session);
}

function addTable({ path }: TableName, columns: readonly Column[], session: Session): Table {
  const { database, temporaryTables } = session;
  const name = path.at(-1) ?? "";
  const taken = new SQLError(2714, `There is already an object named '${name}' in the database.`);
  if (database.find(path, session) !== undefined) throw taken;
  if (name.startsWith("#")) {
    const table = new Table("tempdb", "dbo", name, columns);
    temporaryTables.set(name.toLowerCase(), table);
    session.transaction?.log.push({ undo: () => temporaryTables.delete(name.toLowerCase()) });
    return table;
  }
  const table = new Table(database.options.name, path.at(-2) ?? "dbo", name, columns);
  const key = tableKey(table.schema, name);
  database.tables.set(key, table);
  session.transaction?.log.push({ undo: () => database.tables.delete(key) });
  return table;
}

export function dropTable({ path }: TableName, ifExists: boolean, session: Session): void {
  const { database, temporaryTables } = session;
  const table = database.find(path, session);
  if (table === undefined) {
    if (ifExists) return;
    throw new SQLError(
      3701,
      `Cannot drop the table '${path.join(".")}', because it does not exist or you do not have permission.`,
      { class: 11 },
    );
  }
  const tables: Map<string, Table> = table.isTemporary ? temporaryTables : database.tables;
  const key = table.isTemporary ? table.name.toLowerCase() : tableKey(table.schema, table.name);
  tables.delete(key);
  session.transaction?.log.push({ undo: () => tables.set(key, table) });
}
