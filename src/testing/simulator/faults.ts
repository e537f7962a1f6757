import type { ChatMessage } from "../../contracts/provider.ts";
import { drawsFor, keyOf, type Draws } from "./request-hash.ts";
import { pick } from "./shares.ts";

/** The faults of a request, in the order in which their shares are laid on the scale from 0 to 1. */
export const faultNames = [
  "rateLimit",
  "serverError",
  "unavailable",
  "connectionReset",
  "hang",
  "stalledBody",
  "truncatedBody",
  "html",
  "invalidJSON",
  "outOfRange",
  "wrongEnum",
  "refusal",
  "contentFilterPrompt",
  "contentFilterAnswer",
  "length",
  "unauthorized",
  "deploymentNotFound",
  "quotaExhausted",
  "contextLength",
  "badSchema",
  "loop",
  "schemaEcho",
  "prose",
  "resetAfterBilling",
  "missingUsage",
  "absurdUsage",
] as const;

export type SimulatorFaultName = (typeof faultNames)[number];

/** Shares of the requests that go wrong, 0 to 1 each and at most 1 together. */
export interface SimulatorFaults {
  /** 429 with a wait of 20 to 100 ms, or that of `faultRetryAfterMs`. */
  readonly rateLimit?: number | undefined;
  /** 500. */
  readonly serverError?: number | undefined;
  /** 503. */
  readonly unavailable?: number | undefined;
  /** The connection is reset, with no answer. */
  readonly connectionReset?: number | undefined;
  /** No answer ever. */
  readonly hang?: number | undefined;
  /** The headers and half of the body, then nothing more. */
  readonly stalledBody?: number | undefined;
  /** Half of the body, then the connection ends. */
  readonly truncatedBody?: number | undefined;
  /** 200 with a web page, as a proxy sends it. */
  readonly html?: number | undefined;
  /** An answer that is cut off somewhere, with `finish_reason` stop. */
  readonly invalidJSON?: number | undefined;
  /** A number beyond its limits; else a text that is too long; else a value of the wrong type. */
  readonly outOfRange?: number | undefined;
  /** A value that its enum does not have; else a value of the wrong type. */
  readonly wrongEnum?: number | undefined;
  /** `message.refusal`. The first user message decides: the model declines the row each time. */
  readonly refusal?: number | undefined;
  /** 400 with `ResponsibleAIPolicyViolation`. The first user message decides. */
  readonly contentFilterPrompt?: number | undefined;
  /** 200 with `finish_reason` content_filter and no content. */
  readonly contentFilterAnswer?: number | undefined;
  /** 200 with `finish_reason` length and half of the content. */
  readonly length?: number | undefined;
  /** 401. */
  readonly unauthorized?: number | undefined;
  /** 404 with `DeploymentNotFound`. */
  readonly deploymentNotFound?: number | undefined;
  /** 429 with `insufficient_quota`. */
  readonly quotaExhausted?: number | undefined;
  /** 400 with `context_length_exceeded`. The first user message decides. */
  readonly contextLength?: number | undefined;
  /** 400 for `response_format`. */
  readonly badSchema?: number | undefined;
  /** An answer that goes round in circles until it is cut off: 200 with `finish_reason` length. */
  readonly loop?: number | undefined;
  /** The JSON Schema of the request in place of an object that fits it: 200 with `finish_reason` stop. */
  readonly schemaEcho?: number | undefined;
  /** Words with no JSON among them, until they are cut off: 200 with `finish_reason` length. */
  readonly prose?: number | undefined;
  /** The answer is made and billed, then the connection is reset. */
  readonly resetAfterBilling?: number | undefined;
  /** An answer without `usage`. */
  readonly missingUsage?: number | undefined;
  /** An answer whose `usage` has counts that can't be. */
  readonly absurdUsage?: number | undefined;
}

