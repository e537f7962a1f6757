import { convert, decimalText, parseDecimal } from "./convert.ts";
import type { Compiled, Env } from "./scope.ts";
import { SQLError } from "./sql-error.ts";
import { family, isUnicode, type SQLType, textOf, type Value } from "./sql-type.ts";

/** The type that can hold both. */
export function widest(left: SQLType, right: SQLType): SQLType {
  const [a, b] = [family(left), family(right)];
  if (a === "text" && b === "text") {
    const unicode = isUnicode(left) || isUnicode(right);
    const length = left.length === -1 || right.length === -1 ? -1 : Math.max(left.length ?? 1, right.length ?? 1);
    const collation = left.collation ?? right.collation;
    return { name: unicode ? "nvarchar" : "varchar", length, ...(collation === undefined ? {} : { collation }) };
  }
  if (a === "text") return right;
  if (b === "text") return left;
  if (a === "number" && b === "number" && left.name !== right.name) {
    const order = ["bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money", "decimal", "numeric"];
    return order.indexOf(left.name) > order.indexOf(right.name) ? left : right;
  }
  return b === "float" && a === "number" ? right : left;
}

export function arithmetic(operator: string, left: Compiled, right: Compiled): Compiled {
  const nullable = left.nullable || right.nullable;
  const both = (env: Env, run: (a: Value, b: Value) => Value): Value => {
    const [a, b] = [left.evaluate(env), right.evaluate(env)];
    return a === null || b === null ? null : run(a, b);
  };
  if (operator === "+" && family(left.type) === "text" && family(right.type) === "text") {
    const wide = widest(left.type, right.type);
    const sum = (left.type.length ?? 1) + (right.type.length ?? 1);
    const length = wide.length === -1 || sum > 4000 ? -1 : sum;
    return {
      name: "",
      type: { ...wide, length },
      nullable,
      evaluate: (env) => both(env, (a, b) => textOf(a) + textOf(b)),
    };
  }
  if (family(left.type) === "float" || family(right.type) === "float") {
    const run = (a: Value, b: Value) => floatResult(operator, Number(a), Number(b));
    return { name: "", type: { name: "float" }, nullable, evaluate: (env) => both(env, run) };
  }
  const whole = (type: SQLType) => ["bit", "tinyint", "smallint", "int"].includes(type.name);
  const scale = Math.max(left.type.scale ?? 0, right.type.scale ?? 0);
  const decimal = scale > 0 || left.type.precision !== undefined || right.type.precision !== undefined;
  const type: SQLType =
    whole(left.type) && whole(right.type)
      ? { name: "int" }
      : decimal
        ? { name: "numeric", precision: 38, scale }
        : { name: "bigint" };
  const number = (value: Value, from: SQLType) =>
    parseDecimal(textOf(convert(value, from, { name: "numeric", precision: 38, scale })))?.unscaled ?? 0n;
  const run = (a: Value, b: Value) => {
    const result = exactResult(operator, number(a, left.type), number(b, right.type), 10n ** BigInt(scale));
    return convert(decimalText(result, scale), { name: "numeric", precision: 38, scale }, type);
  };
  return { name: "", type, nullable, evaluate: (env) => both(env, run) };
}

function floatResult(operator: string, a: number, b: number): number {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  if (b === 0) throw new SQLError(8134, "Divide by zero error encountered.");
  return a / b;
}

function exactResult(operator: string, a: bigint, b: bigint, one: bigint): bigint {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return (a * b) / one;
  if (b === 0n) throw new SQLError(8134, "Divide by zero error encountered.");
  return operator === "%" ? a % b : (a * one) / b;
}
