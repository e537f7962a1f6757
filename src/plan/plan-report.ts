import { currencyOf } from "../pipeline/currency.ts";
import { listCurrency } from "../llm/price-list.ts";
import { roundAmount } from "../llm/pricing.ts";
import type { ResolvedPipeline } from "../pipeline/resolve.ts";
import type { AskedRows } from "./asked-rows.ts";
import type { ChosenRequests } from "./chosen-requests.ts";
import type { PlanFacts } from "./plan-facts.ts";
import { comparedTiers, costAsSet, costIn, quotaCalls, quotaTokens, tierName } from "./call-amounts.ts";
import { notesOf } from "./plan-notes.ts";
import { durationOf, less, type Measured, plus, type Totals, totalsOf } from "./planned-run.ts";
import { randomFrom } from "./random.ts";
import { sizeOf, sum } from "./sample.ts";
import type { PlannedCost, PlannedNumber, PlannedRun, PlannedSample, PlannedStep, PlanReport } from "./report.ts";

export function reportOf(facts: PlanFacts): PlanReport {
  const { pipeline, open, counter } = facts;
  const totals = totalsFrom(facts);
  const run = runFrom(facts, totals);
  const cost = costFrom(facts, totals);
  return {
    pipeline: pipeline.name,
    rows: open.rows,
    steps: stepsFrom(facts),
    sample: sampleFrom(facts),
    tokensBy: counter.method,
    run,
    cost,
    notes: notesOf(facts, { run, cost }),
  };
}

/** The totals where there is nothing to ask. */
const nothing: PlannedNumber = { estimate: 0, low: 0, high: 0 };

/** The totals where nothing was measured: each request is one call at least, as long as it is. */
function unmeasured({ strata, of }: ChosenRequests): Totals {
  const size = strata.reduce((total, { units }) => total + sum(units.map(sizeOf)), 0);
  return (name) => {
    if (name === "calls") return { estimate: of, low: of, high: null };
    return { estimate: name === "inputTokens" ? size : 0, low: 0, high: null };
  };
}

function totalsFrom({ pipeline, chosen, likeliest, expected, seed }: PlanFacts): Totals {
  if (chosen.of === 0) return () => nothing;
  const sharing = likeliest.sharing(chosen.of);
  const measured = measuredBy(likeliest, (step) => sharing.get(step)?.estimate ?? 1);
  const isShared = [...sharing.values()].some(({ least }) => least < 1);
  const lowest = expected?.low ?? likeliest;
  const highest = expected?.high ?? likeliest;
  const totals = totalsOf({
    strata: chosen.strata,
    names: namesOf(pipeline),
    measured,
    lowest:
      expected === undefined && !isShared ? measured : measuredBy(lowest, (step) => sharing.get(step)?.least ?? 1),
    highest: expected === undefined && !isShared ? measured : measuredBy(highest, () => 1),
    offBehind: likeliest.offBehind(chosen.of),
    random: () => randomFrom(seed + 1),
  });
  return totals ?? unmeasured(chosen);
}

function measuredBy(rows: AskedRows, newShareOf: (step: string) => number): Measured {
  return { measurements: rows.measurements(newShareOf), shared: rows.shared };
}

function tiersOf({ providers }: ResolvedPipeline): readonly (string | undefined)[] {
  return [...new Set([...comparedTiers, ...providers.map(({ tier }) => asTier(tier))])];
}

/** Undefined for the standard tier. */
function asTier(tier: string | undefined): string | undefined {
  return tier === "default" || tier === "auto" ? undefined : tier;
}

function namesOf(pipeline: ResolvedPipeline): readonly string[] {
  const places = [...pipeline.providers.keys()];
  const amounts = ["calls", "reAsks", "inputTokens", "cachedTokens", "outputTokens", "callMs", "failed"];
  return [
    ...amounts,
    ...places.flatMap((place) => [quotaCalls(place), quotaTokens(place)]),
    ...tiersOf(pipeline).map(costIn),
    costAsSet,
  ];
}

/** The part of the totals that is left for a run: the journal has the answers of the sample, but for rows that failed. */
function restOf({ pipeline, spent, asked, expected, likeliest }: PlanFacts, totals: Totals): Totals {
  if (pipeline.stores.journal === null) return totals;
  if (asked === undefined || expected !== undefined) return (name) => less(totals(name), spent[name] ?? 0);
  const { least, likely, most } = likeliest.askedAgain;
  return (name) => {
    const { estimate, low, high } = less(totals(name), spent[name] ?? 0);
    return {
      estimate: estimate + (likely[name] ?? 0),
      low: low + (least[name] ?? 0),
      high: high === null ? null : high + (most[name] ?? 0),
    };
  };
}

