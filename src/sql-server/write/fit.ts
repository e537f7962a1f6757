import { toJSONValue } from "../../json/json.ts";
import { kindOf } from "../../errors/kind-of.ts";

/** What goes into a cell of the staging table. */
export type StagedValue = string | number | boolean | Buffer | null;

/** A value as it is staged, or why the column can't hold it, without its content. */
export type Fitted =
  | { readonly ok: true; readonly value: StagedValue }
  | { readonly ok: false; readonly problem: string };

/** What a column makes of a value that is not NULL. */
export type Fit = (value: unknown) => Fitted;

export function fits(value: StagedValue): Fitted {
  return { ok: true, value };
}

export function misfit(problem: string): Fitted {
  return { ok: false, problem };
}

/** The value itself, cut: for a `detail`, never for a message. */
export function showValue(value: unknown): string {
  return (JSON.stringify(toJSONValue(value)) ?? kindOf(value)).slice(0, 80);
}
