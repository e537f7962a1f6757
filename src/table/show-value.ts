import { kindOf } from "../errors/kind-of.ts";
import { toJSONValue } from "../json/json.ts";

/** The value itself, cut: for a `detail`, never for a message. */
export function showValue(value: unknown): string {
  return (JSON.stringify(toJSONValue(value)) ?? kindOf(value)).slice(0, 80);
}
