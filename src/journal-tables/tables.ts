/** `bytes`, a text, a whole number, or JSON text. Times are whole numbers: milliseconds since 1970. */
export type ColumnKind = "bytes" | "text" | "whole" | "json";

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

/** Each has a column `number` besides, which rises with each line that is added. */
export const tables = {
  pipelines: table("pipelines", ["name"], {
    name: "text",
    epoch: "whole",
    run_id: "text",
    holder: "text",
    lock_name: "text",
  }),
  /** The number of each session's last save makes one that is repeated harmless. */
  sessions: table("sessions", ["session"], { session: "text", pipeline: "text", last_save: "whole" }),
  answers: table("answers", ["fingerprint"], {
    fingerprint: "bytes",
    text: "text",
    finish_reason: "text",
    model: "text",
    usage: "json",
    run_id: "text",
  }),
  rows: table("rows", ["sink", "row_key"], {
    sink: "bytes",
    row_key: "bytes",
    pk: "text",
    outcome: "text",
    run_id: "text",
    error_code: "text",
    target_hash: "bytes",
    target_key: "text",
    values_hash: "bytes",
    started_at: "whole",
    completed_at: "whole",
    lineage: "json",
    fingerprints: "bytes",
  }),
  failures: table("failures", [], {
    run_id: "text",
    position: "whole",
    pk: "text",
    owns_key: "whole",
    step: "text",
    error_code: "text",
    error_message: "text",
    retry_count: "whole",
    failed_at: "whole",
  }),
  runs: table("run_records", ["run_id"], { run_id: "text", pipeline: "text", started_at: "whole", record: "json" }),
  answeredPrompts: table("answered_prompts", ["pipeline", "step", "prompt_hash"], {
    pipeline: "text",
    step: "text",
    prompt_hash: "text",
  }),
  runRows: table("run_rows", [], { run_id: "text", marks: "text", block: "bytes" }),
  attempts: table("attempts", [], { run_id: "text", row_key: "bytes", record: "text" }),
  /** By session: `place` is the time and the session. */
  timeSlices: table("time_slices", ["run_id", "place"], { run_id: "text", place: "text", record: "text" }),
  valueCounts: table("value_counts", ["run_id", "place"], { run_id: "text", place: "text", record: "text" }),
  work: table("submitted_work", ["id"], { id: "text", record: "text" }),
  workFingerprints: table("submitted_fingerprints", ["fingerprint"], { fingerprint: "bytes", work: "text" }),
  watermarks: table("watermarks", ["pipeline", "name"], { pipeline: "text", name: "text", record: "text" }),
  evaluations: table("evaluations", ["id"], { id: "text", pipeline: "text", record: "text" }),
  overrides: table("overrides", ["pipeline", "step", "input_hash"], {
    pipeline: "text",
    step: "text",
    input_hash: "text",
    record: "text",
  }),
  leases: table("leases", ["run_id", "range"], { run_id: "text", range: "text", record: "text" }),
} as const satisfies Readonly<Record<string, Table>>;

/** Besides the keys: what pages and saves look for. */
export const indexes: readonly (readonly [Table, readonly string[]])[] = [
  [tables.rows, ["sink", "target_hash"]],
  [tables.failures, ["run_id", "number"]],
  [tables.runRows, ["run_id", "number"]],
  [tables.attempts, ["run_id", "row_key", "number"]],
  [tables.workFingerprints, ["work", "fingerprint"]],
];

/** Of the format. A journal says in a table `journal_version` which it has. */
export const newestVersion = 1;
