import type { ISqlType } from "mssql";
import { describeType } from "../errors/describe-type.ts";
import type { Parameters } from "../contracts/source.ts";
import { valuesOf } from "../table/named-parameters.ts";
import type { Fail } from "./connect/connection.ts";
import type { Driver } from "./connect/driver.ts";

/** A parameter of a statement, with its type as T-SQL declares it. */
export interface StatementParameter {
  /** Without the `@`. */
  readonly name: string;
  /** The type that the statement sees: `decimal(38,0)`. */
  readonly declaration: string;
  /** The type in which the driver sends it. If that is another one, the server converts it, without loss. */
  readonly sentAs: string;
  readonly value: string | number | bigint | boolean | Date | Buffer | null;
}

/**
 * The parameters of a statement, in its order.
 *
 * @param wanted their names, without `@`
 * @param where the statement's name in messages
 * @throws the error of `fail` for a parameter without a value, a value that is not used, and one that can't be bound
 */
export function bindParameters(
  wanted: readonly string[],
  given: Parameters,
  where: string,
  fail: Fail,
): readonly StatementParameter[] {
  const values = valuesOf(wanted, given, where, fail);
  return wanted.map((name, index) => {
    const bound = bind(values[index]);
    if (typeof bound === "string")
      throw fail(`the parameter "${name}" of ${where} can't be ${bound}`, {
        facts: { where, parameter: name, problem: bound },
      });
    const { declaration, sentAs = declaration } = bound;
    return { name, declaration, sentAs, value: bound.value };
  });
}

interface Binding {
  readonly declaration: string;
  readonly sentAs?: string;
  readonly value: StatementParameter["value"];
}

const longestText = 4000; // UTF-16 code units
const longestBytes = 8000;

/** The value with its type, or the problem with it, without its content. */
function bind(value: unknown): Binding | string {
  if (value === null) return { declaration: "nvarchar(4000)", value };
  if (typeof value === "string") {
    if (!value.isWellFormed()) return `${describeType(value)} with half of a surrogate pair`;
    // Of one length whatever the value's: the server keeps a plan for each declaration.
    return { declaration: value.length <= longestText ? "nvarchar(4000)" : "nvarchar(max)", value };
  }
  if (typeof value === "boolean") return { declaration: "bit", value };
  if (typeof value === "number") return bindNumber(value);
  if (typeof value === "bigint") return bindBigInt(value);
  if (value instanceof Date) return bindDate(value);
  if (value instanceof Uint8Array) {
    const declaration = value.byteLength <= longestBytes ? "varbinary(8000)" : "varbinary(max)";
    return { declaration, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) };
  }
  return describeType(value);
}

function bindNumber(value: number): Binding | string {
  if (!Number.isFinite(value)) return `${value}, which SQL Server has no number for`;
  if (!Number.isSafeInteger(value)) return { declaration: "float", value };
  return { declaration: value === Math.trunc(value | 0) ? "int" : "bigint", value };
}

const mostDigits = 10n ** 38n;

function bindBigInt(value: bigint): Binding | string {
  if (BigInt.asIntN(64, value) === value) return { declaration: "bigint", value };
  if (value <= -mostDigits || value >= mostDigits) return "a bigint of more than 38 digits";
  return { declaration: "decimal(38,0)", sentAs: "nvarchar(50)", value: value.toString() }; // the driver would round it
}

function bindDate(value: Date): Binding | string {
  if (Number.isNaN(value.getTime())) return "an invalid date";
  const year = value.getUTCFullYear();
  if (year < 1 || year > 9999) return "a date outside of the years 1 to 9999";
  return { declaration: "datetime2(7)", value };
}

/** The driver's type for a `sentAs`. */
export function driverType(driver: Driver, declaration: string): ISqlType {
  const [, name = "", argument] = /^(\w+)(?:\((\w+)\))?$/.exec(declaration) ?? [];
  const length = argument === "max" ? driver.MAX : Number(argument);
  switch (name) {
    case "nvarchar":
      return driver.NVarChar(length);
    case "varchar":
      return driver.VarChar(length);
    case "varbinary":
      return driver.VarBinary(length);
    case "datetime2":
      return driver.DateTime2(length);
    case "bit":
      return driver.Bit();
    case "int":
      return driver.Int();
    case "bigint":
      return driver.BigInt();
    case "float":
      return driver.Float();
    case "uniqueidentifier":
      return driver.UniqueIdentifier();
    default:
      throw new TypeError(`no type of the driver for ${declaration}`);
  }
}

/** `@a int, @b nvarchar(4000)`, as `sp_executesql` takes it. */
export function declare(parameters: readonly StatementParameter[]): string {
  return parameters.map(({ name, declaration }) => `@${name} ${declaration}`).join(", ");
}
