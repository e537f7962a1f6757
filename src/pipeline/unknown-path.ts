import type { AnyState } from "../engine/state.ts";
import { closest, isTypingMistake } from "../errors/closest.ts";
import { MapError } from "../errors/map.ts";
import { listNames } from "../errors/name-list.ts";
import { toJSONValue } from "../json/json.ts";
import type { Read } from "./watched-state.ts";

export interface UnknownRead {
  readonly where: string;
  readonly read: Read;
  /** By output key, the steps that come later. */
  readonly later: ReadonlyMap<string, string>;
  /** True for the name of a field of the row that is content. */
  readonly isData: (name: string) => boolean;
  /** True for a name that someone wrote: one that a function makes of the row is content. */
  readonly isWritten: (name: string) => boolean;
}

/** The error of a function that reads what is not there. */
export function unknownPath({ where, read: { path, others = [] }, later, isData, isWritten }: UnknownRead): MapError {
  const [root = "", key = ""] = path;
  const name = path.at(-1) ?? "";
  const isOfRow = root === "raw";
  const owner = isOfRow
    ? "the row does not have"
    : root === "processed"
      ? "no step before it gives"
      : "the state does not have";
  const shown = path.map((part) => (isWritten(part) ? part : "…")).join(".");
  const [near] = closest(name, others, 1);
  const closestName = isOfRow && near !== undefined && isData(near) && !isTypingMistake(near, name) ? undefined : near;
  const laterStep = root === "processed" && path.length === 2 ? later.get(key) : undefined;
  const column = near !== undefined && closestName === undefined ? others.indexOf(near) + 1 : undefined;
  const names = `there ${others.length === 1 ? "is" : "are"} ${listNames(others)}`;
  const hint =
    laterStep !== undefined
      ? `it is the output of step "${laterStep}", which has not run by then`
      : closestName !== undefined
        ? `closest: "${closestName}"`
        : column !== undefined
          ? `the name of column ${column} is like it`
          : isOfRow || others.length === 0
            ? undefined
            : names;
  return new MapError(where, `reads ${shown}, which ${owner}`, {
    detail: [`${where} reads ${path.join(".")}, which ${owner}`, ...(hint === names ? [] : [names])].join("; "),
    facts: { path: shown, closest: closestName, column, hint },
  });
}

/** True for a name that the function itself writes. */
export function isInSource(name: string, read: (state: never) => unknown): boolean {
  return Function.prototype.toString.call(read).includes(name);
}

/** True for a name that the row has in it somewhere. */
export function isInRow(name: string, first: AnyState | undefined): boolean {
  const row = JSON.stringify(toJSONValue(first?.raw ?? {})) ?? "";
  return row.toLowerCase().includes(JSON.stringify(name).slice(1, -1).toLowerCase());
}
