import { convert } from "./convert.ts";
import { notUnderstood, SQLError } from "./sql-error.ts";
import { textOf, type Value } from "./sql-type.ts";
import type { JSONColumn } from "./syntax.ts";
import type { Values } from "./table.ts";

/** The rows of `OPENJSON(json, path) WITH (…)`: one for each element of an array. In lax mode what is not there is NULL. */
export function openJSON(json: Value, path: Value | undefined, columns: readonly JSONColumn[]): readonly Values[] {
  if (json === null) return [];
  const whole = at(parse(textOf(json)), path === undefined ? "$" : textOf(path));
  const elements = Array.isArray(whole) ? whole : whole === undefined || whole === null ? [] : [whole];
  return elements.map((element) =>
    columns.map(({ type, path: own }) => {
      const value = scalar(at(element, own));
      return value === null ? null : convert(value, { name: "nvarchar", length: -1 }, type);
    }),
  );
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new SQLError(13_609, "JSON text is not properly formatted.");
  }
}

function scalar(value: unknown): string | null {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : null;
}

/** `$`, `$.a.b`, `$[0].a` */
function at(value: unknown, path: string): unknown {
  const steps = /^\$((?:\.\w+|\[\d+\])*)$/u.exec(path)?.[1];
  if (steps === undefined) throw notUnderstood(`the JSON path ${path}`);
  let found = value;
  for (const [, name, index] of steps.matchAll(/\.(\w+)|\[(\d+)\]/gu)) {
    if (typeof found !== "object" || found === null || Array.isArray(found) !== (index !== undefined)) return undefined;
    found = Reflect.get(found, name ?? index ?? "");
  }
  return found;
}
