import { describeType } from "../errors/describe-type.ts";
import { OptionError } from "../errors/option.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { EmptyInputError, InputMapError, InputTooLongError } from "../errors/step.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";

/** The result of an input function. Blank and NULL inputs are left out of the prompt; a blank `text` fails the row. */
export type InputValue = string | number | bigint | boolean | Date | null | undefined;

/** The inputs that the model is shown of a row: `text`, which every row must have, and others. */
export type InputMap<State, Input extends string = string> = Readonly<Record<"text", (state: State) => InputValue>> &
  Readonly<Partial<Record<Input, (state: State) => InputValue>>>;

/** The values of the inputs, in place of the functions that make them of a row. */
export type InputValues<Input extends string = string> = Readonly<Record<"text", InputValue>> &
  Readonly<Partial<Record<Input, InputValue>>>;

export interface RowInputsOptions<State> {
  /** The step's name, for messages. */
  readonly step: string;
  readonly inputMap: InputMap<State>;
  readonly maxInputCharacters?: number | undefined;
  readonly onTooLong?: "fail" | "truncate" | undefined;
}

/** The inputs of a row, as the model is sent them. */
export class RowInputs<State> {
  /** The functions that were given. */
  readonly functions: Readonly<Record<string, (state: State) => unknown>>;
  readonly #options: RowInputsOptions<State>;
  /** The inputs, in the order in which they are shown: `text` is the last. */
  readonly #inputs: readonly (readonly [name: string, map: ((state: State) => InputValue) | undefined])[];

  /** @throws {OptionError} if `text` is missing, or an input has a name that can't be a tag */
  constructor(options: RowInputsOptions<State>) {
    const { step, inputMap } = options;
    for (const input of ["text", ...Object.keys(inputMap)]) checkInput(step, inputMap, input);
    const { text, ...others } = inputMap;
    this.#options = options;
    this.#inputs = [...Object.entries(others), ["text", text]];
    this.functions = givenFunctions(inputMap);
  }

  /**
   * The user message of a row: its inputs, the text last.
   *
   * @throws {RowError} if an input function throws or gives a wrong value, or `text` is empty or too long
   */
  render(state: State): string {
    const blocks: string[] = [];
    for (const [name, map] of this.#inputs) {
      const content = name === "text" ? this.textOf(state) : this.#input(name, map, state);
      if (content.trim() !== "") blocks.push(block(name, content));
    }
    return blocks.join("\n\n");
  }

  /** The same inputs without tags, as words to search by. */
  plain(state: State): string {
    return this.#inputs
      .map(([name, map]) => (name === "text" ? this.textOf(state) : this.#input(name, map, state)))
      .join("\n");
  }

  /**
   * The same of values, for an example that stands in the prompt.
   *
   * @throws {RowError} if `text` is blank, or a value is of a wrong kind
   */
  renderValues(values: InputValues): string {
    const { inputMap, ...options } = this.#options;
    const given = Object.keys(inputMap).map((name) => [name, () => values[name]] as const);
    return new RowInputs({ ...options, inputMap: { text: () => values.text, ...Object.fromEntries(given) } }).render(
      {},
    );
  }

  /**
   * The input `text` of a row, as much of it as the model is sent.
   *
   * @throws {RowError} as `render`
   */
  textOf(state: State): string {
    const { step, maxInputCharacters = Infinity, onTooLong = "fail", inputMap } = this.#options;
    const text = this.#input("text", inputMap.text, state);
    if (text.trim() === "") throw new EmptyInputError(step);
    if (text.length <= maxInputCharacters) return text;
    if (onTooLong === "fail") throw new InputTooLongError(step, text.length, maxInputCharacters);
    return text.slice(0, maxInputCharacters).toWellFormed();
  }

  #input(name: string, map: ((state: State) => InputValue) | undefined, state: State): string {
    const { step } = this.#options;
    let value: InputValue;
    try {
      value = map?.(state);
    } catch (error) {
      throw new InputMapError(step, name, `threw ${describeThrown(error)}`, {
        cause: error,
        detail: `${step}: inputMap.${name} threw ${thrownDetail(error)}`,
        facts: { ...thrownBy(error) },
      });
    }
    if (value === null || value === undefined) return "";
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
    if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") {
      const isPromised = ignoreRejection(value);
      const got = isPromised ? "a promise" : value instanceof Date ? "an invalid date" : describeType(value);
      const facts = { expected: "text, a number, a date or NULL", got };
      throw new InputMapError(step, name, "returned a wrong value", { facts });
    }
    return String(value).toWellFormed(); // a lone surrogate is not UTF-8, and a service would reject the request
  }
}

/** Data between tags of its name. */
export function block(name: string, content: string): string {
  return `<${name}>\n${escaped(content)}\n</${name}>`;
}

/** Data as a prompt has it: nothing in it can end the tags around it. */
export function escaped(content: string): string {
  return content.replaceAll("<", "&lt;");
}

function givenFunctions<State>(inputMap: InputMap<State>): Readonly<Record<string, (state: State) => unknown>> {
  const given: [string, (state: State) => unknown][] = [];
  for (const [input, read] of Object.entries(inputMap)) if (read !== undefined) given.push([input, read]);
  return Object.fromEntries(given);
}

function checkInput(step: string, inputMap: Readonly<Record<string, unknown>>, input: string): void {
  const owner = `step "${step}"`;
  if (!Object.hasOwn(inputMap, input)) {
    throw new OptionError(owner, "inputMap", `has no function for "${input}"`, { input });
  }
  if (/^[A-Za-z][A-Za-z0-9_-]*$/.test(input)) return;
  const facts = { input, expected: "a letter, then letters, digits, _ or -", got: JSON.stringify(input) };
  throw new OptionError(owner, "inputMap", "an input has a name that can't be a tag", facts);
}
