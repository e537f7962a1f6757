import type { LLMProvider } from "../contracts/provider.ts";
import { studentT } from "./bootstrap-t.ts";
import { added, type Amounts, scaled } from "./call-amounts.ts";
import type { OpenRequest } from "./open-requests.ts";
import { mostUnseen } from "./rare-events.ts";

/** The requests of a step about one row. */
export interface StepUse {
  provider: LLMProvider;
  maxOutputTokens: number;
  /** The fingerprints of its requests. */
  requests: readonly string[];
  amounts: Amounts;
}

export interface AskedRow {
  readonly request: OpenRequest;
  readonly steps: Map<string, StepUse>;
  /** Undefined until it has ended. */
  hasFailed: boolean | undefined;
  /** The step at which it failed. */
  failedAt: string | undefined;
}

/** The rows that have ended, by request, and what they asked at later steps. */
export interface Ended {
  readonly rows: ReadonlyMap<OpenRequest, readonly AskedRow[]>;
  readonly later: readonly LaterUse[];
}

/** Requests that one or several rows made alike at a step behind the one that was chosen. */
export interface LaterUse {
  readonly step: string;
  readonly rows: AskedRow[];
  readonly requests: Set<OpenRequest>;
  amounts: Amounts;
}

/** How many of the requests at a later step were new, and how many of several rows. */
export interface Sharing {
  /** The share of the rest of the rows that ask something new at this step: an estimate, and the least that is plausible. */
  readonly estimate: number;
  readonly least: number;
  /** True if requests of several rows were met. */
  readonly isMet: boolean;
}

/** The requests of rows behind the steps of those that were chosen, each with the rows that made it. */
export function laterUses(ended: Ended["rows"], steps: readonly string[]): readonly LaterUse[] {
  const uses = new Map<string, LaterUse>();
  for (const row of [...ended.values()].flat()) {
    for (const [step, { requests, amounts }] of row.steps) {
      if (steps.indexOf(step) <= steps.indexOf(row.request.step)) continue;
      const key = JSON.stringify([step, requests]);
      const use = uses.get(key) ?? { step, rows: [], requests: new Set(), amounts: {} };
      uses.set(key, use);
      use.rows.push(row);
      use.requests.add(row.request);
      use.amounts = added(use.amounts, amounts);
    }
  }
  return [...uses.values()];
}

/**
 * How much of what the rest of the rows ask at a step is new: all of it where the sample met no requests that several rows share.
 *
 * Source: Chao, Gotelli, Hsieh and others, Rarefaction and extrapolation with Hill numbers, Ecological Monographs 84 (2014): the
 * number of kinds that a larger sample would show.
 *
 * @param times How many times as many requests there are as were asked.
 */
export function sharingOf(uses: readonly LaterUse[], times: number): Sharing {
  const asked = uses.reduce((sum, { requests }) => sum + requests.size, 0);
  const alone = uses.filter(({ requests }) => requests.size === 1).length;
  const ofTwo = uses.filter(({ requests }) => requests.size === 2).length;
  const rest = asked * (times - 1);
  if (alone === asked || alone === 0 || rest <= 0) return { estimate: 1, least: 1, isMet: alone < asked };
  const unseen = (alone * (alone - 1)) / (2 * (ofTwo + 1));
  const newOnes = unseen * (1 - (1 - alone / (asked * unseen + alone)) ** rest);
  const least = Math.min(1, newOnes / (rest * (alone / asked)));
  return { estimate: alone / asked < 0.5 ? least : 1, least, isMet: true };
}

/** By name of an amount, how far a total may be off on each side. */
export type OffBehind = (name: string) => { readonly below: number; readonly above: number };

/**
 * How far totals may be off for what is not known of later steps: rows of one request were asked in part, and the others may ask something else
 * there; rows of different requests may share what they ask, which a sample of a few rows does not show.
 *
 * Source: Cochran, Sampling Techniques (1977), chapter 11 (units of which a part is measured); the end of a count of 0 as in `rare-events.ts`.
 */
export function offBehind({ rows, later }: Ended, requestCount: number): OffBehind {
  const amountsOf = new Map<AskedRow, Amounts>();
  let all: Amounts = {};
  for (const use of later) {
    all = added(all, use.amounts);
    // A request that rows of several requests share is counted once, whatever the others ask.
    if (use.requests.size > 1) continue;
    const share = scaled(use.amounts, 1 / use.rows.length);
    for (const row of use.rows) amountsOf.set(row, added(amountsOf.get(row) ?? {}, share));
  }
  const isAlone = later.length > 0 && later.every(({ requests }) => requests.size === 1);
  const inPart = [...rows].filter(([request, asked]) => asked.length < request.rows);
  const askedCount = inPart.reduce((sum, [, asked]) => sum + asked.length, 0);
  const left = inPart.reduce((sum, [request, asked]) => sum + request.rows - asked.length, 0);
  const t = studentT[askedCount - inPart.length - 1] ?? 1.96;
  const rowCount = [...rows.values()].reduce((sum, asked) => sum + asked.length, 0);
  const usesOfRow = later.reduce((sum, use) => sum + use.rows.length, 0) / Math.max(1, rowCount);
  return (name) => {
    const variance = inPart.reduce((sum, [request, asked]) => {
      const values = asked.map((row) => amountsOf.get(row)?.[name] ?? 0);
      return sum + (request.rows * (request.rows - asked.length) * varianceOf(values)) / asked.length;
    }, 0);
    const within = t * Math.sqrt(variance);
    const perRow = ((all[name] ?? 0) * usesOfRow) / Math.max(1, later.length);
    const unseen = left === 0 ? 0 : (mostUnseen * left * perRow) / askedCount;
    const shared = isAlone ? (mostUnseen * perRow * Math.max(0, requestCount - rows.size)) / rows.size : 0;
    return { below: Math.hypot(within, shared), above: Math.max(within, unseen) };
  };
}

/** The variance of a sample; 0 where one value tells of none. */
function varianceOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
}
