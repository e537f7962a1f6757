import { describeType } from "../errors/describe-type.ts";
import { type Fit, fits, violation } from "./fit.ts";
import { fitMarkup } from "./text-fit.ts";

/** An array as text, `{a,"b c",NULL}`, of elements that fit; arrays in it are its further dimensions. A text is taken as it is. */
export function arrayFit(element: Fit, type: string): Fit {
  const literal = (items: readonly unknown[]): ReturnType<Fit> => {
    const parts: string[] = [];
    for (const item of items) {
      const fitted = Array.isArray(item) ? literal(item) : isAbsent(item) ? fits("NULL") : element(item);
      if (!fitted.ok) return fitted;
      const text = String(fitted.value);
      parts.push(Array.isArray(item) || isAbsent(item) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`);
    }
    return fits(`{${parts.join(",")}}`);
  };
  const asIs = fitMarkup(type);
  return (value) => {
    if (Array.isArray(value)) return literal(value);
    if (typeof value === "string") return asIs(value);
    return violation(`the column is ${type}: expected an array, got ${describeType(value)}`, "must be an array");
  };
}

function isAbsent(item: unknown): boolean {
  return item === null || item === undefined;
}

/** The array of such a text, each element read by `read`; NULL is null. Its bounds, where they are not from 1, are left out. */
export function parseArray(text: string, read: (element: string) => unknown, delimiter = ","): readonly unknown[] {
  const open: unknown[][] = [[]];
  const token = new RegExp(String.raw`\{|\}|"((?:[^"\\]|\\[^])*)"|((?:[^{}"\\${delimiter}]|\\[^])+)|${delimiter}`, "y");
  token.lastIndex = text.indexOf("{");
  for (let found = token.exec(text); found !== null; found = token.exec(text)) {
    const [all, quoted, plain] = found;
    if (all === "{") open.push([]);
    else if (all === "}") {
      const closed = open.pop() ?? [];
      open.at(-1)?.push(closed);
    } else if (quoted !== undefined) open.at(-1)?.push(read(quoted.replaceAll(/\\([^])/g, "$1")));
    else if (plain !== undefined) open.at(-1)?.push(plain === "NULL" ? null : read(plain.replaceAll(/\\([^])/g, "$1")));
  }
  const [[array] = []] = open;
  if (!Array.isArray(array) || token.lastIndex !== 0) throw new TypeError("the text is no array");
  return array;
}
