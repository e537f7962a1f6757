import { apply } from "./apply.ts";
import type { ByteReader } from "./bytes.ts";
import { convert } from "./convert.ts";
import { Cursor } from "./cursor.ts";
import { isOn, type Session, type Variables } from "./database.ts";
import { tokenize } from "./lexer.ts";
import { parseType } from "./parse-expression.ts";
import { parseQuery } from "./parse-query.ts";
import { insertColumns, insertValues } from "./row-values.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import type { SQLType, Value } from "./sql-type.ts";
import type { Action } from "./syntax.ts";
import type { Change, Table, Values } from "./table.ts";
import { readTypeInfo, type WireType } from "./type-info.ts";
import { readValue } from "./wire-value.ts";

export interface Parameter {
  /** With its @; empty where it is passed by position. */
  readonly name: string;
  readonly type: WireType;
  readonly value: Value;
  readonly output: boolean;
}

export interface ProcedureCall {
  readonly procedure: string;
  readonly parameters: readonly Parameter[];
}

const procedureIds: Readonly<Record<number, string>> = {
  10: "sp_executesql",
  11: "sp_prepare",
  12: "sp_execute",
  15: "sp_unprepare",
};

/** Reads an RPC request (MS-TDS 2.2.6.6), after its headers. */
export function readCall(input: ByteReader): ProcedureCall {
  const length = input.u16();
  const procedure = length === 0xffff ? (procedureIds[input.u16()] ?? "unknown") : input.ucs2(length).toLowerCase();
  input.u16();
  const parameters: Parameter[] = [];
  while (input.left > 0) {
    const name = input.text(1);
    const status = input.u8();
    const type = readTypeInfo(input);
    if (type === undefined) throw notUnderstood(`the type of parameter ${name}`);
    parameters.push({ name, type, value: readValue(input, type), output: (status & 1) !== 0 });
  }
  return { procedure, parameters };
}

/** `@a int, @b nvarchar(10) OUTPUT` */
export function parseDeclarations(text: string): Map<string, SQLType> {
  const declared = new Map<string, SQLType>();
  if (text.trim() === "") return declared;
  const cursor = new Cursor(tokenize(text, true), parseQuery);
  cursor.list(() => {
    const token = cursor.next();
    if (token.kind !== "variable") throw cursor.refuse();
    cursor.take("AS");
    declared.set(token.text.toLowerCase(), parseType(cursor));
    if (!cursor.take("OUTPUT")) cursor.take("OUT");
  });
  if (cursor.peek().kind !== "end") throw cursor.refuse();
  return declared;
}

/** The variables of a statement: what was passed, by name or by position, in the types that were declared. */
export function bind(declared: ReadonlyMap<string, SQLType>, passed: readonly Parameter[]): Variables {
  const variables: Variables = new Map();
  const names = [...declared.keys()];
  for (const [index, parameter] of passed.entries()) {
    const name = parameter.name === "" ? (names[index] ?? "") : parameter.name.toLowerCase();
    const type = declared.get(name);
    if (type === undefined) throw new SQLError(8145, `${parameter.name} is not a parameter for procedure.`);
    variables.set(name, { type, value: convert(parameter.value, parameter.type, type) });
  }
  for (const name of names) {
    if (variables.has(name)) continue;
    throw new SQLError(8178, `The parameterized query expects the parameter '${name}', which was not supplied.`);
  }
  return variables;
}

export interface BulkRows {
  readonly columns: readonly WireType[];
  readonly rows: readonly Values[];
}

/** Reads the rows of a bulk load (MS-TDS 2.2.6.1): their columns, a ROW token each, and DONE. */
export function readBulk(input: ByteReader): BulkRows {
  const columns: WireType[] = [];
  const rows: Values[] = [];
  for (;;) {
    const token = input.left === 0 ? 0xfd : input.u8();
    if (token === 0x81) {
      for (let left = input.u16(); left > 0; left -= 1) {
        input.u32();
        input.u16();
        const type = readTypeInfo(input);
        if (type === undefined) throw notUnderstood("the type of a bulk column");
        if (type.name === "text" || type.name === "ntext" || type.name === "image") input.text(2);
        input.text(1);
        columns.push(type);
      }
    } else if (token === 0xd1) rows.push(columns.map((type) => readValue(input, type, true)));
    else if (token === 0xfd) return { columns, rows };
    else throw notUnderstood(`token ${token} in a bulk load`);
  }
}

/** Puts bulk rows into their table, and says how many. */
export function loadBulk(
  table: Table,
  action: Action & { kind: "insert bulk" },
  { columns, rows }: BulkRows,
  session: Session,
): number {
  const targets = insertColumns(
    table,
    action.columns.map(({ name }) => name),
    { ...session, identityInsert: table.qualifiedName.toLowerCase() },
  );
  const identity = targets.map((index) => table.columns[index]?.identity === true);
  const keepsNulls = action.options.includes("KEEP_NULLS");
  for (const [index, wire] of columns.entries()) {
    const target = table.columns[targets[index] ?? -1];
    const sized =
      wire.length !== undefined && !wire.chunked && ["varchar", "nvarchar", "varbinary"].includes(wire.name);
    if (sized && target?.type.length === -1)
      throw new SQLError(4816, `Invalid column type from bcp client for colid ${index + 1}.`);
  }
  const changes = rows.map((row): Change => {
    const given = row.map((value, index) => {
      const type: SQLType = columns[index] ?? { name: "int" };
      const size = typeof value === "string" || Buffer.isBuffer(value) ? value.length : 0;
      if (type.length !== undefined && type.length !== -1 && size > type.length) {
        throw new SQLError(4815, `Received an invalid column length from the bcp client for colid ${index + 1}.`);
      }
      return (value === null && !keepsNulls) || identity[index] === true ? undefined : { value, type };
    });
    return { table, row: { values: [] }, before: undefined, after: insertValues(table, targets, given, session) };
  });
  return apply(table, changes, "INSERT", session, !action.options.includes("CHECK_CONSTRAINTS")).size;
}

export function quotedIdentifiers(session: Session): boolean {
  return isOn(session, "QUOTED_IDENTIFIER");
}

const isolationLevels = ["", "READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "SNAPSHOT"];

/** Reads a request of the transaction manager (MS-TDS 2.2.6.9), after its headers. */
export function readTransaction(input: ByteReader): {
  what: "begin" | "commit" | "rollback" | "save";
  name: string;
  isolation: string;
} {
  const kinds: Readonly<Record<number, "begin" | "commit" | "rollback" | "save">> = {
    5: "begin",
    7: "commit",
    8: "rollback",
    9: "save",
  };
  const kind = input.u16();
  const what = kinds[kind];
  if (what === undefined) throw notUnderstood(`transaction manager request ${kind}`);
  const isolation = what === "begin" ? (isolationLevels[input.u8()] ?? "") : "";
  const name = input.left > 0 ? input.ucs2(input.u8() / 2) : "";
  return { what, name, isolation };
}
