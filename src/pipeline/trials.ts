import type { AnySource } from "../contracts/source.ts";
import type { AnyState } from "../engine/state.ts";
import { closest } from "../errors/closest.ts";
import { nameOf, textOf } from "../errors/error-text.ts";
import { MapError } from "../errors/map.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { resultOf, type TriedState } from "./tried-state.ts";
import { isInRow, isInSource, unknownPath } from "./unknown-path.ts";
import { isProbed, type Read } from "./watched-state.ts";

/** A function that does not fit. `row`: the first row fails by it, and others may not. `warning`: it failed over made-up values. */
export interface MapProblem {
  readonly status: "problem" | "row" | "warning";
  /** True for a function of the column map, or of a step behind the first that asks a model: calls are paid before it runs. */
  readonly isPaidFor: boolean;
  readonly isThrow: boolean;
  readonly error: MapError;
}

/** The first is judged by all that happens; of the others, which take other ways through the functions, only by what is read. */
export const variants = [0, 1, 2, 3, 4, 5, 6, 7, "null"] as const;
export type Variant = (typeof variants)[number];

/** A function, and what it is tried on. */
export interface Trial {
  /** Names the function. */
  readonly where: string;
  readonly read: (state: never) => unknown;
  /** The state that it is given. */
  readonly state: TriedState;
  readonly first: AnyState | undefined;
  readonly variant: Variant;
  readonly isPaidFor: boolean;
  /** By output key, the steps that come later. */
  readonly later: ReadonlyMap<string, string>;
}

/** A problem with what a function gave. */
export interface Found {
  readonly problem: string;
  readonly facts: Readonly<Record<string, string>>;
}

export interface TrialsOptions {
  readonly source: Pick<AnySource, "schema" | "namesAreData" | "primaryKeyColumn">;
  /** By output key what the steps without a schema made of the first row. */
  readonly results: Readonly<Record<string, unknown>>;
  /** Names of the row's fields that are written in the pipeline. */
  readonly writtenNames: ReadonlySet<string>;
}

/** Runs functions over states that are made up in part, and keeps what does not fit. */
export class Trials {
  readonly problems: MapProblem[] = [];
  /** The names of the row's fields that functions read by name. */
  readonly rowNames: Set<string> = new Set();
  readonly #source: TrialsOptions["source"];
  readonly #results: TrialsOptions["results"];
  readonly #writtenNames: ReadonlySet<string>;

  constructor({ source, results, writtenNames }: TrialsOptions) {
    this.#source = source;
    this.#results = results;
    this.#writtenNames = new Set([...writtenNames, source.primaryKeyColumn]);
  }

  /** Runs a function once; `problemOf` judges what it gave, by that and by what it read. */
  try(
    { where, read, state, first, variant, isPaidFor, later }: Trial,
    problemOf: (value: unknown, reads: readonly Read[]) => Found | undefined,
  ): void {
    if (this.problems.some((problem) => problem.error.facts.where === where)) return;
    const reads: Read[] = [];
    const add = (status: MapProblem["status"], isThrow: boolean, error: MapError): void => {
      this.problems.push({ status, isPaidFor, isThrow, error });
    };
    let error: MapError | undefined;
    let isMade = true;
    try {
      const { value, isPassedOn } = resultOf(read, state, (found) => void reads.push(found));
      if (ignoreRejection(value)) {
        add("problem", false, new MapError(where, "returned a promise: do in a TransformStep what has to be awaited"));
      } else {
        const found = problemOf(value, reads);
        isMade = !isPassedOn;
        if (found !== undefined) error = new MapError(where, found.problem, { facts: found.facts });
      }
    } catch (cause) {
      const detail = `${where} threw ${textOf(cause)}`;
      error = new MapError(where, `threw ${nameOf(cause)}`, { cause, detail, facts: { thrown: nameOf(cause) } });
    }
    const isListed = reads.some(({ path, isListing }) => isListing === true && (path[0] ?? "raw") === "raw");
    for (const { path } of isListed ? [] : reads) {
      if (path[0] === "raw" && path[1] !== undefined) this.rowNames.add(path[1]);
    }
    const isOfResult = ({ path: [root, key = ""] }: Read): boolean => root === "processed" && key in this.#results;
    const unknown = reads.find((one) => {
      const name = one.path.at(-1) ?? "";
      if (one.others === undefined || (isProbed(name) && !isInSource(name, read))) return false;
      return !isOfResult(one) || closest(name, one.others, 1).length > 0; // other rows may have what this one lacks
    });
    if (unknown !== undefined) {
      const { schema, namesAreData } = this.#source;
      const isData = (name: string): boolean => {
        return schema === undefined && namesAreData === true && !this.#writtenNames.has(name);
      };
      const isWritten = (name: string): boolean => isInSource(name, read) || !isInRow(name, first);
      return add(
        isOfResult(unknown) ? "warning" : "problem",
        false,
        unknownPath({ where, read: unknown, later, isData, isWritten }),
      );
    }
    if (error === undefined || variant !== 0) return;
    const isMadeUp =
      first === undefined || reads.some(({ path: [root] }) => ["processed", "lineage", "item"].includes(root ?? ""));
    const isThrow = error.facts["thrown"] !== undefined;
    const isOfRow = !isMadeUp && this.#source.schema === undefined && reads.some(isOfTheRow);
    const mayDiffer = !isMade && (isOfRow || reads.some(isOfResult));
    add(isThrow ? (isMadeUp ? "warning" : "row") : mayDiffer ? "row" : "problem", isThrow, error);
  }
}

/** Parts of the state that are of one kind in each row. */
const ofRun: ReadonlySet<string> = new Set(["completedAt", "startedAt", "run"]);

function isOfTheRow({ path: [root = ""] }: Read): boolean {
  return !ofRun.has(root);
}

/** True if a function that read this gives the same for each row. */
export function isConstant(reads: readonly Read[]): boolean {
  return !reads.some(isOfTheRow);
}
