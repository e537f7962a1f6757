import { type AnyState, GlobalState, ItemState, SinkState } from "../engine/state.ts";
import { type Read, type Shape, shapeOfFields, unwatched, unwatchedCopy, watched } from "./watched-state.ts";

const lineage = { model: "x", promptHash: "x", inputTokens: 1, cachedTokens: 1, outputTokens: 1, calls: 1 };
const lineageShape = shapeOfFields(Object.fromEntries(Object.keys(lineage).map((name) => [name, undefined])));

/** A row or an output, and what it may have. */
export interface MadeUp {
  readonly value: unknown;
  readonly shape: Shape;
  /** True for an output that a model is asked for. */
  readonly isAsked?: boolean;
}

/** A state that functions are tried on. */
export interface TriedState {
  readonly value: object;
  readonly shape: Shape;
}

/**
 * The result of a function over the state, which it is given to watch its reads; over a copy where it can't do with that. `isPassedOn`: it is an
 * object of the state.
 */
export function resultOf(
  read: (state: never) => unknown,
  { value, shape }: TriedState,
  onRead: (read: Read) => void,
): { readonly value: unknown; readonly isPassedOn: boolean } {
  try {
    const result = read(watched(value, shape, onRead) as never); // it stands for any state
    const original = unwatched(result);
    return { value: original, isPassedOn: original !== result };
  } catch {
    return { value: read(unwatchedCopy(value) as never), isPassedOn: true }; // so does this one; what it gave is not known
  }
}

/** All that the column map sees besides what steps see. */
export interface Completed {
  readonly completedAt: Date;
  /** An item of the row, behind `each`. */
  readonly item?: MadeUp | undefined;
}

/** The state of a row, with these outputs; with `completed`, as the column map sees it. */
export function stateOf(
  first: AnyState | undefined,
  row: MadeUp,
  outputs: ReadonlyMap<string, MadeUp>,
  completed?: Completed,
): TriedState {
  const keys = [...outputs.keys()];
  const made = (of: (output: MadeUp) => unknown): Record<string, unknown> => {
    return Object.fromEntries([...outputs].map(([key, output]) => [key, of(output)]));
  };
  const given = new GlobalState<object, Readonly<Record<string, unknown>>>({
    pk: first?.pk ?? "1",
    raw: row.value as object, // of a schema that is no object's nothing is known
    processed: Object.freeze(made(({ value }) => value)),
    log: [],
    startedAt: first?.startedAt ?? new Date(0),
  });
  const lineages = Object.fromEntries(
    [...outputs].map(([key, { isAsked = false }]) => [key, isAsked ? lineage : null]),
  );
  const facts = { run: { id: "00000000-0000-4000-8000-000000000000" }, lineage: lineages };
  const { completedAt, item } = completed ?? {};
  const finished = completedAt && new SinkState(given, { ...facts, completedAt });
  const value = finished && item !== undefined ? new ItemState(finished, item.value, 0) : (finished ?? given);
  const shape = shapeOfFields({
    pk: undefined,
    raw: row.shape,
    log: undefined,
    startedAt: undefined,
    processed: shapeOfFields(made(({ shape: of }) => of) as Record<string, Shape>), // as `made` is given it
    ...(item !== undefined && { item: item.shape, index: undefined }),
    ...(completedAt !== undefined && {
      completedAt: undefined,
      run: shapeOfFields({ id: undefined }),
      lineage: shapeOfFields(Object.fromEntries(keys.map((key) => [key, lineageShape]))),
    }),
  });
  return { value, shape };
}
