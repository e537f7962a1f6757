import type { SimulatorFaultName } from "./faults.ts";
import type { Draws } from "./request-hash.ts";

/** The way in which the model's words go wrong: by a fault, or `endless`, in a first text that has no end. */
export type Slip = SimulatorFaultName | "endless";

/** The message of an answer. */
export interface Spoken {
  readonly finishReason: "stop" | "length" | "content_filter";
  readonly content: string | null;
  readonly refusal: string | null;
}

export interface SpokenOptions {
  /** The JSON Schema of the answer, as the request has it. */
  readonly schemaText: string;
  /** The most characters that the answer may have. */
  readonly room: number;
  readonly draws: Draws;
}

/** An answer that goes on for ever ends here, where the request names no limit. */
const longestEndless = 4 * 4096;

/** The model's message: `content`, or what a slip makes of it, cut where the room for it ends. */
export function spoken(slip: Slip | undefined, content: string, options: SpokenOptions): Spoken {
  const { room } = options;
  const change = slip === undefined ? undefined : slips[slip];
  const said = change?.(content, options) ?? { finishReason: "stop", content, refusal: null };
  if (said.content === null || said.content.length <= room) return said;
  return { ...said, finishReason: "length", content: said.content.slice(0, room).toWellFormed() };
}

/** The slips that change the message; others leave it as it is, or have spoilt its content already. */
const slips: { readonly [Name in Slip]?: (content: string, options: SpokenOptions) => Spoken } = {
  refusal: () => ({ finishReason: "stop", content: null, refusal: "I can't help with that." }),
  contentFilterAnswer: () => ({ finishReason: "content_filter", content: null, refusal: null }),
  length: (content) => cut(content.slice(0, content.length / 2).toWellFormed()),
  schemaEcho: (content, { schemaText }) => ({
    finishReason: "stop",
    content: schemaText === "" ? content : schemaText,
    refusal: null,
  }),
  loop: (content, { room, draws }) => cut(circling(content, Math.min(room, longestEndless), draws)),
  endless: (content, { room, draws }) => cut(unending(content, Math.min(room, longestEndless), draws)),
  prose: (_content, { room, draws }) => cut(rambling(Math.min(room, longestEndless), draws)),
};

function cut(content: string): Spoken {
  return { finishReason: "length", content, refusal: null };
}

/** The model that was not shown the schema goes round in circles, or does not come to an end. */
export function slipOfBlind(draws: Draws): Slip {
  return draws.share(3) < 0.5 ? "loop" : "endless";
}

/** A JSON text up to its first text value; up to its first value where it has no text; any other text as a whole. */
function beginningOf(json: string): string {
  const [beginning = json] = /^[^]*?[:[]\s*"/.exec(json) ?? /^[^:]*:/.exec(json) ?? [];
  return beginning;
}

/** A first text that has no end; without a text, an answer that ends before its first value. */
function unending(json: string, length: number, draws: Draws): string {
  const beginning = beginningOf(json);
  return beginning.endsWith('"') ? beginning + rambling(length, draws) : beginning;
}

/** A sentence again and again; where there is no text to put it, white space. */
function circling(json: string, length: number, draws: Draws): string {
  const beginning = beginningOf(json);
  const turn = 1 + Math.floor(draws.share(5) * 40); // another one each time
  const unit = beginning.endsWith('"') ? `The text says it ${turn} times. ` : `\n${" ".repeat(turn)}`;
  return (beginning + unit.repeat(Math.ceil(length / unit.length))).slice(0, length);
}

const syllables = ["an", "be", "co", "du", "el", "fi", "go", "hu", "in", "ja", "ke", "lo", "mi", "nu", "or", "pa"];

/** Made-up words that neither repeat themselves nor count, and come to no end. They have nothing of JSON. */
function rambling(length: number, draws: Draws): string {
  let text = "The";
  let state = Math.floor(draws.share(5) * 2 ** 32);
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; // Knuth's constants, as in Numerical Recipes, 2nd edition, 7.1
    const [one, two, three] = [28, 24, 20].map((bits) => syllables[(state >>> bits) & 15]);
    text += ` ${one}${two}${three}`;
  }
  return text.slice(0, length);
}