/** A request that passed authentication, limits and checks, for a `fault` function. */
export interface SimulatorRequest {
  /** The number of the request, from 1. */
  readonly number: number;
  readonly deployment: string;
  readonly messages: readonly ChatMessage[];
  /** The number of earlier requests with these messages to this deployment; by `faultsBy: "row"`, of earlier ones about its row. */
  readonly timesSeen: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The waits that the replies of faults name, in milliseconds; "none" for no wait. */
export interface SimulatorFaultWaits {
  /** @default 20 to 100, decided by the request */
  readonly rateLimit?: number | "none" | undefined;
  /** @default "none" */
  readonly quotaExhausted?: number | "none" | undefined;
  /** @default "none" */
  readonly serverError?: number | "none" | undefined;
  /** An outage's 503 names it as well. @default "none" */
  readonly unavailable?: number | "none" | undefined;
}

/** The wait that the reply of a fault names, in milliseconds; undefined for none. */
export function faultWaitMs(
  fault: keyof SimulatorFaultWaits,
  waits: SimulatorFaultWaits = {},
  draws?: Draws,
): number | undefined {
  const usual = fault === "rateLimit" && draws !== undefined ? 20 + Math.floor(80 * draws.share(6)) : "none";
  const waitMs = waits[fault] ?? usual;
  return waitMs === "none" ? undefined : waitMs;
}

/** Faults of an answer that a model gave: it has used quota. */
const faultsOfAnswers: ReadonlySet<SimulatorFaultName> = new Set([
  "stalledBody",
  "truncatedBody",
  "invalidJSON",
  "outOfRange",
  "wrongEnum",
  "refusal",
  "contentFilterAnswer",
  "length",
  "loop",
  "schemaEcho",
  "prose",
  "resetAfterBilling",
  "missingUsage",
  "absurdUsage",
]);

/** True for a fault that comes instead of a model's answer. */
export function isWithoutAnswer(fault: SimulatorFaultName): boolean {
  return !faultsOfAnswers.has(fault);
}

/** Faults that a service finds before its model starts. */
const faultsBeforeTheModel: ReadonlySet<SimulatorFaultName> = new Set([
  "rateLimit",
  "unauthorized",
  "deploymentNotFound",
  "quotaExhausted",
  "contextLength",
  "badSchema",
  "contentFilterPrompt",
  "connectionReset",
]);

/** True for a fault that comes at once, because no model has worked on the request. */
export function isAtOnce(fault: SimulatorFaultName): boolean {
  return faultsBeforeTheModel.has(fault);
}

/** Faults on the way between service and client. */
const faultsOfConnections: ReadonlySet<SimulatorFaultName> = new Set([
  "connectionReset",
  "hang",
  "stalledBody",
  "truncatedBody",
  "html",
  "resetAfterBilling",
]);

/** True for a fault that a line of a batch can't meet, because no connection waits for its answer. */
export function isOfConnection(fault: SimulatorFaultName): boolean {
  return faultsOfConnections.has(fault);
}

/** A retry, a re-ask or another run meets these faults again: they belong to the row and not to the moment. */
const permanent: ReadonlySet<string> = new Set(["refusal", "contentFilterPrompt", "contextLength"]);

/** Chooses the fault of a request by the shares. Only seed and request decide, and the order of requests does not matter. */
export function faultFor(
  faults: SimulatorFaults,
  seed: number,
  messages: readonly ChatMessage[],
  draws: Draws,
): SimulatorFaultName | undefined {
  const lasting = faultNames.filter((name) => permanent.has(name) && (faults[name] ?? 0) > 0);
  const passing = faultNames.filter((name) => !permanent.has(name) && (faults[name] ?? 0) > 0);
  let room = 1;
  if (lasting.length > 0) {
    const met = pick(faults, lasting, drawsOfRow(seed, messages).share(0));
    if (met !== undefined) return met;
    for (const name of lasting) room -= faults[name] ?? 0;
  }
  // The rest of the requests meets the other faults, at a rate that makes their shares right among all requests.
  return pick(faults, passing, draws.share(0) * room);
}

/** Draws that the first user message alone decides: they are the same in a retry, a re-ask and another run. */
export function drawsOfRow(seed: number, messages: readonly ChatMessage[]): Draws {
  const user = messages.find(({ role }) => role === "user")?.content ?? "";
  return drawsFor(seed, keyOf(user), "lasting");
}
