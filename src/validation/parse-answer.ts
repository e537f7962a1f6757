import { messageOf } from "../errors/error-text.ts";
import { oneLine } from "../errors/wording.ts";
import { notJSONLine } from "./re-ask-wording.ts";
import type { Reading } from "./retry.ts";

/** The value of an answer's JSON text, or the issue that it is none. */
export function parseAnswer(answer: string): Reading<unknown> {
  try {
    return { valid: true, output: JSON.parse(answer) };
  } catch (error) {
    const message = "the reply is not valid JSON";
    const detail = `${message}: ${oneLine(messageOf(error))}`; // the parser quotes some of the answer
    return { valid: false, issues: [{ code: "json", path: "", message, detail, reAsk: notJSONLine(error) }] };
  }
}
