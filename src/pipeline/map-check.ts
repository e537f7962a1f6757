import type { ColumnLimit, Each, SinkSession } from "../contracts/sink.ts";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import type { AnyStep } from "../contracts/step.ts";
import { acceptRow } from "../engine/accept-row.ts";
import { type AnyState, GlobalState, type ItemState } from "../engine/state.ts";
import { describeType } from "../errors/describe-type.ts";
import { listNames } from "../errors/name-list.ts";
import { KeySet } from "../files/key-set.ts";
import { sampleOf } from "../json/sample.ts";
import { rowFields } from "../table/row-fields.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { type Found, isConstant, type MapProblem, type Trial, Trials, type Variant, variants } from "./trials.ts";
import { type MadeUp, stateOf } from "./tried-state.ts";
import { anything, shapeOf, shapeOfValue } from "./watched-state.ts";

interface Checked extends Pick<ResolvedPipeline, "source" | "steps" | "destinations"> {
  /** True where the first row need not have what others have: of a replay it is any of the source's. @default false */
  readonly isAnyRow?: boolean;
}
type Limits = Readonly<Record<string, ColumnLimit>>;

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
 * @param limits of the columns, by sink
 * @param results by output key what the steps without a schema made of the first row, as far as they ran
 */
export function checkMaps(
  pipeline: Checked,
  first: AnyState | undefined,
  limits: readonly Limits[],
  results: Readonly<Record<string, unknown>> = {},
): MapCheck {
  const { source } = pipeline;
  const look = new Trials({ source, results, writtenNames: new Set() });
  new Check({ pipeline, limits, results, trials: look }).run(first, 0);
  const trials = new Trials({ source, results, writtenNames: look.rowNames });
  const check = new Check({ pipeline, limits, results, trials });
  for (const variant of variants) check.run(first, variant);
  return trials;
}

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
  sessions: readonly Pick<SinkSession, "limits">[],
): Promise<boolean> {
  const first = await acceptAlone(row, source).catch(() => undefined); // why not, the run says
  const limits = sessions.map((session) => session.limits ?? {});
  for (const { status, isPaidFor, error } of checkMaps({ source, ...pipeline }, first, limits).problems) {
    const isEnd = status === "row" && isPaidFor && pipeline.settings.onRowError === "fail";
    if (status === "problem" || isEnd) throw error;
  }
  return first !== undefined || source.schema !== undefined;
}

interface CheckOptions {
  readonly pipeline: Checked;
  readonly limits: readonly Limits[];
  readonly results: Readonly<Record<string, unknown>>;
  readonly trials: Trials;
}

class Check {
  readonly #pipeline: Checked;
  readonly #limits: readonly Limits[];
  readonly #results: Readonly<Record<string, unknown>>;
  readonly #trials: Trials;

  constructor({ pipeline, limits, results, trials }: CheckOptions) {
    this.#pipeline = pipeline;
    this.#limits = limits;
    this.#results = results;
    this.#trials = trials;
  }

  run(first: AnyState | undefined, variant: Variant): void {
    const { steps, destinations } = this.#pipeline;
    const row = this.#rowOf(first, variant);
    const outputs = new Map<string, MadeUp>();
    let isPaidFor = false;
    for (const { step } of steps) {
      const state = stateOf(first, row, outputs);
      const later = laterKeys(steps, outputs);
      if (step.when !== undefined) {
        const trial = { where: `when of ${step.name}`, read: step.when, state, first, variant, isPaidFor, later };
        this.#trials.try(trial, (value) => {
          // A function is the stand-in for an output that no schema describes.
          if (typeof value === "boolean" || typeof value === "function") return undefined;
          return { problem: "returned a wrong value", facts: { expected: "true or false", got: describeType(value) } };
        });
      }
      if (typeof step.llmProvider === "function") {
        const names = Object.keys(step.llmProviders ?? {});
        const where = `llmProvider of ${step.name}`;
        this.#trials.try({ where, read: step.llmProvider, state, first, variant, isPaidFor, later }, (value) => {
          if (typeof value === "function" || names.some((name) => name === value)) return undefined;
          const got = typeof value === "string" ? "another name" : describeType(value);
          return { problem: "returned a wrong value", facts: { expected: `one of ${listNames(names)}`, got } };
        });
      }
      for (const [input, read] of Object.entries(step.inputMap ?? {})) {
        const where = `inputMap.${input} of ${step.name}`;
        this.#trials.try({ where, read, state, first, variant, isPaidFor, later }, (value) => {
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
    const completedAt = first?.startedAt ?? new Date(0);
    const common = { first, variant, isPaidFor, later: new Map() };
    for (const [place, { sink, each, label }] of destinations.entries()) {
      const of = label === undefined ? "" : ` of ${label}`;
      let item: MadeUp | undefined;
      if (each !== undefined) {
        const state = stateOf(first, row, outputs, { completedAt });
        item = this.#itemOf(each, { ...common, state }, of);
        const withItem = stateOf(first, row, outputs, { completedAt, item });
        const read = (tried: ItemState): unknown => each.key(tried.item as never, tried.index); // the builder's types have matched them
        this.#trials.try({ ...common, where: `each.key${of}`, read, state: withItem }, keyProblem);
      }
      const state = stateOf(first, row, outputs, { completedAt, item });
      for (const [column, read] of Object.entries(sink.columnMap)) {
        const isOfGroup = sink.groups?.groupKey.includes(column) === true;
        this.#trials.try({ ...common, where: `columnMap.${column}${of}`, read, state }, (value, reads) => {
          if (isOfGroup && reads.some(({ path: [root] }) => root !== "pk")) return groupKeyProblem(column);
          const isObject = typeof value === "object" && value !== null && !(value instanceof Date);
          if (value instanceof GlobalState || (!isObject && !isConstant(reads))) return undefined;
          const problem = this.#limits[place]?.[column]?.problemOf(value);
          return problem && { problem: `gives what the column can't hold: ${problem.message}`, facts: { column } };
        });
      }
    }
  }

  /** The first item that the row has, or one that is made up. */
  #itemOf({ items }: Each, trial: Omit<Trial, "where" | "read">, of: string): MadeUp {
    let item: MadeUp = { value: anything(), shape: undefined };
    this.#trials.try({ ...trial, where: `each.items${of}`, read: items }, (value, reads) => {
      if (typeof value === "function") return undefined; // the stand-in for an output that no schema describes
      if (!Array.isArray(value)) {
        const facts = { expected: "an array", got: describeType(value) };
        return { problem: "returned a wrong value", facts };
      }
      const isOfSchema = reads.some(({ path: [root, key = ""] }) => root === "processed" && !(key in this.#results));
      if (value.length > 0) item = { value: value[0], shape: isOfSchema ? shapeOfValue(value[0]) : undefined };
      return undefined;
    });
    return item;
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
}

function keyProblem(value: unknown): Found | undefined {
  if (["string", "number", "bigint", "function"].includes(typeof value)) return undefined;
  return { problem: "returned a wrong value", facts: { expected: "text or a number", got: describeType(value) } };
}

function groupKeyProblem(column: string): Found {
  const hint = "all items of a row, and a row without one, have the same group key: (s) => s.pk";
  return { problem: "reads more than the primary key", facts: { column, expected: "a function of s.pk alone", hint } };
}

function laterKeys(steps: Checked["steps"], outputs: ReadonlyMap<string, MadeUp>): ReadonlyMap<string, string> {
  const later = steps.filter(({ step }) => !outputs.has(step.outputKey));
  return new Map(later.map(({ step }) => [step.outputKey, step.name]));
}
