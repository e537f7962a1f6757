import type { ColumnLimit } from "../contracts/sink.ts";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import type { AnyStep } from "../contracts/step.ts";
import { acceptRow } from "../engine/accept-row.ts";
import { type AnyState, GlobalState } from "../engine/state.ts";
import { closest } from "../errors/closest.ts";
import { describeType } from "../errors/describe-type.ts";
import { nameOf, textOf } from "../errors/error-text.ts";
import { MapError } from "../errors/map.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { listNames } from "../errors/name-list.ts";
import { KeySet } from "../files/key-set.ts";
import { sampleOf } from "../json/sample.ts";
import { rowFields } from "../table/row-fields.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { isInRow, isInSource, unknownPath } from "./unknown-path.ts";
import { type MadeUp, resultOf, stateOf, type TriedState } from "./tried-state.ts";
import { anything, isProbed, type Read, shapeOf, shapeOfValue } from "./watched-state.ts";

interface Checked extends Pick<ResolvedPipeline, "source" | "steps" | "sink"> {
  /** True where the first row need not have what others have: of a replay it is any of the source's. @default false */
  readonly isAnyRow?: boolean;
}
type Limits = Readonly<Record<string, ColumnLimit>>;

/** A function that does not fit. `row`: the first row fails by it, and others may not. `warning`: it failed over made-up values. */
export interface MapProblem {
  readonly status: "problem" | "row" | "warning";
  /** True for a function of the column map, or of a step behind the first that asks a model: calls are paid before it runs. */
  readonly isPaidFor: boolean;
  readonly isThrow: boolean;
  readonly error: MapError;
}

export interface MapCheck {
  readonly problems: readonly MapProblem[];
  /** The names of the row's fields that functions read by name: someone wrote them. */
  readonly rowNames: ReadonlySet<string>;
}

/**
 * Runs the functions of all input maps and of the column map over the first row, or over a made-up one where there is none, with outputs made
 * up by the steps' schemas. No step runs.
 *
 * A problem: a read of what neither the row nor a schema has; a value of a kind that its column never holds, or the same for each row that it does
 * not hold; a promise.
 *
 * @param results by output key what the steps without a schema made of the first row, as far as they ran
 */
export function checkMaps(
  pipeline: Checked,
  first: AnyState | undefined,
  limits: Limits,
  results: Readonly<Record<string, unknown>> = {},
): MapCheck {
  const look = new Check({ pipeline, limits, results, writtenNames: new Set() });
  look.run(first, 0);
  const check = new Check({ pipeline, limits, results, writtenNames: look.rowNames });
  for (const variant of variants) check.run(first, variant);
  return { problems: check.problems, rowNames: check.rowNames };
}

/** The first is judged by all that happens; of the others, which take other ways through the functions, only by what is read. */
const variants = [0, 1, 2, 3, 4, 5, 6, 7, "null"] as const;
type Variant = (typeof variants)[number];

/** Accepts a row as a run does, outside of one. */
export async function acceptAlone(row: SourceRow, source: AnySource): Promise<AnyState> {
  const seen = new KeySet();
  try {
    return await acceptRow(row, source, seen, { pk: null });
  } finally {
    seen.close();
  }
}

/**
 * Runs {@link checkMaps} for a run that is about to accept a row. Resolves to false where the row is wrong, and nothing else says what rows have:
 * then the next one is to be looked at.
 *
 * @throws {MapError} the first problem; with `onRowError: "fail"` also a function that throws over the first row
 */
export async function requireMaps(
  { source, ...pipeline }: Checked & Pick<ResolvedPipeline, "settings">,
  row: SourceRow,
  limits: Limits,
): Promise<boolean> {
  const first = await acceptAlone(row, source).catch(() => undefined); // why not, the run says
  for (const { status, isPaidFor, error } of checkMaps({ source, ...pipeline }, first, limits).problems) {
    const isEnd = status === "row" && isPaidFor && pipeline.settings.onRowError === "fail";
    if (status === "problem" || isEnd) throw error;
  }
  return first !== undefined || source.schema !== undefined;
}

interface CheckOptions {
  readonly pipeline: Checked;
  readonly limits: Limits;
  readonly results: Readonly<Record<string, unknown>>;
  /** Names of the row's fields that are written in the pipeline. */
  readonly writtenNames: ReadonlySet<string>;
}

class Check {
  readonly problems: MapProblem[] = [];
  readonly rowNames = new Set<string>();
  readonly #pipeline: Checked;
  readonly #limits: Limits;
  readonly #results: Readonly<Record<string, unknown>>;
  readonly #writtenNames: ReadonlySet<string>;

  constructor({ pipeline, limits, results, writtenNames }: CheckOptions) {
    this.#pipeline = pipeline;
    this.#limits = limits;
    this.#results = results;
    this.#writtenNames = new Set([...writtenNames, pipeline.source.primaryKeyColumn]);
  }

