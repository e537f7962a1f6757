import { collationOf, fold } from "./collation.ts";
import { compare } from "./compare.ts";
import type { CompileContext, Compiled, Predicate } from "./scope.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import { family, type SQLType, textOf, type Value } from "./sql-type.ts";

export function anyOf(results: readonly (boolean | null)[]): boolean | null {
  return results.includes(true) ? true : results.includes(null) ? null : false;
}

export function equal(left: Value, leftType: SQLType, right: Value, rightType: SQLType): boolean | null {
  return left === null || right === null ? null : compare(left, leftType, right, rightType) === 0;
}

/** The types of both sides with the collation that holds for them, or error 468 where two columns cannot agree. */
export function resolveCollation(
  left: Compiled,
  right: Compiled,
  context: CompileContext,
): readonly [SQLType, SQLType] {
  if (family(left.type) !== "text" || family(right.type) !== "text") return [left.type, right.type];
  const [a, b] = [left.type.collation, right.type.collation];
  const explicit = left.explicit === true ? a : right.explicit === true ? b : undefined;
  const conflict =
    explicit === undefined &&
    left.constant !== true &&
    right.constant !== true &&
    a !== undefined &&
    b !== undefined &&
    a !== b;
  if (conflict)
    throw new SQLError(
      468,
      `Cannot resolve the collation conflict between "${b}" and "${a}" in the equal to operation.`,
    );
  const collation = explicit ?? (left.constant === true ? (b ?? a) : (a ?? b)) ?? context.collation;
  return [
    { ...left.type, collation },
    { ...right.type, collation },
  ];
}

export function comparison(operator: string, left: Compiled, right: Compiled, context: CompileContext): Predicate {
  const [leftType, rightType] = resolveCollation(left, right, context);
  const holds: Readonly<Record<string, (order: number) => boolean>> = {
    "=": (order) => order === 0,
    "<>": (order) => order !== 0,
    "<": (order) => order < 0,
    "<=": (order) => order <= 0,
    ">": (order) => order > 0,
    ">=": (order) => order >= 0,
  };
  const test = holds[operator];
  if (test === undefined) throw notUnderstood(operator);
  return (env) => {
    const a = left.evaluate(env);
    if (a === null) return null;
    const b = right.evaluate(env);
    return b === null ? null : test(compare(a, leftType, b, rightType));
  };
}

export function like(value: Compiled, pattern: Compiled, context: CompileContext): Predicate {
  const collation = collationOf(value.type.collation ?? context.collation);
  return (env) => {
    const [text, wanted] = [value.evaluate(env), pattern.evaluate(env)];
    if (text === null || wanted === null) return null;
    const source = fold(textOf(wanted), collation)
      .replaceAll(/[\\^$.*+?(){}|]/gu, String.raw`\$&`)
      .replaceAll("%", ".*")
      .replaceAll("_", ".");
    return new RegExp(`^${source}$`, "su").test(fold(textOf(text), collation));
  };
}
