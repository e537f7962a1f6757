import type { ErrorFacts } from "../errors/facts.ts";

/** By the beginning of a SQLSTATE. */
const rowFaults: readonly (readonly [state: RegExp, fault: string])[] = [
  [/^23502/, "a NULL where the column takes none"],
  [/^23503/, "a foreign key does not hold"],
  [/^23505|^23P01/, "another row has the value of a unique key"],
  [/^23514|^44000/, "a check fails"],
  [/^23/, "a constraint fails"],
  [/^22001/, "a text is too long"],
  [/^22003|^22008/, "a number or a date is out of range"],
  [/^22021|^22P05/, "the database's encoding lacks a character"],
  [/^22/, "a value that the column's type does not take"],
  [/^54/, "a row, or an index entry, is too large"],
  [/^P0|^38|^39/, "a trigger rejected it"],
];

/** Why a row that is written was rejected; undefined where the state is no row's fault. */
export function faultOfRow(state: string): string | undefined {
  return rowFaults.find(([pattern]) => pattern.test(state))?.[1];
}

/** Why a query failed, without what may be the value of a cell. */
export interface QueryProblem {
  readonly reason: string;
  /** The server does not take it, whatever the rows are. */
  readonly isOfQuery: boolean;
  /** The next step. */
  readonly step: string | undefined;
  readonly facts: ErrorFacts;
}

/** An error of a query, by the SQLSTATEs of the server and the codes of the driver. */
export interface QueryError {
  readonly states: readonly string[];
  readonly codes: readonly string[];
  readonly message: string;
  /** The next step of the one who can't connect. */
  readonly toConnect: string | undefined;
}

export function queryProblem({ states, codes, message, toConnect }: QueryError): QueryProblem {
  const [state] = states;
  const facts = { errorStates: states, errorCodes: codes };
  if (state === undefined) {
    const reason = `the connection broke (${codes[0] ?? message})`;
    return { reason, isOfQuery: false, step: toConnect, facts };
  }
  const isOfQuery = /^(?:42|0A|26|34|3F)/.test(state); // their texts are made of names and SQL
  const hidden = "its text may hold content and is left out here; run the query by itself to see it";
  const said = isOfQuery || /^(?:25|53|55|57|40|08)/.test(state) ? message : hidden;
  return { reason: `SQLSTATE ${state}: ${said}`, isOfQuery, step: steps[state], facts };
}

const steps: Readonly<Record<string, string>> = {
  "25006": "a source only reads: take out what writes, locks rows (FOR UPDATE) or counts a sequence",
  "42P18": "write the parameter's type: CAST(@name AS integer)",
  "42P08": "write the parameter's type: CAST(@name AS integer)",
  "42501": "GRANT SELECT to the user",
  "42883": 'write the types with CAST; a key that has no order is read with reading: "cursor"',
  "57014": "raise statement_timeout, or make the query faster",
};
