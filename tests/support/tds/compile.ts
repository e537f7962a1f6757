import { aggregate, aggregates, windowed } from "./aggregate.ts";
import { arithmetic, widest } from "./arithmetic.ts";
import { anyOf, comparison, equal, like } from "./comparison.ts";
import { convert } from "./convert.ts";
import { type CompileContext, type Compiled, type Env, type Predicate, type Scope, start } from "./scope.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import { family, type SQLType, textOf, type Value, withCollation } from "./sql-type.ts";
import type { Expression } from "./syntax.ts";
import type { Values } from "./table.ts";

export function compile(expression: Expression, scope: Scope, context: CompileContext): Compiled {
  switch (expression.kind) {
    case "literal": {
      const { type, value } = expression;
      return { name: "", type, nullable: value === null, constant: true, evaluate: () => value };
    }
    case "column":
      return column(expression.path, scope);
    case "variable":
      return variable(expression.name, context);
    case "cast": {
      const value = compile(expression.value, scope, context);
      const type = withCollation(expression.type, value.type.collation ?? context.collation);
      const { style } = expression;
      const run = (env: Env) => castValue(value.evaluate(env), value.type, type, style);
      return {
        name: "",
        type,
        nullable: value.nullable || expression.attempt,
        evaluate: expression.attempt ? attempt(run) : run,
      };
    }
    case "collate": {
      const value = compile(expression.value, scope, context);
      const fallback = /^database_default$/iu.test(expression.collation);
      const collation = fallback ? context.collation : expression.collation;
      const { name, nullable, evaluate } = value;
      return { name, nullable, evaluate, type: { ...value.type, collation }, explicit: true };
    }
    case "arithmetic":
      return arithmetic(
        expression.operator,
        compile(expression.left, scope, context),
        compile(expression.right, scope, context),
      );
    case "case": {
      const branches = expression.branches.map(
        ([when, then]) => [predicate(when, scope, context), compile(then, scope, context)] as const,
      );
      const { otherwise } = expression;
      const last = otherwise === undefined ? undefined : compile(otherwise, scope, context);
      return choose(branches, last);
    }
    case "subquery": {
      const query = context.compileQuery(expression.query, scope);
      const [first] = query.columns;
      if (first === undefined) throw notUnderstood("a subquery without columns");
      return { name: "", type: first.type, nullable: true, evaluate: (env) => single(query.run(env)) };
    }
    case "call":
      return call(expression, scope, context);
    case "action": {
      return { ...column(["$action"], scope), name: "$action" };
    }
    case "and":
    case "or":
    case "not":
    case "isNull":
    case "exists":
    case "compare":
    case "in":
    case "like":
      break;
  }
  throw new SQLError(4145, "A condition stands where a value was expected.");
}

function single(rows: Iterable<Values>): Value {
  const [first, second] = rows;
  if (second === undefined) return first?.[0] ?? null;
  throw new SQLError(512, "Subquery returned more than 1 value.");
}

const attempt =
  (run: (env: Env) => Value) =>
  (env: Env): Value => {
    try {
      return run(env);
    } catch (error) {
      if (error instanceof SQLError) return null;
      throw error;
    }
  };

/** Where the column of that name stands; the inner sources hide the outer ones. */
export function column(path: readonly string[], scope: Scope): Compiled {
  const name = (path.at(-1) ?? "").toLowerCase();
  const alias = path.length > 1 ? (path.at(-2) ?? "").toLowerCase() : undefined;
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    const found: [source: number, column: number][] = [];
    for (const [index, source] of level.sources.entries()) {
      if (alias !== undefined && source.alias.toLowerCase() !== alias) continue;
      for (const [position, candidate] of source.columns.entries()) {
        if (candidate.name.toLowerCase() === name) found.push([index, position]);
      }
    }
    const [first, second] = found;
    if (second !== undefined) throw new SQLError(209, `Ambiguous column name '${path.at(-1)}'.`);
    if (first === undefined) continue;
    const [source, position] = first;
    const definition = level.sources[source]?.columns[position];
    const at = start(level) + source;
    if (definition !== undefined) return { ...definition, evaluate: (env) => env[at]?.[position] ?? null };
  }
  if (alias === undefined) throw new SQLError(207, `Invalid column name '${path.at(-1)}'.`);
  throw new SQLError(4104, `The multi-part identifier "${path.join(".")}" could not be bound.`);
}

function variable(name: string, context: CompileContext): Compiled {
  const system = name.startsWith("@@") ? context.systemFunction(name.toUpperCase(), []) : undefined;
  if (system !== undefined) return system;
  const found = context.variables.get(name.toLowerCase());
  if (found === undefined) throw new SQLError(137, `Must declare the scalar variable "${name}".`);
  return { name: "", type: found.type, nullable: true, constant: true, evaluate: () => found.value };
}

