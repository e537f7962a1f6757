import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type ColumnLimit,
  type ColumnMap,
  type GlobalState,
  type Lineage,
  type Pipeline,
  type RunnablePipeline,
  type Sink,
  type SinkState,
  type Step,
} from "../../src/index.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink } from "../../src/testing/index.ts";

/** The row of a case. The fields other than `text` are there for the cases that show them to the model. */
export interface Row {
  readonly id: string;
  readonly text: string;
  readonly context?: string | null;
  readonly amount?: number;
  readonly account?: bigint;
  readonly isUrgent?: boolean;
  readonly at?: Date;
}

export type RowState = GlobalState<Row>;
export type Finished<Out> = SinkState<Row, { readonly output: Out }>;

/** One scripted answer of a service; a plain text or an object ends as it should. */
export type Answer = string | { readonly json: unknown } | { readonly text: string; readonly cutOff: true };

/** A pipeline that is ready to run, and what its sink has. */
export interface Built {
  readonly pipeline: RunnablePipeline;
  readonly rows: () => readonly unknown[];
  readonly close?: () => Promise<void>;
}

/** One row that goes through one step, with the answers that its service gives. */
export interface GoldenCase {
  readonly name: string;
  readonly row: Row;
  readonly answers: readonly Answer[];
  /** The pipeline's name, which is part of the cache key. */
  readonly pipelineName: string;
  /** Every service gets the case; the other cases go to one service for each provider and dialect. */
  readonly isForAll: boolean;
  /** The row is not run but asked about by `check` with `ping`, whose requests the journal does not keep. */
  readonly isPing: boolean;
  /** `folder` is for files of the sink. */
  readonly build: (pipeline: Pipeline<Row>, folder: string) => Built | Promise<Built>;
}

export type Given = Pick<GoldenCase, "name" | "answers"> &
  Partial<Pick<GoldenCase, "pipelineName" | "isForAll" | "isPing">> & { readonly row?: Partial<Row> };

export type OutputStep<Out> = Step<RowState, "output", Out>;

/** A case whose sink limits nothing. */
export function goldenCase<Out>(given: Given, step: OutputStep<Out>): GoldenCase {
  return complete(given, (pipeline) => {
    const sink = memorySink<Out>({ output: (s) => s.processed.output });
    return { pipeline: pipeline.step(step).to(sink), rows: () => sink.rows };
  });
}

/** A case whose SQLite table limits what the step may answer. */
export function sqliteCase<Out>(
  given: Given,
  step: OutputStep<Out>,
  { columns, columnMap }: { readonly columns: string; readonly columnMap: ColumnMap<Finished<Out>> },
): GoldenCase {
  return complete(given, (pipeline, folder) => {
    const databasePath = join(folder, "target.db");
    const database = new DatabaseSync(databasePath);
    database.exec(`CREATE TABLE target (id TEXT PRIMARY KEY, prompt_hash TEXT, ${columns})`);
    database.close();
    const sink = new SQLiteSink<Finished<Out>>({
      databasePath,
      targetTable: "target",
      mergeKeys: ["id"],
      columnMap: { id: (s) => s.pk, prompt_hash: promptHashOf, ...columnMap },
      coerce: true, // as 0.1 did
    });
    const rows = (): readonly unknown[] => {
      const reader = new DatabaseSync(databasePath, { readOnly: true });
      try {
        return reader.prepare("SELECT * FROM target").all();
      } finally {
        reader.close();
      }
    };
    return { pipeline: pipeline.step(step).to(unawareOfLists(sink)), rows };
  });
}

/** A run finds a list for a column of text before its first call, by made-up ones. These files freeze what 0.1 said of it to a model. */
function unawareOfLists<State>(sink: Sink<State>): Sink<State> {
  const open: Sink<State>["open"] = async (context) => {
    const session = await sink.open(context);
    const limits = Object.entries(session.limits ?? {}).map(([column, limit]): [string, ColumnLimit] => {
      const problemOf: ColumnLimit["problemOf"] = (value) => {
        return Array.isArray(value) && value[0] !== "a" ? undefined : limit.problemOf(value);
      };
      return [column, { ...limit, problemOf }];
    });
    return { ...session, limits: Object.fromEntries(limits) };
  };
  return { ...sink, open };
}

/** A case whose sink, one of the user's own, limits the numbers that the step may answer. */
export function ownSinkCase<Out>(
  given: Given,
  step: OutputStep<Out>,
  {
    columnMap,
    limits,
  }: {
    readonly columnMap: ColumnMap<Finished<Out>>;
    readonly limits: Readonly<Record<string, { readonly minimum?: number; readonly maximum?: number }>>;
  },
): GoldenCase {
  return complete(given, (pipeline) => {
    const memory = memorySink<Out>(columnMap);
    const sink: Sink<Finished<Out>> = {
      name: "own",
      identity: "own",
      keepsRows: false,
      columnMap: memory.columnMap,
      open: async (context) => ({
        ...(await memory.open(context)),
        limits: Object.fromEntries(Object.entries(limits).map(([column, schema]) => [column, numberLimit(schema)])),
      }),
    };
    return { pipeline: pipeline.step(step).to(sink), rows: () => memory.rows };
  });
}

function numberLimit(schema: { readonly minimum?: number; readonly maximum?: number }) {
  const { minimum = -Infinity, maximum = Infinity } = schema;
  return {
    schema,
    problemOf: (value: unknown) => {
      if (typeof value !== "number" || (value >= minimum && value <= maximum)) return undefined;
      const message = `the column holds ${minimum} to ${maximum}`;
      return { message, detail: `${message}, got ${value}` };
    },
  };
}

/** A case with a sink that needs a server of its own. */
export function complete(given: Given, build: GoldenCase["build"]): GoldenCase {
  const { name, answers, pipelineName = "golden", isForAll = false, isPing = false, row = {} } = given;
  const whole = { id: "r1", text: "A card was lost in Rome.", ...row };
  return { name, answers, pipelineName, isForAll, isPing, row: whole, build };
}

function memorySink<Out>(columnMap: ColumnMap<Finished<Out>>): MemorySink<Finished<Out>, string> {
  return new MemorySink<Finished<Out>, string>({ columnMap: { prompt_hash: promptHashOf, ...columnMap } });
}

export function promptHashOf(state: { readonly lineage: { readonly output: Lineage | null } }): unknown {
  return state.lineage.output?.promptHash;
}

/** One request, as it goes to the model. */
export interface Sent {
  /** A body with its fields in the order in which they are sent. */
  readonly body: unknown;
  /** Method, path and headers of an HTTP request. */
  readonly envelope?: { readonly target: string; readonly headers: Readonly<Record<string, string>> };
  /** The answer, where it is not the script's. */
  readonly answer?: string;
}
