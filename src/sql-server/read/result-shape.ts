import { closest } from "../../errors/closest.ts";
import { listItems, listNames } from "../../errors/name-list.ts";
import type { Fail } from "../connect/connection.ts";
import { type ResultType, readingOf, remedyFor, type TypeReading } from "./read-types.ts";

/** A row of `sp_describe_first_result_set`. */
export type DescribedColumn = Readonly<Record<string, unknown>>;

/** A column of the statement's result. */
export interface ResultColumn {
  readonly name: string;
  readonly type: ResultType;
  /** Of text. */
  readonly collation: string | undefined;
  readonly reading: TypeReading;
}

/**
 * The columns of a statement's result, before it is run.
 *
 * @param where the statement's name in messages
 * @param required columns that must be there, by the option that names them
 * @throws the error of `fail` for a statement without columns, of columns without a name, with a name twice or with a type
 * that has no JavaScript value, and of one that is not there
 */
export function shapeOf(
  described: readonly DescribedColumn[],
  required: Readonly<Record<string, string>>,
  where: string,
  fail: Fail,
): readonly ResultColumn[] {
  const columns = described.filter((column) => column["is_hidden"] !== true);
  if (columns.length === 0)
    throw fail(`${where} is not a query: it has no result columns`, { facts: { where, columns: [] } });
  const names = columns.map((column) => textOf(column["name"]));
  const nameless = names.flatMap((name, index) => (name === "" ? [index + 1] : []));
  if (nameless.length > 0) {
    const which = nameless.length === 1 ? "a result column" : "result columns";
    throw fail(`${where} has ${which} without a name (number ${listItems(nameless)})`, {
      facts: { where, columns: nameless, hint: "name each with AS" },
    });
  }
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  if (repeated.size > 0) {
    throw fail(`${where} has more than one result column ${listNames([...repeated])}`, {
      facts: { where, columns: [...repeated], hint: "rename one with AS" },
    });
  }
  for (const [option, name] of Object.entries(required)) {
    if (names.includes(name)) continue;
    const [nearest] = closest(name, names, 1);
    const near = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    const hint = `its columns are ${listNames(names)}${near}`;
    throw fail(`the ${option} "${name}" is not a result column of ${where}`, {
      facts: { where, column: name, columns: names, nearest, hint },
    });
  }
  const typed = columns.map((column, index) => ({ name: names[index] ?? "", type: typeOf(column), column }));
  const unreadable = typed.filter(({ type }) => readingOf(type) === undefined);
  if (unreadable.length > 0) {
    const items = unreadable.map(({ name, type }) => `${JSON.stringify(name)} (${type.name})`);
    const [first = { name: "", type: unknownType }] = unreadable;
    const hint = `leave it out or convert it: ${remedyFor(first.type, first.name)}`;
    const facts = {
      where,
      columns: unreadable.map(({ name }) => name),
      types: unreadable.map(({ type }) => type.name),
      hint,
    };
    throw fail(`${where} has columns of types without a JavaScript value: ${listItems(items)}`, { facts });
  }
  return typed.flatMap(({ name, type, column }) => {
    const reading = readingOf(type);
    const collation = textOf(column["collation_name"]);
    return reading === undefined ? [] : [{ name, type, reading, collation: collation === "" ? undefined : collation }];
  });
}

const unknownType: ResultType = { name: "unknown", declaration: "unknown", precision: 0, scale: 0, length: 0 };

function typeOf(column: DescribedColumn): ResultType {
  const declaration = textOf(column["system_type_name"]);
  const name = /^\w*/.exec(declaration)?.[0].toLowerCase() ?? "";
  // A type of an assembly has no system type.
  if (name === "") {
    const assembly = textOf(column["user_type_name"]);
    return { ...unknownType, name: assembly === "" ? unknownType.name : assembly.toLowerCase() };
  }
  const bytes = numberOf(column["max_length"]);
  const length = bytes > 0 && (name === "nchar" || name === "nvarchar") ? bytes / 2 : bytes;
  return { name, declaration, precision: numberOf(column["precision"]), scale: numberOf(column["scale"]), length };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
