import { AnswerSampler } from "../../llm/mock/sample-answer.ts";
import type { ChatRequest } from "./chat-request.ts";
import type { SimulatorFaultName } from "./faults.ts";
import type { Labels } from "./labelled-csv.ts";
import type { Draws } from "./request-hash.ts";
import { cutJSON, placesIn, putOutOfEnum, putOutOfRange } from "./spoil.ts";

/** Makes the model's answers. They are valid for the request's schema, unless a fault spoils them. */
export class AnswerMaker {
  readonly #sampler: AnswerSampler;
  readonly #labels: Labels | undefined;

  constructor(seed: number, labels: Labels | undefined) {
    this.#sampler = new AnswerSampler(seed);
    this.#labels = labels;
  }

  /**
   * Makes the content of the answer's message.
   *
   * @throws {RangeError} for a schema that no finite answer fits
   */
  content(request: ChatRequest, fault: SimulatorFaultName | undefined, draws: Draws): string {
    const { messages, schema } = request;
    if (schema === undefined) return String(this.#sampler.answer(messages, { type: "string" }));
    const answer = this.#sampler.answer(messages, schema);
    this.#putLabel(request, answer);
    if (fault === "outOfRange") putOutOfRange(answer, schema, draws);
    if (fault === "wrongEnum") putOutOfEnum(answer, schema, draws);
    const text = JSON.stringify(answer);
    if (fault !== "invalidJSON") return text;
    return cutJSON(text, draws, messages.findLast(({ role }) => role === "assistant")?.content);
  }

  #putLabel({ messages, schema }: ChatRequest, answer: unknown): void {
    if (this.#labels === undefined || schema === undefined) return;
    const user = messages.find(({ role }) => role === "user")?.content ?? "";
    const label = this.#labels.of(textBetweenTags(user));
    if (label === undefined) return;
    placesIn(answer, schema)
      .find(({ schema: { enum: values } }) => values?.includes(label) === true)
      ?.set(label);
  }
}

/** The text that a step asks about, as the source has it; the whole message if it has no tags. */
function textBetweenTags(user: string): string {
  const text = /<text>\n([^]*)\n<\/text>\s*$/.exec(user)?.[1] ?? user;
  return text.replaceAll("&lt;", "<");
}
