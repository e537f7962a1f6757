import type { PlanFacts } from "./plan-facts.ts";
import type { PlanNote, PlanReport } from "./report.ts";

/** A sample of fewer requests says little of how much they differ. */
const fewMeasured = 30;

/** The facts to know before the run. */
export function notesOf(facts: PlanFacts, { run, cost }: Pick<PlanReport, "run" | "cost">): readonly PlanNote[] {
  const { pipeline, prices, chosen, likeliest, expected, asked, isBelowOneCall, counter } = facts;
  const { settings, stores, steps } = pipeline;
  const notes: PlanNote[] = [];
  const note = (code: PlanNote["code"], message: string): void => void notes.push({ code, message });
  const unknown = pipeline.providers.flatMap((provider) => prices.whyUnknown(provider) ?? []);
  if (cost === null && unknown.length > 0) note("NO_PRICES", `the plan is in tokens: ${unknown.join("; ")}`);
  if (cost !== null && likeliest.unpricedCalls > 0) {
    const reason = unknown.length === 0 ? "the list has none of a model that answered" : unknown.join("; ");
    note("PRICES_MISSING", `the cost leaves out ${likeliest.unpricedCalls} calls of unknown price: ${reason}`);
  }
  if (stores.journal === null) {
    note("JOURNAL_OFF", "without a journal a run asks everything, what the sample has asked too");
  }
  if (isBelowOneCall) {
    note(
      "BUDGET_BELOW_ONE_CALL",
      `maxCost (${settings.maxCost}) is less than one call may cost: a run would stop before it, and nothing was asked`,
    );
  }
  const chosenTier = cost?.tiers.find(({ isChosen }) => isChosen);
  if (!isBelowOneCall && chosenTier !== undefined && (chosenTier.high ?? Infinity) > settings.maxCost) {
    const likely = chosenTier.estimate > settings.maxCost ? "will" : "may";
    note("COST_LIMIT_REACHED", `a run ${likely} stop at maxCost (${settings.maxCost}) before it is done`);
  }
  if ((run.calls.high ?? Infinity) > settings.maxCalls) {
    const likely = run.calls.estimate > settings.maxCalls ? "will" : "may";
    note("CALL_LIMIT_REACHED", `a run ${likely} stop at maxCalls (${settings.maxCalls}) before it is done`);
  }
  if (asked !== undefined && asked.error !== null) {
    const rows = expected === undefined ? likeliest.endedCount : 0;
    const reason = isOwnBound(facts) ? "more could have cost more than was said before it" : asked.error.message;
    note("SAMPLE_STOPPED", `the sample was stopped after ${rows} rows: ${reason}`);
  }
  const missing = chosen.places.length - likeliest.endedCount;
  if (asked?.error === null && missing > 0) {
    note("ROWS_GONE", `${missing} rows of the sample were not there any more when they were to be asked`);
  }
  const measured = likeliest.measurements(() => 1).size;
  if (asked !== undefined && expected === undefined && measured < chosen.of && measured < fewMeasured) {
    note("FEW_MEASURED", `only ${measured} of ${chosen.of} requests were asked: the intervals are wide`);
  }
  if (likeliest.estimatedCalls > 0) {
    note(
      "TOKENS_ESTIMATED",
      `the service did not count the tokens of ${likeliest.estimatedCalls} calls: they are estimated`,
    );
  }
  const { calls = 0, unansweredCalls = 0 } = asked?.usage ?? {};
  if (unansweredCalls > 0) {
    note(
      "CALLS_UNANSWERED",
      `${unansweredCalls} of ${calls} calls brought no answer: what the service charges for such is in no figure but maxCost`,
    );
  }
  for (const [step, { estimate, least, isMet }] of likeliest.sharing(chosen.of)) {
    if (!isMet || least === 1) continue;
    const how = estimate < 1 ? "few further ones are expected" : "how many further ones there are is not certain";
    note("SHARED_REQUESTS", `rows share requests of step "${step}", which are asked once: ${how}`);
  }
  if (expected !== undefined) {
    const asking = steps.flatMap(({ step }) => (step.outputSchema === undefined ? [] : [step.name]));
    const unasked = asking.filter((step) => !expected.history.has(step));
    const input = counter.method === "tokenizer" ? "counted by a tokenizer" : "estimated from characters";
    if (unasked.length < asking.length) {
      note("TOKENS_FROM_HISTORY", `input tokens are ${input}, output tokens and re-asks are those of earlier runs`);
    }
    if (unasked.length > 0) {
      note(
        "TOKENS_FROM_SCHEMA",
        `no run has asked ${unasked.join(", ")}: output tokens are guessed from the schema, and the interval reaches to the longest answer`,
      );
    }
  }
  if (settings.onRowError === "fail" && run.failedRows.estimate > 0) {
    note("STOPS_AT_FAILURE", 'onRowError is "fail": the run stops at the first row that fails');
  }
  return notes;
}

/** True if the sample has reached the bound that was said before it, and no limit of the pipeline. */
function isOwnBound({ asked, limit, pipeline: { settings } }: PlanFacts): boolean {
  if (asked?.error?.code !== "LIMIT_REACHED") return false;
  const isCost = asked.error.facts["maxCost"] !== undefined;
  return isCost ? (limit.cost?.amount ?? Infinity) < settings.maxCost : limit.calls < settings.maxCalls;
}
