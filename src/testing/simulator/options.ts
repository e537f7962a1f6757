import { OptionError } from "../../errors/option.ts";
import {
  checkOptions,
  isBoolean,
  isCount,
  isFunction,
  isName,
  isNumber,
  isObject,
  isOneOf,
  isPath,
  isTextList,
  optional,
  type OptionCheck,
} from "../../errors/options.ts";
import { faultNames, type SimulatorFaultName, type SimulatorFaults, type SimulatorRequest } from "./faults.ts";
import type { LabelledCSVOptions } from "./labelled-csv.ts";
import type { SimulatorLatency } from "./latency.ts";

/** The options that can change while the simulator runs. */
export interface AzureOpenAISimulatorChanges {
  /** Accepted keys, as `api-key` or as `Authorization: Bearer`; `[]` for no key at all. @default any that is not empty */
  readonly apiKeys?: readonly string[] | undefined;
  /** Bearer tokens that are accepted besides the keys: a list, or a function that accepts them. @default none */
  readonly tokens?: readonly string[] | ((token: string) => boolean) | undefined;
  /** Names of the deployments that exist; any other is a 404. @default every name */
  readonly deployments?: readonly string[] | undefined;
  /** The time until an answer, in milliseconds: fixed, or lognormal and decided by the request. @default 0 */
  readonly latencyMs?: SimulatorLatency | undefined;
  /** Requests a minute for each deployment. @default no limit */
  readonly requestsPerMinute?: number | undefined;
  /** The length of the windows in which requests are counted, in milliseconds; Azure's are 1,000 or 10,000. @default 1,000 */
  readonly requestWindowMs?: number | undefined;
  /** Tokens a minute for each deployment; a request counts as prompt characters / 4 + max tokens. @default no limit */
  readonly tokensPerMinute?: number | undefined;
  /** The length of the windows in which tokens are counted, in milliseconds. @default 60,000 */
  readonly tokenWindowMs?: number | undefined;
  /** The wait that a 429 of a limit names: the time to the next window, or always one second. @default "exact" */
  readonly retryAfter?: "exact" | "one-second" | undefined;
  /** Shares of the requests that go wrong. @default none */
  readonly faults?: SimulatorFaults | undefined;
  /** Chooses the fault of a request, before `faults`: these decide if it returns undefined. @default none */
  readonly fault?: ((request: SimulatorRequest) => SimulatorFaultName | undefined) | undefined;
  /** Every request gets 503, or has its connection reset. @default false */
  readonly outage?: boolean | "503" | "reset" | undefined;
}

export interface AzureOpenAISimulatorOptions extends AzureOpenAISimulatorChanges {
  /** The port to listen on; 0 for a free one. @default 0 */
  readonly port?: number | undefined;
  /** The address to listen on. @default "127.0.0.1" */
  readonly host?: string | undefined;
  /** The model's name in answers. @default the deployment's name */
  readonly model?: string | undefined;
  /** Another seed gives other answers, latencies and faults. @default 1 */
  readonly seed?: number | undefined;
  /** Behaves as a reasoning model: rejects `max_tokens` and `temperature`, and counts reasoning tokens. @default false */
  readonly reasoning?: boolean | undefined;
  /** A CSV file with texts and their labels, which become the answers. @default none */
  readonly answersFrom?: LabelledCSVOptions | undefined;
}

const owner = "startAzureOpenAISimulator";

/** Checks the options of a new simulator. @throws {OptionError} for an option that is unknown or has a wrong value */
export function checkSimulatorOptions(options: AzureOpenAISimulatorOptions): void {
  checkOptions<AzureOpenAISimulatorOptions>(owner, options, {
    port: optional({ ...isNumber(0, 65_535), fits: (value) => isCount(0).fits(value) && Number(value) <= 65_535 }),
    host: optional(isName),
    model: optional(isName),
    seed: optional(isCount(0)),
    reasoning: optional(isBoolean),
    answersFrom: optional(isObject),
    ...checksOfChanges,
  });
  checkFaults(options.faults ?? {});
  if (options.answersFrom === undefined) return;
  checkOptions<LabelledCSVOptions>(`${owner} answersFrom`, options.answersFrom, {
    path: isPath,
    textColumn: isName,
    labelColumn: isName,
  });
}

/** Checks changed options. @throws {OptionError} also for an option that can't change while the simulator runs */
export function checkSimulatorChanges(changes: AzureOpenAISimulatorChanges): void {
  checkOptions<AzureOpenAISimulatorChanges>("simulator.update", changes, checksOfChanges);
  checkFaults(changes.faults ?? {});
}

const isLatency: OptionCheck = {
  expected: "milliseconds from 0 up, or { median, sigma } of numbers from 0 up",
  fits: (value) => {
    if (typeof value !== "object" || value === null) return isNumber(0).fits(value);
    const numbers = "median" in value && "sigma" in value ? [value.median, value.sigma] : [];
    return (
      numbers.length === 2 && Object.keys(value).length === 2 && numbers.every((number) => isNumber(0).fits(number))
    );
  },
  required: true,
};

const isTokens: OptionCheck = {
  expected: "an array of texts, or a function",
  fits: (value) => isTextList.fits(value) || isFunction.fits(value),
  required: true,
};

const isOutage: OptionCheck = {
  expected: 'true, false, "503" or "reset"',
  fits: (value) => isBoolean.fits(value) || isOneOf("503", "reset").fits(value),
  required: true,
};

const checksOfChanges = {
  apiKeys: optional(isTextList),
  tokens: optional(isTokens),
  deployments: optional(isTextList),
  latencyMs: optional(isLatency),
  requestsPerMinute: optional(isCount(1)),
  requestWindowMs: optional(isCount(1)),
  tokensPerMinute: optional(isCount(1)),
  tokenWindowMs: optional(isCount(1)),
  retryAfter: optional(isOneOf("exact", "one-second")),
  faults: optional(isObject),
  fault: optional(isFunction),
  outage: optional(isOutage),
} as const;

const isShare = optional(isNumber(0, 1));

function checkFaults(faults: SimulatorFaults): void {
  // The object has each name of the list as a key.
  const checks = Object.fromEntries(faultNames.map((name) => [name, isShare])) as Record<
    SimulatorFaultName,
    OptionCheck
  >;
  checkOptions<SimulatorFaults>(`${owner} faults`, faults, checks);
  const total = Object.values(faults).reduce<number>((sum, share: number | undefined) => sum + (share ?? 0), 0);
  // Shares such as 0.1 are no exact binary numbers: ten of them may be a little more than 1.
  if (total > 1 + 1e-9) {
    throw new OptionError(owner, "faults", "", { expected: "shares of at most 1 together", got: total });
  }
}
