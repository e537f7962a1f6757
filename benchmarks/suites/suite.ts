import type { ToolName } from "../tools/list.ts";
import type { Questions } from "../workload/task.ts";

/** What a suite measured, as it stands in its JSON file, on the terminal and in RESULTS.md. */
export interface SuiteResult {
  /** How it was measured, in one or two sentences. */
  readonly about: string;
  readonly tables: readonly Table[];
  readonly budgets: readonly Budget[];
  /** Every single measurement. */
  readonly measurements: readonly object[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** One promise of the project, and whether it was kept. */
export interface Budget {
  readonly what: string;
  readonly budget: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** What the command line asks of a suite; where it says nothing, the suite decides. */
export interface SuiteOptions {
  readonly rows: number | undefined;
  readonly repetitions: number | undefined;
  /** Those of the suite's tools that are to run. */
  readonly wants: (tool: ToolName) => boolean;
  /** A few rows, to see that everything works: no figure counts. */
  readonly isQuick: boolean;
  /** Where each tool is to leave its CPU and allocation profiles; it is slower for it. */
  readonly profileFolder: string | undefined;
  /** For files that the suites share: removed at the end. */
  readonly folder: string;
  readonly questions: Questions;
  readonly log: (line: string) => void;
}

export interface Suite {
  readonly name: string;
  /** How long it takes with its defaults on two cores. */
  readonly minutes: number;
  /** Those that it can compare; none for a suite of parts. */
  readonly tools: readonly ToolName[];
  readonly run: (options: SuiteOptions) => Promise<SuiteResult>;
}

interface Judged {
  readonly what: string;
  readonly limit: number;
  /** Undefined or NaN where it was not measured. */
  readonly measured: number | undefined;
  readonly digits: number;
  readonly unit?: string;
}

/** No budget where nothing was measured. */
export function atMost(judged: Judged): Budget[] {
  return judge(judged, "≤", (measured, limit) => measured <= limit);
}

export function atLeast(judged: Judged): Budget[] {
  return judge(judged, "≥", (measured, limit) => measured >= limit);
}

function judge(
  { what, limit, measured, digits, unit = "" }: Judged,
  sign: string,
  isMet: (measured: number, limit: number) => boolean,
): Budget[] {
  if (measured === undefined || Number.isNaN(measured)) return [];
  const shown = `${measured.toFixed(digits)}${unit}`;
  return [{ what, budget: `${sign} ${limit}${unit}`, measured: shown, isMet: isMet(measured, limit) }];
}
