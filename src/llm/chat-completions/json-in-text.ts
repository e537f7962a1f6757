/**
 * Finds the JSON object in an answer that has other text around it: thoughts, prose, a fence of Markdown, the markers of a
 * chat template. The work grows with the length of the text, whatever it holds.
 */

/** Closing tags of thoughts: the answer is behind the last one. An opening tag may be missing. */
const endsOfThought = [
  "</think>",
  "</thinking>",
  "</thought>",
  "</thoughts>",
  "</reasoning>",
  "</reflection>",
  "[/THINK]",
  "◁/think▷",
  "</seed:think>",
  "<|end_of_thought|>",
  "<|END_THINKING|>",
];

/** Beginnings of the final message in the templates that name it. */
const beginningsOfFinal = ["<|channel|>final", "<|begin_of_solution|>", "<|START_RESPONSE|>"];

const openingTags = /<answer>|<output>|<response>|<json>/gi;

/** How often a text may be read over: bounds the work for a text full of braces that do not match. */
const mostReadings = 16;

/** How many texts in braces may turn out to be no JSON: each costs an error. */
const mostFailures = 1000;

/**
 * The JSON object of an answer, as it stands in the text; undefined if there is none. `required` are the fields that the
 * answer is to have: of several objects the last with all of them is taken, else the last with any. Where thoughts, a final
 * message or a fence are marked, an object behind or in them goes before any other.
 */
export function objectInText(text: string, required: readonly string[] = []): string | undefined {
  for (const part of partsOf(text)) {
    const objects = objectsIn(part);
    const found =
      objects.findLast(({ value }) => required.every((name) => Object.hasOwn(value, name))) ??
      objects.findLast(({ value }) => required.some((name) => Object.hasOwn(value, name)));
    if (found !== undefined) return found.text;
  }
  return undefined;
}

/** True for a text that is JSON as it came. */
export function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The parts of a text in which the answer is looked for, the most probable first. */
function partsOf(text: string): readonly string[] {
  const behind = behindLast(behindLast(text, endsOfThought), beginningsOfFinal);
  const opened = [...behind.matchAll(openingTags)].at(-1);
  const parts = [opened === undefined ? "" : behind.slice(opened.index), inFences(behind), behind, text];
  return parts.filter((part, index) => part.includes("{") && !parts.slice(0, index).includes(part));
}

function behindLast(text: string, marks: readonly string[]): string {
  let from = 0;
  for (const mark of marks) {
    const at = text.lastIndexOf(mark);
    if (at !== -1) from = Math.max(from, at + mark.length);
  }
  return from === 0 ? text : text.slice(from);
}

/** The insides of the fences, one after the other; the last one may be open. */
function inFences(text: string): string {
  return text
    .split("```")
    .filter((_, index) => index % 2 === 1)
    .join("\n");
}

interface FoundObject {
  readonly text: string;
  readonly value: object;
}

/** The JSON objects of a text, in their order; none that is inside another. */
function objectsIn(text: string): readonly FoundObject[] {
  const found: FoundObject[] = [];
  const beginning = /\{\s*["}]/g;
  let left = mostReadings * text.length;
  let failures = 0;
  for (let match = beginning.exec(text); match !== null; match = beginning.exec(text)) {
    const start = match.index;
    const { at, isClosed } = scanObject(text, start);
    left -= at - start;
    const object = isClosed ? parsed(text.slice(start, at)) : undefined;
    if (object !== undefined) found.push(object);
    else failures += isClosed ? 1 : 0;
    if (left <= 0 || failures === mostFailures) break;
    beginning.lastIndex = object === undefined ? start + 1 : at;
  }
  return found;
}

/** Reads on from a brace to the index behind the one that closes it, if there is one. Braces in JSON strings do not count. */
function scanObject(text: string, start: number): { readonly at: number; readonly isClosed: boolean } {
  let depth = 0;
  let at = start;
  for (; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === openBrace) depth += 1;
    else if (character === closeBrace) depth -= 1;
    else if (character === quote) at = endOfString(text, at);
    if (depth === 0) return { at: at + 1, isClosed: true };
    if (text.charCodeAt(at) === lineFeed && character === quote) break;
  }
  return { at: Math.min(at, text.length), isClosed: false };
}

/** The index of the quote that ends the string which begins at `start`, or of the line feed before it: JSON has none in a string. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === quote || character === lineFeed) return at;
    if (character === backslash) at += 1;
  }
  return text.length;
}

const quote = '"'.charCodeAt(0);
const backslash = "\\".charCodeAt(0);
const openBrace = "{".charCodeAt(0);
const closeBrace = "}".charCodeAt(0);
const lineFeed = "\n".charCodeAt(0);

function parsed(text: string): FoundObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { text, value } : undefined;
  } catch {
    return undefined; // braces of prose or code
  }
}
