/**
 * The words of services whose account is empty, where they have no code for it. They are whole phrases, so that a text that
 * quotes none of them can't be taken for them.
 */
const phrases: readonly string[] = [
  "credit balance",
  "insufficient balance",
  "insufficient credit",
  "insufficient fund",
  "insufficient quota",
  "not enough credit",
  "not enough balance",
  "out of credit",
  "no credits left",
  "no remaining credit",
  "run out of credit",
  "used all available credits",
  "more credits",
  "purchase credits",
  "add credits",
  "balance is too low",
  "balance is not enough",
  "account balance",
  "account is overdue",
  "account overdue",
  "in arrears",
  "overdue payment",
  "payment required",
  "payment method",
  "billing hard limit",
  "billing limit",
  "billing is not active",
  "account is not active",
  "billing details",
  "exceeded your current quota",
  "exceeded your monthly included credits",
  "spending limit",
  "budget has been exceeded",
  "exceeded budget",
];

/** The phrases of an empty account that a text has. */
export function billingPhrases(text: string): readonly string[] {
  const lower = text.toLowerCase();
  return phrases.filter((phrase) => lower.includes(phrase));
}

/** True if a text has words of an empty account. */
export function namesBilling(text: string): boolean {
  return billingPhrases(text).length > 0;
}