  run(first: AnyState | undefined, variant: Variant): void {
    const { steps, sink } = this.#pipeline;
    const row = this.#rowOf(first, variant);
    const outputs = new Map<string, MadeUp>();
    let isPaidFor = false;
    for (const { step } of steps) {
      const state = stateOf(first, row, outputs);
      const later = laterKeys(steps, outputs);
      if (step.when !== undefined) {
        const trial = { where: `when of ${step.name}`, read: step.when, state, first, variant, isPaidFor, later };
        this.#try(trial, (value) => {
          // A function is the stand-in for an output that no schema describes.
          if (typeof value === "boolean" || typeof value === "function") return undefined;
          return { problem: "returned a wrong value", facts: { expected: "true or false", got: describeType(value) } };
        });
      }
      if (typeof step.llmProvider === "function") {
        const names = Object.keys(step.llmProviders ?? {});
        const where = `llmProvider of ${step.name}`;
        this.#try({ where, read: step.llmProvider, state, first, variant, isPaidFor, later }, (value) => {
          if (typeof value === "function" || names.some((name) => name === value)) return undefined;
          const got = typeof value === "string" ? "another name" : describeType(value);
          return { problem: "returned a wrong value", facts: { expected: `one of ${listNames(names)}`, got } };
        });
      }
      for (const [input, read] of Object.entries(step.inputMap ?? {})) {
        const where = `inputMap.${input} of ${step.name}`;
        this.#try({ where, read, state, first, variant, isPaidFor, later }, (value) => {
          if (value instanceof Date || typeof value !== "object" || value === null) return undefined;
          return {
            problem: "returned a wrong value",
            facts: { expected: "text, a number, a date or NULL", got: describeType(value) },
          };
        });
      }
      outputs.set(step.outputKey, this.#outputOf(step, variant));
      isPaidFor ||= step.outputSchema !== undefined;
    }
    const state = stateOf(first, row, outputs, first?.startedAt ?? new Date(0));
    for (const [column, read] of Object.entries(sink.columnMap)) {
      const where = `columnMap.${column}`;
      this.#try({ where, read, state, first, variant, isPaidFor, later: new Map() }, (value, isConstant) => {
        const isObject = typeof value === "object" && value !== null && !(value instanceof Date);
        if (value instanceof GlobalState || (!isObject && !isConstant)) return undefined;
        const problem = this.#limits[column]?.problemOf(value);
        return problem && { problem: `gives what the column can't hold: ${problem.message}`, facts: { column } };
      });
    }
  }

  /** The row as it is, with the names that its schema knows; without one, those that it has. */
  #rowOf(first: AnyState | undefined, variant: Variant): MadeUp {
    const { schema } = this.#pipeline.source;
    const fields = schema === undefined ? undefined : rowFields(schema);
    if (fields !== undefined) {
      const value = variant === 0 && first !== undefined ? first.raw : sampleOf(fields, { unknown: anything, variant });
      return { value, shape: shapeOf(fields) };
    }
    if (first === undefined) return { value: anything(), shape: undefined };
    const isLikeAll = schema === undefined && this.#pipeline.isAnyRow !== true;
    return { value: first.raw, shape: isLikeAll ? shapeOfValue(first.raw) : undefined };
  }

  #outputOf({ outputKey, outputSchema, outputFields = outputSchema, when }: AnyStep, variant: Variant): MadeUp {
    const isAsked = outputSchema !== undefined;
    if (when !== undefined && variant === "null") return { value: null, shape: undefined, isAsked };
    if (outputFields !== undefined) {
      return { value: sampleOf(outputFields, { unknown: anything, variant }), shape: shapeOf(outputFields), isAsked };
    }
    const isKnown = variant === 0 && Object.hasOwn(this.#results, outputKey);
    const value = isKnown ? this.#results[outputKey] : anything();
    return { value, shape: isKnown ? shapeOfValue(value) : undefined };
  }

  #try(
    { where, read, state, first, variant, isPaidFor, later }: Trial,
    problemOf: (value: unknown, isConstant: boolean) => { problem: string; facts: Record<string, string> } | undefined,
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
        const isConstant = reads.every(({ path: [root = ""] }) => ofRun.has(root));
        const found = problemOf(value, isConstant);
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
      const { schema, namesAreData } = this.#pipeline.source;
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
      first === undefined || reads.some(({ path: [root] }) => root === "processed" || root === "lineage");
    const isThrow = error.facts["thrown"] !== undefined;
    const isOfRow = !isMadeUp && this.#pipeline.source.schema === undefined && reads.some(isOfTheRow);
    const mayDiffer = !isMade && (isOfRow || reads.some(isOfResult));
    add(isThrow ? (isMadeUp ? "warning" : "row") : mayDiffer ? "row" : "problem", isThrow, error);
  }
}

/** Parts of the state that are of one kind in each row. */
const ofRun: ReadonlySet<string> = new Set(["completedAt", "startedAt", "run"]);

function isOfTheRow({ path: [root = ""] }: Read): boolean {
  return !ofRun.has(root);
}

interface Trial {
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

function laterKeys(steps: Checked["steps"], outputs: ReadonlyMap<string, MadeUp>): ReadonlyMap<string, string> {
  const later = steps.filter(({ step }) => !outputs.has(step.outputKey));
  return new Map(later.map(({ step }) => [step.outputKey, step.name]));
}