function choose(branches: readonly (readonly [Predicate, Compiled])[], last: Compiled | undefined): Compiled {
  const values = [...branches.map(([, value]) => value), ...(last === undefined ? [] : [last])];
  const type = values.reduce<SQLType | undefined>((wide, { type: next, constant, nullable }) => {
    if (wide === undefined) return next;
    return constant === true && nullable && next.name === "int" ? wide : widest(wide, next);
  }, undefined) ?? { name: "int" };
  const convertTo = (value: Compiled | undefined, env: Env) =>
    value === undefined ? null : convert(value.evaluate(env), value.type, type);
  const evaluate = (env: Env) => convertTo(branches.find(([when]) => when(env) === true)?.[1] ?? last, env);
  return { name: "", type, nullable: last === undefined || values.some(({ nullable }) => nullable), evaluate };
}

/** A condition: true, false or unknown. */
export function predicate(expression: Expression, scope: Scope, context: CompileContext): Predicate {
  switch (expression.kind) {
    case "and": {
      const [left, right] = [predicate(expression.left, scope, context), predicate(expression.right, scope, context)];
      return (env) => {
        const first = left(env);
        if (first === false) return false;
        const second = right(env);
        return second === false ? false : first === null || second === null ? null : true;
      };
    }
    case "or": {
      const [left, right] = [predicate(expression.left, scope, context), predicate(expression.right, scope, context)];
      return (env) => {
        const first = left(env);
        if (first === true) return true;
        const second = right(env);
        return second === true ? true : first === null || second === null ? null : false;
      };
    }
    case "not": {
      const inner = predicate(expression.value, scope, context);
      return (env) => {
        const value = inner(env);
        return value === null ? null : !value;
      };
    }
    case "isNull": {
      const value = compile(expression.value, scope, context);
      return (env) => value.evaluate(env) === null;
    }
    case "exists": {
      const query = context.compileQuery(expression.query, scope);
      return (env) => {
        for (const _row of query.run(env)) return true;
        return false;
      };
    }
    case "compare":
      return comparison(
        expression.operator,
        compile(expression.left, scope, context),
        compile(expression.right, scope, context),
        context,
      );
    case "in": {
      const value = compile(expression.value, scope, context);
      const { among } = expression;
      if ("items" in among) {
        const query = context.compileQuery(among, scope);
        const type = query.columns[0]?.type ?? { name: "int" };
        return (env) =>
          anyOf([...query.run(env)].map((row) => equal(value.evaluate(env), value.type, row[0] ?? null, type)));
      }
      const options = among.map((option) => comparison("=", value, compile(option, scope, context), context));
      return (env) => anyOf(options.map((option) => option(env)));
    }
    case "like":
      return like(compile(expression.value, scope, context), compile(expression.pattern, scope, context), context);
    case "literal":
    case "column":
    case "variable":
    case "call":
    case "cast":
    case "collate":
    case "arithmetic":
    case "case":
    case "subquery":
    case "action":
      break;
  }
  throw new SQLError(4145, "An expression of non-boolean type specified in a context where a condition is expected.");
}

/** A CAST makes bytes of a value of any type, where a conversion that nobody wrote is refused. Which bytes is not a real server's. */
function castValue(value: Value, from: SQLType, to: SQLType, style?: number): Value {
  if (style === 2 && family(to) === "binary" && typeof value === "string") {
    if (!/^(?:[0-9a-f]{2})*$/iu.test(value))
      throw new SQLError(8114, `Error converting data type ${from.name} to ${to.name}.`);
    return convert(Buffer.from(value, "hex"), { name: "varbinary", length: -1 }, to);
  }
  const isBytes = value === null || family(to) !== "binary" || ["binary", "udt"].includes(family(from));
  return convert(isBytes ? value : Buffer.from(textOf(value), "utf16le"), isBytes ? from : { name: "varbinary" }, to);
}

function call(expression: Expression & { kind: "call" }, scope: Scope, context: CompileContext): Compiled {
  const { name, over } = expression;
  const given = expression.arguments.map((argument) => compile(argument, scope, context));
  if (over !== undefined) return windowed(expression, given, scope, context, (value) => compile(value, scope, context));
  if (!aggregates.has(name)) {
    const found = context.systemFunction(name, given);
    if (found === undefined)
      throw new SQLError(195, `test server: statement not understood: '${name}' is not a recognized function name.`);
    return found;
  }
  scope.group.used = true;
  const { group } = scope;
  return aggregate(name, given[0], expression.distinct, () => group.rows ?? []);
}
