/**
 * A text, one by which lines are found (`name`), a whole number, JSON text, or bytes: 16 of them (`hash`), 32 (`fingerprint`) or any. Times are
 * whole numbers: milliseconds since 1970.
 */
export type ColumnKind = "text" | "name" | "whole" | "json" | "bytes" | "hash" | "fingerprint";

export function isBytes(kind: ColumnKind): boolean {
  return kind === "bytes" || kind === "hash" || kind === "fingerprint";
}

/** Of any length, and never what lines are found by. */
export function isLong(kind: ColumnKind): boolean {
  return kind === "text" || kind === "json";
}

/** Text stands for itself, bytes are hexadecimal digits: databases and drivers agree on both. */
export type Cell = string | number | null;
export type Line = Readonly<Record<string, Cell>>;

/** A table of a journal in a database. Those without a key are only added to. */
export interface Table {
  readonly name: string;
  readonly columns: Readonly<Record<string, ColumnKind>>;
  readonly key: readonly string[];
}

function table<const Columns extends Readonly<Record<string, ColumnKind>>>(
  name: string,
  key: readonly (keyof Columns & string)[],
  columns: Columns,
): Table {
  return { name, key, columns };
}

type TableName =
  | "pipelines"
  | "sessions"
  | "answers"
  | "rows"
  | "children"
  | "failures"
  | "runs"
  | "answeredPrompts"
  | "runRows"
  | "attempts"
  | "timeSlices"
  | "valueCounts"
  | "work"
  | "workFingerprints"
  | "watermarks"
  | "evaluations"
  | "overrides"
  | "leases"
  | "purse"
  | "spending"
  | "reservations";

/** Each has a column `number` besides, which rises with each line that is added. */
export const tables: Readonly<Record<TableName, Table>> = {
  pipelines: table("pipelines", ["name"], {
    name: "name",
    epoch: "whole",
    run_id: "text",
    holder: "text",
    lock_name: "name",
  }),
  /** The number of each session's last save makes one that is repeated harmless. */
  sessions: table("sessions", ["session"], { session: "name", pipeline: "name", last_save: "whole" }),
  answers: table("answers", ["fingerprint"], {
    fingerprint: "fingerprint",
    text: "text",
    finish_reason: "text",
    model: "text",
    usage: "json",
    run_id: "text",
  }),
  rows: table("rows", ["sink", "row_key"], {
    sink: "hash",
    row_key: "hash",
    pk: "text",
    outcome: "text",
    run_id: "text",
    error_code: "text",
    target_hash: "hash",
    target_key: "text",
    values_hash: "bytes",
    started_at: "whole",
    completed_at: "whole",
    lineage: "json",
    fingerprints: "bytes",
  }),
  /** The rows of a target that a row has there, where it may have several: a JSON array of texts. */
  children: table("children", ["sink", "row_key"], { sink: "hash", row_key: "hash", pk: "text", children: "json" }),
  failures: table("failures", [], {
    run_id: "name",
    position: "whole",
    pk: "text",
    owns_key: "whole",
    step: "text",
    error_code: "text",
    error_message: "text",
    retry_count: "whole",
    failed_at: "whole",
  }),
  runs: table("run_records", ["run_id"], { run_id: "name", pipeline: "name", started_at: "whole", record: "json" }),
  answeredPrompts: table("answered_prompts", ["pipeline", "step", "prompt_hash"], {
    pipeline: "name",
    step: "name",
    prompt_hash: "name",
  }),
  runRows: table("run_rows", [], { run_id: "name", marks: "text", block: "bytes" }),
  attempts: table("attempts", [], { run_id: "name", row_key: "hash", record: "text" }),
  /** By session: `place` is the time and the session. */
  timeSlices: table("time_slices", ["run_id", "place"], { run_id: "name", place: "name", record: "text" }),
  valueCounts: table("value_counts", ["run_id", "place"], { run_id: "name", place: "name", record: "text" }),
  work: table("submitted_work", ["id"], { id: "name", record: "text" }),
  workFingerprints: table("submitted_fingerprints", ["fingerprint"], { fingerprint: "fingerprint", work: "name" }),
  watermarks: table("watermarks", ["pipeline", "name"], { pipeline: "name", name: "name", record: "text" }),
  evaluations: table("evaluations", ["id"], { id: "name", pipeline: "name", record: "text" }),
  overrides: table("overrides", ["pipeline", "step", "input_hash"], {
    pipeline: "name",
    step: "name",
    input_hash: "name",
    record: "text",
  }),
  leases: table("leases", ["run_id", "range"], { run_id: "name", range: "name", record: "text" }),
  /** One line: whoever changes what is spent or reserved has it locked. */
  purse: table("purse", ["name"], { name: "name", changed_at: "whole" }),
  /** Money of runs with a budget, in billionths of a unit of its currency, by quarter of an hour. */
  spending: table("spending", ["currency", "starts_at", "pipeline"], {
    currency: "name",
    starts_at: "whole",
    pipeline: "name",
    settled: "whole",
  }),
  /** Of calls whose cost is not known yet. */
  reservations: table("reservations", ["id"], {
    id: "name",
    pipeline: "name",
    run_id: "name",
    currency: "name",
    reserved_at: "whole",
    amount: "whole",
    fingerprint: "fingerprint",
  }),
};

/** Besides the keys: what pages and saves look for. */
export const indexes: readonly (readonly [Table, readonly string[]])[] = [
  [tables.rows, ["sink", "target_hash"]],
  [tables.failures, ["run_id", "number"]],
  [tables.runRows, ["run_id", "number"]],
  [tables.attempts, ["run_id", "row_key", "number"]],
  [tables.workFingerprints, ["work", "fingerprint"]],
  [tables.reservations, ["currency", "reserved_at"]],
];

/** Of the format. A journal says in a table `journal_version` which it has. */
export const newestVersion = 2;
