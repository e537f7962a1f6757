import { describeType } from "../errors/describe-type.ts";
import { toJSONValue } from "../json/json.ts";

/** The value itself, cut: for a `detail`, never for a message. */
export function showValue(value: unknown): string {
  return (JSON.stringify(toJSONValue(value)) ?? describeType(value)).slice(0, 80);
}
