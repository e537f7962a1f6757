import { parsesAsObject } from "./error-body.ts";
import type { HTTPAnswer } from "./response-body.ts";

/** So many equal server errors before the first answer make it worth a look whether the form of the request is at fault. */
const failuresBeforeProbe = 3;

/** So much of two bodies is compared: nothing large is kept. */
const comparedCharacters = 2000;

/**
 * Notices a service that answers a form of the schema which it does not know with a server error, as llama-cpp-python does with a 500:
 * it would be taken for an outage, and waited for. Only before the first answer, and once.
 */
export class FormatRejection {
  #last = "";
  #count = 0;
  #isDecided = false;

  /** The service has answered: whatever fails later, it is not the form. */
  answered(): void {
    this.#isDecided = true;
  }

  /** Notes a failure. True if the same request is to be sent once without `response_format`, to see whether that is at fault. */
  isProbeDue({ status, body }: Pick<HTTPAnswer, "status" | "body">): boolean {
    if (this.#isDecided) return false;
    const key = `${status} ${body.slice(0, comparedCharacters)}`;
    const maySay = status >= 500 && parsesAsObject(body);
    this.#count = maySay ? (key === this.#last ? this.#count + 1 : 1) : 0;
    this.#last = key;
    if (this.#count < failuresBeforeProbe) return false;
    this.#isDecided = true;
    return true;
  }
}
