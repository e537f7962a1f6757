import { AnswerSampler } from "../../llm/mock/sample-answer.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import { limitsIn } from "../../validation/described-limits.ts";
import type { ChatRequest } from "./chat-request.ts";
import type { SimulatorFaultName } from "./faults.ts";
import type { Labels } from "./labelled-csv.ts";
import type { Draws } from "./request-hash.ts";
import { cutInText, cutJSON, placesIn, putOutOfEnum, putOutOfRange } from "./spoil.ts";

/** The mistake that a row's invalid answers have in common. */
export interface SameMistake {
  /** Decided by the row alone. */
  readonly draws: Draws;
  /** The number of earlier tries. */
  readonly timesSeen: number;
}

/** Makes the model's answers. They are valid for the request's schema, unless a fault spoils them. */
export class AnswerMaker {
  readonly #sampler: AnswerSampler;
  readonly #labels: Labels | undefined;

  constructor(seed: number, labels: Labels | undefined) {
    this.#sampler = new AnswerSampler(seed);
    this.#labels = labels;
  }

  /**
   * Makes the content of the answer's message. `same` makes the mistake of a fault the row's own.
   *
   * @throws {RangeError} for a schema that no finite answer fits
   */
  content(request: ChatRequest, fault: SimulatorFaultName | undefined, draws: Draws, same?: SameMistake): string {
    const { messages, schema } = request;
    if (schema === undefined) return String(this.#sampler.answer(messages, { type: "string" }));
    const answer = this.#sampler.answer(messages, schema);
    this.#putLabel(request, answer);
    if (fault === "outOfRange") putOutOfRange(answer, schema, same?.draws ?? draws);
    if (fault === "wrongEnum") putOutOfEnum(answer, schema, same?.draws ?? draws);
    const text = JSON.stringify(answer);
    const seen = messages.findLast(({ role }) => role === "assistant")?.content;
    if (fault === "invalidJSON" && same === undefined) return cutJSON(text, draws, seen);
    if (fault === "invalidJSON") return inOtherWords((turn) => cutInText(text, turn), same, seen);
    if (fault !== "outOfRange" && fault !== "wrongEnum") return text;
    return inOtherWords((turn) => JSON.stringify(answer, undefined, turn % 10), same, seen);
  }

  #putLabel({ messages, schema }: ChatRequest, answer: unknown): void {
    if (this.#labels === undefined || schema === undefined) return;
    const user = messages.find(({ role }) => role === "user")?.content ?? "";
    const label = this.#labels.of(textBetweenTags(user));
    if (label === undefined) return;
    placesIn(answer, schema)
      .find(({ schema: place }) => isChoice(label, place, user))
      ?.set(label);
  }
}

/** True for a field that may have the label: its schema lists it, or the user message does as one of its choices. */
function isChoice(label: string, { enum: values, description }: JSONSchema, user: string): boolean {
  if (values !== undefined) return values.includes(label);
  return "choiceOf" in limitsIn(description) && user.includes(`\n- ${JSON.stringify(label).replaceAll("<", "&lt;")}: `);
}

/** One of the texts that `write` makes of the same mistake: another one at the next try, and never `seen`, the answer before. */
function inOtherWords(
  write: (turn: number) => string,
  same: SameMistake | undefined,
  seen: string | undefined,
): string {
  if (same === undefined) return write(0);
  const text = write(same.timesSeen);
  return text === seen ? write(same.timesSeen + 1) : text;
}

/** The text that a step asks about, as the source has it; the whole message if it has no tags. */
function textBetweenTags(user: string): string {
  const text = /<text>\n([^]*)\n<\/text>\s*$/.exec(user)?.[1] ?? user;
  return text.replaceAll("&lt;", "<");
}
