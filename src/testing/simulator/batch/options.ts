import {
  checkOptions,
  isBoolean,
  isCount,
  isFunction,
  isNumber,
  isObject,
  isOneOf,
  isTextList,
  optional,
  type OptionCheck,
} from "../../../errors/options.ts";
import { checkShares } from "../shares.ts";
import { batchFaultNames, type BatchFaultFunction, type SimulatorBatchFaults } from "./request-faults.ts";
import { lineFaultNames, type SimulatedBatch, type SimulatorBatchStep, type SimulatorLineFaultName } from "./words.ts";

/** The Files and Batch APIs of the simulator, and the ways of the services that have them. */
export interface SimulatorBatchOptions {
  /**
   * The time that each step of a batch takes, in milliseconds: of `validating`, `in_progress`, `finalizing`, and `cancelling`. A function
   * gives that of each; its promise holds the batch until it is fulfilled. `Infinity` waits for a cancellation. The first half of the lines
   * is worked on when `in_progress` begins, the second when its time is over. @default 5
   */
  readonly stepMs?:
    | number
    | ((step: SimulatorBatchStep, batch: SimulatedBatch) => number | Promise<number>)
    | undefined;
  /** Names of the deployments that take batches, and no other requests. @default every name, for batches and other requests alike */
  readonly deployments?: readonly string[] | undefined;
  /**
   * By name of a deployment, another one whose faults the lines of its batches meet: then a request meets the same faults in a batch as
   * it does online. @default none: a deployment has faults of its own
   */
  readonly faultsOf?: Readonly<Record<string, string>> | undefined;
  /** The most lines of a file; the batch fails with `too_many_tasks`. @default 100,000 */
  readonly maxLines?: number | undefined;
  /** The most bytes of a file; the upload gets a 413. @default 200 MiB */
  readonly maxFileBytes?: number | undefined;
  /** Share of the lines that fail without being worked on, 0 to 1. The next batch with their `custom_id` is another draw. @default 0 */
  readonly failedLines?: number | undefined;
  /** The status of those lines. @default 500 */
  readonly failedLineStatus?: number | undefined;
  /** Share of the lines that are worked on and billed, and stand in neither file, 0 to 1. @default 0 */
  readonly missingLines?: number | undefined;
  /** Share of the lines that stand in their file twice, 0 to 1. @default 0 */
  readonly doubledLines?: number | undefined;
  /** Share of the lines with a second one behind them, whose `custom_id` nobody sent, 0 to 1. @default 0 */
  readonly unknownLines?: number | undefined;
  /**
   * Chooses the fault of a line, before the shares: these decide if it returns undefined. It is given the `custom_id`, and the number of lines
   * with it so far, from 1. @default none
   */
  readonly lineFault?: ((customId: string, submitted: number) => SimulatorLineFaultName | undefined) | undefined;
  /** Batches that expire half done: a share of them, 0 to 1, or a function that returns true for those. @default 0 */
  readonly expires?: number | ((batch: SimulatedBatch) => boolean) | undefined;
  /** Lines that an expired or cancelled batch did not work on stand in the `"error-file"`, or are `"missing"`. @default "error-file" */
  readonly unfinishedLines?: "error-file" | "missing" | undefined;
  /** The number of creates, from the first on, that get `token_limit_exceeded`. @default 0 */
  readonly rejectedCreates?: number | undefined;
  /**
   * The most tokens of all batches that have not ended: one that is too many gets `token_limit_exceeded`. The tokens of a file are estimated
   * as its bytes / 4. @default no limit
   */
  readonly maxEnqueuedTokens?: number | undefined;
  /** `token_limit_exceeded` is a 400 of the create, or an error of the validation. @default "create" */
  readonly tokenLimitAt?: "create" | "validation" | undefined;
  /** The letters of a status: `in_progress`, `In_Progress` or `IN_PROGRESS`. @default "lower" */
  readonly statusCase?: "lower" | "capitals" | "upper" | undefined;
  /** The id of a file that is not there: null, an empty text, or no such field. @default "null" */
  readonly noFileId?: "null" | "empty" | "missing" | undefined;
  /** An error file without lines is made all the same, as by Azure. @default "if-needed" */
  readonly errorFile?: "if-needed" | "always" | undefined;
  /** Sends `request_counts`; if false, they are null. @default true */
  readonly requestCounts?: boolean | undefined;
  /** Fields that the entries of a list lack. @default none */
  readonly listOmits?: readonly ("metadata" | "input_file_id")[] | undefined;
  /** The keys may list the batches; if false, a list gets a 403. @default true */
  readonly mayList?: boolean | undefined;
  /** The number of lists, from its create on, in which a batch does not stand yet; pages behind the first are none. @default 0 */
  readonly listLag?: number | undefined;
  /** Shares of the requests for files and batches that go wrong. @default none */
  readonly faults?: SimulatorBatchFaults | undefined;
  /**
   * Chooses the fault of such a request, before `faults`: these decide if it returns undefined. Its promise holds the request before anything
   * is done; then it is carried out, also where the client has left. @default none
   */
  readonly fault?: BatchFaultFunction | undefined;
}

const isShare = optional(isNumber(0, 1));

const isStepMs: OptionCheck = {
  expected: "milliseconds from 0 up, Infinity, or a function",
  fits: (value) => (typeof value === "number" && value >= 0) || isFunction.fits(value),
  required: false,
};

const isExpires: OptionCheck = {
  expected: "a number from 0 to 1, or a function",
  fits: (value) => isNumber(0, 1).fits(value) || isFunction.fits(value),
  required: false,
};

const isOmitted: OptionCheck = {
  expected: 'an array of "metadata" and "input_file_id"',
  fits: (value) => Array.isArray(value) && value.every(isOneOf("metadata", "input_file_id").fits),
  required: false,
};

/** Checks the option `batch`. @throws {OptionError} for an option that is unknown or has a wrong value */
export function checkBatchOptions(by: string, options: SimulatorBatchOptions): void {
  const owner = `${by} batch`;
  checkOptions<SimulatorBatchOptions>(owner, options, {
    stepMs: isStepMs,
    deployments: optional(isTextList),
    faultsOf: optional(isObject),
    maxLines: optional(isCount(1)),
    maxFileBytes: optional(isCount(1)),
    failedLines: isShare,
    failedLineStatus: optional({ ...isNumber(400, 599), expected: "a status from 400 to 599" }),
    missingLines: isShare,
    doubledLines: isShare,
    unknownLines: isShare,
    lineFault: optional(isFunction),
    expires: isExpires,
    unfinishedLines: optional(isOneOf("error-file", "missing")),
    rejectedCreates: optional(isCount(0)),
    maxEnqueuedTokens: optional(isCount(0)),
    tokenLimitAt: optional(isOneOf("create", "validation")),
    statusCase: optional(isOneOf("lower", "capitals", "upper")),
    noFileId: optional(isOneOf("null", "empty", "missing")),
    errorFile: optional(isOneOf("if-needed", "always")),
    requestCounts: optional(isBoolean),
    listOmits: isOmitted,
    mayList: optional(isBoolean),
    listLag: optional(isCount(0)),
    faults: optional(isObject),
    fault: optional(isFunction),
  });
  checkShares(owner, "faults", options.faults ?? {}, batchFaultNames);
  const { failedLines, missingLines, doubledLines, unknownLines } = options;
  const lines = { failedLines, missingLines, doubledLines, unknownLines };
  checkShares(owner, "the shares of lines", lines, lineFaultNames);
}