function runFrom(facts: PlanFacts, totals: Totals): PlannedRun {
  const { pipeline, open } = facts;
  const rest = restOf(facts, totals);
  const rounded = (name: string): PlannedNumber => whole(rest(name));
  const { durationMs, durationBy } = durationOf(rest, pipeline.providers, pipeline.settings.concurrency);
  return {
    calls: rounded("calls"),
    reAsks: rounded("reAsks"),
    inputTokens: rounded("inputTokens"),
    cachedTokens: rounded("cachedTokens"),
    outputTokens: rounded("outputTokens"),
    failedRows: failuresOf(facts, rounded("failed"), open.rows.failing),
    durationMs: whole(durationMs),
    durationBy,
  };
}

/** Any row may fail where nothing was asked; one that a model failed in the sample may be answered the next time. */
function failuresOf(
  { open, asked, expected, chosen, likeliest }: PlanFacts,
  failed: PlannedNumber,
  failing: number,
): PlannedNumber {
  if ((asked !== undefined && expected === undefined) || chosen.of === 0) {
    const { rows } = likeliest.askedAgain;
    return plus({ ...failed, low: Math.max(0, Math.floor(failed.low - rows)) }, failing);
  }
  return { estimate: failing, low: failing, high: failing + open.rows.toAsk };
}

function costFrom(facts: PlanFacts, totals: Totals): PlanReport["cost"] {
  const { pipeline, prices, likeliest, chosen } = facts;
  const currency = currencyOf(pipeline.providers) ?? listCurrency;
  const isKnown = pipeline.providers.every((provider) => prices.whyUnknown(provider) === undefined);
  if (chosen.of > 0 && likeliest.endedCount === 0) return null; // nothing was measured
  if (!isKnown && (chosen.of === 0 || !likeliest.isPriced)) return null;
  const rest = restOf(facts, totals);
  const chosenTiers = new Set(pipeline.providers.map(({ tier }) => tierName(asTier(tier))));
  const isMixed = chosenTiers.size > 1;
  const costOf = (name: string, tier: string, isChosen: boolean): PlannedCost => {
    const { estimate, low, high } = rest(name);
    return {
      tier,
      isChosen,
      estimate: roundAmount(estimate),
      low: roundAmount(low),
      high: high === null ? null : roundAmount(high),
    };
  };
  const tiers = [
    ...(isMixed ? [costOf(costAsSet, "mixed", true)] : []),
    ...tiersOf(pipeline).map((tier) => {
      return costOf(costIn(tier), tierName(tier), !isMixed && chosenTiers.has(tierName(tier)));
    }),
  ];
  return { currency, listedIn: prices.source ?? null, tiers };
}

function stepsFrom({ pipeline, open }: PlanFacts): readonly PlannedStep[] {
  const byStep = Map.groupBy(
    open.all.filter(({ rows }) => rows > 0),
    ({ step }) => step,
  );
  return pipeline.steps.flatMap(({ step: { name: step, outputSchema } }) => {
    const ofStep = byStep.get(step) ?? [];
    const reusedAnswers = open.reusedAnswers.get(step) ?? 0;
    if (outputSchema === undefined && ofStep.length === 0) return [];
    return [
      { step, requests: ofStep.length, rows: ofStep.reduce((total, { rows }) => total + rows, 0), reusedAnswers },
    ];
  });
}

function sampleFrom({ chosen, likeliest, asked }: PlanFacts): PlannedSample {
  const asSample = { requests: chosen.requests.length, of: chosen.of, rows: likeliest.endedCount };
  if (asked === undefined) {
    return { ...asSample, calls: 0, inputTokens: 0, outputTokens: 0, cost: null, estimatedCalls: 0, runId: null };
  }
  const { usage, cost, runId } = asked;
  const { calls, inputTokens, outputTokens } = usage;
  return { ...asSample, calls, inputTokens, outputTokens, cost, estimatedCalls: likeliest.estimatedCalls, runId };
}

function whole({ estimate, low, high }: PlannedNumber): PlannedNumber {
  return { estimate: Math.round(estimate), low: Math.floor(low), high: high === null ? null : Math.ceil(high) };
}
