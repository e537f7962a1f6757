import type { ErrorFacts } from "../../errors/facts.ts";
import { messageOf } from "../../errors/error-text.ts";
import { driverFacts, knownError, stepToConnect } from "../error-meaning.ts";

/** Why a query failed, without what may be the value of a cell. */
export interface QueryProblem {
  readonly reason: string;
  /** The server does not take it, whatever the rows are. */
  readonly isOfQuery: boolean;
  /** The next step. */
  readonly step: string | undefined;
  readonly facts: ErrorFacts;
}

export function queryProblem(error: unknown): QueryProblem {
  const { states, codes } = driverFacts(error);
  const [state] = states;
  const facts = { errorStates: states, errorCodes: codes };
  if (state === undefined) {
    const reason = `the connection broke (${codes[0] ?? messageOf(error)})`;
    return { reason, isOfQuery: false, step: stepToConnect(error), facts };
  }
  const isOfQuery = /^(?:42|0A|26|34|3F)/.test(state); // their texts are made of names and SQL
  const hidden = "its text may hold content and is left out here; run the query by itself to see it";
  const said = isOfQuery || /^(?:25|53|55|57|40|08)/.test(state) ? messageOf(error) : hidden;
  return { reason: `SQLSTATE ${state}: ${said}`, isOfQuery, step: steps[state] ?? knownError(state).ofQuery, facts };
}

const steps: Readonly<Record<string, string>> = {
  "25006": "a source only reads: take out what writes, locks rows (FOR UPDATE) or counts a sequence",
  "42P18": "write the parameter's type: CAST(@name AS integer)",
  "42P08": "write the parameter's type: CAST(@name AS integer)",
  "42501": "GRANT SELECT to the user",
  "42883": 'write the types with CAST; a key that has no order is read with reading: "cursor"',
  "57014": "raise statement_timeout, or make the query faster",
};
