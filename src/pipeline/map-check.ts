import type { ColumnLimit } from "../contracts/sink.ts";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import type { AnyStep } from "../contracts/step.ts";
import { acceptRow } from "../engine/accept-row.ts";
import { type AnyState, GlobalState, SinkState } from "../engine/state.ts";
import { closest, isTypingMistake } from "../errors/closest.ts";
import { describeType } from "../errors/describe-type.ts";
import { nameOf, textOf } from "../errors/error-text.ts";
import { MapError } from "../errors/map.ts";
import { listNames } from "../errors/name-list.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { KeySet } from "../files/key-set.ts";
import { toJSONValue } from "../json/json.ts";
import { sampleOf } from "../json/sample.ts";
import { rowFields } from "../table/row-fields.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { anything, type Read, type Shape, shapeOf, shapeOfFields, unwatched, watched } from "./watched-state.ts";

type Checked = Pick<ResolvedPipeline, "source" | "steps" | "sink">;
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
 * A problem: a read of what neither the row nor a schema has; a value of a kind that its column never holds; a promise.
 */
export function checkMaps(pipeline: Checked, first: AnyState | undefined, limits: Limits): MapCheck {
  const look = new Check(pipeline, limits, new Set());
  look.run(first, 0);
  const check = new Check(pipeline, limits, look.rowNames);
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
 * Runs {@link checkMaps} for a run that is about to accept its first row.
 *
 * @throws {MapError} the first problem; with `onRowError: "fail"` also a function that throws over the first row
 */
export async function requireMaps(
  { source, ...pipeline }: Checked & Pick<ResolvedPipeline, "settings">,
  row: SourceRow,
  limits: Limits,
): Promise<void> {
  const first = await acceptAlone(row, source).catch(() => undefined); // why not, the run says
  for (const { status, isPaidFor, error } of checkMaps({ source, ...pipeline }, first, limits).problems) {
    const isEnd = status === "row" && isPaidFor && pipeline.settings.onRowError === "fail";
    if (status === "problem" || isEnd) throw error;
  }
}

const lineage = { model: "x", promptHash: "x", inputTokens: 1, cachedTokens: 1, outputTokens: 1, calls: 1 };
const lineageShape = shapeOfFields(Object.fromEntries(Object.keys(lineage).map((name) => [name, undefined])));

interface MadeUp {
  readonly value: unknown;
  readonly shape: Shape;
}

class Check {
  readonly problems: MapProblem[] = [];
  readonly rowNames = new Set<string>();
  readonly #pipeline: Checked;
  readonly #limits: Limits;
  /** Names of the row's fields that are written in the pipeline. */
  readonly #writtenNames: ReadonlySet<string>;

  constructor(pipeline: Checked, limits: Limits, writtenNames: ReadonlySet<string>) {
    this.#pipeline = pipeline;
    this.#limits = limits;
    this.#writtenNames = new Set([...writtenNames, pipeline.source.primaryKeyColumn]);
  }

  run(first: AnyState | undefined, variant: Variant): void {
    const { steps, sink } = this.#pipeline;
    const row = this.#rowOf(first, variant);
    const outputs = new Map<string, MadeUp>();
    let isPaidFor = false;
    for (const { step } of steps) {
      const state = stateOf(first, row, outputs);
      for (const [input, read] of Object.entries(step.inputMap ?? {})) {
        const where = `inputMap.${input} of ${step.name}`;
        const later = laterKeys(steps, outputs);
        this.#try({ where, read, state, first, variant, isPaidFor, later }, (value) => {
          if (value instanceof Date || typeof value !== "object" || value === null) return undefined;
          return {
            problem: "returned a wrong value",
            facts: { expected: "text, a number, a date or NULL", got: describeType(value) },
          };
        });
      }
      outputs.set(step.outputKey, madeUpBy(step, variant));
      isPaidFor ||= step.outputSchema !== undefined;
    }
    const state = stateOf(first, row, outputs, new Date(0));
    for (const [column, read] of Object.entries(sink.columnMap)) {
      const where = `columnMap.${column}`;
      this.#try({ where, read, state, first, variant, isPaidFor, later: new Map() }, (value) => {
        if (typeof value !== "object" || value === null || value instanceof Date || value instanceof GlobalState)
          return undefined;
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
    const names = Object.keys(first.raw).map((name) => [name, undefined] as const);
    return { value: first.raw, shape: schema === undefined ? shapeOfFields(Object.fromEntries(names)) : undefined };
  }

  #try(
    { where, read, state, first, variant, isPaidFor, later }: Trial,
    problemOf: (value: unknown) => { problem: string; facts: Record<string, string> } | undefined,
  ): void {
    if (this.problems.some((problem) => problem.error.facts.where === where)) return;
    const reads: Read[] = [];
    const add = (status: MapProblem["status"], isThrow: boolean, error: MapError): void => {
      this.problems.push({ status, isPaidFor, isThrow, error });
    };
    let error: MapError | undefined;
    try {
      const value = unwatched(read(state((found) => void reads.push(found)) as never)); // it stands for any state
      if (ignoreRejection(value)) {
        add("problem", false, new MapError(where, "returned a promise: do in a TransformStep what has to be awaited"));
      } else {
        const found = problemOf(value);
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
    const unknown = reads.find(({ others }) => others !== undefined);
    if (unknown !== undefined) {
      const { schema, namesAreData } = this.#pipeline.source;
      const isData = (name: string): boolean => {
        return schema === undefined && namesAreData === true && !this.#writtenNames.has(name);
      };
      const isWritten = (name: string): boolean => isInSource(name, read) || !isInRow(name, first);
      return add("problem", false, unknownPath({ where, read: unknown, later, isData, isWritten }));
    }
    if (error === undefined || variant !== 0) return;
    const isMadeUp =
      first === undefined || reads.some(({ path: [root] }) => root === "processed" || root === "lineage");
    const isThrow = error.facts["thrown"] !== undefined;
    const isOfSchema = isMadeUp || this.#pipeline.source.schema !== undefined;
    add(isThrow ? (isMadeUp ? "warning" : "row") : isOfSchema ? "problem" : "row", isThrow, error);
  }
}

interface Trial {
  /** Names the function. */
  readonly where: string;
  readonly read: (state: never) => unknown;
  /** Makes the state that it is given. */
  readonly state: (onRead: (read: Read) => void) => unknown;
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

function madeUpBy({ outputSchema, outputFields = outputSchema }: AnyStep, variant: Variant): MadeUp {
  if (outputFields === undefined) return { value: anything(), shape: undefined };
  return { value: sampleOf(outputFields, { unknown: anything, variant }), shape: shapeOf(outputFields) };
}

/** The state of a row, with these outputs; with `completedAt`, as the column map sees it. */
function stateOf(first: AnyState | undefined, row: MadeUp, outputs: ReadonlyMap<string, MadeUp>, completedAt?: Date) {
  const keys = [...outputs.keys()];
  const made = (of: (output: MadeUp) => unknown): Record<string, unknown> => {
    return Object.fromEntries([...outputs].map(([key, output]) => [key, of(output)]));
  };
  const given = new GlobalState<object, Readonly<Record<string, unknown>>>({
    pk: first?.pk ?? "1",
    raw: row.value as object, // of a schema that is no object's nothing is known
    processed: made(({ value }) => value),
    log: [],
    startedAt: first?.startedAt ?? new Date(0),
  });
  const lineages = Object.fromEntries(keys.map((key) => [key, lineage]));
  const facts = { run: { id: "00000000-0000-4000-8000-000000000000" }, lineage: lineages };
  const state = completedAt === undefined ? given : new SinkState(given, { ...facts, completedAt });
  const shape = shapeOfFields({
    pk: undefined,
    raw: row.shape,
    log: undefined,
    startedAt: undefined,
    processed: shapeOfFields(made(({ shape: of }) => of) as Record<string, Shape>), // as `made` is given it
    ...(completedAt !== undefined && {
      completedAt: undefined,
      run: shapeOfFields({ id: undefined }),
      lineage: shapeOfFields(Object.fromEntries(keys.map((key) => [key, lineageShape]))),
    }),
  });
  return (onRead: (read: Read) => void): unknown => watched(state, shape, onRead);
}

interface UnknownRead {
  readonly where: string;
  readonly read: Read;
  /** By output key, the steps that come later. */
  readonly later: ReadonlyMap<string, string>;
  /** True for the name of a field of the row that is content. */
  readonly isData: (name: string) => boolean;
  /** True for a name that someone wrote: one that a function makes of the row is content. */
  readonly isWritten: (name: string) => boolean;
}

function unknownPath({ where, read: { path, others = [] }, later, isData, isWritten }: UnknownRead): MapError {
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

function isInSource(name: string, read: (state: never) => unknown): boolean {
  return Function.prototype.toString.call(read).includes(name);
}

function isInRow(name: string, first: AnyState | undefined): boolean {
  const row = JSON.stringify(toJSONValue(first?.raw ?? {})) ?? "";
  return row.toLowerCase().includes(JSON.stringify(name).slice(1, -1).toLowerCase());
}
