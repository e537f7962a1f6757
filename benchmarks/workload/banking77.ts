/** The 77 intents of Banking77 (PolyAI, CC BY 4.0) in eight groups, which are ours, as a taxonomy with codes. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse";

const groups: Readonly<Record<string, string>> = {
  "Getting a card":
    "card_arrival card_delivery_estimate get_physical_card order_physical_card getting_spare_card getting_virtual_card get_disposable_virtual_card " +
    "disposable_card_limits card_about_to_expire card_linking activate_my_card visa_or_mastercard supported_cards_and_currencies",
  "Trouble with a card or a phone":
    "card_not_working virtual_card_not_working contactless_not_working card_swallowed lost_or_stolen_card compromised_card lost_or_stolen_phone pin_blocked " +
    "change_pin passcode_forgotten card_acceptance apple_pay_or_google_pay",
  "Payments and charges":
    "card_payment_fee_charged card_payment_not_recognised card_payment_wrong_exchange_rate declined_card_payment pending_card_payment reverted_card_payment? " +
    "transaction_charged_twice extra_charge_on_statement direct_debit_payment_not_recognised request_refund Refund_not_showing_up",
  Cash:
    "atm_support cash_withdrawal_charge cash_withdrawal_not_recognised declined_cash_withdrawal pending_cash_withdrawal wrong_amount_of_cash_received " +
    "wrong_exchange_rate_for_cash_withdrawal",
  "Topping up":
    "automatic_top_up pending_top_up top_up_by_bank_transfer_charge top_up_by_card_charge top_up_by_cash_or_cheque top_up_failed top_up_limits top_up_reverted " +
    "topping_up_by_card verify_top_up",
  Transfers:
    "balance_not_updated_after_bank_transfer balance_not_updated_after_cheque_or_cash_deposit beneficiary_not_allowed cancel_transfer declined_transfer " +
    "failed_transfer pending_transfer receiving_money transfer_fee_charged transfer_into_account transfer_not_received_by_recipient transfer_timing",
  "Exchange of currencies": "exchange_charge exchange_rate exchange_via_app fiat_currency_support",
  "Account and identity":
    "age_limit country_support edit_personal_details terminate_account unable_to_verify_identity verify_my_identity verify_source_of_funds why_verify_identity",
};

export interface Intent {
  readonly code: string;
  readonly parent: string | null;
  readonly name: string;
  readonly examples: readonly string[];
}

/** A question of a customer, and the intent that it has. */
export interface Question {
  readonly text: string;
  readonly category: string;
}

/** The code of an intent. */
export const codeOf: ReadonlyMap<string, string> = new Map(
  Object.values(groups).flatMap((labels, group) =>
    labels.split(" ").map((label, place): [string, string] => [label, `${group + 1}.${place + 1}`]),
  ),
);

/** A root, the groups and the intents, each of these with its first examples. */
export function intents(examples: readonly Question[], count: number): readonly Intent[] {
  const byLabel = Map.groupBy(examples, ({ category }) => category);
  const root = { code: "0", parent: null, name: "Questions to a bank", examples: [] };
  const inner = Object.keys(groups).map((name, index) => ({ code: `${index + 1}`, parent: "0", name, examples: [] }));
  const leaves = [...codeOf].map(([label, code]) => {
    const texts = (byLabel.get(label) ?? []).slice(0, count).map(({ text }) => text);
    return { code, parent: code.split(".", 1)[0] ?? "", name: label.replaceAll("_", " "), examples: texts };
  });
  return [root, ...inner, ...leaves];
}

/** One of its two files, `train` or `test`. */
export async function questionsIn(folder: string, file: "train" | "test"): Promise<readonly Question[]> {
  const rows: AsyncIterable<Question> = createReadStream(join(folder, `${file}.csv`)).pipe(parse({ columns: true }));
  return await Array.fromAsync(rows);
}
