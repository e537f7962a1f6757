import { compare, compareNullable, keyOf } from "./compare.ts";
import { convert, decimalText, parseDecimal } from "./convert.ts";
import type { CompileContext, Compiled, Env, Scope } from "./scope.ts";
import { notUnderstood } from "./sql-error.ts";
import { type SQLType, textOf, type Value, withCollation } from "./sql-type.ts";
import type { Expression, Order } from "./syntax.ts";

export const aggregates: ReadonlySet<string> = new Set(["COUNT", "COUNT_BIG", "MIN", "MAX", "SUM", "AVG"]);

export function aggregate(
  name: string,
  value: Compiled | undefined,
  distinct: boolean,
  rows: (env: Env) => readonly Env[],
): Compiled {
  const counts = name.startsWith("COUNT");
  const valueType = value?.type ?? { name: "int" as const };
  const type: SQLType = counts ? { name: name === "COUNT" ? "int" : "bigint" } : valueType;
  const evaluate = (env: Env): Value => {
    if (value === undefined) return count(rows(env).length, name);
    let values = rows(env)
      .map((row) => value.evaluate(row))
      .filter((one) => one !== null);
    if (distinct) values = [...new Map(values.map((one) => [keyOf(one, valueType), one])).values()];
    if (counts) return count(values.length, name);
    const [first = null, ...rest] = values;
    if (first === null) return null;
    if (name === "MIN" || name === "MAX") {
      const sign = name === "MIN" ? 1 : -1;
      return rest.reduce<Value>(
        (best, next) => (compare(next, valueType, best, valueType) * sign < 0 ? next : best),
        first,
      );
    }
    const scale = valueType.scale ?? 0;
    const sum = values.reduce<bigint>(
      (total, next) =>
        total +
        (parseDecimal(textOf(convert(next, valueType, { name: "numeric", precision: 38, scale })))?.unscaled ?? 0n),
      0n,
    );
    const result = name === "SUM" ? sum : sum / BigInt(values.length);
    return convert(decimalText(result, scale), { name: "numeric", precision: 38, scale }, valueType);
  };
  return { name: "", type, nullable: !counts, evaluate };
}

const count = (length: number, name: string): Value => (name === "COUNT_BIG" ? BigInt(length) : length);

/** ROW_NUMBER, or an aggregate, over a partition; filled in once all rows are there. */
export function windowed(
  { name, distinct, over = { partition: [], order: [] } }: Expression & { kind: "call" },
  given: readonly Compiled[],
  scope: Scope,
  context: CompileContext,
  compileOne: (value: Expression) => Compiled,
): Compiled {
  const partition = over.partition.map(compileOne);
  const order = sorter(over.order, compileOne);
  if (name !== "ROW_NUMBER" && !aggregates.has(name)) throw notUnderstood(`${name} OVER`);
  const values = new Map<Env, Value>();
  let members: readonly Env[] = [];
  const whole = aggregates.has(name) ? aggregate(name, given[0], distinct, () => members) : undefined;
  const keyOfPart = (part: Compiled, env: Env) =>
    keyOf(part.evaluate(env), withCollation(part.type, context.collation)) ?? null;
  scope.windows.push((rows) => {
    values.clear();
    const groups = Map.groupBy(rows, (env) => JSON.stringify(partition.map((part) => keyOfPart(part, env))));
    for (const group of groups.values()) {
      members = order === undefined ? group : group.toSorted(order);
      for (const [index, env] of members.entries()) values.set(env, whole?.evaluate(env) ?? BigInt(index + 1));
    }
  });
  const type = whole?.type ?? { name: "bigint" };
  return { name: "", type, nullable: true, evaluate: (env) => values.get(env) ?? null };
}

/** Compares two rows by an ORDER BY; undefined where there is none. NULL comes first. */
export function sorter(
  order: readonly Order[],
  compileOne: (value: Expression) => Compiled,
): ((a: Env, b: Env) => number) | undefined {
  if (order.length === 0) return undefined;
  const keys = order.map(({ value, descending }) => ({ compiled: compileOne(value), sign: descending ? -1 : 1 }));
  return (a, b) => {
    for (const { compiled, sign } of keys) {
      const result = compareNullable(compiled.evaluate(a), compiled.evaluate(b), compiled.type) * sign;
      if (result !== 0) return result;
    }
    return 0;
  };
}
